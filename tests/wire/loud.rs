//! What cannot be read is said, with a code and a failing exit, and hides nothing that can.

use crate::support::{
    manifests::{borrowed, web_only},
    scene::{APPLY, Scene},
};

/// A store with two runs: one that can be read, and one that each test damages.
fn two_runs() -> (Scene, String, String) {
    let manifests = web_only();
    let scene = Scene::on_twin(&borrowed(&manifests), |world| world);
    scene.plan();
    scene.switchback(APPLY).exits(0);
    let whole = scene.report().run.to_string();
    let damaged = "r-damaged".to_owned();
    copy(&scene, &whole, &damaged);
    (scene, whole, damaged)
}

fn copy(scene: &Scene, from: &str, to: &str) {
    let (from, to) = (scene.path(&format!("store/runs/{from}")), scene.path(&format!("store/runs/{to}")));
    std::fs::create_dir(&to).expect("a directory");
    for name in ["journal", "plan.json"] {
        std::fs::copy(from.join(name), to.join(name)).expect("copied");
    }
}

const KUBE: &str = "--kubeconfig kubeconfig --store store";

/// Every command that looks at all runs names what it cannot read, and ends as a failure with a code; what it can read
/// is there, too.
#[track_caller]
fn all_say(scene: &Scene, whole: &str, damaged: &str, code: &str) {
    for line in [
        format!("tick {KUBE}"),
        "status --all --store store".to_owned(),
        "status --all --format json --store store".to_owned(),
        "verify --store store".to_owned(),
        "janitor --store store".to_owned(),
    ] {
        let out = scene.switchback(&line).exits(1);
        let said = format!("{}\n{}", out.stdout, out.stderr);
        assert!(said.contains(damaged) && said.contains(code), "{line}: {said}");
        assert!(
            line.starts_with("tick") || line.starts_with("janitor") || said.contains(whole),
            "{line}: {said}"
        );
    }
    let out = scene.switchback(&format!("tick {KUBE}"));
    assert!(!out.stderr.contains("no run is due"), "{}", out.stderr);
    let status = scene.switchback("status --all --format json --store store").stdout;
    let runs: serde_json::Value = serde_json::from_str(&status).expect("JSON");
    assert_eq!(runs.as_array().map(Vec::len), Some(1), "{status}");
}

#[test]
fn e8_a_damaged_journal_is_said() {
    let (scene, whole, damaged) = two_runs();
    let path = format!("store/runs/{damaged}/journal");
    let journal = scene.read(&path);
    // One bit in the middle.
    let at = journal.len() / 2;
    let mut bytes = journal.into_bytes();
    bytes[at] ^= 1;
    std::fs::write(scene.path(&path), bytes).expect("written");
    all_say(&scene, &whole, &damaged, "SB05");
}

#[test]
fn e8_a_journal_that_is_no_file_is_said() {
    let (scene, whole, damaged) = two_runs();
    let path = scene.path(&format!("store/runs/{damaged}/journal"));
    std::fs::remove_file(&path).expect("removed");
    std::fs::create_dir(&path).expect("a directory");
    all_say(&scene, &whole, &damaged, "SB05");
}

#[test]
fn e8_a_journal_of_another_format_is_said() {
    let (scene, whole, damaged) = two_runs();
    scene.write(&format!("store/runs/{damaged}/journal"), "");
    all_say(&scene, &whole, &damaged, "SB05");
}

#[test]
fn e8_a_plan_that_is_gone_or_changed_is_said() {
    let (scene, whole, damaged) = two_runs();
    let path = format!("store/runs/{damaged}/plan.json");
    let plan = scene.read(&path);
    scene.write(&path, &plan.replacen("web", "wed", 1));
    all_say(&scene, &whole, &damaged, "SB0");
    std::fs::remove_file(scene.path(&path)).expect("removed");
    all_say(&scene, &whole, &damaged, "SB0");
}

#[test]
fn e8_what_people_said_that_cannot_be_read_is_said() {
    let (scene, whole, damaged) = two_runs();
    std::fs::create_dir(scene.path(&format!("store/runs/{damaged}/side"))).expect("a directory");
    let say = [format!("tick {KUBE}"), "verify --store store".to_owned(), "janitor --store store".to_owned()];
    for line in say {
        let out = scene.switchback(&line).exits(1);
        let said = format!("{}\n{}", out.stdout, out.stderr);
        assert!(said.contains(&damaged) && said.contains("SB05"), "{line}: {said}");
        assert!(!line.starts_with("verify") || said.contains(&format!("run {whole}: ")), "{line}: {said}");
    }
}

#[test]
fn e8_a_claim_that_names_no_run_is_said() {
    let (scene, ..) = two_runs();
    scene.write("store/claims/elsewhere", "\u{1b}[31m\n");
    let out = scene.switchback("verify --store store").exits(1);
    let said = format!("{}\n{}", out.stdout, out.stderr);
    assert!(said.contains("elsewhere") && said.contains("SB05"), "{said}");
}
