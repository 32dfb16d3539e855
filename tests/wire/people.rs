//! People: approvals, pauses, overrides, and two executors at once.

use switchback_schemas::{Seconds, estimates::Estimates, journal::Identified, report::RunState};

use crate::support::{
    journal::{Events, record},
    manifests::{borrowed, broken_web, changed, holding, web_only, without_nodes},
    projection::same,
    scene::{APPLY, Scene},
};

/// The world's clock begins on a Friday.
const WEEKEND: &str = "  windows:
    - {name: weekend, usedFor: forward, zone: Europe/Berlin, days: [sat, sun], start: 02:00, length: 4h}
";

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
        scene.switchback("approve --plan --asserted mallory --store store --kubeconfig kubeconfig").exits(1);
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
fn of_two_who_have_to_approve_status_says_who_did_and_how_many_are_missing() {
    let manifests = changed(web_only(), "platform.yaml", |text| {
        format!("{text}  approvals:\n    beforeStart: true\n    quorum: 2\n    allowAsserted: true\n")
    });
    let scene = Scene::on_twin(&borrowed(&manifests), |world| world);
    scene.plan();
    scene.apply().exits(3);
    let status =
        |format: &str| scene.switchback(&format!("status --store store --format {format}")).exits(0).stdout;
    assert!(status("text").contains("approve    plan: 0 of 2, missing: 2 more people"), "{}", status("text"));
    let out = scene.on_store("approve --plan --reason reviewed").exits(0).stdout;
    assert!(
        out.contains("plan approved, by twin-admin: 1 of 2 (twin-admin), missing: 1 more person"),
        "{out}"
    );
    for again in ["approve --plan", "approve --plan --asserted ben --expires 2020-01-01T00:00:00Z"] {
        let out = scene.on_store(again).exits(1);
        assert!(out.stderr.contains("does not count"), "{}", out.stderr);
    }
    let parked = scene.apply().exits(3).stdout;
    assert!(parked.contains("plan: 1 of 2 (twin-admin), missing: 1 more person"), "{parked}");
    assert!(status("text").contains("1 of 2 (twin-admin), missing: 1 more person"), "{}", status("text"));
    let json: serde_json::Value = serde_json::from_str(&status("json")).expect("JSON");
    assert_eq!(json["awaited"][0]["needed"], 2, "{json}");
    assert_eq!(json["awaited"][0]["given"].as_array().map(Vec::len), Some(1), "{json}");
    scene.on_store("approve --plan --asserted ben").exits(0);
    scene.apply().exits(0);
    let out = scene.on_store("approve --plan --asserted cleo").exits(1);
    assert!(out.stderr.contains("has ended"), "{}", out.stderr);
}

#[test]
fn what_the_plan_does_not_have_cannot_be_approved() {
    let scene = asking_first();
    scene.apply().exits(3);
    for scope in ["--point nothing", "--gate nothing"] {
        let out =
            scene.switchback(&format!("approve {scope} --store store --kubeconfig kubeconfig")).exits(1);
        assert!(out.stderr.contains("the plan has no"), "{}", out.stderr);
    }
    scene.switchback("override nothing --reason x --expires 2027-01-01T00:00:00Z --store store --kubeconfig kubeconfig").exits(1);
}

#[test]
fn a_channel_is_told_where_a_run_came_to_rest() {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
    let heard = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a caller");
        let mut told = Vec::new();
        let mut part = [0; 4096];
        // The body is JSON and ends with its brace.
        while !told.ends_with(b"}") {
            let read = stream.read(&mut part).expect("a request");
            assert!(read > 0, "the request ends early");
            told.extend_from_slice(&part[..read]);
        }
        stream.write_all(b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n").expect("an answer");
        String::from_utf8(told).expect("text")
    });
    let manifests = changed(web_only(), "platform.yaml", |text| {
        format!("{text}  channels: [{{name: team, urlFromEnv: TEAM_HOOK}}]\n")
    });
    let scene = Scene::on_twin(&borrowed(&manifests), |world| world);
    scene.plan();
    let out = scene.switchback_in(APPLY, &[("TEAM_HOOK", url.as_str())].into()).exits(0);
    let told = heard.join().expect("the channel");
    assert!(told.contains("complete: targets reached and verified"), "{told}");
    assert!(!out.stdout.contains(&url), "the address is a secret");
    assert!(!out.stderr.contains(&url), "the address is a secret");
    // Without the address the run is the same, and says that nobody was told.
    let scene = Scene::on_twin(&borrowed(&manifests), |world| world);
    scene.plan();
    let out = scene.apply().exits(0);
    assert!(out.stderr.contains("not notified: channel team"), "{}", out.stderr);
}

#[test]
fn a_paused_run_holds_until_somebody_says_go_on() {
    let scene = asking_first();
    scene.apply().exits(3);
    scene.switchback("pause --reason lunch --store store --kubeconfig kubeconfig").exits(0);
    scene.switchback("approve --plan --store store --kubeconfig kubeconfig").exits(0);
    // That it holds is what was asked for.
    let out = scene.apply().exits(0);
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
    let scene = refused();
    scene.apply().exits(4);
    let first = scene.report().run;
    // Somebody plans something else, without a word of the first run.
    let other = scene.read("manifests/web.yaml").replace("web:2", "web:3").replace("to: \"2\"", "to: \"3\"");
    scene.write("manifests/web.yaml", &other);
    scene.plan();
    let out = scene.apply().exits(6);
    assert!(out.stderr.contains(&format!("is held by run {first}")), "{}", out.stderr);
    assert!(out.stderr.contains("--continue"), "{}", out.stderr);
}

