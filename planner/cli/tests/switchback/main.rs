//! The `switchback` command from outside: what it prints, where, and how it ends.

#![expect(clippy::expect_used, reason = "tests")]

mod learn;
mod rollback_plan;

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use switchback_face::{Exit, codes, contract};
use tempfile::TempDir;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).map(Path::to_owned).unwrap_or_default()
}

/// A command line in an environment of its own, run from the root of the repository.
#[expect(clippy::disallowed_methods, reason = "the program under test")]
fn program(path: &Path, line: &[&str]) -> Command {
    let mut command = Command::new(path);
    command.args(line).current_dir(root()).env_clear().env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
    command
}

fn switchback(line: &[&str]) -> Command {
    program(Path::new(env!("CARGO_BIN_EXE_switchback")), line)
}

fn run(mut command: Command) -> (Output, String, String) {
    let output = command.output().expect("it starts");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("it writes UTF-8");
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(!err.contains("panicked"), "{err}");
    (output, out, err)
}

fn ends(output: &Output, exit: Exit) {
    assert_eq!(output.status.code(), Some(exit.code().into()), "{output:?}");
}

const PLATFORM: &str = "fixtures/manifests/valid/platform.yaml";

#[test]
fn check_accepts_a_directory_in_which_nothing_is_wrong() {
    let (output, out, err) = run(switchback(&["check", "fixtures/manifests/valid"]));
    ends(&output, Exit::Success);
    assert!(
        out.starts_with("platform mlops-dev: 4 upgrades, 5 verifications, 1 waiver; manifests "),
        "{out}"
    );
    assert_eq!(err, "");
}

#[test]
fn check_counts_upgrades_of_every_kind() {
    let (output, out, _) = run(switchback(&["check", "plans/mlops-platform/manifests"]));
    ends(&output, Exit::Success);
    assert!(out.starts_with("platform mlops-platform-dev: 3 upgrades, 2 verifications, 0 waivers;"), "{out}");
}

#[test]
fn check_tells_all_faults_of_all_files_and_files_that_are_not_there() {
    let line = ["check", "gone.yaml", PLATFORM, "fixtures/manifests/broken/tab.yaml", "docs/adr"];
    let (output, out, _) = run(switchback(&line));
    ends(&output, Exit::Failed);
    for part in ["gone.yaml cannot be read", "SB0111", "tab.yaml:4:1", "SB0201", "no *.yaml", "4 errors"] {
        assert!(out.contains(part), "{part} is missing:\n{out}");
    }
    assert!(!out.contains('\u{1b}'), "no colour into a pipe");
}

#[test]
fn check_answers_programs_with_lines_and_columns() {
    let (output, out, _) =
        run(switchback(&["check", "--format", "json", PLATFORM, "fixtures/manifests/broken/tab.yaml"]));
    ends(&output, Exit::Failed);
    let answer: serde_json::Value = serde_json::from_str(&out).expect("it is JSON");
    assert_eq!(answer["errors"], 2);
    assert_eq!(answer["diagnostics"][0]["code"], "SB0111");
    assert_eq!(answer["diagnostics"][0]["labels"][0]["line"], 4);
}

#[test]
fn check_reads_standard_input() {
    let check = |file: &str| {
        let mut command = switchback(&["check", "--format", "json", "-"]);
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().expect("it starts");
        let manifest = fs::read(root().join(file)).expect("it is there");
        child.stdin.take().expect("a pipe").write_all(&manifest).expect("it reads");
        let output = child.wait_with_output().expect("it ends");
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
        (output, answer)
    };
    let (output, answer) = check(PLATFORM);
    ends(&output, Exit::Success);
    assert_eq!(answer["errors"], 0, "{answer}");
    let (output, answer) = check("fixtures/manifests/broken/tab.yaml");
    ends(&output, Exit::Failed);
    assert_eq!(answer["diagnostics"][0]["code"], "SB0111", "{answer}");
}

#[test]
fn colour_is_used_when_it_is_asked_for() {
    let broken = ["check", "fixtures/manifests/broken/tab.yaml"];
    let (_, out, _) = run(switchback(&[&["--color", "always"][..], &broken].concat()));
    assert!(out.contains("\u{1b}["), "{out}");
    let mut command = switchback(&[&broken[..], &["--color", "never"]].concat());
    command.env("CLICOLOR_FORCE", "1");
    assert!(!run(command).1.contains('\u{1b}'));
}

