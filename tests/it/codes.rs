//! A code that nothing is refused with explains nothing.

use std::{fs, path::Path};

use switchback_schemas::codes;
use switchback_tests_it::root;

/// The text of every source file below a directory, tests and the table itself left out.
fn sources(directory: &Path, texts: &mut Vec<String>) {
    for entry in fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry")) {
        let (path, name) = (entry.path(), entry.file_name());
        if path.is_dir() {
            if name != "tests" && name != "target" {
                sources(&path, texts);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && !path.ends_with("schemas/src/codes.rs")
        {
            texts.push(fs::read_to_string(&path).expect("source is UTF-8"));
        }
    }
}

/// The constant of each code, as the table's source has them.
fn constants() -> Vec<(String, String)> {
    let table = fs::read_to_string(root().join("schemas/src/codes.rs")).expect("the table");
    let row = |line: &str| {
        let (name, rest) = line.trim().split_once(" = \"")?;
        let code = rest.split('"').next().filter(|code| codes::Code::find(code).is_some())?;
        Some((name.to_owned(), code.to_owned()))
    };
    table.lines().filter_map(row).collect()
}

#[test]
fn every_code_is_given_to_something() {
    let mut texts = Vec::new();
    for room in ["schemas", "planner", "executor"] {
        sources(&root().join(room), &mut texts);
    }
    let constants = constants();
    assert_eq!(constants.len(), codes::ALL.len(), "the table's rows are read from its source");
    let word = |text: &str, name: &str| {
        text.match_indices(name).any(|(at, _)| {
            let inside = |next: Option<char>| next.is_some_and(|c| c.is_alphanumeric() || c == '_');
            let (before, after) = (text.get(..at), text.get(at + name.len()..));
            !inside(before.and_then(|text| text.chars().next_back()))
                && !inside(after.and_then(|text| text.chars().next()))
        })
    };
    let unused: Vec<&(String, String)> =
        constants.iter().filter(|(name, _)| !texts.iter().any(|text| word(text, name))).collect();
    assert!(unused.is_empty(), "codes that nothing is refused with: {unused:?}");
}