/// A platform whose API server refuses the one write of the plan, until it is healed.
fn refused() -> Scene {
    let manifests = holding(web_only());
    let scene = Scene::on_twin(&borrowed(&manifests), |world| world);
    scene.plan();
    let kind = serde_json::json!({"before": {"status": 422}});
    scene.fault(&serde_json::json!({"verb": "PATCH", "path": "*/deployments/web", "nth": 0, "kind": kind}));
    scene
}

#[test]
fn a_failed_step_is_tried_again_when_somebody_says_so() {
    let scene = refused();
    scene.apply().exits(4);
    // Nobody said anything, so nothing is tried.
    scene.apply().exits(4);
    scene.heal();
    scene.on_store("retry --step nothing/at-all").exits(1);
    scene.on_store("retry --step deployment/web@2/image --reason mended").exits(0);
    scene.apply().exits(0);
}

#[test]
fn a_step_can_be_taken_back_alone() {
    let scene = Scene::on_twin(&borrowed(&holding(web_only())), |world| broken_web(&world));
    scene.plan();
    let before = scene.world();
    scene.apply().exits(4);
    let out = scene.on_store("rollback --step deployment/web@2/image").exits(0);
    assert!(out.stdout.contains("is undone"), "{}", out.stdout);
    same(&before, &scene.settled(), "the world after the step was undone");
}

#[test]
fn what_was_never_changed_cannot_be_taken_back() {
    let scene = refused();
    scene.apply().exits(4);
    let out = scene.on_store("rollback --step deployment/web@2/image").exits(1);
    assert!(out.stderr.contains("nothing was changed that could be undone"), "{}", out.stderr);
}

#[test]
fn a_closed_window_parks_and_a_named_person_may_pass_it_once() {
    let manifests = changed(web_only(), "platform.yaml", |text| format!("{text}{WEEKEND}"));
    let scene = Scene::on_twin(&borrowed(&manifests), |world| world);
    let plan = scene.plan();
    let out = scene.apply().exits(3);
    assert!(out.stdout.contains("weekend"), "{}", out.stdout);
    let gate = plan.gates.iter().find(|gate| gate.may_override).expect("a gate that may be overridden");
    let line = format!("override {} --expires 2026-11-21T00:00:00Z", gate.id);
    // Without a reason it is no override.
    scene.on_store(&line).exits(64);
    scene.on_store(&format!("{line} --reason outage")).exits(0);
    scene.on_store("tick").exits(0);
    let report = scene.report();
    assert!(matches!(report.state, RunState::Ended { .. }));
    assert!(
        report.approvals.iter().any(|approval| approval.reason.as_deref() == Some("outage")),
        "{report:?}"
    );
}

#[test]
fn a_window_that_opens_by_itself_is_waited_for_without_a_process() {
    let manifests = changed(web_only(), "platform.yaml", |text| format!("{text}{WEEKEND}"));
    let scene = Scene::on_twin(&borrowed(&manifests), |world| world);
    scene.plan();
    scene.apply().exits(3);
    scene.wait(60);
    let out = scene.on_store("tick").exits(0);
    assert!(out.stderr.contains("no run is due"), "{}", out.stderr);
    // Friday noon to Saturday, two in Berlin.
    scene.wait(16 * 3600);
    scene.on_store("tick").exits(0);
    assert!(matches!(scene.report().state, RunState::Ended { .. }));
    // A store says what a report of its run does: the hours in which it was parked are no work.
    let report = scene.switchback("report --store store --format json").exits(0).stdout;
    scene.write("report.json", &report);
    let learned = scene.switchback("learn store --format json").exits(0).stdout;
    assert_eq!(learned, scene.switchback("learn report.json --format json").exits(0).stdout);
    let learned: Estimates = serde_json::from_str(&learned).expect("estimates");
    assert!(!learned.steps.is_empty());
    assert!(learned.steps.iter().all(|step| step.takes.p90 < Seconds::minutes(30)), "{learned:?}");
}

/// Karpenter 1.8 came out on 8 October 2025; two days before, a plan for it can be made and not be run.
#[test]
fn a_version_that_is_not_out_yet_is_waited_for() {
    let scene = Scene::on_twin(&borrowed(&without_nodes()), |world| {
        let earlier = world.replace("clock: 2026-11-20T10:00:00Z", "clock: 2025-10-06T10:00:00Z");
        assert_ne!(earlier, world, "the world has a clock");
        earlier
    });
    scene.plan();
    let before = scene.world();
    let out = scene.apply().exits(3);
    assert!(out.stdout.contains("2025-10-08T00:00:00Z"), "{}", out.stdout);
    let RunState::Parked { wake_at, .. } = scene.report().state else { panic!("it is parked") };
    assert_eq!(wake_at, Some("2025-10-08T00:00:00Z".parse().expect("an instant")));
    same(&before, &scene.world(), "nothing is changed before the day");
    scene.wait(38 * 3600);
    scene.on_store("tick").exits(0);
    assert!(matches!(scene.report().state, RunState::Ended { .. }));
}

fn signal(name: &str, process: u32) {
    let sent = crate::support::bins::program("kill").args(["-s", name, &process.to_string()]).status();
    assert!(sent.expect("kill runs").success());
}
