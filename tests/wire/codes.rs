//! Each code has a directory in fixtures/codes: what is typed, in which files, what is answered, and how the command ends.

use std::{collections::BTreeSet, fs, path::Path, sync::Mutex};

use switchback_schemas::codes;
use switchback_tests_it::golden;

use crate::support::{
    bins::{bins, program, root},
    scene::explained,
};

/// What a directory holds apart from the files that the command finds.
const OWN: [&str; 3] = ["command", "output.txt", "exit"];

/// Cases that are typed at once. Most of their time is waiting for a twin's answers.
const SIDE_BY_SIDE: usize = 4;

/// The directories of fixtures/codes.
fn cases() -> BTreeSet<String> {
    let entries = fs::read_dir(root().join("fixtures/codes")).expect("fixtures/codes");
    let entries = entries.map(|entry| entry.expect("an entry")).filter(|entry| entry.path().is_dir());
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
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
    let answer = String::from_utf8_lossy(&output.stdout);
    (steady(&answer.replace(&*directory.path().to_string_lossy(), ".")), format!("{exit}\n"))
}

/// An answer without what comes with each change of a plan: digests, and the names of runs, which are made of them.
fn steady(answer: &str) -> String {
    let mut steady = String::new();
    for word in answer.split_inclusive(|c: char| !c.is_ascii_hexdigit()) {
        match word.trim_end_matches(|c: char| !c.is_ascii_hexdigit()) {
            digits if digits.len() >= 12 => steady.push_str(&word.replace(digits, "…")),
            _ => steady.push_str(word),
        }
    }
    steady
}

fn take(cases: &Mutex<BTreeSet<String>>) -> Option<String> {
    cases.lock().expect("nobody panicked").pop_first()
}

/// How a case is answered otherwise than it says.
fn differences(name: &str) -> Vec<String> {
    let case = root().join("fixtures/codes").join(name);
    let (output, exit) = typed(&case);
    // Who is warned is not refused.
    let ends = exit != "0\n" || output.contains(&format!("warning {name}: "));
    let other =
        (!output.contains(name) || !ends).then(|| format!("{name} is not what is answered:\n{output}"));
    let files = [("output.txt", &output), ("exit", &exit)];
    let files = files.into_iter().filter_map(|(file, text)| golden(&case.join(file), text).err());
    other.into_iter().chain(files).collect()
}

#[test]
fn every_code_is_answered_where_its_case_says() {
    bins();
    let (cases, wrong) = (Mutex::new(cases()), Mutex::new(Vec::new()));
    let work = || {
        while let Some(name) = take(&cases) {
            wrong.lock().expect("nobody panicked").extend(differences(&name));
        }
    };
    std::thread::scope(|scope| (0..SIDE_BY_SIDE).for_each(|_| drop(scope.spawn(work))));
    let wrong = wrong.into_inner().expect("nobody panicked");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_code_has_a_case() {
    let all: BTreeSet<String> = codes::ALL.iter().map(|entry| entry.code.to_string()).collect();
    assert_eq!(cases(), all);
}

#[test]
fn a_failure_without_a_code_is_seen() {
    assert!(explained(Some(0), ["done", ""]));
    assert!(explained(Some(1), ["", "error SB0101: gone"]));
    assert!(!explained(Some(4), ["held", "error SB0000: no such code"]));
}
