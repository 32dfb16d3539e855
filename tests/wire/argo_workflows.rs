//! Argo Workflows from 3.7 to 4.0 with a Workflow in flight: observed, planned, applied, rolled back, and killed in the middle, by the
//! built commands on a twin.

use serde_json::{Value, json};
use switchback_schemas::report::{RunState, StepStatus};

use crate::support::{
    journal::{Events, record},
    projection::{Projection, same},
    scene::{Out, Scene},
};

const PLATFORM: &str = "apiVersion: switchback.dev/v1alpha1\nkind: Platform\nmetadata: {name: flows}\nspec:\n  targets:\n    main: {cluster: {}}\n";

fn upgrade(more: &str) -> String {
    format!(
        "apiVersion: switchback.dev/v1alpha1\nkind: ArgoWorkflowsUpgrade\nmetadata: {{name: flows}}\nspec:\n  target: main\n  to: '1.0.18'\n  \
         release: {{namespace: argo, name: argo-workflows}}\n  charts: {{directory: ../charts}}\n{more}"
    )
}

fn scene(more: &str) -> Scene {
    scene_of(more, |world| world)
}

fn scene_of(more: &str, world: impl FnOnce(String) -> String) -> Scene {
    let argo = upgrade(more);
    Scene::on_world("argo-small.yaml", &[("platform.yaml", PLATFORM), ("argo.yaml", &argo)], world)
}

fn named(scene: &Scene, kind: &str, name: &str) -> Value {
    let all = scene.objects(kind);
    all.into_iter()
        .find(|object| object["metadata"]["name"] == name)
        .unwrap_or_else(|| panic!("no {kind} {name}"))
}

fn image(scene: &Scene) -> Value {
    named(scene, "Deployment", "argo-workflows-workflow-controller")["spec"]["template"]["spec"]["containers"]
        [0]["image"]
        .clone()
}

/// Whether the CRD of Workflows is the full one.
fn full(scene: &Scene) -> bool {
    let crd = named(scene, "CustomResourceDefinition", "workflows.argoproj.io");
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"].is_object()
}

fn suspended(scene: &Scene, name: &str) -> Value {
    named(scene, "CronWorkflow", name)["spec"]["suspend"].clone()
}

/// Applies the plan; a run that waits for long parks, and is continued when some time has passed.
fn carried_through(scene: &Scene) -> Out {
    for _ in 0..20 {
        let out = scene.apply();
        if out.code != Some(3) {
            return out;
        }
        scene.wait(120);
    }
    panic!("the run never comes to its end");
}

/// helm 3 refuses to roll back to what holds CRDs that stayed; helm 4 applies them as their owner.
#[test]
fn an_upgrade_waits_for_what_runs_and_rolls_back_to_where_it_was() {
    for helm in ["v3.22.0", "v4.2.3"] {
        there_and_back(helm);
    }
}

fn there_and_back(helm: &str) {
    let scene = scene_of("", |world| world.replace("settings:\n", &format!("settings:\n  helm: {helm}\n")));
    let before = named(&scene, "CronWorkflow", "nightly")["spec"].clone();
    let plan = scene.plan();
    let inventory: Value = serde_json::from_str(&scene.read("inventory.json")).expect("JSON");
    let seen = &inventory["components"]["argo-workflows"];
    assert_eq!(seen["phases"], json!([{"namespace": "ml", "phase": "Running", "count": 1}]));
    assert_eq!(seen["controllers"][0]["executorImage"], "quay.io/argoproj/argoexec:v3.7.11");
    assert_eq!(seen["controllers"][0]["leaderElection"], true);
    assert_eq!(plan.suspensions.len(), 1, "somebody else has suspended the other");
    assert!(plan.points.is_empty());
    let preflight = scene.on_store("preflight plan.json");
    assert!(preflight.stdout.contains("0 wrong"), "{}", preflight.stdout);

    carried_through(&scene).exits(0);
    assert_eq!(named(&scene, "Workflow", "train-7b")["status"]["phase"], "Succeeded", "nobody ended it");
    assert_eq!(image(&scene), "quay.io/argoproj/workflow-controller:v4.0.6");
    assert!(full(&scene));
    assert_eq!(named(&scene, "CronWorkflow", "nightly")["spec"], before);
    assert_eq!(suspended(&scene, "paused"), true);
    let report = scene.report();
    assert!(report.residue.is_empty() && report.left_suspended.is_empty(), "{report:?}");
    assert!(scene.objects("Workflow").iter().all(|object| object["metadata"]["name"] == "train-7b"));

    scene.on_store("rollback --to start --reason test").exits(0);
    assert_eq!(image(&scene), "quay.io/argoproj/workflow-controller:v3.7.11");
    assert!(!full(&scene), "the CRDs are as they were");
    assert_eq!(named(&scene, "CronWorkflow", "nightly")["spec"], before);
    assert_eq!(named(&scene, "Workflow", "train-7b")["status"]["phase"], "Succeeded");
    assert!(matches!(scene.report().state, RunState::Ended { .. }), "{:?}", scene.report().state);
}

