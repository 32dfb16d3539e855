//! The GPU Operator's upgrade of drivers, held to what was recorded of it on a real control plane, row by row.

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

const STATE: &str = "nvidia.com/gpu-driver-upgrade-state";
const SKIP: &str = "nvidia.com/gpu-driver-upgrade.skip";
const CORDONED: &str = "nvidia.com/gpu-driver-upgrade.node-initial-state.unschedulable";
const NODES: [&str; 3] = ["gpu-0", "gpu-1", "gpu-2"];

fn twin() -> Twin {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/worlds/gpu-small.yaml");
    Twin::new(World::open(&path).unwrap())
}

fn node_key(name: &str) -> Key {
    Key::core("nodes", "", name)
}

fn node(twin: &Twin, name: &str) -> Value {
    twin.with(|world| world.get(&node_key(name)).unwrap().as_ref().clone())
}

fn state(twin: &Twin, name: &str) -> String {
    node(twin, name)["metadata"]["labels"][STATE].as_str().unwrap_or_default().to_owned()
}

fn states(twin: &Twin) -> Vec<String> {
    NODES.iter().map(|name| state(twin, name)).collect()
}

fn is_cordoned(twin: &Twin, name: &str) -> bool {
    node(twin, name)["spec"]["unschedulable"] == json!(true)
}

/// UID and image of the driver pod of a node.
fn driver(twin: &Twin, name: &str) -> (String, String) {
    twin.with(|world| {
        let pods = world.list("", "pods", Some("gpu-operator"));
        let mut ours = pods.filter(|(_, pod)| {
            pod["metadata"]["labels"]["app"] == "nvidia-driver-daemonset" && pod["spec"]["nodeName"] == name
        });
        let pod = ours.next().unwrap_or_else(|| panic!("no driver on {name}")).1;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (text(&pod["metadata"]["uid"]), text(&pod["spec"]["containers"][0]["image"]))
    })
}

fn label(twin: &Twin, name: &str, key: &str, value: Option<&str>) {
    twin.with(|world| {
        world.modify(&node_key(name), |node| match value {
            Some(value) => node["metadata"]["labels"][key] = value.into(),
            None => {
                node["metadata"]["labels"].as_object_mut().unwrap().remove(key);
            }
        })
    });
}

fn cordon(twin: &Twin, name: &str, annotated: bool) {
    twin.with(|world| {
        world.modify(&node_key(name), |node| {
            node["spec"]["unschedulable"] = true.into();
            if annotated {
                node["metadata"]["annotations"] = json!({CORDONED: "true"});
            }
        })
    });
}

fn policy(twin: &Twin, change: impl FnOnce(&mut Value)) {
    let key = Key::new("nvidia.com", "clusterpolicies", "", "cluster-policy");
    twin.with(|world| assert!(world.modify(&key, change)));
}

fn raise(twin: &Twin, version: &str) {
    policy(twin, |policy| policy["spec"]["driver"]["version"] = version.into());
}

fn wait(twin: &Twin, seconds: u64) {
    twin.advance_by(Duration::from_secs(seconds));
}

fn says(twin: &Twin) -> String {
    let key = Key::new("nvidia.com", "clusterpolicies", "", "cluster-policy");
    twin.with(|world| world.get(&key).unwrap()["status"]["state"].as_str().unwrap_or_default().to_owned())
}

fn skip_all(twin: &Twin) {
    for name in NODES {
        label(twin, name, SKIP, Some("true"));
    }
}

#[test]
fn the_world_begins_with_its_operands_ready_and_every_driver_done() {
    let twin = twin();
    assert_eq!(states(&twin), ["upgrade-done"; 3]);
    assert_eq!(says(&twin), "ready");
    twin.with(|world| {
        let sets: Vec<String> = world
            .list("apps", "daemonsets", Some("gpu-operator"))
            .map(|(key, _)| key.name.to_string())
            .collect();
        assert_eq!(sets.len(), 5, "{sets:?}");
        let ready = |set: &Value| set["status"]["numberReady"] == json!(3);
        assert!(world.list("apps", "daemonsets", Some("gpu-operator")).all(|(_, set)| ready(set)));
    });
}

#[test]
fn row_1_held_nodes_wait_and_nothing_of_them_moves() {
    let twin = twin();
    let before = NODES.map(|name| driver(&twin, name));
    skip_all(&twin);
    raise(&twin, "580.95.05");
    wait(&twin, 30);
    assert_eq!(states(&twin), ["upgrade-required"; 3]);
    wait(&twin, 3600);
    assert_eq!(states(&twin), ["upgrade-required"; 3]);
    assert_eq!(NODES.map(|name| driver(&twin, name)), before);
    assert!(NODES.iter().all(|name| !is_cordoned(&twin, name)));
    // Row 10: pods of an older template run.
    assert_eq!(says(&twin), "notReady");
}

#[test]
fn row_2_a_node_that_a_person_cordoned_before_stays_cordoned() {
    let twin = twin();
    cordon(&twin, "gpu-1", false);
    policy(&twin, |policy| policy["spec"]["driver"]["upgradePolicy"]["maxUnavailable"] = "100%".into());
    raise(&twin, "580.95.05");
    wait(&twin, 10);
    assert_eq!(node(&twin, "gpu-1")["metadata"]["annotations"][CORDONED], "true");
    wait(&twin, 1800);
    assert_eq!(states(&twin), ["upgrade-done"; 3]);
    assert!(is_cordoned(&twin, "gpu-1"), "it was before");
    assert!(!is_cordoned(&twin, "gpu-0") && !is_cordoned(&twin, "gpu-2"));
    assert!(node(&twin, "gpu-1")["metadata"]["annotations"].get(CORDONED).is_none());
    assert_eq!(says(&twin), "ready");
}

