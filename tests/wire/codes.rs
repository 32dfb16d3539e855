//! Each code has a directory in fixtures/codes: what is typed, in which files, what is answered, and how the command ends.

use std::{collections::BTreeSet, fs, path::Path};

use switchback_schemas::codes;
use switchback_tests_it::golden;

use crate::support::bins::{bins, program, root};

/// What a directory holds apart from the files that the command finds.
const OWN: [&str; 3] = ["command", "output.txt", "exit"];

/// The directories of fixtures/codes.
fn cases() -> BTreeSet<String> {
    let entries = fs::read_dir(root().join("fixtures/codes")).expect("fixtures/codes");
    let entries = entries.map(|entry| entry.expect("an entry")).filter(|entry| entry.path().is_dir());
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// The codes that have no case yet. The list only becomes shorter.
fn none_yet() -> BTreeSet<String> {
    let list = fs::read_to_string(root().join("fixtures/codes/none-yet.txt")).expect("the list");
    list.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

/// Types a case's command in a directory that holds a copy of its files; what it answered and how it ended.
fn typed(case: &Path) -> (String, String) {
    let directory = tempfile::tempdir().expect("a directory");
    for entry in fs::read_dir(case).expect("the case").map(|entry| entry.expect("an entry")) {
        if !OWN.iter().any(|own| entry.file_name() == *own) {
            fs::copy(entry.path(), directory.path().join(entry.file_name())).expect("copied");
        }
    }
    let command = fs::read_to_string(case.join("command")).expect("what is typed");
    let programs = bins().switchback.parent().expect("the directory of the commands");
    let output = program("bash")
        .args(["-c", &format!("exec 2>&1\n{command}")])
        .current_dir(directory.path())
        .env_clear()
        .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", programs.display()))
        .env("SWITCHBACK", root())
        .output()
        .expect("bash runs");
    let exit = output.status.code().expect("it ends by itself");
    (String::from_utf8_lossy(&output.stdout).into_owned(), format!("{exit}\n"))
}

#[test]
fn every_code_is_answered_where_its_case_says() {
    let mut wrong = Vec::new();
    for name in cases() {
        let case = root().join("fixtures/codes").join(&name);
        let (output, exit) = typed(&case);
        if !output.contains(&name) || exit == "0\n" {
            wrong.push(format!("{name} is not what is answered:\n{output}"));
        }
        wrong.extend(golden(&case.join("output.txt"), &output).err());
        wrong.extend(golden(&case.join("exit"), &exit).err());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_code_has_a_case_or_is_listed_as_having_none_yet() {
    let (cases, none) = (cases(), none_yet());
    let all: BTreeSet<String> = codes::ALL.iter().map(|entry| entry.code.to_string()).collect();
    assert_eq!(
        cases.intersection(&none).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "these have a case by now"
    );
    assert_eq!(cases.union(&none).cloned().collect::<BTreeSet<_>>(), all);
}
