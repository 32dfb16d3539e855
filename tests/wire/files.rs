//! Files that commands are given: regular files only, manifests below the directory that was named, and no text of a file
//! that is something else.

use std::{os::unix::fs::symlink, path::Path};

use crate::support::{
    bins::{bins, program, root},
    scene::Scene,
};

/// What no answer may hold.
const SECRET: &str = "wJalrXUtnFEMI-K7MDENG-bPxRfiCY";

/// Seconds that a command may take that has nothing to wait for.
const SOON: &str = "20";

fn platform() -> String {
    std::fs::read_to_string(root().join("fixtures/codes/SB0101/platform.yaml")).expect("a Platform")
}

fn scene() -> Scene {
    let platform = platform();
    let scene = Scene::new(&[("platform.yaml", platform.as_str())]);
    scene.write(
        "credentials",
        &format!("[default]\naws_access_key_id = {SECRET}\naws_secret_access_key = {SECRET}\n"),
    );
    scene
}

fn fifo(path: &Path) {
    assert!(program("mkfifo").arg(path).status().expect("mkfifo runs").success());
}

/// A command that is ended when it hangs; code and all that it said.
fn ended(scene: &Scene, bin: &Path, line: &[&str]) -> (Option<i32>, String) {
    let mut command = scene.command(Path::new("timeout"));
    let output = command.arg(SOON).arg(bin).args(line).output().expect("the command runs");
    (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

/// A command of files only is refused soon, with a code and the file's name, and shows nothing of what it was led to.
#[track_caller]
fn refused(scene: &Scene, line: &str, code: &str, name: &str) {
    let words: Vec<&str> = line.split(' ').collect();
    let (exit, said) = ended(scene, &bins().switchback, &words);
    assert_eq!(exit, Some(1), "{line}: {said}");
    assert!(said.contains(code) && said.contains(name), "{line}: {said}");
    assert!(!said.contains(SECRET), "{line}: {said}");
}

#[test]
fn f2_a_link_among_manifests_stays_below_their_directory() {
    for format in ["text", "json"] {
        let scene = scene();
        symlink("../credentials", scene.path("manifests/a.yaml")).expect("a link");
        refused(&scene, &format!("check manifests --format {format}"), "SB0101", "manifests/a.yaml");
        // As a shell writes `manifests/*.yaml`.
        refused(&scene, &format!("check manifests/a.yaml --format {format}"), "SB0101", "manifests/a.yaml");
    }
    let scene = scene();
    symlink("../credentials", scene.path("manifests/a.yaml")).expect("a link");
    let inventory = root().join("plans/karpenter-small/inventory.json");
    std::fs::copy(inventory, scene.path("inventory.json")).expect("copied");
    for line in ["plan manifests", "observe manifests", "resolve manifests", "path manifests"] {
        refused(&scene, line, "SB0101", "manifests/a.yaml");
    }
    // A volume of a ConfigMap is links to files beside them.
    let scene = Scene::new(&[]);
    std::fs::create_dir(scene.path("manifests/..data")).expect("a directory");
    scene.write("manifests/..data/platform.yaml", &platform());
    symlink("..data/platform.yaml", scene.path("manifests/platform.yaml")).expect("a link");
    scene.switchback("check manifests").exits(0);
    symlink("gone.yaml", scene.path("manifests/b.yaml")).expect("a link");
    refused(&scene, "check manifests", "SB0101", "manifests/b.yaml");
}

#[test]
fn f2_what_is_no_regular_file_is_never_waited_for() {
    let scene = scene();
    fifo(&scene.path("manifests/pipe.yaml"));
    refused(&scene, "check manifests", "SB0101", "manifests/pipe.yaml");
    refused(&scene, "check manifests/pipe.yaml", "SB0101", "manifests/pipe.yaml");
    std::fs::remove_file(scene.path("manifests/pipe.yaml")).expect("removed");
    std::fs::create_dir(scene.path("manifests/folder.yaml")).expect("a directory");
    refused(&scene, "check manifests", "SB0101", "manifests/folder.yaml");
    refused(&scene, "check /dev/zero", "SB0101", "/dev/zero");
    std::fs::remove_dir(scene.path("manifests/folder.yaml")).expect("removed");
    fifo(&scene.path("pipe"));
    symlink("pipe", scene.path("link")).expect("a link");
    scene.write("lock.json", "{}");
    for file in ["pipe", "link", "/dev/zero", "manifests"] {
        for line in [
            format!("show {file}"),
            format!("lint {file}"),
            format!("graph {file}"),
            format!("diff {file} {file}"),
            format!("permissions {file}"),
            format!("rollback-plan {file}"),
            format!("resolve manifests --inventory {file}"),
            format!("plan manifests --inventory {file}"),
        ] {
            refused(&scene, &line, "SB0425", file);
        }
        let (exit, said) = ended(&scene, &bins().exec, &["apply", file, "--store", "store"]);
        assert_eq!(exit, Some(1), "{said}");
        assert!(said.contains("SB0425") && said.contains(file), "{said}");
    }
}

#[test]
fn f2_a_file_that_is_no_manifest_is_not_quoted() {
    let scene = scene();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----\n");
    let object = format!("apiVersion: v1\nkind: Secret\nstringData: {{a: {SECRET}}}\nstringData: {{a: 1}}\n");
    let anchors = format!("a: &{SECRET} 1\n{SECRET}: 1\n{SECRET}: !{SECRET} 2\n? [{SECRET}]\n: 1\n");
    let second = format!("{}---\n{object}", platform());
    let foreign = [
        scene.read("credentials"),
        pem,
        object.clone(),
        anchors,
        second,
        format!("kind: {SECRET}\n"),
        format!("apiVersion: {SECRET}\nkind: x\n"),
        format!("{SECRET}: \u{202e}\n"),
        format!("\"{SECRET}\n"),
        format!("machine h login l password {SECRET}\n"),
    ];
    for text in foreign {
        scene.write("manifests/foreign.yaml", &text);
        for format in ["text", "json"] {
            refused(&scene, &format!("check manifests --format {format}"), "SB0", "manifests/foreign.yaml");
        }
    }
    // What is wrong within a manifest is shown with its lines.
    scene.write("manifests/foreign.yaml", "apiVersion: switchback.dev/v1alpha1\nkind: Platfrom\n");
    let said = scene.switchback("check manifests").exits(1).stdout;
    assert!(said.contains("kind: Platfrom"), "{said}");
    std::fs::remove_file(scene.path("manifests/foreign.yaml")).expect("removed");
    for text in [
        format!("\"{SECRET}\""),
        format!("[\"{SECRET}\"]"),
        format!("{{\"format\": \"{SECRET}\"}}"),
        format!("{{\"format\": {{\"{SECRET}\": 1}}}}"),
        format!("{{\"features\": \"{SECRET}\"}}"),
        format!("{{\"auths\": {{\"{SECRET}\": {{}}}}}}"),
    ] {
        scene.write("plan.json", &text);
        refused(&scene, "show plan.json", "SB0425", "plan.json");
    }
}

/// Mode of a file, the bits of permissions only.
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[test]
fn f1_what_is_written_is_for_its_owner() {
    let scene = scene();
    let manifests = scene.path("manifests").display().to_string();
    // Nobody answers there; what was to be asked is written before.
    scene.switchback(&format!("observe {manifests} --kubeconfig gone")).exits(1);
    assert_eq!(mode(&scene.path("inventory.json.wanted")), 0o600);
}
