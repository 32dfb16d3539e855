//! Executors that die: by SIGKILL at any record, in the middle of an effect, by SIGTERM. A second process goes on to the
//! same end.

use serde_json::json;
use switchback_schemas::report::{RunState, StepStatus};

use crate::support::{
    bins::{program, root},
    journal::{Events, record},
    manifests::{borrowed, web_only, without_nodes},
    projection::{Projection, same},
    scene::Scene,
};

/// A plan whose every record is a place to die at.
fn scene() -> Scene {
    let scene = Scene::on_twin(&borrowed(&without_nodes()), |world| world);
    scene.plan();
    scene
}

fn undisturbed() -> Projection {
    let scene = scene();
    scene.apply().exits(0);
    scene.settled()
}

#[track_caller]
fn ends_well(scene: &Scene, expected: &Projection, what: &str) {
    scene.apply().exits(0);
    let report = scene.report();
    assert!(
        report.steps.iter().all(|step| matches!(step.status, StepStatus::Done | StepStatus::Skipped)),
        "{what}: {report:?}"
    );
    assert!(report.residue.is_empty(), "{what}: {report:?}");
    assert!(report.left_suspended.is_empty(), "{what}: {report:?}");
    same(expected, &scene.settled(), what);
    scene.switchback("verify --store store").exits(0);
}

#[test]
fn p34_killed_at_any_record_a_second_process_reaches_the_same_end() {
    let expected = undisturbed();
    for nth in 1.. {
        let scene = scene();
        let mut child = scene.applying();
        let mut seen = 0;
        let reached = Events::of(&mut child).until(|event| {
            seen += usize::from(event["kind"] == "recorded");
            seen == nth
        });
        child.kill().expect("killed");
        child.wait().expect("ended");
        ends_well(&scene, &expected, &format!("killed at record {nth}"));
        if !reached {
            assert!(nth > 20, "the plan has more than {nth} records");
            return;
        }
    }
}

/// Answers that get lost and programs that are killed in their middle: what happened is looked at before anything is done again.
#[test]
fn p34_effects_that_end_in_doubt_are_looked_at() {
    let expected = undisturbed();
    let path = root().join("fixtures/faults/in-doubt.json");
    let faults = std::fs::read_to_string(path).expect("the faults");
    let faults: Vec<serde_json::Value> = serde_json::from_str(&faults).expect("JSON");
    for fault in faults {
        let scene = scene();
        scene.fault(&fault);
        ends_well(&scene, &expected, &fault.to_string());
        assert_eq!(scene.faults_met(), 1, "{fault} was never met");
    }
}

/// The process dies while helm is at work; helm itself is killed too, and leaves its release pending for good.
#[test]
fn p34_a_process_killed_beside_a_killed_helm_is_mended() {
    let expected = undisturbed();
    let scene = scene();
    scene.fault(&json!({"verb": "program", "path": "*upgrade karpenter *", "kind": "killed"}));
    let mut child = scene.applying();
    let calls = |event: &serde_json::Value| {
        record(event, "intent").is_some_and(|intent| {
            intent["at"]["step"].as_str().is_some_and(|step| step.ends_with("/controller"))
        })
    };
    assert!(Events::of(&mut child).until(calls), "the controller is upgraded");
    child.kill().expect("killed");
    child.wait().expect("ended");
    ends_well(&scene, &expected, "killed beside helm");
}

#[test]
fn sigterm_parks_and_another_process_goes_on() {
    let expected = undisturbed();
    for (nth, signal) in ["TERM", "INT", "HUP"].into_iter().enumerate() {
        let scene = scene();
        let mut child = scene.applying();
        let mut intents = 0;
        let mut events = Events::of(&mut child);
        events.until(|event| {
            intents += usize::from(record(event, "intent").is_some());
            intents > nth
        });
        let sent = program("kill").args(["-s", signal, &child.id().to_string()]).status().expect("kill runs");
        assert!(sent.success());
        // What it says until its end is not of interest, but must be read.
        events.until(|_| false);
        assert_eq!(child.wait().expect("ended").code(), Some(130), "{signal}");
        assert!(
            matches!(scene.report().state, RunState::Parked { .. }),
            "{signal}: {:?}",
            scene.report().state
        );
        ends_well(&scene, &expected, signal);
    }
}

#[test]
fn a_second_signal_does_not_wait_for_what_is_under_way() {
    let scene = Scene::on_twin(&borrowed(&web_only()), |world| world);
    scene.plan();
    // The answer takes a day, so the call is under way as long as anybody looks.
    let kind = json!({"delay": {"seconds": 86_400}});
    scene.fault(&json!({"verb": "PATCH", "path": "*/deployments/web", "kind": kind}));
    let mut child = scene.applying();
    let mut events = Events::of(&mut child);
    assert!(events.until(|event| record(event, "intent").is_some()));
    for signal in ["TERM", "INT"] {
        let sent = program("kill").args(["-s", signal, &child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }
    events.until(|_| false);
    assert_eq!(child.wait().expect("ended").code(), Some(130));
    assert_eq!(scene.report().state, RunState::Running {}, "nothing was written any more");
    // It may have died before its call left.
    scene.heal();
    scene.apply().exits(0);
}

#[test]
fn a_time_limit_parks_and_a_tick_goes_on() {
    let scene = Scene::on_twin(&borrowed(&without_nodes()), |world| world);
    scene.plan();
    let out =
        scene.switchback("apply plan.json --kubeconfig kubeconfig --store store --max-runtime 90s").exits(3);
    assert!(out.stdout.contains("parked"), "{}", out.stdout);
    scene.switchback("tick --kubeconfig kubeconfig --store store").exits(0);
    assert!(matches!(scene.report().state, RunState::Ended { .. }));
    let out = scene.switchback("tick --kubeconfig kubeconfig --store store").exits(0);
    assert!(out.stderr.contains("no run is due"), "{}", out.stderr);
}

#[test]
fn a_torn_journal_is_mended_and_a_changed_one_is_refused() {
    let scene = Scene::on_twin(&borrowed(&web_only()), |world| world);
    scene.plan();
    let mut child = scene.applying();
    Events::of(&mut child).until(|event| record(event, "intent").is_some());
    child.kill().expect("killed");
    child.wait().expect("ended");
    let run =
        std::fs::read_dir(scene.path("store/runs")).expect("runs").next().expect("a run").expect("an entry");
    let journal = run.path().join("journal");
    let whole = std::fs::read(&journal).expect("a journal");
    // The last write was cut short.
    let torn = [whole.as_slice(), &b"0000ffff 00000000 {\"se"[..]].concat();
    std::fs::write(&journal, &torn).expect("written");
    let out = scene.switchback("verify --store store").exits(0);
    assert!(out.stdout.contains("unfinished write"), "{}", out.stdout);
    scene.apply().exits(0);

    let text = String::from_utf8(std::fs::read(&journal).expect("a journal")).expect("text");
    std::fs::write(&journal, text.replacen("\"attempt\":1", "\"attempt\":2", 1)).expect("written");
    let out = scene.switchback("verify --store store").exits(1);
    assert!(out.stdout.contains("DAMAGED"), "{}", out.stdout);
    scene.apply().exits(1);
}
