//! KServe on the twin by what a person types: words of deployment modes change, services stay, and a rollback restores what there was.

use serde_json::{Value, json};
use switchback_schemas::codes;

use crate::support::{
    journal::{Events, record},
    scene::Scene,
};

const PLATFORM: &str = r"
apiVersion: switchback.dev/v1alpha1
kind: Platform
metadata: {name: kserve-small}
spec:
  targets: {cluster: {cluster: {}}}
";

const KSERVE: &str = r"
apiVersion: switchback.dev/v1alpha1
kind: KserveUpgrade
metadata: {name: kserve}
spec:
  target: cluster
  to: '0.16.0'
  release: {namespace: kserve, name: kserve}
  crdRelease: {namespace: kserve, name: kserve-crd}
  charts: {directory: ../charts}
  models:
    - {url: 'http://iris-predictor.ml.svc', name: iris, protocol: v1, input: [[5.1, 3.5, 1.4, 0.2]]}
    - {url: 'http://chat-predictor.ml.svc', name: chat, protocol: openai, input: [{role: user, content: are you there?}]}
";

fn scene() -> Scene {
    let manifests = [("platform.yaml", PLATFORM), ("kserve.yaml", KSERVE)];
    Scene::on_world("kserve-small.yaml", &manifests, |world| world)
}

fn services(scene: &Scene) -> Vec<Value> {
    scene.objects("InferenceService")
}

fn words(service: &Value) -> (&str, &str, &str) {
    let name = service["metadata"]["name"].as_str().unwrap_or_default();
    let annotation = service["metadata"]["annotations"]["serving.kserve.io/deploymentMode"].as_str();
    (name, annotation.unwrap_or_default(), service["status"]["deploymentMode"].as_str().unwrap_or_default())
}

fn is_ready(service: &Value) -> bool {
    let conditions = service["status"]["conditions"].as_array();
    conditions.is_some_and(|all| all.iter().any(|it| it["type"] == "Ready" && it["status"] == "True"))
}

/// What a service asks for, and who it is.
fn asked(service: &Value) -> (Value, Value) {
    (service["metadata"]["uid"].clone(), service["spec"].clone())
}

/// Images of the pods of services and of the controller.
fn images(scene: &Scene) -> Vec<String> {
    let pods = scene.objects("Pod");
    let containers = pods.iter().flat_map(|pod| {
        let list = |field: &str| pod["spec"][field].as_array().cloned().unwrap_or_default();
        list("containers").into_iter().chain(list("initContainers")).collect::<Vec<_>>()
    });
    let mut images: Vec<String> =
        containers.filter_map(|it| it["image"].as_str().map(str::to_owned)).collect();
    images.sort();
    images.dedup();
    images
}

fn lease_is_free(scene: &Scene) -> bool {
    let leases = scene.objects("Lease");
    let own =
        leases.iter().find(|lease| lease["metadata"]["name"] == "kserve-controller-manager-leader-lock");
    let holder = own.expect("the lease")["spec"]["holderIdentity"].as_str().unwrap_or_default();
    holder.starts_with("kserve-controller-manager-")
}

#[test]
fn p26_an_upgrade_over_the_new_words_and_back_leaves_every_service_ready() {
    let scene = scene();
    let before = services(&scene);
    let old_images = images(&scene);
    assert_eq!(before.iter().filter(|service| is_ready(service)).count(), 3);
    let plan = scene.plan();
    let said = plan
        .notices
        .iter()
        .find(|notice| notice.message.contains("restarts 1 of 3"))
        .expect("it is predicted");
    assert!(said.message.contains("ml/chat") && said.message.contains("1 more GPU"), "{}", said.message);

    let needs = scene.switchback("permissions plan.json").exits(0).stdout;
    for needed in ["leases", "inferenceservices/status", "inferenceservices"] {
        assert!(needs.contains(needed), "{needed}: {needs}");
    }
    scene.apply().exits(0);
    let after = services(&scene);
    assert_eq!(
        after.iter().map(words).collect::<Vec<_>>(),
        [("chat", "Standard", "Standard"), ("echo", "", "Standard"), ("iris", "Standard", "Standard")]
    );
    assert!(after.iter().all(is_ready), "{after:#?}");
    assert_eq!(before.iter().map(asked).collect::<Vec<_>>(), after.iter().map(asked).collect::<Vec<_>>());
    let new_images = images(&scene);
    assert!(new_images.iter().any(|image| image.ends_with("kserve-controller:v0.16.0")), "{new_images:?}");
    assert!(!new_images.iter().any(|image| image.ends_with(":v0.15.2")), "{new_images:?}");
    assert!(lease_is_free(&scene));

    scene.on_store("rollback --to start --reason tired").exits(0);
    let back = services(&scene);
    assert_eq!(
        back.iter().map(words).collect::<Vec<_>>(),
        [
            ("chat", "RawDeployment", "RawDeployment"),
            ("echo", "", "RawDeployment"),
            ("iris", "RawDeployment", "RawDeployment")
        ]
    );
    assert!(back.iter().all(is_ready), "{back:#?}");
    assert_eq!(before.iter().map(asked).collect::<Vec<_>>(), back.iter().map(asked).collect::<Vec<_>>());
    assert_eq!(images(&scene), old_images);
    assert!(lease_is_free(&scene));
}

