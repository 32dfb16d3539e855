use serde_json::{Value, json};
use switchback_cluster::Controller;

use crate::row::rows;
use crate::server::answer::text;
use crate::server::objects::name;
use crate::server::{MERGE, Server};

rows! {
    on super::beside;
    held_nodes_are_left_alone: "with the skip label a node says upgrade-required, and neither is it cordoned nor its driver restarted; the ClusterPolicy says notReady while pods of two revisions run", "gpu-operator: held drivers";
    an_earlier_cordon_stays: "a node that was cordoned before the version changed is annotated so, and stays cordoned after its upgrade, without the annotation", "gpu-operator: cordons";
    a_later_cordon_is_taken_off: "a node that is cordoned when it says upgrade-required already is uncordoned after its upgrade, unless it was annotated with its cordon", "gpu-operator: cordons of a roll";
    a_deleted_driver_comes_back_new: "the driver pod of a held node comes back at the new version when it is deleted, and the node says upgrade-required all the same; without skip it is done", "gpu-operator: what a driver is";
    a_lowered_version_takes_back: "a lowered version takes back what is not held, and held nodes say upgrade-required", "gpu-operator: rollback";
    a_node_that_joins_is_done: "a node that joins gets the driver of the template as it is, says upgrade-done and is schedulable", "gpu-operator: nodes that join";
    states_are_forgotten: "autoUpgrade false takes the states of all nodes away and leaves skip and pods; true works the states out anew", "gpu-operator: upgrades switched off";
}

async fn beside(row: &str) -> Server {
    Server::beside(Controller::GpuOperator, row).await
}

const OPERATOR: &str = "gpu-operator";
const DRIVER: &str = "nvidia-driver-daemonset";
const STATE: &str = "nvidia.com/gpu-driver-upgrade-state";
const SKIP: &str = "nvidia.com/gpu-driver-upgrade.skip";
const CORDONED: &str = "nvidia.com/gpu-driver-upgrade.node-initial-state.unschedulable";
const POLICY: &str = "/apis/nvidia.com/v1/clusterpolicies/cluster-policy";
const NODES: [&str; 3] = ["gpu-0", "gpu-1", "gpu-2"];
const OLD: &str = "580.82.07";
const NEW: &str = "580.95.05";
const REQUIRED: &str = "upgrade-required";
const DONE: &str = "upgrade-done";
/// It looks at its nodes every two minutes, and at once after some of what changes.
const LOOKS: u32 = 300;

/// The operator at work on three nodes whose drivers are done.
async fn at_work(s: &Server) {
    s.definitions("gpu-operator/25.10.1/crds").await;
    s.namespace(OPERATOR).await;
    s.plain_node("system", &json!({}), &json!({"cpu": "8", "memory": "32Gi", "pods": "110"})).await;
    for node in NODES {
        gpu_node(s, node).await;
    }
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": OPERATOR, "namespace": OPERATOR}});
    s.post(&format!("/api/v1/namespaces/{OPERATOR}/serviceaccounts"), &account).await.expect(201);
    // The actor of the twin works while a pod of its Deployment is ready.
    let labels = json!({"app.kubernetes.io/component": OPERATOR, "app.kubernetes.io/version": "25.3.4", "app": OPERATOR});
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": OPERATOR, "namespace": OPERATOR, "labels": labels},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": OPERATOR}}, "template": {
            "metadata": {"labels": {"app": OPERATOR}},
            "spec": {"containers": [{"name": OPERATOR, "image": "example.invalid/gpu-operator:25.3.4"}]}}}});
    let path = format!("/apis/apps/v1/namespaces/{OPERATOR}/deployments");
    s.post(&path, &deployment).await.expect(201);
    s.wait(&format!("{path}/{OPERATOR}"), 60, |d| d["status"]["readyReplicas"] == 1).await;
    s.program_works(&[]);
    s.post("/apis/nvidia.com/v1/clusterpolicies", &policy()).await.expect(201);
    s.wait(POLICY, LOOKS, |p| p["status"]["state"] == "ready").await;
    for node in NODES {
        says(s, node, DONE).await;
        runs(s, node, OLD).await;
    }
}

async fn gpu_node(s: &Server, node: &str) {
    let labels = json!({"nvidia.com/gpu.present": "true", "feature.node.kubernetes.io/pci-10de.present": "true",
        "feature.node.kubernetes.io/kernel-version.full": "5.15.0-139-generic",
        "feature.node.kubernetes.io/system-os_release.ID": "ubuntu",
        "feature.node.kubernetes.io/system-os_release.VERSION_ID": "22.04"});
    let room = json!({"cpu": "96", "memory": "512Gi", "pods": "110", "nvidia.com/gpu": "8"});
    s.plain_node(node, &labels, &room).await;
}

