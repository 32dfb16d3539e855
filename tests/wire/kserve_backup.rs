//! The backup of KServe on the twin by what a person types: it is proven before anything moves, every object passes the new webhooks, and a
//! rollback creates again what is gone.

use serde_json::{Value, json};

use crate::support::scene::{Out, Scene};

const PLATFORM: &str = "apiVersion: switchback.dev/v1alpha1\nkind: Platform\nmetadata: {name: kserve-small}\nspec:\n  targets: {cluster: {cluster: {}}}\n";

/// Over the new words of modes and the split of the charts.
const KSERVE: &str = r"
apiVersion: switchback.dev/v1alpha1
kind: KserveUpgrade
metadata: {name: kserve}
spec:
  target: cluster
  to: '0.17.1'
  release: {namespace: kserve, name: kserve}
  crdRelease: {namespace: kserve, name: kserve-crd}
  newReleases:
    - {release: {namespace: kserve, name: kserve-localmodel-crd}, chart: kserve-localmodel-crd}
    - {release: {namespace: kserve, name: kserve-runtime-configs}, chart: kserve-runtime-configs}
  charts: {directory: ../charts}
  models:
    - {url: 'http://iris-predictor.ml.svc', name: iris, protocol: v1, input: [[5.1, 3.5, 1.4, 0.2]]}
";

const RUNTIMES: &str = "/apis/serving.kserve.io/v1alpha1/clusterservingruntimes";
const SERVICES: &str = "/apis/serving.kserve.io/v1beta1/namespaces/ml/inferenceservices";

/// The world with a runtime of somebody's own, beside which no second one with its priority is taken.
fn scene() -> Scene {
    scene_of(KSERVE)
}

fn scene_of(upgrade: &str) -> Scene {
    let manifests = [("platform.yaml", PLATFORM), ("kserve.yaml", upgrade)];
    let scene = Scene::on_world("kserve-small.yaml", &manifests, |world| world);
    let runtime = json!({
        "apiVersion": "serving.kserve.io/v1alpha1", "kind": "ClusterServingRuntime", "metadata": {"name": "own"},
        "spec": {
            "protocolVersions": ["v2"],
            "supportedModelFormats": [{"name": "sklearn", "version": "1", "autoSelect": true, "priority": 1}],
            "containers": [{"name": "kserve-container", "image": "example.invalid/own:1"}],
        },
    });
    scene.send("POST", RUNTIMES, ("application/json", &runtime.to_string()));
    scene
}

/// What somebody asked for: name, annotations and spec of every object.
fn asked(scene: &Scene) -> Vec<(String, Value, Value)> {
    let kinds = ["InferenceService", "ClusterServingRuntime"];
    let all = kinds.iter().flat_map(|kind| scene.objects(kind));
    all.map(|object| {
        let name = format!("{} {}", object["kind"], object["metadata"]["name"]);
        let annotation = object["metadata"]["annotations"]["serving.kserve.io/deploymentMode"].clone();
        (name, annotation, object["spec"].clone())
    })
    .collect()
}

fn uids(scene: &Scene) -> Vec<Value> {
    scene.objects("InferenceService").iter().map(|service| service["metadata"]["uid"].clone()).collect()
}

fn ready(scene: &Scene) -> usize {
    let is_ready = |service: &Value| {
        let conditions = service["status"]["conditions"].as_array();
        conditions.is_some_and(|all| all.iter().any(|it| it["type"] == "Ready" && it["status"] == "True"))
    };
    scene.objects("InferenceService").iter().filter(|service| is_ready(service)).count()
}

fn says(out: &Out, words: &str) {
    assert!(out.stdout.contains(words), "{words}: {}", out.stdout);
}

#[test]
fn all_objects_that_are_deleted_after_the_upgrade_come_back_with_the_rollback() {
    let scene = scene();
    let (before, first) = (asked(&scene), uids(&scene));
    assert_eq!(before.len(), 6, "{before:#?}");
    scene.plan();
    scene.apply().exits(0);
    let delete = |path: &str| scene.send("DELETE", path, ("application/json", "{}"));
    for service in ["chat", "echo", "iris"] {
        delete(&format!("{SERVICES}/{service}"));
    }
    delete(&format!("{RUNTIMES}/own"));
    scene.wait(120);
    assert_eq!((ready(&scene), asked(&scene).len()), (0, before.len() - 4));
    scene.on_store("rollback --to start --reason lost").exits(0);
    scene.wait(300);
    assert_eq!(asked(&scene), before);
    assert!(uids(&scene).iter().all(|uid| !first.contains(uid)), "they are new ones");
    assert_eq!(ready(&scene), 3);
}

/// What the API server would not take back is no backup: nothing moves, and it is named.
#[test]
fn a_backup_that_would_not_be_taken_back_stops_the_hop_before_anything_moves() {
    let scene = scene();
    scene.plan();
    let before = scene.settled();
    scene.fault(&json!({"verb": "POST", "path": "*/namespaces/ml/inferenceservices*", "nth": 0, "kind": {"before": {"status": 422}}}));
    let out = scene.apply().exits(5);
    assert!(scene.faults_met() > 0);
    for service in ["chat", "echo", "iris"] {
        says(&out, &format!("InferenceService ml/{service}"));
    }
    scene.heal();
    crate::support::projection::same(&before, &scene.settled(), "nothing moved");
}

/// A service that the new webhooks would never let anybody change again is named, and what moved goes back.
#[test]
fn an_object_that_the_new_webhooks_refuse_is_named_and_the_hop_goes_back() {
    let scene = scene();
    let (before, first) = (asked(&scene), uids(&scene));
    scene.plan();
    scene.fault(
        &json!({"verb": "PUT", "path": "*/inferenceservices/iris*", "nth": 0, "kind": {"before": {"status": 422}}}),
    );
    let out = scene.apply().exits(5);
    assert!(scene.faults_met() > 0);
    says(&out, "1 of ");
    says(&out, "InferenceService ml/iris");
    scene.heal();
    scene.wait(300);
    assert_eq!(asked(&scene), before);
    assert_eq!(uids(&scene), first);
    assert_eq!(ready(&scene), 3);
}

/// A canary that does not answer as it should takes the hop back before anybody else's pods are rolled by a new word.
#[test]
fn a_canary_that_does_not_answer_takes_the_hop_back() {
    let scene = scene_of(&KSERVE.replace("name: iris, protocol", "name: another, protocol"));
    let (before, first) = (asked(&scene), uids(&scene));
    scene.plan();
    let out = scene.apply().exits(5);
    says(&out, "serves model another");
    assert!(!out.stdout.contains("starts   kserve/kserve@0.16.0/words/ml/iris/annotation"), "{}", out.stdout);
    scene.wait(300);
    assert_eq!(asked(&scene), before);
    assert_eq!(uids(&scene), first);
    assert_eq!(ready(&scene), 3);
}
