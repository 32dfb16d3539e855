//! A small platform with the GPU Operator on its GPU nodes, and NVSentinel where a case asks for it.

use serde_json::{Value, json};
use switchback_schemas::{
    ComponentName, Diagnostic,
    inventory::{
        Inventory,
        gpu_operator::{GpuDaemonSet, GpuDriver, GpuNode, GpuOperator},
        nvsentinel::{Breaker, Nvsentinel, RuleSet, WatchedNode},
    },
    lock::Lock,
    name::ObjectName,
    plan::Plan,
};

use crate::world::{PLATFORM, compiled_with, inventory, release, render};

pub(crate) const GPU: &str = r"
apiVersion: switchback.dev/v1alpha1
kind: GpuOperatorUpgrade
metadata: {name: gpu-operator}
spec:
  target: cluster
  to: '25.10.1'
  release: {namespace: gpu-operator, name: gpu-operator}
  charts: {oci: 'oci://registry.example/charts'}
";

/// The same where drivers are left held.
pub(crate) fn postponed() -> String {
    format!("{GPU}  driverRestarts: postpone\n")
}

pub(crate) fn operator() -> ObjectName {
    ObjectName::namespaced("gpu-operator", "gpu-operator")
}

/// A ClusterPolicy as a chart renders it. The driver is what a plan pins.
pub(crate) fn policy(chart: &str, plugin: &str) -> Value {
    json!({"apiVersion": "nvidia.com/v1", "kind": "ClusterPolicy", "metadata": {"name": "cluster-policy"}, "spec": {
        "daemonsets": {"labels": {"helm.sh/chart": chart}},
        "driver": {"enabled": true, "version": "580.82.07", "manager": {"version": "v0.8.1"},
            "upgradePolicy": {"autoUpgrade": true}},
        "devicePlugin": {"enabled": true, "version": plugin}, "dcgm": {"enabled": true, "version": "4.3.1-1"}}})
}

fn chart(version: &str, label: &str, plugin: &str) -> Vec<Value> {
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "gpu-operator", "namespace": "gpu-operator"},
        "spec": {"template": {"spec": {"containers": [{"name": "gpu-operator", "image": format!("nvcr.io/nvidia/gpu-operator:{version}")}]}}}});
    vec![deployment, policy(label, plugin)]
}

/// What is observed of the operator: 25.3.4 under four GPU nodes whose drivers are done.
pub(crate) fn section() -> GpuOperator {
    let set = |name: &str, driver: bool| GpuDaemonSet {
        name: ObjectName::namespaced("gpu-operator", name),
        driver,
        on_delete: driver,
        desired: 4,
        updated: 4,
        ready: 4,
    };
    let node = |number: usize| GpuNode {
        name: format!("gpu-{number}"),
        state: Some("upgrade-done".to_owned()),
        skip: None,
        paused: Vec::new(),
        driver: Some("580.82.07-ubuntu22.04".to_owned()),
        allocatable: [("nvidia.com/gpu".to_owned(), "8".to_owned())].into(),
    };
    GpuOperator {
        policies: vec!["cluster-policy".to_owned()],
        driver: Some(GpuDriver {
            enabled: true,
            by_objects: false,
            version: Some("580.82.07".to_owned()),
            manager_version: Some("v0.8.1".to_owned()),
            auto_upgrade: true,
            manager_moves_pods: vec!["ENABLE_GPU_POD_EVICTION".to_owned()],
            precompiled: false,
            moves_pods: Vec::new(),
        }),
        nvidia_drivers: Vec::new(),
        gpu_clusters: Vec::new(),
        holders: Vec::new(),
        daemon_sets: vec![
            set("nvidia-dcgm", false),
            set("nvidia-device-plugin-daemonset", false),
            set("nvidia-driver-daemonset", true),
        ],
        nodes: (0..4).map(node).collect(),
    }
}

/// What is observed of NVSentinel: two rule sets that honour its label, its breaker closed.
pub(crate) fn sentinel() -> Nvsentinel {
    let rules = |name: &str| RuleSet {
        name: name.to_owned(),
        opt_out: vec!["k8saas.nvidia.com/ManagedByNVSentinel".to_owned()],
    };
    let node = |number: usize| WatchedNode {
        name: format!("gpu-{number}"),
        opt_out: std::collections::BTreeMap::new(),
        quarantined: false,
    };
    Nvsentinel {
        namespace: "nvsentinel".to_owned(),
        quarantines: true,
        rule_sets: Some(vec![rules("GPU fatal error ruleset"), rules("own")]),
        breaker: Some(Breaker {
            config_map: "circuit-breaker".to_owned(),
            enabled: true,
            status: "CLOSED".to_owned(),
            percent: Some(50),
        }),
        nodes: (0..4).map(node).collect(),
        database: None,
    }
}

fn put<T: serde::Serialize>(inventory: &mut Inventory, name: &str, section: &T) {
    let name = ComponentName::new(name).expect("a name");
    inventory.components.insert(name, serde_json::to_value(section).expect("JSON"));
}

/// The platform, with a section that a case has changed.
pub(crate) fn platform(from: &str, change: impl FnOnce(&mut GpuOperator)) -> Inventory {
    let mut inventory = inventory("1.5.8");
    let mut section = section();
    change(&mut section);
    put(&mut inventory, "gpu-operator", &section);
    let objects = chart(from, &format!("gpu-operator-{from}"), "v0.17.4");
    inventory.releases.push(release(operator(), "gpu-operator", from, objects));
    inventory
}

/// The same with NVSentinel.
pub(crate) fn watched(from: &str, change: impl FnOnce(&mut Nvsentinel)) -> Inventory {
    let mut inventory = platform(from, |_| ());
    let mut section = sentinel();
    change(&mut section);
    put(&mut inventory, "nvsentinel", &section);
    inventory
}

/// Compiles an upgrade of the operator. `label` is what the new chart writes into every operand.
pub(crate) fn planned(
    manifest: &str,
    inventory: &Inventory,
    versions: &[(&str, &str)],
) -> (Option<Plan>, Vec<Diagnostic>) {
    let files = [("platform.yaml", PLATFORM), ("gpu.yaml", manifest)];
    compiled_with(&files, inventory, &[], |lock: &mut Lock| {
        for (version, label) in versions {
            lock.renders.push(render(operator(), "gpu-operator", version, chart(version, label, "v0.18.1")));
        }
    })
}

pub(crate) const DRIVER: &str = r"
apiVersion: switchback.dev/v1alpha1
kind: GpuDriverUpgrade
metadata: {name: gpu-driver}
spec:
  target: cluster
  to: '580.95.05'
  release: {namespace: gpu-operator, name: gpu-operator}
  charts: {oci: 'oci://registry.example/charts'}
";

/// Compiles an upgrade of the driver under the chart 25.3.4, whose ClusterPolicy a case may change.
pub(crate) fn driver_planned(
    manifest: &str,
    inventory: &Inventory,
    change: impl FnOnce(&mut Value),
) -> (Option<Plan>, Vec<Diagnostic>) {
    let files = [("platform.yaml", PLATFORM), ("driver.yaml", manifest)];
    compiled_with(&files, inventory, &[], |lock: &mut Lock| {
        let mut objects = chart("25.3.4", "gpu-operator-25.3.4", "v0.17.4");
        objects[1]["spec"]["driver"]["version"] = "580.95.05".into();
        change(&mut objects[1]);
        lock.renders.push(render(operator(), "gpu-operator", "25.3.4", objects));
    })
}