#[test]
fn a_suspended_workflow_is_resumed_under_the_new_controller() {
    let scene = scene("  inFlight: {suspend: {max: 30m}}\n");
    scene.plan();
    carried_through(&scene).exits(0);
    let workflow = named(&scene, "Workflow", "train-7b");
    assert_eq!(
        (&workflow["status"]["phase"], &workflow["spec"]["suspend"]),
        (&json!("Running"), &json!(null))
    );
    scene.wait(900);
    assert_eq!(named(&scene, "Workflow", "train-7b")["status"]["phase"], "Succeeded");
    let pods = scene.objects("Pod");
    let executor = |name: &str| {
        let pod = pods.iter().find(|pod| pod["metadata"]["name"] == name).expect("a pod");
        pod["spec"]["containers"][0]["image"].clone()
    };
    assert_eq!(executor("train-7b-prepare"), "quay.io/argoproj/argoexec:v3.7.11", "made before");
    assert_eq!(executor("train-7b-train"), "quay.io/argoproj/argoexec:v4.0.6");
}

/// Nothing is ended because its time is over: the run parks, and a person takes it back.
#[test]
fn a_wait_that_is_over_parks_and_takes_nothing_down() {
    // The first step runs for a day.
    let scene = scene_of("  inFlight: {wait: {max: 2m}}\n", |world| world.replace("\"4200\"", "\"86400\""));
    scene.plan();
    let parked = scene.apply().exits(3);
    assert!(parked.stdout.contains("1 of 1 Workflow pass, wanted at most 0"), "{}", parked.stdout);
    assert_eq!(named(&scene, "Workflow", "train-7b")["status"]["phase"], "Running");
    assert_eq!(image(&scene), "quay.io/argoproj/workflow-controller:v3.7.11");
    assert!(!full(&scene));
    assert_eq!(suspended(&scene, "nightly"), true);
    scene.on_store("rollback --to start --reason test").exits(0);
    assert_eq!(suspended(&scene, "nightly"), json!(null));
    assert_eq!(named(&scene, "Workflow", "train-7b")["status"]["phase"], "Running");
}

/// A Workflow of CI that ends soon is waited for, and a training that runs for days goes on: each class as it says.
#[test]
fn p32_workflows_of_one_class_are_waited_for_while_those_of_another_go_on() {
    const CI: &str = r#"  - apiVersion: argoproj.io/v1alpha1
    kind: Workflow
    metadata: {name: build, namespace: ml}
    spec:
      entrypoint: main
      podMetadata: {labels: {tier: ci}}
      templates:
        - name: main
          metadata: {annotations: {twin.switchback.dev/run-seconds: "4000"}}
          container: {image: "example.invalid/build:1"}
"#;
    let train = "  - apiVersion: argoproj.io/v1alpha1\n    kind: Workflow\n    metadata: {name: train-7b";
    let classes = "  workloads:\n    - {name: ci, select: {labels: {tier: ci}}, onDrain: {never: {}}}\n    \
                   - {name: training, select: {namespaces: [ml], ownerKinds: [Workflow]}, onDrain: {never: {}}}\n";
    let platform = format!("{PLATFORM}{classes}");
    let by_class = "  inFlightByClass:\n    training: {accept: {because: 'ada: it has checkpoints'}}\n";
    let argo = upgrade(by_class);
    let scene =
        Scene::on_world("argo-small.yaml", &[("platform.yaml", &platform), ("argo.yaml", &argo)], |world| {
            let more = world.replace("\"4200\"", "\"86400\"").replace(train, &format!("{CI}{train}"));
            assert!(more.contains("name: build"));
            more
        });
    let plan = scene.plan();
    let told = |words: &str| plan.notices.iter().any(|notice| notice.message.contains(words));
    assert!(
        told("Workflows of class training go on") && told("1 Running in ml (class ci)"),
        "{:#?}",
        plan.notices
    );
    let out = carried_through(&scene).exits(0).stdout;
    let waits = "in-flight: 1 Workflow pass, wanted at most 0; ml/build of class ci";
    let moves = out.find("starts   argo-workflows/flows@1.0.18/release").expect("it moves");
    assert!(out.find(waits).is_some_and(|waits| waits < moves), "{out}");
    assert_eq!(named(&scene, "Workflow", "build")["status"]["phase"], "Succeeded");
    assert_eq!(named(&scene, "Workflow", "train-7b")["status"]["phase"], "Running", "nobody waited for it");
    assert_eq!(image(&scene), "quay.io/argoproj/workflow-controller:v4.0.6");
}

