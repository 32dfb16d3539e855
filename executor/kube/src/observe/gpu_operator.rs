//! The section `gpu-operator`: its ClusterPolicy, its DaemonSets, and nodes that have GPUs.

use std::collections::BTreeMap;

use serde_json::Value;
use switchback_schemas::{
    inventory::gpu_operator::{GpuDaemonSet, GpuDriver, GpuNode, GpuOperator},
    name::ObjectName,
};

use super::{found::Found, lists::Lists};
use crate::{
    api::{Kinds, Query, Reader},
    fields::{number, text, texts},
};

const POLICY: (&str, &str) = ("nvidia.com/v1", "ClusterPolicy");
const DRIVER: (&str, &str) = ("nvidia.com/v1alpha1", "NVIDIADriver");
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

/// The section, under its component's name; nothing where the operator's kinds are not served.
pub(super) async fn read(lists: &mut Lists, reader: &Reader, kinds: &Kinds<'_>) -> Option<Found> {
    let served = |found: Result<Option<_>, _>| matches!(found, Ok(Some(_)));
    if !served(kinds.find(POLICY.0, POLICY.1).await) {
        return None;
    }
    let policies = lists.list(reader, kinds, POLICY, &Query::all()).await;
    let drivers = match served(kinds.find(DRIVER.0, DRIVER.1).await) {
        true => lists.list(reader, kinds, DRIVER, &Query::all()).await,
        false => Vec::new(),
    };
    let section = section(&policies, &drivers, &lists.workloads, &lists.nodes);
    Found::new("gpu-operator", serde_json::to_value(section), Vec::new())
}

fn section(policies: &[Value], drivers: &[Value], workloads: &[Value], nodes: &[Value]) -> GpuOperator {
    let names = |objects: &[Value]| {
        let mut names: Vec<String> =
            objects.iter().map(|object| text(object, "/metadata/name").to_owned()).collect();
        names.sort();
        names
    };
    let mut daemon_sets: Vec<GpuDaemonSet> =
        workloads.iter().filter(|object| is_operand(object)).map(daemon_set).collect();
    daemon_sets.sort_by(|a, b| a.name.cmp(&b.name));
    let mut nodes: Vec<GpuNode> =
        nodes.iter().filter(|node| label(node, PRESENT) == Some("true")).map(node).collect();
    nodes.sort_by(|a, b| a.name.cmp(&b.name));
    GpuOperator {
        policies: names(policies),
        driver: policies.first().map(driver),
        nvidia_drivers: names(drivers),
        daemon_sets,
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
    }
}

fn daemon_set(object: &Value) -> GpuDaemonSet {
    let labels = texts(object, "/spec/template/metadata/labels");
    GpuDaemonSet {
        name: ObjectName::namespaced(text(object, "/metadata/namespace"), text(object, "/metadata/name")),
        driver: OF_DRIVERS.iter().any(|(key, value)| labels.get(*key).is_some_and(|found| found == value)),
        on_delete: text(object, "/spec/updateStrategy/type") == "OnDelete",
        desired: number(object, "/status/desiredNumberScheduled"),
        updated: number(object, "/status/updatedNumberScheduled"),
        ready: number(object, "/status/numberReady"),
    }
}

fn node(object: &Value) -> GpuNode {
    let labels = texts(object, "/metadata/labels");
    let paused = labels.iter().filter(|(key, value)| key.starts_with(DEPLOY.0) && *value == DEPLOY.1);
    let offers: BTreeMap<String, String> = texts(object, "/status/allocatable");
    GpuNode {
        name: text(object, "/metadata/name").to_owned(),
        state: labels.get(STATE).cloned(),
        skip: labels.get(SKIP).cloned(),
        paused: paused.map(|(key, _)| key.clone()).collect(),
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
        let workloads = [
            set("nvidia-driver-daemonset", "ClusterPolicy", "nvidia-driver-daemonset", "OnDelete"),
            set("nvidia-dcgm", "ClusterPolicy", "nvidia-dcgm", "RollingUpdate"),
            set("web", "Somebody", "web", "RollingUpdate"),
        ];
        let policy = json!({"metadata": {"name": "cluster-policy"}, "spec": {"driver": {"enabled": true,
            "version": "580.82.07", "manager": {"version": "v0.8.1"}, "upgradePolicy": {"autoUpgrade": true}}}});
        let nodes = [
            json!({"metadata": {"name": "cpu-0"}, "status": {"allocatable": {"cpu": "8"}}}),
            json!({"metadata": {"name": "gpu-0", "labels": {"nvidia.com/gpu.present": "true",
                "nvidia.com/gpu-driver-upgrade-state": "upgrade-done", "nvidia.com/gpu.deploy.dcgm": "paused-for-driver-upgrade",
                "nvidia.com/gpu.deploy.mig-manager": "true"}},
                "status": {"allocatable": {"cpu": "8", "nvidia.com/gpu": "4", "nvidia.com/mig-1g.5gb": "0"}}}),
        ];
        let read = section(&[policy], &[], &workloads, &nodes);
        let driver = read.driver.expect("a ClusterPolicy");
        assert_eq!(
            (driver.version.as_deref(), driver.manager_version.as_deref()),
            (Some("580.82.07"), Some("v0.8.1"))
        );
        assert!(driver.enabled && driver.auto_upgrade && !driver.by_objects);
        let sets: Vec<(&str, bool, bool)> =
            read.daemon_sets.iter().map(|set| (set.name.name.as_str(), set.driver, set.on_delete)).collect();
        assert_eq!(sets, [("nvidia-dcgm", false, false), ("nvidia-driver-daemonset", true, true)]);
        let [gpu] = read.nodes.as_slice() else { panic!("{:?}", read.nodes) };
        assert_eq!(gpu.paused, ["nvidia.com/gpu.deploy.dcgm"]);
        assert_eq!(gpu.allocatable.keys().collect::<Vec<_>>(), ["nvidia.com/gpu", "nvidia.com/mig-1g.5gb"]);
    }
}
