//! The GPU Operator by the charts 25.3.4 and 25.10.1, with drivers that stay: killed in its middle and rolled back, and no driver, no
//! node and no pod with a GPU is touched by it.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use switchback_cluster::Controller;
use switchback_schemas::report::StepStatus;

use crate::support::{
    beside::{AtWork, Says, definitions},
    bins::root,
    gpus,
    journal::{Events, record},
    kubectl::{Cluster, Own},
    scene::Scene,
};

const UPGRADE: &str = "apiVersion: switchback.dev/v1alpha1
kind: GpuOperatorUpgrade
metadata: {name: gpu-operator}
spec:
  target: cluster
  to: '25.10.1'
  release: {namespace: gpu-operator, name: gpu-operator}
  charts: {directory: ../charts}
  driverRestarts: postpone
";

const NODES: [&str; 3] = ["gpu-0", "gpu-1", "gpu-2"];
const STATE: &str = "nvidia.com/gpu-driver-upgrade-state";
const SKIP: &str = "nvidia.com/gpu-driver-upgrade.skip";
const OPERATOR: Says = Says { deployment: ("gpu-operator", "gpu-operator"), arguments: |_| Vec::new() };

/// The release on three nodes with GPUs, a training Job and an inference Deployment, once every driver is done.
fn platform(own: &Own, helm: &str) -> AtWork {
    let cluster = &own.cluster;
    cluster.create(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "gpu-operator"}}));
    let node = |name: &str, pool: &str, room: Value| {
        json!({"apiVersion": "v1", "kind": "Node",
            "metadata": {"name": name, "annotations": {"kwok.x-k8s.io/node": "fake"}, "labels": {
                "pool": pool, "kubernetes.io/os": "linux", "kubernetes.io/hostname": name,
                "feature.node.kubernetes.io/pci-10de.present": (pool == "gpu").to_string(),
                "feature.node.kubernetes.io/kernel-version.full": "5.15.0-139-generic",
                "feature.node.kubernetes.io/system-os_release.ID": "ubuntu",
                "feature.node.kubernetes.io/system-os_release.VERSION_ID": "22.04"}},
            "status": {"capacity": room, "allocatable": room, "nodeInfo": {"containerRuntimeVersion": "containerd://1.7.27"}}})
    };
    cluster.create(&node("system-0", "system", json!({"cpu": "16", "memory": "64Gi", "pods": "110"})));
    for name in NODES {
        let room = json!({"cpu": "96", "memory": "512Gi", "pods": "110", "nvidia.com/gpu": "8"});
        cluster.create(&node(name, "gpu", room));
    }
    let chart = root().join("fixtures/charts/gpu-operator/25.3.4");
    cluster.helm(helm, &["install", "gpu-operator", &chart.to_string_lossy(), "--namespace", "gpu-operator"]);
    // The operator ends where this definition is missing; the chart of the fixtures brings the other one only.
    definitions(cluster, Controller::GpuOperator, "nvidiadrivers");
    let operator = AtWork::as_deployed(own, Controller::GpuOperator, OPERATOR, |_| {});
    let world = std::fs::read_to_string(root().join("fixtures/worlds/gpu-small.yaml")).expect("the world");
    let world: Value = serde_yaml::from_str(&world).expect("YAML");
    for object in world["objects"].as_array().expect("objects") {
        cluster.create(object);
    }
    let ready = "--for=jsonpath={.status.state}=ready";
    cluster.kubectl(&["wait", "clusterpolicy/cluster-policy", ready, "--timeout=300s"]);
    for name in NODES {
        let done = r"--for=jsonpath={.metadata.labels.nvidia\.com/gpu-driver-upgrade-state}=upgrade-done";
        cluster.kubectl(&["wait", &format!("node/{name}"), done, "--timeout=300s"]);
    }
    cluster.kubectl(&["-n", "inference", "rollout", "status", "deployment/ranker", "--timeout=120s"]);
    operator
}

/// What must not move: driver pods, pods that hold GPUs, and cordons.
fn stands(cluster: &Cluster) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for pod in cluster.items(&["get", "pods", "--all-namespaces"]) {
        let meta = &pod["metadata"];
        let driver = meta["labels"]["app"] == "nvidia-driver-daemonset";
        let held = pod["spec"]["containers"][0]["resources"]["limits"].get("nvidia.com/gpu").is_some();
        if driver || held {
            found.insert(meta["name"].to_string(), format!("{} {}", meta["uid"], pod["status"]["phase"]));
        }
    }
    for node in cluster.items(&["get", "nodes"]) {
        found.insert(node["metadata"]["name"].to_string(), node["spec"]["unschedulable"].to_string());
    }
    found
}

fn labels(cluster: &Cluster, key: &str) -> Vec<Value> {
    NODES.iter().map(|name| cluster.get(&["node", name])["metadata"]["labels"][key].clone()).collect()
}

fn plugin(cluster: &Cluster) -> String {
    let set = cluster.get(&["-n", "gpu-operator", "daemonset", "nvidia-device-plugin-daemonset"]);
    let image =
        set["spec"]["template"]["spec"]["containers"][0]["image"].as_str().expect("an image").to_owned();
    image.rsplit_once(':').expect("a tag").1.to_owned()
}

/// Lets the operator look at its nodes again, which it does every two minutes.
fn looks_again() {
    std::thread::sleep(std::time::Duration::from_secs(130));
}

#[test]
#[ignore = "starts a control plane: `tests/cluster/controllers`"]
fn operands_move_and_drivers_stay_killed_in_the_release_and_rolled_back() {
    let own = Own::start();
    let (cluster, helm) = (&own.cluster, &own.cluster.helm3);
    let _operator = platform(&own, helm);
    let before = stands(cluster);
    assert_eq!(before.len(), 3 + 3 + 4, "drivers, pods with GPUs, nodes: {before:#?}");
    let platform = gpus::platform("gpu-small");
    let scene = Scene::on_cluster(&[("platform.yaml", &platform), ("gpu.yaml", UPGRADE)], cluster, helm);
    scene.plan();
    scene.under_roles(cluster);
    let mut child = scene.applying();
    let released = |event: &Value| {
        record(event, "intent").is_some_and(|intent| {
            intent["at"]["step"].as_str().is_some_and(|step| step.ends_with("/operator"))
        })
    };
    assert!(Events::of(&mut child).until(released), "the release begins to move");
    child.kill().expect("killed");
    child.wait().expect("ended");
    looks_again();
    assert_eq!(stands(cluster), before, "while nobody is at work");

    scene.apply().exits(0);
    let report = scene.report();
    let done = |status: &StepStatus| matches!(status, StepStatus::Done | StepStatus::Skipped);
    assert!(report.steps.iter().all(|step| done(&step.status)), "{report:?}");
    assert_eq!(plugin(cluster), "v0.18.1");
    assert_eq!(labels(cluster, SKIP), vec![json!("true"); 3]);
    assert_eq!(labels(cluster, STATE), vec![json!("upgrade-required"); 3]);
    assert_eq!(stands(cluster), before);

    scene.on_store("rollback --to start --reason test").exits(0);
    assert_eq!(plugin(cluster), "v0.17.4");
    assert_eq!(labels(cluster, SKIP), vec![Value::Null; 3]);
    assert_eq!(labels(cluster, STATE), vec![json!("upgrade-done"); 3]);
    looks_again();
    assert_eq!(stands(cluster), before, "a driver that is let go of is not taken up");
}
