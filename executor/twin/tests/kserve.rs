//! KServe in its small world: what its controller makes, when it acts, and what its webhooks refuse.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may"
)]

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use switchback_twin::{Key, ProgramCall, Twin, World};

fn twin() -> Twin {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/worlds/kserve-small.yaml");
    Twin::new(World::open(&path).unwrap())
}

const GROUP: &str = "serving.kserve.io";
const MINUTES: Duration = Duration::from_mins(5);

fn is(object: &Value, condition: &str) -> bool {
    let conditions = object["status"]["conditions"].as_array();
    conditions.is_some_and(|all| all.iter().any(|c| c["type"] == condition && c["status"] == "True"))
}

fn service(twin: &Twin, name: &str) -> Value {
    twin.with(|world| (**world.get(&Key::new(GROUP, "inferenceservices", "ml", name)).unwrap()).clone())
}

fn ready(twin: &Twin) -> usize {
    twin.with(|world| {
        world.list(GROUP, "inferenceservices", None).filter(|(_, service)| is(service, "Ready")).count()
    })
}

fn pods(twin: &Twin, name: &str) -> Vec<Value> {
    twin.with(|world| {
        let of = |pod: &Value| pod["metadata"]["labels"]["serving.kserve.io/inferenceservice"] == name;
        let pods = world.list("", "pods", Some("ml")).filter(|(_, pod)| of(pod));
        pods.map(|(_, pod)| (**pod).clone()).collect()
    })
}

fn change(twin: &Twin, key: &Key, change: impl FnOnce(&mut Value)) {
    twin.with(|world| assert!(world.modify(key, change)));
}

fn upgrade(twin: &Twin, chart: &str, version: &str) {
    let chart = format!("oci://ghcr.io/kserve/charts/{chart}");
    let release = chart.rsplit('/').next().unwrap().to_owned();
    let out = twin.run_program(&ProgramCall::new([
        "helm",
        "upgrade",
        &release,
        &chart,
        "--version",
        version,
        "-n",
        "kserve",
    ]));
    assert_eq!(out.exit, 0, "{}", out.stderr);
}

#[test]
fn services_have_deployments_and_say_what_became_of_them() {
    let twin = twin();
    assert_eq!(ready(&twin), 3);
    let chat = service(&twin, "chat");
    assert_eq!(chat["status"]["deploymentMode"], "RawDeployment");
    assert_eq!(chat["status"]["url"], "http://chat-ml.example.invalid");
    assert_eq!(service(&twin, "echo")["status"]["deploymentMode"], "RawDeployment", "the default");
    let pods = pods(&twin, "chat");
    assert_eq!(pods.len(), 2);
    assert_eq!(pods[0]["metadata"]["annotations"]["serving.kserve.io/deploymentMode"], "RawDeployment");
    assert_eq!(
        pods[0]["spec"]["initContainers"][0]["image"],
        "example.invalid/kserve/storage-initializer:v0.15.2"
    );
}

/// A controller of 0.16 takes a word that it does not know for the Knative road.
#[test]
fn an_old_word_in_a_status_is_not_known_to_a_new_controller() {
    let twin = twin();
    upgrade(&twin, "kserve", "v0.16.0");
    twin.advance_by(MINUTES);
    assert_eq!(ready(&twin), 0, "their status still has the old word");
    assert_eq!(pods(&twin, "iris").len(), 2, "what served goes on serving");
    for name in ["chat", "echo", "iris"] {
        let key = Key::new(GROUP, "inferenceservices", "ml", name);
        change(&twin, &key, |service| service["status"]["deploymentMode"] = json!("Standard"));
    }
    twin.advance_by(MINUTES);
    assert_eq!(ready(&twin), 3);
}

#[test]
fn whoever_holds_the_lease_keeps_the_controller_from_acting() {
    let twin = twin();
    let lock = "kserve-controller-manager-leader-lock";
    let lease = Key::new("coordination.k8s.io", "leases", "kserve", lock);
    let holder = twin.with(|world| world.get(&lease).unwrap()["spec"]["holderIdentity"].clone());
    assert!(holder.as_str().unwrap().starts_with("kserve-controller-manager-"), "{holder}");
    change(&twin, &lease, |lease| lease["spec"]["holderIdentity"] = json!("somebody"));
    let iris = Key::new(GROUP, "inferenceservices", "ml", "iris");
    let annotation = "serving.kserve.io/deploymentMode";
    change(&twin, &iris, |service| service["metadata"]["annotations"][annotation] = json!("changed"));
    twin.advance_by(MINUTES);
    assert!(
        pods(&twin, "iris").iter().all(|pod| pod["metadata"]["annotations"][annotation] == "RawDeployment")
    );
    change(&twin, &lease, |lease| lease["spec"]["holderIdentity"] = json!(""));
    twin.advance_by(MINUTES);
    assert!(pods(&twin, "iris").iter().all(|pod| pod["metadata"]["annotations"][annotation] == "changed"));
}

/// While it is away no pod of a service is made, and one that is deleted does not come back.
#[test]
fn the_pod_webhook_fails_closed() {
    let twin = twin();
    let controller = Key::new("apps", "deployments", "kserve", "kserve-controller-manager");
    change(&twin, &controller, |deployment| deployment["spec"]["replicas"] = json!(0));
    twin.advance_by(MINUTES);
    let pod = pods(&twin, "iris")[0]["metadata"]["name"].as_str().unwrap().to_owned();
    twin.with(|world| {
        world.delete(&Key::core("pods", "ml", &pod), switchback_twin::DeleteOptions::default())
    });
    twin.advance_by(MINUTES);
    assert_eq!(pods(&twin, "iris").len(), 1);
    change(&twin, &controller, |deployment| deployment["spec"]["replicas"] = json!(1));
    twin.advance_by(MINUTES);
    assert_eq!(pods(&twin, "iris").len(), 2);
}
