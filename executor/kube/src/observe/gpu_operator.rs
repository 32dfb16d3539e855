//! The section `gpu-operator`: its ClusterPolicy, its DaemonSets, and nodes that have GPUs.

use std::collections::BTreeMap;

use serde_json::Value;
use switchback_schemas::{
    inventory::gpu_operator::{GpuDaemonSet, GpuDriver, GpuNode, GpuOperator},
    name::ObjectName,
    plan::DeviceHolders,
};

use super::{found::Found, lists::Lists};
use crate::{
    api::{Kinds, Query, Reader},
    conditions::{daemon_pods, devices_free},
    fields::{name, number, text, texts},
};

const POLICY: (&str, &str) = ("nvidia.com/v1", "ClusterPolicy");
const DRIVER: (&str, &str) = ("nvidia.com/v1alpha1", "NVIDIADriver");
const CLUSTER: (&str, &str) = ("nvidia.com/v1alpha1", "GPUCluster");
/// The label of nodes that have GPUs.
const PRESENT: &str = "nvidia.com/gpu.present";
/// The label of a node that says how far the upgrade of its driver is.
const STATE: &str = "nvidia.com/gpu-driver-upgrade-state";
/// The label of a node whose driver is left as it is.
const SKIP: &str = "nvidia.com/gpu-driver-upgrade.skip";
/// Labels of a node by which operands are deployed, and the value while a driver is upgraded.
const DEPLOY: (&str, &str) = ("nvidia.com/gpu.deploy.", "paused-for-driver-upgrade");
/// What the pods of a driver are labelled with, in the two modes of the operator.
const OF_DRIVERS: [(&str, &str); 2] =
    [("app", "nvidia-driver-daemonset"), ("app.kubernetes.io/component", "nvidia-driver")];
/// Switches of an upgrade policy that have the operator move pods by itself; of one block under both of its names.
const MOVES_PODS: [&str; 5] = [
    "drain.enable",
    "gpuPodDeletion.force",
    "gpuPodDeletion.deleteEmptyDir",
    "podDeletion.force",
    "podDeletion.deleteEmptyDir",
];

/// Variables of the driver manager by which it moves pods by itself, and what they are without a word.
const MANAGER: [(&str, &str); 2] = [("ENABLE_GPU_POD_EVICTION", "true"), ("ENABLE_AUTO_DRAIN", "false")];

/// The section, under its component's name; nothing where the operator's kinds are not served.
pub(super) async fn read(lists: &mut Lists, reader: &Reader, kinds: &Kinds<'_>) -> Option<Found> {
    if !matches!(kinds.find(POLICY.0, POLICY.1).await, Ok(Some(_))) {
        return None;
    }
    let mut custom = Custom::default();
    for (kind, objects) in
        [(POLICY, &mut custom.policies), (DRIVER, &mut custom.drivers), (CLUSTER, &mut custom.clusters)]
    {
        if matches!(kinds.find(kind.0, kind.1).await, Ok(Some(_))) {
            *objects = lists.list(reader, kinds, kind, &Query::all()).await;
        }
    }
    let section = section(&custom, lists);
    Found::new("gpu-operator", serde_json::to_value(section), Vec::new())
}

/// Objects of the operator's own kinds.
#[derive(Default)]
struct Custom {
    policies: Vec<Value>,
    drivers: Vec<Value>,
    clusters: Vec<Value>,
}

fn section(custom: &Custom, lists: &Lists) -> GpuOperator {
    let names = |objects: &[Value]| {
        let mut names: Vec<String> =
            objects.iter().map(|object| text(object, "/metadata/name").to_owned()).collect();
        names.sort();
        names
    };
    let mut daemon_sets: Vec<GpuDaemonSet> =
        lists.workloads.iter().filter(|object| is_operand(object)).map(daemon_set).collect();
    daemon_sets.sort_by(|a, b| a.name.cmp(&b.name));
    let of_drivers: Vec<&Value> = lists.pods.iter().filter(|pod| is_of_driver(pod)).collect();
    let with_gpus = lists.nodes.iter().filter(|node| label(node, PRESENT) == Some("true"));
    let mut nodes: Vec<GpuNode> = with_gpus.map(|object| node(object, &of_drivers)).collect();
    nodes.sort_by(|a, b| a.name.cmp(&b.name));
    let operator = daemon_sets.first().and_then(|set| set.name.namespace.clone()).unwrap_or_default();
    let mut holders: Vec<ObjectName> = lists
        .workloads
        .iter()
        .filter(|object| text(object, "/kind") == "DaemonSet" && holds(object, &operator))
        .map(name)
        .collect();
    holders.sort();
    GpuOperator {
        policies: names(&custom.policies),
        driver: custom.policies.first().map(driver),
        nvidia_drivers: names(&custom.drivers),
        gpu_clusters: names(&custom.clusters),
        daemon_sets,
        holders,
        nodes,
    }
}

