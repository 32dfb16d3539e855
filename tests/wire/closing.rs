//! Closing on the twin: what a run that is over keeps for its rollbacks is removed, by date or by an approval.

use serde_json::{Value, json};
use switchback_schemas::{
    journal::End,
    plan::ApprovalScope,
    report::{RunState, StepStatus},
};

use crate::support::{
    journal::{Events, record},
    mlops::{all, carried_through, only, scene},
    scene::Scene,
};

const GROUP: &str = "gpu-inference-1-33";

fn node_groups(scene: &Scene) -> Vec<String> {
    let groups = scene.cloud()["eks"]["clusters"]["mlops-platform-dev"]["nodegroups"].clone();
    names(&groups)
}

fn snapshots(scene: &Scene) -> Vec<String> {
    names(&scene.cloud()["rds"]["snapshots"])
}

fn names(of: &Value) -> Vec<String> {
    of.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
}

fn days(scene: &Scene, days: u32) {
    (0..days).for_each(|_| scene.wait(24 * 3600));
}

fn ended(scene: &Scene) -> End {
    match scene.report().state {
        RunState::Ended { end } => end,
        other => panic!("not over: {other:?}"),
    }
}

#[test]
fn a_complete_run_keeps_what_its_ways_back_need_until_they_are_over() {
    let scene = scene(&all());
    scene.plan();
    carried_through(&scene).exits(0);
    let kept = scene.switchback("status --store store --kubeconfig kubeconfig").exits(0).stdout;
    assert!(kept.contains(&format!("retained   node group {GROUP}, at size 0 until 2026-11-27")), "{kept}");
    assert!(kept.contains("cleanup    switchback cleanup --run"), "{kept}");
    assert!(!kept.contains("due"), "{kept}");

    let early = scene.on_store("cleanup --reason tidy").exits(1).stderr;
    assert!(early.contains(&format!("node group {GROUP}, at size 0 is needed until 2026-11-27")), "{early}");
    assert!(early.contains("snapshot mlops-platform-dev-mlflow-before-3-18-0"), "{early}");
    assert!(early.contains("--now deletes it anyway"), "{early}");
    // What is kept is no dirt.
    scene.on_store(&format!("janitor --fix {GROUP} --reason tidy")).exits(1);
    assert!(
        scene.switchback("janitor --store store").exits(0).stdout.contains("no run left anything behind")
    );
    assert_eq!(ended(&scene), End::Complete);

    days(&scene, 8);
    let due = scene.on_store("tick").exits(0).stderr;
    assert!(due.contains("cleanup is due since 2026-11-27"), "{due}");
    assert!(due.contains("1 of 2 retained"), "{due}");
    let status = scene.switchback("status --store store --kubeconfig kubeconfig").exits(0).stdout;
    assert!(status.contains("cleanup is due: rollback of pool gpu-inference"), "{status}");
    assert!(node_groups(&scene).contains(&GROUP.to_owned()), "tick removes nothing");

    let out = scene.on_store("cleanup --reason tidy").exits(0).stdout;
    assert!(out.contains(&format!("CLEANUP  deletes node group {GROUP}, at size 0: ")), "{out}");
    assert!(out.contains("retained   snapshot"), "{out}");
    assert!(!node_groups(&scene).contains(&GROUP.to_owned()));
    assert_eq!(snapshots(&scene).len(), 1, "its time has not come");
    assert_eq!(ended(&scene), End::Complete, "something is still kept");
    let ways = scene.on_store("rollback").exits(0).stdout;
    assert!(
        ways.contains(&format!(
            "not possible now: it needs node group {GROUP}, at size 0, which was removed"
        )),
        "{ways}"
    );

    days(&scene, 7);
    scene.on_store("cleanup --reason tidy").exits(0);
    assert!(snapshots(&scene).is_empty());
    assert_eq!(ended(&scene), End::CleanedUp);
    assert!(scene.report().retained.is_empty());
}

#[test]
fn a_close_that_is_killed_is_taken_up_and_nothing_goes_back_after_it() {
    let scene = scene(&all());
    let plan = scene.plan();
    carried_through(&scene).exits(0);
    // AWS does not answer what it is asked first, so that the close is killed in its middle, however late that is.
    scene.fault(
        &json!({"verb": "aws", "path": "eks:DeleteNodegroup", "kind": {"delay": {"seconds": 86_400}}}),
    );
    let mut child = scene.at_work("cleanup --now --reason budget");
    let begun = |event: &Value| record(event, "intent").is_some_and(|found| found["at"]["way"] == "cleanup");
    assert!(Events::of(&mut child).until(begun), "it removes something");
    child.kill().expect("killed");
    child.wait().expect("ended");
    scene.heal();
    assert!(matches!(scene.report().state, RunState::Running {}), "{:?}", scene.report().state);
    let back = scene.on_store("rollback --to start --reason regret").exits(1).stderr;
    assert!(back.contains("cannot roll back there"), "{back}");

    scene.on_store("cleanup --reason again").exits(0);
    let report = scene.report();
    assert_eq!(report.state, RunState::Ended { end: End::CleanedUp });
    assert!(report.retained.is_empty(), "{report:?}");
    assert!(report.expiring.is_empty(), "{report:?}");
    assert!(report.residue.is_empty(), "{report:?}");
    let approved: Vec<_> = report.approvals.iter().map(|given| &given.scope).collect();
    assert!(
        approved.contains(&&ApprovalScope::Cleanup {}),
        "the point of no return is approved: {approved:?}"
    );
    let closed = report.steps.iter().filter(|step| step.at.way == switchback_schemas::journal::Way::Cleanup);
    assert_eq!(
        closed.filter(|step| step.status == StepStatus::Done || step.status == StepStatus::Skipped).count(),
        2
    );
    assert!(!node_groups(&scene).contains(&GROUP.to_owned()));
    assert!(snapshots(&scene).is_empty());

    for savepoint in plan.savepoints.iter().take(plan.savepoints.len() - 1) {
        let refused =
            scene.on_store(&format!("rollback --to {} --reason regret", savepoint.id)).exits(1).stderr;
        assert!(refused.contains("which was removed at"), "{refused}");
    }
    let again = scene.apply().exits(0).stdout;
    assert!(again.contains("cleaned up: nothing is retained"), "{again}");
    let refused =
        scene.on_store(&format!("cleanup --run {} --now --reason more", report.run)).exits(1).stderr;
    assert!(refused.contains("is cleaned up"), "{refused}");
}

#[test]
fn what_a_way_back_put_aside_is_removed_too_and_its_last_state_is_kept() {
    let manifests = only(all(), &["mlflow.yaml"]);
    let scene = scene(&manifests);
    scene.plan();
    carried_through(&scene).exits(0);
    scene.on_store("rollback --to start --reason regret").exits(0);
    let kept = scene.report().retained;
    assert_eq!(kept.len(), 2, "the snapshot, and the instance that was put aside: {kept:?}");
    days(&scene, 15);
    scene.on_store("cleanup --reason tidy").exits(0);
    assert_eq!(ended(&scene), End::CleanedUp);
    let cloud = scene.cloud();
    assert_eq!(names(&cloud["rds"]["instances"]), ["mlops-platform-dev-mlflow"]);
    let left = snapshots(&scene);
    assert!(left.len() == 1, "{left:?}");
    assert!(left[0].ends_with("-last"), "{left:?}");
}