/// The usual procedure on the same platform: two helm upgrades. No service is Ready afterwards.
#[test]
fn p26_the_usual_procedure_leaves_none_ready() {
    let scene = scene();
    for chart in ["kserve-crd", "kserve"] {
        let line = format!("upgrade {chart} charts/{chart}/v0.16.0 -n kserve --kubeconfig kubeconfig");
        let mut command = scene.command(&scene.path("bin/helm"));
        let out = command.args(line.split(' ')).output().expect("helm runs");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    }
    scene.wait(300);
    assert_eq!(services(&scene).iter().filter(|service| is_ready(service)).count(), 0);
}

/// Refused in the middle, while nothing acts for services: the run rolls back by itself, and nothing is left of it.
#[test]
fn a_refusal_while_the_lease_is_held_leaves_what_there_was() {
    for path in ["*/inferenceservices/iris/status", "*/inferenceservices/chat", "*/inferenceservices/iris"] {
        let scene = scene();
        let before = services(&scene);
        let old_images = images(&scene);
        scene.plan();
        let refused = json!({"before": {"status": 422}});
        scene.fault(&json!({"verb": "PATCH", "path": path, "nth": 1, "kind": refused}));
        scene.apply().exits(5);
        assert_eq!(scene.faults_met(), 1, "{path} was never called");
        let after = services(&scene);
        assert_eq!(before.iter().map(words).collect::<Vec<_>>(), after.iter().map(words).collect::<Vec<_>>());
        assert_eq!(before.iter().map(asked).collect::<Vec<_>>(), after.iter().map(asked).collect::<Vec<_>>());
        assert!(after.iter().all(is_ready), "{path}: {after:#?}");
        assert_eq!(images(&scene), old_images, "{path}");
        assert!(lease_is_free(&scene), "{path}");
    }
}

/// Killed beside a step, the next process ends where an undisturbed one does: the lease is not left held, and each word changes once.
#[test]
fn p34_killed_anywhere_another_process_reaches_the_same_end() {
    for step in
        ["/lease/hold", "/words/ml/iris/status", "/controller", "/words/ml/chat/annotation", "/lease/release"]
    {
        let scene = scene();
        let before = services(&scene);
        scene.plan();
        let mut child = scene.applying();
        let begun = Events::of(&mut child).until(|event| {
            record(event, "intent")
                .is_some_and(|found| found["at"]["step"].as_str().is_some_and(|id| id.ends_with(step)))
        });
        assert!(begun, "{step} was never begun");
        child.kill().expect("killed");
        child.wait().expect("ended");
        scene.apply().exits(0);
        let after = services(&scene);
        assert!(
            after.iter().all(|service| is_ready(service) && words(service).2 == "Standard"),
            "{step}: {after:#?}"
        );
        assert_eq!(before.iter().map(asked).collect::<Vec<_>>(), after.iter().map(asked).collect::<Vec<_>>());
        assert!(lease_is_free(&scene), "{step}");
    }
}

/// The surge of a service finds no GPU: its old pods go on serving, the plan said so, the run
/// parks by its name, and can be rolled back from there.
#[test]
fn a_surge_that_finds_no_gpu_is_predicted_and_takes_no_model_away() {
    let manifests = [("platform.yaml", PLATFORM), ("kserve.yaml", KSERVE)];
    let scene = Scene::on_world("kserve-small.yaml", &manifests, |world| {
        let full = world.replace("nvidia.com/gpu: \"4\"", "nvidia.com/gpu: \"1\"");
        assert_ne!(full, world);
        full
    });
    let old_images = images(&scene);
    let plan = scene.plan();
    let said =
        plan.notices.iter().find(|notice| notice.code == codes::PLAN_CAPACITY).expect("it is predicted");
    assert!(said.message.contains("ml/chat takes 1 more GPU"), "{}", said.message);
    let parked = scene.apply().exits(3).stdout;
    assert!(parked.contains("parked, waits for Deployment ml/chat-predictor"), "{parked}");
    assert!(services(&scene).iter().all(is_ready), "its old pods serve");
    scene.on_store("rollback --to start --reason full").exits(0);
    let after = services(&scene);
    assert!(
        after.iter().all(|service| is_ready(service) && words(service).2 == "RawDeployment"),
        "{after:#?}"
    );
    assert_eq!(images(&scene), old_images);
    assert!(lease_is_free(&scene));
}