#[test]
fn a_wrong_command_line_is_not_an_error_of_the_manifests() {
    for line in [&["check"][..], &["chek", "x"], &[], &["check", "--format", "yaml", "x"]] {
        let (output, out, err) = run(switchback(line));
        ends(&output, Exit::Usage);
        assert!(out.is_empty(), "{line:?}: {err}");
        assert!((err.contains("Usage") || err.contains("--help")), "{line:?}: {err}");
    }
    let (output, out, _) = run(switchback(&["--help"]));
    ends(&output, Exit::Success);
    for command in ["check", "explain", "schema", "apply", "rollback", "demo"] {
        assert!(out.contains(&format!("  {command} ")), "{command} is not in the help:\n{out}");
    }
}

#[test]
fn schemas_are_printed_written_and_checked() {
    let (output, out, _) = run(switchback(&["schema"]));
    ends(&output, Exit::Success);
    assert!(out.lines().any(|name| name == "Platform"), "{out}");
    assert!(out.lines().any(|name| name == "plan"), "{out}");
    let (_, out, _) = run(switchback(&["schema", "karpenterupgrade"]));
    assert_eq!(
        out,
        fs::read_to_string(root().join("schemas/KarpenterUpgrade.schema.json")).expect("it is there")
    );

    let directory = TempDir::new().expect("a directory");
    let path = directory.path().to_str().expect("text");
    let (output, _, err) = run(switchback(&["schema", "--check", path]));
    ends(&output, Exit::Failed);
    assert!(err.contains("--write"), "{err}");
    ends(&run(switchback(&["schema", "--write", path])).0, Exit::Success);
    ends(&run(switchback(&["schema", "--check", path])).0, Exit::Success);
    fs::write(directory.path().join("plan.schema.json"), "{}").expect("it can be written");
    ends(&run(switchback(&["schema", "--check", path])).0, Exit::Failed);
}

#[test]
fn codes_are_explained() {
    let (output, out, _) = run(switchback(&["explain", "sb0206"]));
    ends(&output, Exit::Success);
    assert!(out.starts_with("SB0206: "), "{out}");
    assert!(out.contains("Quote version numbers"), "{out}");
    let (output, _, err) = run(switchback(&["explain", "SB0000"]));
    ends(&output, Exit::Failed);
    assert!(err.starts_with("error SB0702: "), "{err}");
    assert!(err.contains("SB0000"), "{err}");
    assert_eq!(run(switchback(&["explain", "--all-markdown"])).1, codes::markdown());
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    for line in [&["explain", "--all-markdown"][..], &["schema", "plan"], &["--help"]] {
        let (reader, writer) = io::pipe().expect("a pipe");
        drop(reader);
        let mut command = switchback(line);
        let output = command.stdout(writer).stderr(Stdio::piped()).output().expect("it starts");
        ends(&output, Exit::Success);
        assert!(output.stderr.is_empty(), "{output:?}");
    }
}

/// The command in a directory of its own, so that nothing else is beside it.
fn alone() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let path = directory.path().join("switchback");
    fs::hard_link(env!("CARGO_BIN_EXE_switchback"), &path).expect("a link in the same file system");
    (directory, path)
}

fn executor(directory: &Path, answer: &str) {
    let path = directory.join("switchback-exec");
    let script = format!(
        "#!/bin/sh\nif [ \"$1\" = --contract ]; then\ncat <<'END'\n{answer}END\nexit 0\nfi\n\
         printf '%s|' \"$@\" \"$NO_COLOR\"\nexit 7\n"
    );
    fs::write(&path, script).expect("it can be written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it can be changed");
}

#[test]
fn without_the_executor_a_person_learns_what_to_install() {
    let (_directory, path) = alone();
    let (output, out, err) = run(program(&path, &["apply", "plan.json"]));
    ends(&output, Exit::Unavailable);
    assert!(out.is_empty(), "{err}");
    assert!(err.contains("`apply`"), "{err}");
    assert!(err.contains("switchback-exec"), "{err}");
}

#[test]
fn the_executor_gets_the_words_as_they_are_and_its_exit_code_stands() {
    let (directory, path) = alone();
    executor(directory.path(), &contract::answer());
    let (output, out, _) =
        run(program(&path, &["apply", "plan.json", "--max-runtime", "1h", "--help", "a b"]));
    assert_eq!(output.status.code(), Some(7));
    assert_eq!(out, "apply|plan.json|--max-runtime|1h|--help|a b||");
    // `switchback-exec` reads no variable that forces colour: it is told as this command was.
    for when in ["never", "always"] {
        let (_, out, _) = run(program(&path, &["--color", when, "status"]));
        assert_eq!(out, format!("--color|{when}|status||"));
    }
    let (_, out, _) = run(program(&path, &["--color", "auto", "status"]));
    assert_eq!(out, "status||");
}

#[test]
fn the_executor_is_found_on_the_path() {
    let (_directory, path) = alone();
    let elsewhere = TempDir::new().expect("a directory");
    executor(elsewhere.path(), &contract::answer());
    let mut command = program(&path, &["tick"]);
    command.env("PATH", format!("relative:/usr/bin:{}:/bin", elsewhere.path().display()));
    assert_eq!(run(command).0.status.code(), Some(7));
}