fn undisturbed() -> Projection {
    let scene = scene("");
    scene.plan();
    carried_through(&scene).exits(0);
    scene.settled()
}

#[test]
fn p34_killed_at_its_records_a_second_process_reaches_the_same_end() {
    let expected = undisturbed();
    // Every seventh record, so that each part of the road is died on: suspensions, the wait, CRDs, release, check, resumption.
    for nth in (1..).step_by(7) {
        let scene = scene("");
        scene.plan();
        let mut child = scene.applying();
        let mut seen = 0;
        let reached = Events::of(&mut child).until(|event| {
            seen += usize::from(event["kind"] == "recorded");
            seen == nth
        });
        child.kill().expect("killed");
        child.wait().expect("ended");
        carried_through(&scene).exits(0);
        let report = scene.report();
        let done = |status: &StepStatus| matches!(status, StepStatus::Done | StepStatus::Skipped);
        assert!(report.steps.iter().all(|step| done(&step.status)), "killed at record {nth}: {report:?}");
        assert!(report.residue.is_empty() && report.left_suspended.is_empty(), "{nth}: {report:?}");
        same(&expected, &scene.settled(), &format!("killed at record {nth}"));
        if !reached {
            assert!(nth > 40, "the plan has more than {nth} records");
            return;
        }
    }
}

/// A run that died when the release had moved: a plan that continues it does what is left, and resumes with what that run captured.
#[test]
fn a_plan_that_continues_a_killed_run_resumes_what_it_had_suspended() {
    let scene = scene("");
    let before = named(&scene, "CronWorkflow", "nightly")["spec"].clone();
    scene.plan();
    let mut child = scene.applying();
    let mut events = Events::of(&mut child);
    let step = |part: &str| format!("argo-workflows/flows@1.0.18/{part}");
    let is = |event: &Value, kind: &str, part: &str| {
        record(event, kind).is_some_and(|record| record["at"]["step"] == step(part).as_str())
    };
    assert!(events.until(|event| is(event, "intent", "removed-fields")), "it has waited");
    // However late it is killed, nothing is resumed.
    let kind = json!({"before": {"status": 503}});
    scene.fault(&json!({"verb": "PATCH", "path": "*/cronworkflows/*", "nth": 0, "kind": kind}));
    assert!(events.until(|event| is(event, "verified", "release")), "it comes so far");
    child.kill().expect("killed");
    child.wait().expect("ended");
    scene.heal();
    assert_eq!(suspended(&scene, "nightly"), true);

    let run = scene.report().run;
    scene.on_store(&format!("observe --continue {run}")).exits(0);
    scene.on_platform("resolve manifests").exits(0);
    let plan = scene.planned();
    assert_eq!(plan.parent.as_ref().map(|parent| &parent.run), Some(&run));
    let mut left: Vec<&str> = plan.steps.iter().filter_map(|step| plan.hops[0].id.part(&step.id)).collect();
    left.sort_unstable();
    assert_eq!(
        left,
        [
            "check",
            "check/done",
            "health",
            "in-flight",
            "resume/cron/ml.nightly",
            "suspended/cron/ml.nightly",
            "suspended/cron/ml.paused",
            "tidy/check",
        ]
    );
    carried_through(&scene).exits(0);
    assert_eq!(named(&scene, "CronWorkflow", "nightly")["spec"], before);
    assert_eq!(image(&scene), "quay.io/argoproj/workflow-controller:v4.0.6");
    let names: Vec<Value> =
        scene.objects("Workflow").iter().map(|found| found["metadata"]["name"].clone()).collect();
    assert_eq!(names, ["train-7b"], "both runs' checks are gone");
}

