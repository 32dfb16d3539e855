//! The rollback of a plan that was changed by hand is not told: it may be another one than it seems.

use std::fs;

use serde_json::Value;
use switchback_face::Exit;
use tempfile::TempDir;

use crate::{ends, run, switchback};

#[test]
fn without_the_savepoint_before_the_run_there_is_no_rollback_to_tell() {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("plan.json").to_string_lossy().into_owned();
    let text =
        fs::read_to_string(crate::root().join("plans/karpenter-small/plan.json")).expect("the example");
    let mut plan: Value = serde_json::from_str(&text).expect("JSON");
    plan["savepoints"].as_array_mut().expect("savepoints").remove(0);
    fs::write(&path, plan.to_string()).expect("written");
    let step = "karpenter/karpenter@1.8.8/controller";
    for line in [&["rollback-plan", &path, "--at", step][..], &["rollback-plan", &path]] {
        let (output, out, err) = run(switchback(line));
        ends(&output, Exit::Failed);
        assert!(out.contains("SB0423") && out.contains("no savepoint for the state before it"), "{out}{err}");
    }
}