fn policy() -> Value {
    let image = |repository: &str, image: &str, version: &str| json!({"enabled": true, "repository": repository, "image": image, "version": version});
    let mut driver = image("nvcr.io/nvidia", "driver", OLD);
    driver["manager"] = json!({"repository": "nvcr.io/nvidia/cloud-native", "image": "k8s-driver-manager", "version": "v0.8.1"});
    // Without `drain` its upgrade controller panics at every look, and without `podDeletion` it leaves each node before its driver.
    driver["upgradePolicy"] = json!({"autoUpgrade": true, "maxParallelUpgrades": 2, "maxUnavailable": "100%",
        "drain": {"enable": false}, "podDeletion": {"force": false, "timeoutSeconds": 300}});
    json!({"apiVersion": "nvidia.com/v1", "kind": "ClusterPolicy", "metadata": {"name": "cluster-policy"}, "spec": {
        "operator": {"defaultRuntime": "containerd", "initContainer": {"repository": "nvcr.io/nvidia", "image": "cuda", "version": "13.0.1-base-ubi9"}},
        "daemonsets": {},
        "driver": driver,
        "toolkit": image("nvcr.io/nvidia/k8s", "container-toolkit", "v1.17.8"),
        "devicePlugin": image("nvcr.io/nvidia", "k8s-device-plugin", "v0.17.4"),
        "dcgm": image("nvcr.io/nvidia/cloud-native", "dcgm", "4.3.1-1"),
        "dcgmExporter": image("nvcr.io/nvidia/k8s", "dcgm-exporter", "4.3.1-4.4.0"),
        "gfd": image("nvcr.io/nvidia", "k8s-device-plugin", "v0.17.4"),
        "validator": {"repository": "nvcr.io/nvidia/cloud-native", "image": "gpu-operator-validator", "version": "v25.3.4"},
        "nodeStatusExporter": {"enabled": false},
        "migManager": {"enabled": false}}})
}

fn at(node: &str) -> String {
    format!("/api/v1/nodes/{node}")
}

/// Waits until a node says where its driver is.
async fn says(s: &Server, node: &str, state: &str) -> Value {
    s.wait(&at(node), LOOKS, |node| node["metadata"]["labels"][STATE] == state).await
}

async fn node(s: &Server, node: &str) -> Value {
    s.get(&at(node)).await.expect(200)
}

fn cordoned(node: &Value) -> bool {
    node["spec"]["unschedulable"] == true
}

/// The version changes.
async fn version(s: &Server, version: &str) {
    s.patch(POLICY, MERGE, &json!({"spec": {"driver": {"version": version}}})).await.expect(200);
}

async fn skip(s: &Server, node: &str, value: Value) {
    s.patch(&at(node), MERGE, &json!({"metadata": {"labels": {SKIP: value}}})).await.expect(200);
}

/// Driver pods by node: the pod, and the version of its image.
async fn driver(s: &Server, node: &str) -> Option<(String, String)> {
    let pods = format!("/api/v1/namespaces/{OPERATOR}/pods?labelSelector=app%3D{DRIVER}");
    let pods = s.items(&pods).await;
    let mut here = pods.iter().filter(|pod| {
        pod["spec"]["nodeName"] == node
            && pod["metadata"]["deletionTimestamp"].is_null()
            && pod["status"]["phase"] == "Running"
    });
    let pod = here.next()?;
    let image = text(pod, "/spec/containers/0/image");
    let version = if image.contains(OLD) { OLD } else { NEW };
    assert!(image.contains(version), "{image}");
    Some((name(pod).to_owned(), version.to_owned()))
}

/// Waits until the driver of a node is of a version.
async fn runs(s: &Server, node: &str, version: &str) {
    for _ in 0..LOOKS * 10 {
        if driver(s, node).await.is_some_and(|(_, found)| found == version) {
            return;
        }
        s.moment().await;
    }
    panic!("{node}: {:?}, wanted {version}", driver(s, node).await);
}

async fn drivers(s: &Server) -> Vec<Option<(String, String)>> {
    let mut all = Vec::new();
    for node in NODES {
        all.push(driver(s, node).await);
    }
    all
}

async fn seconds(s: &Server, count: u32) {
    for _ in 0..count * 10 {
        s.moment().await;
    }
}

/// Every node is held, and the version is raised.
async fn held_and_raised(s: &Server) {
    for node in NODES {
        skip(s, node, json!("true")).await;
    }
    version(s, NEW).await;
    for node in NODES {
        says(s, node, REQUIRED).await;
    }
}

