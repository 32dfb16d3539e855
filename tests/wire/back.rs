//! Rolling back, by hand, to where a run began.

use switchback_schemas::{
    journal::End,
    report::{RunState, StepStatus},
};

use crate::support::{
    journal::{Events, record},
    manifests::{all, borrowed, broken_web, holding, without_nodes},
    projection::same,
    scene::Scene,
};

/// Upgrades that roll back as a whole, with a step at the end that fails and holds.
fn held() -> Scene {
    let manifests = holding(without_nodes());
    let scene = Scene::on_twin(&borrowed(&manifests), |world| broken_web(&world));
    scene.plan();
    scene
}

#[test]
fn a_run_that_holds_shows_the_ways_back_and_takes_one() {
    let scene = held();
    let before = scene.world();
    scene.apply().exits(4);
    let prices = scene.switchback("rollback --store store --kubeconfig kubeconfig").exits(0);
    assert!(prices.stdout.contains("to savepoint start"), "{}", prices.stdout);
    assert!(prices.stdout.contains("run it with: switchback rollback"), "{}", prices.stdout);
    // Nothing of it has to be asked for: it was captured.
    let by_hand =
        scene.switchback("rollback --by-hand --to start --store store --kubeconfig kubeconfig").exits(0);
    assert!(by_hand.stdout.contains("kubectl patch nodepool"), "{}", by_hand.stdout);
    assert!(by_hand.stdout.contains("helm rollback"), "{}", by_hand.stdout);
    assert!(!by_hand.stdout.contains(":?"), "{}", by_hand.stdout);
    assert!(matches!(scene.report().state, RunState::Held { .. }), "looking changes nothing");

    let out =
        scene.switchback("rollback --to start --reason tired --store store --kubeconfig kubeconfig").exits(0);
    assert!(out.stdout.contains("rolled back to a savepoint"), "{}", out.stdout);
    same(&before, &scene.settled(), "the world after rolling back to the start");
    let report = scene.report();
    assert_eq!(report.state, RunState::Ended { end: End::RolledBack });
    assert!(report.left_suspended.is_empty(), "{report:?}");
    assert!(report.residue.is_empty(), "{report:?}");
    let left = report.steps.iter().filter(|step| step.status == StepStatus::Failed).count();
    assert_eq!(left, 0, "{report:?}");
}

#[test]
fn p34_going_back_survives_being_killed_anywhere() {
    let undisturbed = held();
    let before = undisturbed.settled();
    for nth in 1.. {
        let scene = held();
        scene.apply().exits(4);
        let mut child = scene.command(&crate::support::bins::bins().exec);
        child.args([
            "rollback",
            "--to",
            "start",
            "--store",
            "store",
            "--kubeconfig",
            "kubeconfig",
            "--format",
            "json",
        ]);
        let mut child = child.stdout(std::process::Stdio::piped()).spawn().expect("it starts");
        let mut seen = 0;
        let reached = Events::of(&mut child).until(|event| {
            seen += usize::from(record(event, "intent").is_some());
            seen == nth
        });
        child.kill().expect("killed");
        child.wait().expect("ended");
        scene.apply().exits(0);
        same(&before, &scene.settled(), &format!("killed at intent {nth} of the rollback"));
        if !reached {
            assert!(nth > 3, "the rollback has some steps");
            return;
        }
    }
}

/// The image is mended, and a plan that continues the held run goes on from its savepoints.
#[test]
fn a_held_run_is_continued_by_another_plan() {
    let scene = held();
    scene.apply().exits(4);
    let old = scene.report();
    scene.on_store(&format!("observe --continue {}", old.run)).exits(0);
    let mended = scene.read("manifests/web.yaml").replace("example.invalid/web:2", "example.invalid/web:3");
    scene.write("manifests/web.yaml", &mended.replace("to: \"2\"", "to: \"3\""));
    scene.switchback("resolve manifests -- --kubeconfig kubeconfig").exits(0);
    let plan = scene.planned();
    assert_eq!(plan.parent.as_ref().map(|parent| &parent.run), Some(&old.run));
    scene.apply().exits(0);
    let all = scene.switchback("status --store store --all --format json").exits(0);
    let all: Vec<switchback_schemas::report::Report> = serde_json::from_str(&all.stdout).expect("reports");
    let of = |run: &switchback_schemas::RunId| {
        all.iter().find(|report| report.run == *run).map(|report| &report.state)
    };
    assert!(matches!(of(&old.run), Some(RunState::Superseded { .. })), "{all:?}");
    assert_eq!(
        all.iter().filter(|report| matches!(report.state, RunState::Ended { end: End::Complete })).count(),
        1
    );
    let out = scene.switchback("lock list --store store").exits(0);
    assert!(out.stdout.contains("no platform is claimed"), "{}", out.stdout);
}

/// From every step of the example, nodes included: its process dies when the step has begun, and the run rolls back to the start.
#[test]
fn from_every_step_of_the_example_the_way_back_ends_where_it_began() {
    let manifests = all();
    let scene = || {
        let scene = Scene::on_twin(&borrowed(&manifests), |world| world);
        let plan = scene.plan();
        (scene, plan)
    };
    let steps: Vec<String> = scene().1.steps.iter().map(|step| step.id.to_string()).collect();
    assert!(steps.len() > 10, "the example moves nodes too: {steps:?}");
    for step in &steps {
        let (scene, _) = scene();
        let before = scene.settled();
        let mut child = scene.applying();
        let begun = |event: &serde_json::Value| {
            ["intent", "frozen", "skipped", "converged"]
                .iter()
                .filter_map(|kind| record(event, kind))
                .any(|record| record["at"]["step"] == step.as_str())
        };
        assert!(Events::of(&mut child).until(begun), "{step} is reached");
        child.kill().expect("killed");
        child.wait().expect("ended");
        let out = scene.on_store("rollback --to start --reason tired").exits(0);
        assert!(out.stdout.contains("rolled back to a savepoint"), "{step}: {}", out.stdout);
        same(&before, &scene.settled(), &format!("the world after rolling back from {step}"));
        let report = scene.report();
        assert_eq!(report.state, RunState::Ended { end: End::RolledBack }, "{step}");
        assert!(report.left_suspended.is_empty(), "{step}: {report:?}");
        assert!(report.residue.is_empty(), "{step}: {report:?}");
    }
}
