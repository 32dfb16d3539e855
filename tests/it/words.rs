//! What people read uses the field's own words (docs/style.md): phrases that it does not are denied in everything that is
//! recorded of our output.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use switchback_tests_it::root;

/// A phrase, and what is written instead. Phrases, not words: `way` and `line` are good words elsewhere.
const DENIED: [(&str, &str); 30] = [
    ("way back", "rollback"),
    ("ways back", "rollbacks"),
    ("going back", "rolling back"),
    ("go back", "roll back"),
    ("goes back", "rolls back"),
    ("went back", "rolled back"),
    ("gone back", "rolled back"),
    ("line of no return", "point of no return"),
    ("lines of no return", "points of no return"),
    ("below this line", "the steps below"),
    ("bracket", "suspension"),
    ("held over", "left suspended"),
    ("leftover", "retained for rollback"),
    ("Kept afterwards", "Retained for rollback"),
    ("Longest chain", "Critical path"),
    ("for people", "for an approval"),
    ("never below", "min ready"),
    (" away", "unavailable"),
    ("its floor", "min ready"),
    ("whole at", "verified at"),
    ("budgets back", "restore the budgets"),
    ("become empty", "minSize 0"),
    ("see that", "check that"),
    ("keep what", "capture"),
    ("one does not", "(say who)"),
    ("Not known", "Blind spots"),
    ("Suspended meanwhile", "Suspended during the run"),
    ("Not shown in short", "Hidden by --brief"),
    ("was compiled from does not hold", "the platform changed since the plan was made"),
    ("is it so already", "already in place"),
];

/// Everything that is recorded of what people read.
fn recorded() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut directories: Vec<PathBuf> =
        ["plans", "docs", "fixtures/manifests/broken", "fixtures/codes", "schemas"]
            .map(|room| root().join(room))
            .into();
    while let Some(directory) = directories.pop() {
        let Ok(entries) = fs::read_dir(&directory) else { continue };
        for path in entries.map(|entry| entry.expect("an entry").path()) {
            let shown = path.strip_prefix(root()).expect("below the root").to_owned();
            // Sources hold what is recorded elsewhere; the guide to style shows what not to write; a plan's own text stands
            // in its dry-run.
            let skipped = ["schemas/src", "schemas/model", "schemas/face", "docs/style.md", "docs/adr"];
            if skipped.iter().any(|skipped| shown == Path::new(skipped)) {
                continue;
            }
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|kind| kind == "txt" || kind == "md")
                || shown.to_string_lossy().ends_with(".schema.json")
            {
                files.push(path);
            }
        }
    }
    files.push(root().join("README.md"));
    files.sort();
    assert!(files.len() > 40, "{files:?}");
    files
}

#[test]
fn recorded_output_uses_the_fields_words() {
    let mut places: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for file in recorded() {
        let text = fs::read_to_string(&file).expect("text");
        let shown = file.strip_prefix(root()).expect("below the root").display().to_string();
        for (number, line) in text.lines().enumerate() {
            for (phrase, _) in DENIED.iter().filter(|(phrase, _)| line.contains(phrase)) {
                places.entry(phrase).or_default().push(format!("{shown}:{}", number + 1));
            }
        }
    }
    let found: Vec<String> = DENIED
        .iter()
        .filter_map(|(phrase, instead)| {
            Some(format!("{phrase:?}, but {instead:?}: {}", places.get(phrase)?.join(" ")))
        })
        .collect();
    assert!(found.is_empty(), "docs/style.md says how it is written:\n{}", found.join("\n"));
}