/// A DaemonSet that a ClusterPolicy or an NVIDIADriver owns.
fn is_operand(object: &Value) -> bool {
    let owners = object.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    text(object, "/kind") == "DaemonSet"
        && owners.into_iter().flatten().any(|owner| {
            matches!(text(owner, "/kind"), "ClusterPolicy" | "NVIDIADriver")
                && text(owner, "/apiVersion").starts_with("nvidia.com/")
        })
}

fn driver(policy: &Value) -> GpuDriver {
    let is = |pointer: &str, otherwise: bool| {
        policy.pointer(pointer).and_then(Value::as_bool).unwrap_or(otherwise)
    };
    let named =
        |pointer: &str| Some(text(policy, pointer)).filter(|text| !text.is_empty()).map(str::to_owned);
    GpuDriver {
        // The operator takes a driver without the field for an enabled one.
        enabled: is("/spec/driver/enabled", true),
        by_objects: is("/spec/driver/useNvidiaDriverCRD", false),
        version: named("/spec/driver/version"),
        manager_version: named("/spec/driver/manager/version"),
        auto_upgrade: is("/spec/driver/upgradePolicy/autoUpgrade", false),
        manager_moves_pods: manager_switches(policy),
        precompiled: is("/spec/driver/usePrecompiled", false),
        moves_pods: MOVES_PODS
            .iter()
            .filter(|path| is(&format!("/spec/driver/upgradePolicy/{}", path.replace('.', "/")), false))
            .map(|path| (*path).to_owned())
            .collect(),
    }
}

/// Switches of the driver manager that are on. The template of the driver's pods switches the first one on, and a variable of the
/// ClusterPolicy takes its place.
fn manager_switches(policy: &Value) -> Vec<String> {
    let given = |name: &str| {
        let all = policy.pointer("/spec/driver/manager/env").and_then(Value::as_array);
        all.into_iter()
            .flatten()
            .find(|one| text(one, "/name") == name)
            .map(|one| text(one, "/value").to_owned())
    };
    let is_on = |(name, otherwise): &&(&str, &str)| given(name).as_deref().unwrap_or(otherwise) == "true";
    MANAGER.iter().filter(is_on).map(|(name, _)| (*name).to_owned()).collect()
}

fn daemon_set(object: &Value) -> GpuDaemonSet {
    let labels = texts(object, "/spec/template/metadata/labels");
    GpuDaemonSet {
        name: name(object),
        driver: is_labelled(&labels),
        on_delete: text(object, "/spec/updateStrategy/type") == "OnDelete",
        desired: number(object, "/status/desiredNumberScheduled"),
        updated: number(object, "/status/updatedNumberScheduled"),
        ready: number(object, "/status/numberReady"),
    }
}

fn is_labelled(labels: &BTreeMap<String, String>) -> bool {
    OF_DRIVERS.iter().any(|(key, value)| labels.get(*key).is_some_and(|found| found == value))
}

/// A pod that installs a driver and is not on its way out.
fn is_of_driver(pod: &Value) -> bool {
    is_labelled(&texts(pod, "/metadata/labels")) && daemon_pods::stays(pod)
}

/// Whether the pods of a DaemonSet hold the driver of their node and are taken off it by nobody.
fn holds(set: &Value, operator: &str) -> bool {
    let holders = DeviceHolders::of_nvidia(operator);
    let selects = texts(set, "/spec/template/spec/nodeSelector");
    text(set, "/metadata/namespace") != operator
        && !selects.keys().any(|key| key.starts_with(&holders.taken_off_by))
        && devices_free::keeps(set, "/spec/template/spec", &holders)
}

fn node(object: &Value, of_drivers: &[&Value]) -> GpuNode {
    let here = |pod: &&&Value| text(pod, "/spec/nodeName") == text(object, "/metadata/name");
    let driver = of_drivers.iter().find(here).and_then(|pod| daemon_pods::tag(pod));
    let labels = texts(object, "/metadata/labels");
    let paused = labels.iter().filter(|(key, value)| key.starts_with(DEPLOY.0) && *value == DEPLOY.1);
    let offers: BTreeMap<String, String> = texts(object, "/status/allocatable");
    GpuNode {
        name: text(object, "/metadata/name").to_owned(),
        state: labels.get(STATE).cloned(),
        skip: labels.get(SKIP).cloned(),
        paused: paused.map(|(key, _)| key.clone()).collect(),
        driver: driver.map(str::to_owned),
        allocatable: offers.into_iter().filter(|(resource, _)| resource.starts_with("nvidia.com/")).collect(),
    }
}