#[test]
fn rows_3_and_4_a_later_cordon_is_taken_off_unless_it_is_annotated() {
    for (annotated, stays) in [(false, false), (true, true)] {
        let twin = twin();
        skip_all(&twin);
        raise(&twin, "580.95.05");
        wait(&twin, 30);
        cordon(&twin, "gpu-0", annotated);
        label(&twin, "gpu-0", SKIP, None);
        wait(&twin, 120);
        assert_eq!(state(&twin, "gpu-0"), "upgrade-done");
        assert!(driver(&twin, "gpu-0").1.ends_with(":580.95.05"));
        assert_eq!(is_cordoned(&twin, "gpu-0"), stays, "annotated: {annotated}");
        assert_eq!(state(&twin, "gpu-1"), "upgrade-required");
    }
}

#[test]
fn rows_5_and_6_a_deleted_driver_of_a_held_node_comes_back_new_and_is_done_when_let_go_of() {
    let twin = twin();
    skip_all(&twin);
    raise(&twin, "580.95.05");
    wait(&twin, 30);
    let delete = |world: &mut World| {
        let pods = world.list("", "pods", Some("gpu-operator"));
        let mut ours = pods.filter(|(_, pod)| {
            pod["metadata"]["labels"]["app"] == "nvidia-driver-daemonset"
                && pod["spec"]["nodeName"] == "gpu-2"
        });
        let key = ours.next().unwrap().0.clone();
        drop(ours);
        world.delete(&key, switchback_twin::DeleteOptions::default());
    };
    twin.with(delete);
    wait(&twin, 60);
    assert!(driver(&twin, "gpu-2").1.ends_with(":580.95.05"));
    assert_eq!(state(&twin, "gpu-2"), "upgrade-required", "the label is not the driver");
    label(&twin, "gpu-2", SKIP, None);
    wait(&twin, 60);
    assert_eq!(state(&twin, "gpu-2"), "upgrade-done");
}

#[test]
fn row_7_a_lowered_version_takes_back_what_is_not_held() {
    let twin = twin();
    let old = driver(&twin, "gpu-0").1;
    raise(&twin, "580.95.05");
    wait(&twin, 1800);
    assert_eq!(states(&twin), ["upgrade-done"; 3]);
    for name in ["gpu-1", "gpu-2"] {
        label(&twin, name, SKIP, Some("true"));
    }
    raise(&twin, "580.82.07");
    wait(&twin, 120);
    assert_eq!(states(&twin), ["upgrade-done", "upgrade-required", "upgrade-required"]);
    assert_eq!(driver(&twin, "gpu-0").1, old);
}

#[test]
fn row_8_a_node_that_joins_gets_the_driver_as_it_is() {
    let twin = twin();
    skip_all(&twin);
    raise(&twin, "580.95.05");
    wait(&twin, 30);
    twin.with(|world| {
        let mut joined = world.get(&node_key("gpu-0")).unwrap().as_ref().clone();
        for label in [STATE, SKIP] {
            joined["metadata"]["labels"].as_object_mut().unwrap().remove(label);
        }
        joined["metadata"]["labels"]["kubernetes.io/hostname"] = "gpu-9".into();
        joined["metadata"].as_object_mut().unwrap().retain(|name, _| name == "labels");
        world.create(node_key("gpu-9"), joined);
    });
    wait(&twin, 120);
    assert_eq!(state(&twin, "gpu-9"), "upgrade-done");
    assert!(driver(&twin, "gpu-9").1.ends_with(":580.95.05"));
    assert!(!is_cordoned(&twin, "gpu-9"));
}

#[test]
fn row_9_without_automatic_upgrades_states_are_forgotten_and_worked_out_anew() {
    let twin = twin();
    skip_all(&twin);
    raise(&twin, "580.95.05");
    wait(&twin, 30);
    policy(&twin, |policy| policy["spec"]["driver"]["upgradePolicy"]["autoUpgrade"] = false.into());
    wait(&twin, 30);
    assert_eq!(states(&twin), [""; 3]);
    assert_eq!(node(&twin, "gpu-0")["metadata"]["labels"][SKIP], "true");
    assert!(driver(&twin, "gpu-0").1.ends_with(":580.82.07"));
    policy(&twin, |policy| policy["spec"]["driver"]["upgradePolicy"]["autoUpgrade"] = true.into());
    wait(&twin, 30);
    assert_eq!(states(&twin), ["upgrade-required"; 3]);
}

/// Nodes that people cordoned count against its budget, so it may wait for ever (NVIDIA/gpu-operator#2509).
#[test]
fn a_cordon_of_others_uses_the_budget_up() {
    let twin = twin();
    cordon(&twin, "gpu-1", false);
    raise(&twin, "580.95.05");
    wait(&twin, 3600);
    assert_eq!(states(&twin), ["upgrade-required", "upgrade-done", "upgrade-required"]);
}

/// What it does where nobody holds it: one node after the other, and GPU pods go.
#[test]
fn nodes_that_nobody_holds_are_emptied_of_gpu_pods_one_at_a_time() {
    let twin = twin();
    let training = |twin: &Twin| {
        twin.with(|world| {
            let mut pods = world.list("", "pods", Some("training"));
            pods.any(|(_, pod)| pod["status"]["phase"] == "Running")
        })
    };
    assert!(training(&twin));
    raise(&twin, "580.95.05");
    let mut most = 0;
    for _ in 0..240 {
        wait(&twin, 5);
        most = most.max(NODES.iter().filter(|name| is_cordoned(&twin, name)).count());
    }
    assert_eq!((states(&twin), most), (vec!["upgrade-done".to_owned(); 3], 1));
    assert!(!training(&twin), "the operator asks no workload class");
}