const LEASE: &str =
    "/apis/coordination.k8s.io/v1/namespaces/kserve/leases/kserve-controller-manager-leader-lock";

/// A lease that a run left held is no leader that ends: to give it back later would let a controller act on half of the words.
#[test]
fn a_lease_that_is_held_before_the_run_stops_it() {
    let scene = scene();
    scene.plan();
    let held = json!({"spec": {"holderIdentity": "switchback", "leaseDurationSeconds": 43200}});
    scene.send("PATCH", LEASE, ("application/merge-patch+json", &held.to_string()));
    let out = scene.apply().exits(4).stdout;
    assert!(out.contains("the platform changed since the plan was made"), "{out}");
    assert!(services(&scene).iter().all(|service| words(service).2 == "RawDeployment"));
}

/// A service that comes later is named, with what is suspended meanwhile and what to type; abandoned there, the run ends at once and
/// lists the words in statuses; the janitor gives them back before it lets the controller act.
#[test]
fn a_run_that_parks_with_the_lease_held_says_so_and_is_cleared_by_name_after_it_was_abandoned() {
    let scene = scene();
    scene.plan();
    let mut late = services(&scene).into_iter().find(|service| words(service).0 == "iris").expect("iris");
    late["metadata"] = json!({"name": "late", "namespace": "ml"});
    let late = late.to_string();
    let path = "/apis/serving.kserve.io/v1beta1/namespaces/ml/inferenceservices";
    scene.send("POST", path, ("application/json", &late));
    scene.wait(120);
    let parked = scene.apply().exits(3).stdout;
    assert!(parked.contains("ml/late"), "{parked}");
    assert!(parked.contains("suspended meanwhile: what Deployment"), "{parked}");
    assert!(parked.contains("switchback rollback --run"), "{parked}");
    let status = scene.switchback("status --store store").exits(0).stdout;
    assert!(status.contains("suspended  what Deployment"), "{status}");

    let janitor = scene.on_store("janitor").exits(1).stdout;
    assert!(!janitor.contains("kubectl patch"), "a run that is not over takes its own back: {janitor}");
    let out = scene.on_store("abandon --reason enough").exits(0).stdout;
    assert!(out.contains("it has ended"), "{out}");
    let lock = scene.switchback("lock list --store store").exits(0).stdout;
    assert!(lock.contains("no platform is claimed"), "{lock}");
    let claim = scene.objects("Lease").into_iter().find(|lease| lease["metadata"]["name"] == "switchback");
    assert_eq!(claim.expect("the claim")["metadata"]["annotations"]["switchback.dev/state"], "ended");

    let janitor = scene.on_store("janitor").exits(1).stdout;
    let words_of = |name: &str| format!("kserve/kserve@0.16.0/words/ml/{name}/status");
    for name in ["iris", "chat", "echo"] {
        let line = format!("--fix {}", words_of(name));
        assert!(janitor.contains(&line) && out.contains(&line), "{janitor}");
    }
    let leader = scene.switchback("status --store store --format json").exits(0).stdout;
    let leader: Value = serde_json::from_str(&leader).expect("JSON");
    let leader = leader["leftSuspended"][0].as_str().expect("the suspension").to_owned();
    let fix = |name: &str| scene.on_store(&format!("janitor --fix {name} --reason cleared"));
    let early = fix(&leader).exits(1);
    assert!(early.stderr.contains("would not be safe"), "{}", early.stderr);
    for name in ["iris", "chat", "echo"] {
        fix(&words_of(name)).exits(0);
    }
    fix(&leader).exits(0);
    scene.wait(120);
    let own: Vec<_> = services(&scene);
    assert!(own.iter().all(|service| words(service).2 == "RawDeployment" && is_ready(service)), "{own:#?}");
    assert!(lease_is_free(&scene));
}