const NIGHTLY: &str = "/apis/argoproj.io/v1alpha1/namespaces/ml/cronworkflows/nightly";
const CONTROLLER: &str = "/apis/apps/v1/namespaces/argo/deployments/argo-workflows-workflow-controller";

fn patch(scene: &Scene, path: &str, to: &Value) {
    scene.send("PATCH", path, ("application/merge-patch+json", &to.to_string()));
}

/// Whoever suspends it between plan and apply resumes it, too.
#[test]
fn what_somebody_suspends_before_the_run_does_stays_suspended() {
    let scene = scene("");
    scene.plan();
    patch(&scene, NIGHTLY, &json!({"spec": {"suspend": true}}));
    let preflight = scene.on_store("preflight plan.json").exits(1);
    assert!(preflight.stderr.contains("SB0508"), "{}", preflight.stderr);
    let out = carried_through(&scene).exits(0);
    assert!(out.stdout.contains("complete"), "{}", out.stdout);
    assert_eq!(image(&scene), "quay.io/argoproj/workflow-controller:v4.0.6");
    assert_eq!(suspended(&scene, "nightly"), true, "it is not ours");
    let report = scene.report();
    assert!(report.residue.is_empty() && report.left_suspended.is_empty(), "{report:?}");
    let resume = report.steps.iter().find(|step| step.at.step.as_str().ends_with("/resume/cron/ml.nightly"));
    let resume = resume.expect("the step");
    assert_eq!(resume.status, StepStatus::Skipped);
    assert!(resume.evidence.0[0].contains("not by this run, which leaves it so"), "{resume:?}");

    scene.on_store("rollback --to start --reason test").exits(0);
    assert_eq!(suspended(&scene, "nightly"), true, "nor is it on the rollback");
}

/// What is gone before the run is no failure of a step: the platform changed, and nothing was touched.
#[test]
fn what_is_deleted_before_the_run_holds_it_and_a_rollback_has_nothing_to_resume() {
    let scene = scene("");
    scene.plan();
    scene.send("DELETE", NIGHTLY, ("application/json", "{}"));
    let held = scene.apply().exits(4);
    assert!(held.stdout.contains("the platform changed since the plan was made"), "{}", held.stdout);
    assert!(held.stdout.contains("nightly"), "{}", held.stdout);
    assert!(held.stdout.contains("switchback observe --continue"), "{}", held.stdout);
    assert_eq!(image(&scene), "quay.io/argoproj/workflow-controller:v3.7.11");
}

#[test]
fn what_is_deleted_while_it_is_suspended_has_nothing_to_resume_on_a_rollback() {
    // The first step runs for a day.
    let scene = scene_of("  inFlight: {wait: {max: 2m}}\n", |world| world.replace("\"4200\"", "\"86400\""));
    scene.plan();
    let parked = scene.apply().exits(3).stdout;
    assert!(parked.contains("suspended meanwhile: CronWorkflow ml/nightly"), "{parked}");
    assert!(parked.contains("rollback --run"), "{parked}");
    scene.send("DELETE", NIGHTLY, ("application/json", "{}"));
    scene.on_store("rollback --to start --reason test").exits(0);
    let report = scene.report();
    let undo = report.steps.iter().find(|step| step.at.way == switchback_schemas::journal::Way::Rollback);
    let undo = undo.expect("the rollback step");
    assert_eq!(undo.status, StepStatus::Skipped, "{undo:?}");
    assert!(undo.evidence.0[0].contains("does not exist"), "{undo:?}");
    assert!(report.residue.is_empty() && report.left_suspended.is_empty(), "{report:?}");
}

/// Nobody finishes Workflows under a controller that is not there, so nothing is suspended to wait for that.
#[test]
fn a_controller_that_is_scaled_to_0_since_stops_the_run_before_anything_is_suspended() {
    let scene = scene("");
    scene.plan();
    patch(&scene, CONTROLLER, &json!({"spec": {"replicas": 0}}));
    let held = scene.apply().exits(4).stdout;
    assert!(held.contains("/spec/replicas"), "{held}");
    assert_eq!(suspended(&scene, "nightly"), json!(null));
}
