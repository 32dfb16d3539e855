//! The walls of the house, and what keeps its files readable.

use std::{fs, path::PathBuf};

use switchback_tests_it::root;

use crate::workspace::Packages;

/// Lines that a source file may have.
const LINES: usize = 450;

fn client(name: &str) -> bool {
    ["kube", "k8s-openapi", "hyper", "reqwest", "aws-", "object_store", "rustls"]
        .iter()
        .any(|client| name == *client || name.starts_with(&format!("{}-", client.trim_end_matches('-'))))
}

fn runtime(name: &str) -> bool {
    name == "tokio" || name.starts_with("tokio-") || client(name)
}

#[test]
fn walls_between_rooms_hold() {
    let packages = Packages::read();
    let mut breaches = Vec::new();
    let mut wall = |from: &str, what: &str, forbidden: &dyn Fn(&str) -> bool| {
        if let Some(way) = packages.breach(from, forbidden) {
            breaches.push(format!("{from} must not reach {what}: {}", way.join(" -> ")));
        }
    };
    for pure in [
        "switchback-schemas",
        "switchback-model",
        "switchback-face",
        "switchback-planner",
        "switchback-planner-cli",
    ] {
        wall(pure, "a runtime or a client", &runtime);
        wall(pure, "the executor", &|name| name.starts_with("switchback-executor"));
    }
    wall("switchback-executor", "a client", &client);
    wall("switchback-executor", "the planner", &|name| name.starts_with("switchback-planner"));
    wall("switchback-executor-cli", "the planner", &|name| name.starts_with("switchback-planner"));
    wall("switchback-twin", "any other room", &|name| name.starts_with("switchback-"));
    wall("switchback-twin", "the drivers' client", &|name| name == "kube" || name == "k8s-openapi");
    wall("switchback-tests-it", "a runtime or a client", &runtime);
    assert!(breaches.is_empty(), "{}", breaches.join("\n"));
    // What is there is seen, also where packages of others lie between.
    for far in ["tokio", "hyper", "rustls", "serde_derive", "yaml_serde"] {
        assert!(
            packages.breach("switchback-executor-cli", &|name| name == far).is_some(),
            "{far} is not seen"
        );
    }
}

#[test]
fn every_room_says_what_it_is_for() {
    let packages = Packages::read();
    let silent: Vec<&String> = packages
        .members
        .iter()
        .filter(|(_, path)| !path.join("README.md").is_file())
        .map(|(name, _)| name)
        .collect();
    assert!(silent.is_empty(), "without a README.md: {silent:?}");
}

#[test]
fn sources_are_short_and_finished() {
    let mut faults = Vec::new();
    for path in sources() {
        let text = fs::read_to_string(&path).expect("sources are UTF-8");
        let shown = path.strip_prefix(root()).unwrap_or(&path).display().to_string();
        if text.lines().count() > LINES {
            faults.push(format!("{shown}: {} lines; {LINES} is the most", text.lines().count()));
        }
        for (number, line) in text.lines().enumerate() {
            let code = line.trim_start();
            // This file names what it looks for.
            if code.starts_with("//") || shown == "tests/it/tidy.rs" {
                continue;
            }
            let mut found = |words: &[&str], why: &str| {
                let has = words.iter().any(|word| {
                    code.match_indices(word).any(|(at, _)| {
                        // `eprintln!` is not also a `println!`.
                        !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_')
                    })
                });
                if has {
                    faults.push(format!("{shown}:{}: {why}", number + 1));
                }
            };
            found(&["dbg!(", "todo!(", "unimplemented!("], "not finished");
            if !shown.split('/').any(|part| part == "tests") {
                let print = ["println!(", "eprintln!(", "print!(", "eprint!("];
                found(&print, "text goes through switchback_face::Output");
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// A refusal whose test was renamed or dropped would go on being listed as held.
#[test]
fn every_refusal_that_is_listed_has_its_test() {
    let readme = root().join("planner/src/components/eks/README.md");
    let text = fs::read_to_string(readme).expect("the README");
    let (_, section) = text.split_once("## Which test holds which refusal").expect("the section");
    let rows = section.lines().skip(1).take_while(|line| !line.starts_with('#'));
    let named: Vec<(&str, &str)> =
        rows.flat_map(|line| line.split('`')).filter_map(|word| word.split_once("::")).collect();
    assert!(named.len() > 15, "{named:?}");
    let sources = sources();
    let missing: Vec<&(&str, &str)> = named
        .iter()
        .filter(|(file, test)| {
            let own = sources.iter().filter(|path| path.file_stem().is_some_and(|stem| stem == *file));
            let has = |path: &PathBuf| {
                fs::read_to_string(path).is_ok_and(|text| text.contains(&format!("fn {test}(")))
            };
            !own.into_iter().any(has)
        })
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Every source file of the repository.
fn sources() -> Vec<PathBuf> {
    let mut sources = Vec::new();
    let mut directories = vec![root()];
    while let Some(directory) = directories.pop() {
        for entry in
            fs::read_dir(&directory).expect("a directory").map(|entry| entry.expect("an entry").path())
        {
            let name = entry.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if entry.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    directories.push(entry);
                }
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                sources.push(entry);
            }
        }
    }
    assert!(sources.len() > 50, "sources are missing: {}", sources.len());
    sources.sort();
    sources
}
