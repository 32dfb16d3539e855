//! People: approvals, pauses, overrides, and two executors at once.

use switchback_schemas::{journal::Identified, report::RunState};

use crate::support::{
    journal::{Events, record},
    manifests::{borrowed, changed, web_only, without_nodes},
    scene::Scene,
};

fn asking_first() -> Scene {
    let manifests =
        changed(web_only(), "platform.yaml", |text| format!("{text}  approvals:\n    beforeStart: true\n"));
    let scene = Scene::on_twin(&borrowed(&manifests), |world| world);
    scene.plan();
    scene
}

#[test]
fn a_run_parks_for_an_approval_and_goes_on_with_it() {
    let scene = asking_first();
    let out = scene.apply().exits(3);
    assert!(out.stdout.contains("switchback approve --plan"), "{}", out.stdout);
    // A name that nobody proved does not count here, and is told so.
    let out =
        scene.switchback("approve --plan --asserted mallory --store store --kubeconfig kubeconfig").exits(0);
    assert!(out.stderr.contains("does not count"), "{}", out.stderr);
    scene.apply().exits(3);
    let out =
        scene.switchback("approve --plan --reason reviewed --store store --kubeconfig kubeconfig").exits(0);
    assert!(out.stdout.contains("plan approved, by twin-admin"), "{}", out.stdout);
    scene.switchback("tick --store store --kubeconfig kubeconfig").exits(0);
    let report = scene.report();
    assert!(matches!(report.state, RunState::Ended { .. }));
    assert_eq!(report.approvals.len(), 1);
    assert_eq!(report.approvals[0].by, Identified::Kubernetes("twin-admin".to_owned()));
    assert_eq!(report.approvals[0].reason.as_deref(), Some("reviewed"));
}

#[test]
fn what_the_plan_does_not_have_cannot_be_approved() {
    let scene = asking_first();
    scene.apply().exits(3);
    for scope in ["--hop nothing@1", "--line nothing", "--gate nothing"] {
        let out =
            scene.switchback(&format!("approve {scope} --store store --kubeconfig kubeconfig")).exits(1);
        assert!(out.stderr.contains("the plan has no"), "{}", out.stderr);
    }
    scene.switchback("override nothing --reason x --expires 2027-01-01T00:00:00Z --store store --kubeconfig kubeconfig").exits(1);
}

#[test]
fn a_paused_run_holds_until_somebody_says_go_on() {
    let scene = asking_first();
    scene.apply().exits(3);
    scene.switchback("pause --reason lunch --store store --kubeconfig kubeconfig").exits(0);
    scene.switchback("approve --plan --store store --kubeconfig kubeconfig").exits(0);
    let out = scene.apply().exits(4);
    assert!(out.stdout.contains("lunch"), "{}", out.stdout);
    scene.switchback("continue --reason back --store store --kubeconfig kubeconfig").exits(0);
    scene.apply().exits(0);
}

#[test]
fn an_abandoned_run_lets_its_platform_go() {
    let scene = asking_first();
    scene.apply().exits(3);
    scene.switchback("abandon --reason changed-our-minds --store store --kubeconfig kubeconfig").exits(0);
    scene.apply().exits(1);
    let out = scene.switchback("lock list --store store").exits(0);
    assert!(out.stdout.contains("no platform is claimed"), "{}", out.stdout);
    let out =
        scene.switchback("pause --reason late --run nothing --store store --kubeconfig kubeconfig").exits(1);
    assert!(out.stderr.contains("no run nothing"), "{}", out.stderr);
}

#[test]
fn of_two_executors_one_is_busy() {
    let scene = Scene::on_twin(&borrowed(&without_nodes()), |world| world);
    scene.plan();
    let mut first = scene.applying();
    let mut events = Events::of(&mut first);
    assert!(events.until(|event| record(event, "epoch").is_some()));
    // Stopped, not ended: it holds its lease, however long this machine takes.
    signal("STOP", first.id());
    let out = scene.apply().exits(6);
    assert!(out.stderr.contains("another process"), "{}", out.stderr);
    signal("CONT", first.id());
    events.until(|_| false);
    assert!(first.wait().expect("it ends").success());
}

#[test]
fn a_second_plan_is_told_which_run_holds_the_platform() {
    let scene = asking_first();
    scene.apply().exits(3);
    // The claim comes with the first effect; approved and stopped before its end, the run holds it.
    scene.switchback("approve --plan --store store --kubeconfig kubeconfig").exits(0);
    let mut first = scene.applying();
    let mut events = Events::of(&mut first);
    assert!(events.until(|event| record(event, "claimed").is_some()));
    first.kill().expect("killed");
    first.wait().expect("ended");
    if !matches!(scene.report().state, RunState::Running {}) {
        // It was quicker than the signal.
        return;
    }
    scene.switchback("observe --kubeconfig kubeconfig -o second.json").exits(0);
    scene
        .switchback(
            "resolve manifests --inventory second.json -o second-lock.json -- --kubeconfig kubeconfig",
        )
        .exits(0);
    let out = scene
        .switchback("plan manifests --inventory second.json --lock second-lock.json -o second-plan.json");
    if out.code != Some(0) || !scene.path("second-plan.json").exists() {
        // Its one effect had happened already, so there is nothing to plan.
        return;
    }
    let out = scene.switchback("apply second-plan.json --kubeconfig kubeconfig --store store").exits(6);
    assert!(out.stderr.contains("is held by run r-"), "{}", out.stderr);
}

fn signal(name: &str, process: u32) {
    let sent = crate::support::bins::program("kill").args(["-s", name, &process.to_string()]).status();
    assert!(sent.expect("kill runs").success());
}
