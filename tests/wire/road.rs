//! The whole road on the twin: observe, resolve, plan, apply, report. And how the commands behave as commands.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    process::Stdio,
};

use switchback_schemas::report::{RunState, StepStatus};

use crate::support::{
    bins::bins,
    manifests::{all, borrowed, broken_web, web_only},
    scene::{APPLY, Scene},
};

#[test]
fn a_platform_is_observed_planned_and_upgraded() {
    let manifests = all();
    let scene = Scene::on_twin(&borrowed(&manifests), |world| world);
    scene.plan();
    let out = scene.apply().exits(0);
    assert!(out.stdout.contains("END      complete"), "{}", out.stdout);

    let report = scene.report();
    assert!(matches!(report.state, RunState::Ended { .. }), "{:?}", report.state);
    assert!(report.left_suspended.is_empty(), "{report:?}");
    assert!(report.residue.is_empty(), "{report:?}");
    assert!(report.steps.iter().all(|step| step.status == StepStatus::Done), "{report:?}");

    let web = scene.objects("Deployment").into_iter().find(|d| d["metadata"]["name"] == "web").expect("web");
    assert_eq!(web["spec"]["template"]["spec"]["containers"][0]["image"], "example.invalid/web:2");
    let nodes = scene.objects("Node");
    assert!(nodes.iter().all(|node| node["spec"].get("unschedulable").is_none()), "no node is left cordoned");
    for pool in scene.objects("NodePool") {
        assert_eq!(
            pool["spec"]["disruption"]["budgets"][0]["nodes"], "1",
            "the pool has its own budgets back"
        );
    }

    // Nothing is left to do, and applying it again says so.
    let again = scene.apply().exits(0);
    assert!(again.stdout.contains("complete"), "{}", again.stdout);
    for (command, says) in [
        ("status --store store", "complete"),
        ("report --store store --format markdown", "## Run"),
        ("verify --store store", "complete and in order"),
        ("lock list --store store", "no platform is claimed"),
        ("janitor --store store", "no run left anything behind"),
    ] {
        let out = scene.switchback(command).exits(0);
        assert!(out.stdout.contains(says), "{command}: {}", out.stdout);
    }
}

#[test]
fn preflight_finds_nothing_wrong_and_changes_nothing() {
    let manifests = all();
    let scene = Scene::on_twin(&borrowed(&manifests), |world| world);
    scene.plan();
    let before = scene.world();
    let out = scene.switchback("preflight plan.json --kubeconfig kubeconfig --store store").exits(0);
    assert!(out.stdout.contains("0 wrong; nothing was changed"), "{}", out.stdout);
    assert_eq!(before, scene.world());
    assert!(!scene.path("store/runs").exists(), "it starts no run");
}

#[test]
fn preflight_names_what_does_not_hold_any_more() {
    let manifests = web_only();
    let scene = Scene::on_twin(&borrowed(&manifests), |world| world);
    scene.plan();
    scene.apply().exits(0);
    let out = scene.switchback("preflight plan.json --kubeconfig kubeconfig --store store").exits(1);
    assert!(out.stdout.contains("WRONG    deployment/web@2/image"), "{}", out.stdout);
}

#[test]
fn an_image_that_never_gets_ready_takes_its_hop_back() {
    let manifests = web_only();
    let scene = Scene::on_twin(&borrowed(&manifests), |world| broken_web(&world));
    scene.plan();
    let before = scene.world();
    let out = scene.apply().exits(5);
    assert!(out.stdout.contains("ROLLBACK to savepoint start"), "{}", out.stdout);
    crate::support::projection::same(&before, &scene.settled(), "the world after rolling back");
    // The end of a run stays its end.
    scene.apply().exits(5);
}

#[test]
fn ci_refuses_a_store_that_goes_with_the_job() {
    let manifests = web_only();
    let scene = Scene::on_twin(&borrowed(&manifests), |world| world);
    scene.plan();
    std::fs::create_dir(scene.path(".git")).expect("a checkout");
    let ci = BTreeMap::from([("CI", "true")]);
    let out = scene.switchback_in(APPLY, &ci).exits(1);
    assert!(out.stderr.contains("inside the checkout"), "{}", out.stderr);
    assert!(out.stderr.contains("--local-state-ok"), "{}", out.stderr);
    let out = scene.switchback_in("apply plan.json --kubeconfig kubeconfig", &ci).exits(1);
    assert!(out.stderr.contains("no store was named"), "{}", out.stderr);
    scene.switchback_in(&format!("{APPLY} --local-state-ok"), &ci).exits(0);
}

#[test]
fn a_closed_pipe_stops_nothing() {
    let manifests = web_only();
    let scene = Scene::on_twin(&borrowed(&manifests), |world| world);
    scene.plan();
    let mut child = scene.applying();
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    lines.next().expect("an event").expect("a line");
    // As `| head -1` would.
    drop(lines);
    assert!(child.wait().expect("it ends").success());
    assert!(matches!(scene.report().state, RunState::Ended { .. }));
}

#[test]
fn a_twin_stops_when_it_is_told_to_and_is_missed_by_name() {
    let manifests = web_only();
    let mut scene = Scene::on_twin(&borrowed(&manifests), |world| world);
    scene.plan();
    assert_eq!(scene.stop_twin(), Some(0));
    let out = scene.apply().exits(1);
    assert!(out.stderr.contains("is `twin serve` still there"), "{}", out.stderr);
}

#[test]
fn the_tour_comes_to_its_end_anywhere() {
    let scene = Scene::new(&[]);
    let mut command = scene.command(&bins().switchback);
    // Whatever the user's own environment leads to, the tour goes nowhere else than to its twin.
    for name in ["AWS_ENDPOINT_URL", "HTTPS_PROXY", "HTTP_PROXY"] {
        command.env(name, "http://127.0.0.1:9");
    }
    command.env("AWS_PROFILE", "nobody").env("KUBECONFIG", "/nowhere");
    let out = command.arg("demo").stdout(Stdio::piped()).output().expect("the demo runs");
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "{text}{}", String::from_utf8_lossy(&out.stderr));
    for part in [
        "Nothing has been changed.",
        "Killed",
        "PARKED   waits for an approval: switchback approve --point gpu-ml-platform-1.34-rollback-to-1.32",
        "ROLLBACK to savepoint eks/gpu-ml-platform@1.34",
        "complete: targets reached",
        "retained   snapshot",
        "CLEANUP  deletes node group gpu-inference-1-33",
        "cleaned up: nothing is retained",
    ] {
        assert!(text.contains(part), "{part:?} is missing from {text}");
    }
    let longest = 300;
    assert!(text.lines().count() < longest, "a tour that nobody reads to its end: {text}");
}

#[test]
fn a_command_line_that_is_wrong_is_64_and_help_is_0() {
    let scene = Scene::new(&[]);
    let exec = |line: &str| {
        let out = scene.command(&bins().exec).args(line.split(' ')).output().expect("it runs");
        out.status.code()
    };
    assert_eq!(exec("aply"), Some(64));
    assert_eq!(exec("approve"), Some(64));
    assert_eq!(exec("apply --help"), Some(0));
    assert_eq!(exec("status --store nothing-here"), Some(1));
}