async fn held_nodes_are_left_alone(s: &Server) {
    at_work(s).await;
    let before = drivers(s).await;
    assert!(before.iter().all(Option::is_some), "{before:?}");
    held_and_raised(s).await;
    s.wait(POLICY, LOOKS, |p| p["status"]["state"] == "notReady").await;
    // Longer than it takes to look again.
    seconds(s, 130).await;
    assert_eq!(drivers(s).await, before);
    for name in NODES {
        let node = node(s, name).await;
        assert_eq!((&node["metadata"]["labels"][STATE], cordoned(&node)), (&json!(REQUIRED), false));
    }
    let set = format!("/apis/apps/v1/namespaces/{OPERATOR}/daemonsets/{DRIVER}");
    assert_eq!(s.get(&set).await.expect(200)["spec"]["updateStrategy"]["type"], "OnDelete");
}

async fn an_earlier_cordon_stays(s: &Server) {
    at_work(s).await;
    s.patch(&at("gpu-1"), MERGE, &json!({"spec": {"unschedulable": true}})).await.expect(200);
    // It is held meanwhile, so that what is annotated is there to be seen.
    skip(s, "gpu-1", json!("true")).await;
    version(s, NEW).await;
    let seen = says(s, "gpu-1", REQUIRED).await;
    assert_eq!(seen["metadata"]["annotations"][CORDONED], "true");
    skip(s, "gpu-1", Value::Null).await;
    let done = says(s, "gpu-1", DONE).await;
    runs(s, "gpu-1", NEW).await;
    assert!(cordoned(&done));
    // It is taken off after the node says so.
    let done = s.wait(&at("gpu-1"), LOOKS, |node| node["metadata"]["annotations"][CORDONED].is_null()).await;
    assert!(cordoned(&done));
    runs(s, "gpu-0", NEW).await;
    assert!(!cordoned(&says(s, "gpu-0", DONE).await));
}

async fn a_later_cordon_is_taken_off(s: &Server) {
    at_work(s).await;
    held_and_raised(s).await;
    s.patch(&at("gpu-0"), MERGE, &json!({"spec": {"unschedulable": true}})).await.expect(200);
    let both = json!({"spec": {"unschedulable": true}, "metadata": {"annotations": {CORDONED: "true"}}});
    s.patch(&at("gpu-1"), MERGE, &both).await.expect(200);
    for (name, stays) in [("gpu-0", false), ("gpu-1", true)] {
        skip(s, name, Value::Null).await;
        let done = says(s, name, DONE).await;
        runs(s, name, NEW).await;
        assert_eq!(cordoned(&done), stays, "{name}");
    }
    assert_eq!(node(s, "gpu-2").await["metadata"]["labels"][STATE], REQUIRED);
}

async fn a_deleted_driver_comes_back_new(s: &Server) {
    at_work(s).await;
    held_and_raised(s).await;
    let (pod, _) = driver(s, "gpu-2").await.expect("a driver");
    s.delete(&format!("/api/v1/namespaces/{OPERATOR}/pods/{pod}")).await.expect(200);
    runs(s, "gpu-2", NEW).await;
    seconds(s, 30).await;
    assert_eq!(node(s, "gpu-2").await["metadata"]["labels"][STATE], REQUIRED, "the label is not the driver");
    skip(s, "gpu-2", Value::Null).await;
    says(s, "gpu-2", DONE).await;
}

async fn a_lowered_version_takes_back(s: &Server) {
    at_work(s).await;
    version(s, NEW).await;
    for node in NODES {
        runs(s, node, NEW).await;
        says(s, node, DONE).await;
    }
    for node in ["gpu-1", "gpu-2"] {
        skip(s, node, json!("true")).await;
    }
    version(s, OLD).await;
    for node in ["gpu-1", "gpu-2"] {
        says(s, node, REQUIRED).await;
    }
    runs(s, "gpu-0", OLD).await;
    says(s, "gpu-0", DONE).await;
    for node in ["gpu-1", "gpu-2"] {
        runs(s, node, NEW).await;
    }
}

async fn a_node_that_joins_is_done(s: &Server) {
    at_work(s).await;
    held_and_raised(s).await;
    gpu_node(s, "gpu-9").await;
    let joined = says(s, "gpu-9", DONE).await;
    runs(s, "gpu-9", NEW).await;
    assert!(!cordoned(&joined));
}

async fn states_are_forgotten(s: &Server) {
    at_work(s).await;
    held_and_raised(s).await;
    let before = drivers(s).await;
    let auto = |on: bool| json!({"spec": {"driver": {"upgradePolicy": {"autoUpgrade": on}}}});
    s.patch(POLICY, MERGE, &auto(false)).await.expect(200);
    for node in NODES {
        let forgotten = s.wait(&at(node), LOOKS, |node| node["metadata"]["labels"][STATE].is_null()).await;
        assert_eq!(forgotten["metadata"]["labels"][SKIP], "true");
    }
    assert_eq!(drivers(s).await, before);
    s.patch(POLICY, MERGE, &auto(true)).await.expect(200);
    for node in NODES {
        says(s, node, REQUIRED).await;
    }
}
