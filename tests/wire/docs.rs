//! What the documents tell people to type is typed here.

use crate::support::bins::{bins, program, root};

/// The fenced blocks of a page that are marked with some words after the language.
fn blocks(page: &str, opening: &str) -> String {
    let text = std::fs::read_to_string(root().join(page)).expect("the page");
    let mut inside = false;
    let mut found = String::new();
    for line in text.lines() {
        match line {
            line if line == opening => inside = true,
            line if line.starts_with("```") => inside = false,
            line if inside => {
                found.push_str(line);
                found.push('\n');
            }
            _ => {}
        }
    }
    found
}

#[test]
fn the_guide_runs_from_top_to_bottom() {
    let script = blocks("docs/guide.md", "```sh run");
    assert!(script.contains("switchback apply"), "the guide has commands to run");
    // What it runs in the background would keep the pipes open after a command that failed.
    let script = format!("trap 'kill $(jobs -p) 2>/dev/null' EXIT\n{script}");
    let directory = tempfile::tempdir().expect("a directory");
    let programs = bins().switchback.parent().expect("the directory of the commands");
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", programs.display());
    let output = program("bash")
        .args(["-eu", "-c", &script])
        .current_dir(directory.path())
        .env_clear()
        .env("PATH", path)
        .env("SWITCHBACK", root())
        .output()
        .expect("bash runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    let report = std::fs::read_to_string(directory.path().join("report.md")).expect("the report");
    assert!(report.contains("complete"), "{report}");
}

#[test]
fn manifests_in_documents_are_accepted() {
    let manifests = blocks("README.md", "```yaml");
    assert!(manifests.contains("kind: KarpenterUpgrade"), "the README shows a manifest");
    let directory = tempfile::tempdir().expect("a directory");
    let platform = "apiVersion: switchback.dev/v1alpha1\nkind: Platform\nmetadata: {name: p}\nspec: {targets: {cluster: {cluster: {}}}}\n";
    std::fs::write(directory.path().join("platform.yaml"), platform).expect("written");
    std::fs::write(directory.path().join("upgrade.yaml"), manifests).expect("written");
    let output = program(&bins().switchback).arg("check").arg(directory.path()).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