#[test]
fn an_executor_of_another_release_is_refused_before_it_does_anything() {
    let (directory, path) = alone();
    executor(directory.path(), &contract::answer().replace("switchback.journal/3.", "switchback.journal/4."));
    let (output, out, err) = run(program(&path, &["apply", "plan.json"]));
    ends(&output, Exit::Unavailable);
    assert!(out.is_empty(), "{err}");
    assert!(err.contains("switchback.journal/3.0"), "{err}");
    assert!(err.contains("one release"), "{err}");
}

const UPGRADES: &str = "\
apiVersion: switchback.dev/v1alpha1
kind: Platform
metadata: {name: dev}
spec: {targets: {main: {cluster: {}}}}
---
apiVersion: switchback.dev/v1alpha1
kind: ComponentUpgrade
metadata: {name: cluster}
spec: {component: eks, from: '1.31', to: latest-supported}
---
apiVersion: switchback.dev/v1alpha1
kind: ComponentUpgrade
metadata: {name: karpenter}
spec: {component: karpenter, from: '1.0.8', to: '1.14.1'}
";

fn upgrades(text: &str) -> (TempDir, String) {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("upgrades.yaml");
    fs::write(&path, text).expect("it can be written");
    let path = path.to_str().expect("text").to_owned();
    (directory, path)
}

#[test]
fn the_joint_path_is_told_with_reasons_and_sources() {
    let (_directory, path) = upgrades(UPGRADES);
    let (output, out, err) = run(switchback(&["path", &path, "--as-of", "2026-11-20"]));
    ends(&output, Exit::Success);
    assert_eq!(err, "");
    for part in [
        "eks 1.31 -> 1.36  pinned from latest-supported",
        "after 1: Karpenter >=1.0.5 <1.1 requires EKS >=1.25 <1.32 [",
        "1.31 is supported until 2026-11-26",
        "ends the rollback of eks@1.32",
        "Nothing has been changed.",
    ] {
        assert!(out.contains(part), "{part} is missing:\n{out}");
    }
    let line = ["path", &path, "--as-of", "2026-11-20", "--why", "eks@1.32", "karpenter@1.14.1"];
    let (output, out, _) = run(switchback(&line));
    ends(&output, Exit::Success);
    assert!(out.starts_with("eks@1.32 comes after karpenter@1.14.1: Karpenter"), "{out}");

    let (_, out, _) = run(switchback(&["path", &path, "--as-of", "2026-11-20", "--format", "json"]));
    let answer: serde_json::Value = serde_json::from_str(&out).expect("it is JSON");
    assert_eq!(answer["hops"].as_array().map(Vec::len), Some(6));
    assert_eq!(answer["hops"][1]["after"][0]["why"][0]["strength"], "requires");
}

#[test]
fn no_joint_path_shows_manifests_and_catalog() {
    let (_directory, path) = upgrades(&UPGRADES.replace("1.14.1", "1.5.8"));
    let (output, out, err) = run(switchback(&["path", &path, "--as-of", "2026-11-20"]));
    ends(&output, Exit::Failed);
    assert_eq!(out, "");
    for part in ["SB0301", "Karpenter 1.5 requires EKS", "upgrades.yaml:", "catalog/karpenter.yaml:"] {
        assert!(err.contains(part), "{part} is missing:\n{err}");
    }
    let (output, _, err) = run(switchback(&["path", &path]));
    ends(&output, Exit::Failed);
    assert!(err.contains("--as-of"), "{err}");
}

#[test]
fn the_catalog_is_shown_and_checked() {
    let (output, out, _) = run(switchback(&["catalog"]));
    ends(&output, Exit::Success);
    assert!(out.lines().any(|line| line.starts_with("karpenter ")), "{out}");
    let (_, out, _) = run(switchback(&["catalog", "eks"]));
    assert!(out.contains("1.36"), "{out}");
    assert!(out.contains("one minor at a time"), "{out}");
    assert!(out.contains("sources"), "{out}");
    let (output, out, _) = run(switchback(&["catalog", "--check", "--as-of", "2026-11-20"]));
    ends(&output, Exit::Success);
    assert!(out.contains("hole   gpu-operator: 26.3.3 has no fact about eks"), "{out}");
    assert!(
        out.lines()
            .last()
            .is_some_and(|line| line.starts_with("0 faults, ") && line.ends_with(", 0 old sources"))
    );
    let (output, _, err) = run(switchback(&["catalog", "keda"]));
    ends(&output, Exit::Failed);
    assert!(err.contains("keda"), "{err}");
}
