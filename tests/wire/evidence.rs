//! Answers that are no evidence, refusals that are final and trouble that passes, by the commands (safety review, group B).

use serde_json::{Value, json};
use switchback_schemas::report::{RunState, StepStatus};

use crate::support::{
    manifests::{all, borrowed, web_only},
    scene::Scene,
};

fn scene(manifests: &[(&'static str, String)]) -> Scene {
    let scene = Scene::on_twin(&borrowed(manifests), |world| world);
    scene.plan();
    scene
}

fn refuses(verb: &str, path: &str, every: u32, status: u16) -> Value {
    json!({"verb": verb, "path": path, "every": every, "kind": {"before": {"status": status}}})
}

#[track_caller]
fn completes(scene: &Scene, what: &str) {
    completes_through(scene, what, |_| {});
}

/// The same through trouble that is another one after each park.
#[track_caller]
fn completes_through(scene: &Scene, what: &str, parked: impl Fn(u32)) {
    let mut out = scene.apply();
    // Trouble that lasts parks, and does nothing else.
    for parks in 1..=20 {
        if out.code == Some(3) {
            parked(parks);
            out = scene.apply();
        }
    }
    assert_eq!(out.code, Some(0), "{what}\n{}\n{}", out.stdout, out.stderr);
    let report = scene.report();
    assert!(report.rollback.is_none(), "{what}: {:?}", report.rollback);
    let open = |step: &&switchback_schemas::report::StepReport| {
        !matches!(step.status, StepStatus::Done | StepStatus::Skipped | StepStatus::Gone)
    };
    assert_eq!(report.steps.iter().find(open), None, "{what}");
}

/// Every node is moved once, whatever comes back of the looks at it.
#[test]
fn b1_b3_odd_answers_end_no_node_and_fail_nothing() {
    for (path, answer) in [
        ("/api/v1/nodes/*", "otherUid"),
        ("/api/v1/nodes/*", "statusInOk"),
        ("/apis/karpenter.sh/v1/nodeclaims/*", "otherUid"),
        ("/api/v1/pods", "emptyList"),
        ("/apis/karpenter.sh/v1", "emptyList"),
        ("/apis/karpenter.sh/v1", "unknownPath"),
        ("/apis/karpenter.sh/v1/nodepools/*", "truncated"),
    ] {
        let scene = scene(&all());
        let what = format!("{answer} of {path}");
        let fault = |every: u32| {
            scene.fault(
                &json!({"verb": "GET", "path": path, "every": every, "kind": {"bad": {"answer": answer}}}),
            );
        };
        fault(3);
        // Looks that come in threes would meet it for ever, which no network does.
        completes_through(&scene, &what, |parks| {
            scene.heal();
            fault(3 + parks % 3);
        });
        assert!(scene.faults_met() > 0, "{what} was never met");
    }
}

#[test]
fn b2_health_that_cannot_be_read_now_and_then_rolls_nothing_back() {
    for every in [4, 6] {
        let scene = scene(&web_only());
        scene.fault(&refuses("GET", "/api/v1/*pods", every, 503));
        scene.fault(&refuses("GET", "*/deployments/web", every, 503));
        completes(&scene, &format!("every {every}th look"));
        assert!(scene.faults_met() > 0);
    }
}

#[test]
fn b4_trouble_while_the_target_proves_who_it_is_parks() {
    let scene = scene(&web_only());
    for status in [429, 500, 503] {
        scene.fault(&refuses("GET", "/api/v1/namespaces/kube-system", 1, status));
        let out = scene.apply().exits(3);
        assert!(out.stdout.contains("whether target main is the one of the plan"), "{}", out.stdout);
        assert!(matches!(scene.report().state, RunState::Parked { .. }));
        scene.heal();
    }
    completes(&scene, "afterwards");
}

#[test]
fn b5_a_delete_that_is_answered_by_errors_is_looked_at_and_repeated() {
    let scene = scene(&all());
    for nth in 1..=7 {
        let kind = json!({"before": {"status": 500}});
        scene.fault(&json!({"verb": "DELETE", "path": "*/nodeclaims/*", "nth": nth, "kind": kind}));
    }
    completes(&scene, "a delete that fails seven times");
}

/// The charts of the case 22-immutable-statefulset: one changes what a StatefulSet does not let change.
fn charts() -> String {
    let chart = |version: &str, service: &str| {
        format!(
            "    {version}:
      appVersion: {version}
      values: {{}}
      objects:
      - apiVersion: apps/v1
        kind: StatefulSet
        metadata: {{name: '{{{{release}}}}', namespace: '{{{{ns}}}}'}}
        spec:
          serviceName: {service}
          replicas: 1
          selector: {{matchLabels: {{app: '{{{{release}}}}'}}}}
          template:
            metadata: {{labels: {{app: '{{{{release}}}}'}}}}
            spec: {{containers: [{{name: c, image: 'example.invalid/x:{version}'}}]}}
"
        )
    };
    format!("charts:\n  runner:\n{}{}", chart("0.6.1", "runner"), chart("0.7.0", "runner-headless"))
}

fn immutable(world: &str, charts: &std::path::Path) -> String {
    let include = format!("include: [charts.yaml, {}]", charts.display());
    let release = "releases:\n  - {name: runner, namespace: obs, chart: runner, version: 0.6.1}\n";
    let world = world.replace("include: [charts.yaml]", &include).replace("releases:\n", release);
    format!("{world}\nbefore:\n  - {{apiVersion: v1, kind: Namespace, metadata: {{name: obs}}}}\n")
}

#[test]
fn b7_a_final_refusal_is_known_after_one_try_and_told_everywhere() {
    let platform = all().into_iter().find(|(name, _)| *name == "platform.yaml").expect("the platform").1;
    let upgrade = "apiVersion: switchback.dev/v1alpha1
kind: HelmReleaseUpgrade
metadata: {name: runner}
spec:
  target: main
  release: {namespace: obs, name: runner}
  charts: {directory: ../charts}
  to: 0.7.0
  onFailure: rollback-hop
";
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("runner.yaml");
    std::fs::write(&file, charts()).expect("the charts");
    let scene = Scene::on_twin(&[("platform.yaml", &platform), ("runner.yaml", upgrade)], |world| {
        immutable(&world, &file)
    });
    scene.plan();
    let out = scene.apply().exits(5);
    let refusal = "updates to statefulset spec";
    assert!(out.stdout.lines().last().is_some_and(|line| line.contains("because")), "{}", out.stdout);
    assert!(out.stdout.contains(refusal), "{}", out.stdout);
    for shown in ["status", "report"] {
        let out = scene.switchback(&format!("{shown} --store store"));
        assert!(out.stdout.contains(refusal), "{shown}: {}", out.stdout);
    }
    let report = scene.report();
    assert!(report.steps.iter().all(|step| step.attempts <= 1), "{:?}", report.steps);
}
