//! AMD's GPU Operator and Kernel Module Management as their sources and documentation have them, trap by trap. Nothing here was recorded of a
//! controller that ran.

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
use switchback_twin::{Key, Twin, World};

const ASKS: &str = "kmm.node.kubernetes.io/version-module.kube-amd-gpu.gpus";
const READY: &str = "kmm.node.kubernetes.io/kube-amd-gpu.gpus.ready";
const NODES: [&str; 3] = ["gpu-0", "gpu-1", "gpu-2"];

fn twin() -> Twin {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/worlds/rocm-small.yaml");
    Twin::new(World::open(&path).unwrap())
}

fn node_key(name: &str) -> Key {
    Key::core("nodes", "", name)
}

fn node(twin: &Twin, name: &str) -> Value {
    twin.with(|world| world.get(&node_key(name)).unwrap().as_ref().clone())
}

fn change(twin: &Twin, name: &str, change: impl FnOnce(&mut Value)) {
    twin.with(|world| world.modify(&node_key(name), change));
}

fn asks(twin: &Twin, name: &str, version: &str) {
    change(twin, name, |node| node["metadata"]["labels"][ASKS] = version.into());
}

fn config(twin: &Twin, change: impl FnOnce(&mut Value)) {
    let key = Key::new("amd.com", "deviceconfigs", "kube-amd-gpu", "gpus");
    twin.with(|world| assert!(world.modify(&key, change)));
}

/// The version that is loaded on a node; nothing where none is.
fn loaded(twin: &Twin, name: &str) -> String {
    let key = Key::new("kmm.sigs.x-k8s.io", "nodemodulesconfigs", "", name);
    let config = twin.with(|world| world.get(&key).unwrap().as_ref().clone());
    let image = config["status"]["modules"][0]["config"]["containerImage"].as_str().unwrap_or_default();
    image.rsplit_once('-').map(|(_, version)| version.to_owned()).unwrap_or_default()
}

fn all(twin: &Twin) -> Vec<String> {
    NODES.iter().map(|name| loaded(twin, name)).collect()
}

fn minutes(twin: &Twin, minutes: u64) {
    twin.advance_by(Duration::from_secs(minutes * 60));
}

/// With upgrades by hand, and the version raised.
fn raised(twin: &Twin) {
    config(twin, |config| {
        config["spec"]["driver"]["upgradePolicy"]["enable"] = false.into();
        config["spec"]["driver"]["version"] = "30.20.1".into();
    });
    minutes(twin, 10);
}

/// The node with an inference pod, which holds its GPUs.
fn held(twin: &Twin) -> String {
    let pods = twin.with(|world| {
        let pods = world.list("", "pods", Some("inference"));
        pods.map(|(_, pod)| pod["spec"]["nodeName"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    });
    pods.first().unwrap().clone()
}

fn without_pods(twin: &Twin) {
    twin.with(|world| {
        let key = Key::new("apps", "deployments", "inference", "ranker");
        world.modify(&key, |deployment| deployment["spec"]["replicas"] = 0.into());
    });
    minutes(twin, 5);
}

#[test]
fn by_hand_nothing_moves_before_a_label_does() {
    let twin = twin();
    assert_eq!(all(&twin), ["30.20"; 3]);
    raised(&twin);
    assert_eq!(all(&twin), ["30.20"; 3]);
    without_pods(&twin);
    let name = held_free(&twin);
    asks(&twin, &name, "30.20.1");
    minutes(&twin, 10);
    assert_eq!(loaded(&twin, &name), "30.20.1");
    assert_eq!(all(&twin).iter().filter(|version| *version == "30.20").count(), 2);
}

/// A node without the training job.
fn held_free(twin: &Twin) -> String {
    let busy = twin.with(|world| {
        let pods = world.list("", "pods", Some("training"));
        pods.map(|(_, pod)| pod["spec"]["nodeName"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    });
    NODES.iter().find(|name| !busy.contains(&(**name).to_owned())).unwrap().to_string()
}

#[test]
fn a_driver_that_is_held_is_not_unloaded() {
    let twin = twin();
    raised(&twin);
    let name = held(&twin);
    asks(&twin, &name, "30.20.1");
    minutes(&twin, 60);
    assert_eq!(loaded(&twin, &name), "30.20", "the label says otherwise");
}

#[test]
fn nothing_is_loaded_on_a_cordoned_node_without_its_toleration() {
    let twin = twin();
    without_pods(&twin);
    raised(&twin);
    let name = held_free(&twin);
    change(&twin, &name, |node| node["spec"]["unschedulable"] = true.into());
    minutes(&twin, 5);
    assert_eq!(node(&twin, &name)["metadata"]["labels"].get(READY), None, "it says that none is loaded");
    assert_eq!(node(&twin, &name)["status"]["allocatable"]["amd.com/gpu"], "0");
    asks(&twin, &name, "30.20.1");
    minutes(&twin, 30);
    assert_eq!(loaded(&twin, &name), "30.20");
    let tolerations =
        json!([{"key": "node.kubernetes.io/unschedulable", "operator": "Exists", "effect": "NoSchedule"}]);
    config(&twin, |config| config["spec"]["driver"]["tolerations"] = tolerations);
    minutes(&twin, 10);
    assert_eq!(loaded(&twin, &name), "30.20.1");
    assert_eq!(node(&twin, &name)["status"]["allocatable"]["amd.com/gpu"], "8");
}

#[test]
fn a_node_that_boots_before_its_label_moved_has_no_driver() {
    let twin = twin();
    raised(&twin);
    change(&twin, "gpu-0", |node| node["status"]["nodeInfo"]["bootID"] = "another".into());
    minutes(&twin, 10);
    assert_eq!(loaded(&twin, "gpu-0"), "");
    asks(&twin, "gpu-0", "30.20.1");
    minutes(&twin, 10);
    assert_eq!(loaded(&twin, "gpu-0"), "30.20.1");
}

#[test]
fn automatic_upgrades_delete_pods_and_pass_a_cordoned_node_by() {
    let twin = twin();
    let cordoned = held(&twin);
    change(&twin, &cordoned, |node| node["spec"]["unschedulable"] = true.into());
    config(&twin, |config| {
        config["spec"]["driver"]["version"] = "30.20.1".into();
        config["spec"]["driver"]["upgradePolicy"].as_object_mut().unwrap().remove("enable");
    });
    minutes(&twin, 60);
    for name in NODES {
        let expected = if name == cordoned { "30.20" } else { "30.20.1" };
        assert_eq!(loaded(&twin, name), expected, "{name}: a policy that does not say so is on");
    }
    let job = twin.with(|world| {
        let key = Key::new("batch", "jobs", "training", "llm-7b");
        world.get(&key).unwrap().as_ref().clone()
    });
    assert_eq!(job["status"]["failed"], 1, "its pod was deleted, and it may not begin again");
}