fn label<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.pointer("/metadata/labels")?.get(key)?.as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn drivers_operands_and_nodes_are_told_apart() {
        let set = |name: &str, owner: &str, app: &str, strategy: &str| {
            json!({"kind": "DaemonSet", "metadata": {"namespace": "gpu-operator", "name": name,
                "ownerReferences": [{"apiVersion": "nvidia.com/v1", "kind": owner}]},
                "spec": {"updateStrategy": {"type": strategy}, "template": {"metadata": {"labels": {"app": app}}}},
                "status": {"desiredNumberScheduled": 2, "updatedNumberScheduled": 1, "numberReady": 2}})
        };
        let holder = json!({"kind": "DaemonSet", "metadata": {"namespace": "monitoring", "name": "gpu-exporter"},
            "spec": {"template": {"spec": {"runtimeClassName": "nvidia"}}}});
        let mut paused = holder.clone();
        paused["spec"]["template"]["spec"]["nodeSelector"] = json!({"nvidia.com/gpu.deploy.client": "true"});
        let workloads = vec![
            holder,
            paused,
            set("nvidia-driver-daemonset", "ClusterPolicy", "nvidia-driver-daemonset", "OnDelete"),
            set("nvidia-dcgm", "ClusterPolicy", "nvidia-dcgm", "RollingUpdate"),
            set("web", "Somebody", "web", "RollingUpdate"),
        ];
        let policy = json!({"metadata": {"name": "cluster-policy"}, "spec": {"driver": {"enabled": true,
            "version": "580.82.07", "manager": {"version": "v0.8.1"}, "upgradePolicy": {"autoUpgrade": true,
            "drain": {"enable": true, "force": true}, "gpuPodDeletion": {"force": false}}}}});
        let nodes = vec![
            json!({"metadata": {"name": "cpu-0"}, "status": {"allocatable": {"cpu": "8"}}}),
            json!({"metadata": {"name": "gpu-0", "labels": {"nvidia.com/gpu.present": "true",
                "nvidia.com/gpu-driver-upgrade-state": "upgrade-done", "nvidia.com/gpu.deploy.dcgm": "paused-for-driver-upgrade",
                "nvidia.com/gpu.deploy.mig-manager": "true"}},
                "status": {"allocatable": {"cpu": "8", "nvidia.com/gpu": "4", "nvidia.com/mig-1g.5gb": "0"}}}),
        ];
        let pod = |tag: &str, deleted: Option<&str>| {
            json!({"metadata": {"labels": {"app": "nvidia-driver-daemonset"}, "deletionTimestamp": deleted},
                "spec": {"nodeName": "gpu-0", "containers": [{"image": format!("nvcr.io/nvidia/driver:{tag}")}]}})
        };
        let pods = vec![pod("570.00.00", Some("2026-11-20T10:00:00Z")), pod("580.82.07-ubuntu22.04", None)];
        let custom = Custom { policies: vec![policy], ..Custom::default() };
        let lists = Lists { nodes, pods, workloads, ..Lists::default() };
        let read = section(&custom, &lists);
        let driver = read.driver.expect("a ClusterPolicy");
        assert_eq!(
            (driver.version.as_deref(), driver.manager_version.as_deref()),
            (Some("580.82.07"), Some("v0.8.1"))
        );
        assert!(driver.enabled && driver.auto_upgrade && !driver.by_objects);
        assert_eq!(driver.moves_pods, ["drain.enable"]);
        assert_eq!(driver.manager_moves_pods, ["ENABLE_GPU_POD_EVICTION"], "on without a word");
        let env = json!([{"name": "ENABLE_GPU_POD_EVICTION", "value": "false"}, {"name": "ENABLE_AUTO_DRAIN", "value": "true"}]);
        let policy = json!({"spec": {"driver": {"manager": {"env": env}}}});
        assert_eq!(manager_switches(&policy), ["ENABLE_AUTO_DRAIN"]);
        let sets: Vec<(&str, bool, bool)> =
            read.daemon_sets.iter().map(|set| (set.name.name.as_str(), set.driver, set.on_delete)).collect();
        assert_eq!(sets, [("nvidia-dcgm", false, false), ("nvidia-driver-daemonset", true, true)]);
        let [gpu] = read.nodes.as_slice() else { panic!("{:?}", read.nodes) };
        assert_eq!(gpu.paused, ["nvidia.com/gpu.deploy.dcgm"]);
        assert_eq!(gpu.driver.as_deref(), Some("580.82.07-ubuntu22.04"), "of the pod that stays");
        assert_eq!(read.holders, [ObjectName::namespaced("monitoring", "gpu-exporter")]);
        assert_eq!(gpu.allocatable.keys().collect::<Vec<_>>(), ["nvidia.com/gpu", "nvidia.com/mig-1g.5gb"]);
    }
}
