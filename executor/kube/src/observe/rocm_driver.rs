//! The section `rocm-driver`: DeviceConfigs of AMD's GPU Operator, and the nodes that they select.
//!
//! Which driver a node has stands in no field of the operator: its label says what is asked for, and the image in the status of the
//! DeviceConfig what was loaded. The states beside it are of upgrades that the operator makes by itself, and absent otherwise.

use std::collections::BTreeMap;

use serde_json::Value;
use switchback_schemas::{
    inventory::rocm_driver::{DeviceConfig, RocmDriver, RocmNode, RocmPolicy},
    name::ObjectName,
    plan::DeviceHolders,
};

use super::{found::Found, lists::Lists};
use crate::{
    api::{Kinds, Query, Reader},
    conditions::devices_free,
    fields::{name, text, texts},
};

const CONFIG: (&str, &str) = ("amd.com/v1alpha1", "DeviceConfig");
const MODULE: (&str, &str) = ("kmm.sigs.x-k8s.io/v1beta1", "Module");
/// The label of nodes that a DeviceConfig without a selector selects.
const DEFAULT: (&str, &str) = ("feature.node.kubernetes.io/amd-gpu", "true");
/// The label by which somebody asks the operator for another attempt.
const RETRY: &str = "operator.amd.com/gpu-driver-upgrade-state";
/// The taint of a node that the operator upgrades.
const TAINT: &str = "amd-gpu-driver-upgrade";

/// The section, under its component's name; nothing where the operator's kind is not served.
pub(super) async fn read(lists: &mut Lists, reader: &Reader, kinds: &Kinds<'_>) -> Option<Found> {
    if !matches!(kinds.find(CONFIG.0, CONFIG.1).await, Ok(Some(_))) {
        return None;
    }
    let objects = lists.list(reader, kinds, CONFIG, &Query::all()).await;
    let modules = match kinds.find(MODULE.0, MODULE.1).await {
        Ok(Some(_)) => lists.list(reader, kinds, MODULE, &Query::all()).await,
        _ => Vec::new(),
    };
    let mut configs: Vec<DeviceConfig> =
        objects.iter().map(|object| config(object, &modules, lists)).collect();
    configs.sort_by(|a, b| a.name.cmp(&b.name));
    let section = serde_json::to_value(RocmDriver { configs });
    Found::new("rocm-driver", section, objects)
}

fn config(object: &Value, modules: &[Value], lists: &Lists) -> DeviceConfig {
    let named = name(object);
    let driver = |field: &str| object.pointer(&format!("/spec/driver/{field}"));
    let is = |field: &str, otherwise: bool| driver(field).and_then(Value::as_bool).unwrap_or(otherwise);
    let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let module = modules.iter().find(|module| name(module) == named);
    let policy = driver("upgradePolicy").filter(|policy| policy.is_object()).map(|policy| RocmPolicy {
        enable: policy.get("enable").and_then(Value::as_bool),
        reboots: policy.get("rebootRequired").and_then(Value::as_bool).unwrap_or(false),
    });
    let dra = object.pointer("/spec/draDriver/enable").and_then(Value::as_bool).unwrap_or(false);
    let mut selector = texts(object, "/spec/selector");
    if selector.is_empty() {
        selector.insert(DEFAULT.0.to_owned(), DEFAULT.1.to_owned());
    }
    let selects = |node: &&Value| {
        let labels = texts(node, "/metadata/labels");
        selector.iter().all(|(key, value)| labels.get(key) == Some(value))
    };
    let mut nodes: Vec<RocmNode> =
        lists.nodes.iter().filter(selects).map(|one| node(one, object, &named)).collect();
    nodes.sort_by(|a, b| a.name.cmp(&b.name));
    let operator = named.namespace.clone().unwrap_or_default();
    let sets = lists.workloads.iter().filter(|object| text(object, "/kind") == "DaemonSet");
    let mut holders: Vec<ObjectName> = sets.filter(|set| holds(set, &operator)).map(name).collect();
    holders.sort();
    DeviceConfig {
        // The operator's own default.
        enabled: is("enable", true),
        version: given(text(object, "/spec/driver/version")),
        driver_type: given(text(object, "/spec/driver/driverType")).unwrap_or_else(|| "container".to_owned()),
        policy,
        tolerations: driver("tolerations").cloned().unwrap_or_default(),
        remediation: object.pointer("/spec/remediationWorkflow/enable").and_then(Value::as_bool),
        dra_image: dra.then(|| text(object, "/spec/draDriver/image").to_owned()),
        module: module.and_then(|module| given(text(module, "/spec/moduleLoader/container/version"))),
        nodes,
        holders,
        name: named,
    }
}

/// Whether the pods of a DaemonSet hold the driver of their node and are taken off it by nobody.
fn holds(set: &Value, operator: &str) -> bool {
    let holders = DeviceHolders::of_amd(operator);
    let selects = texts(set, "/spec/template/spec/nodeSelector");
    text(set, "/metadata/namespace") != operator
        && !selects.keys().any(|key| key.starts_with(&holders.taken_off_by))
        && devices_free::keeps(set, "/spec/template/spec", &holders)
}

fn node(object: &Value, config: &Value, named: &ObjectName) -> RocmNode {
    let labels = texts(object, "/metadata/labels");
    let of = format!("{}.{}", named.namespace.as_deref().unwrap_or_default(), named.name);
    let node_name = text(object, "/metadata/name");
    let status = config.pointer("/status/nodeModuleStatus").and_then(|all| all.get(node_name));
    let said = |field: &str| {
        let text = status.and_then(|status| status.get(field)?.as_str()).unwrap_or_default();
        Some(text.to_owned()).filter(|text| !text.is_empty())
    };
    let taints = object.pointer("/spec/taints").and_then(Value::as_array);
    let offers: BTreeMap<String, String> = texts(object, "/status/allocatable");
    RocmNode {
        name: node_name.to_owned(),
        version: labels.get(&format!("kmm.node.kubernetes.io/version-module.{of}")).cloned(),
        ready: labels.contains_key(&format!("kmm.node.kubernetes.io/{of}.ready")),
        state: said("status"),
        image: said("containerImage"),
        tainted: taints.into_iter().flatten().any(|taint| text(taint, "/key") == TAINT),
        retry: labels.get(RETRY).cloned(),
        allocatable: offers.into_iter().filter(|(resource, _)| resource.starts_with("amd.com/")).collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_asked_of_a_node_and_what_it_has_are_told_apart() {
        let object = json!({"apiVersion": "amd.com/v1alpha1", "kind": "DeviceConfig",
            "metadata": {"name": "gpus", "namespace": "kube-amd-gpu"},
            "spec": {"driver": {"version": "30.20", "upgradePolicy": {"rebootRequired": true}},
                "draDriver": {"enable": true, "image": "rocm/dra:v1.0.0"}, "selector": {"gpu": "mi300"}},
            "status": {"nodeModuleStatus": {"n-0": {"containerImage": "kmod:ubuntu-30.10", "status": "Upgrade-Started"}}}});
        let module = json!({"metadata": {"name": "gpus", "namespace": "kube-amd-gpu"},
            "spec": {"moduleLoader": {"container": {"version": "30.20"}}}});
        let nodes = vec![
            json!({"metadata": {"name": "n-0", "labels": {"gpu": "mi300", "kmm.node.kubernetes.io/kube-amd-gpu.gpus.ready": "",
                "kmm.node.kubernetes.io/version-module.kube-amd-gpu.gpus": "30.10"}},
                "spec": {"taints": [{"key": "amd-gpu-driver-upgrade", "effect": "NoSchedule"}]},
                "status": {"allocatable": {"cpu": "8", "amd.com/gpu": "8"}}}),
            json!({"metadata": {"name": "cpu-0", "labels": {}}}),
        ];
        let set = |namespace: &str, spec: Value| {
            json!({"kind": "DaemonSet", "metadata": {"namespace": namespace, "name": "exporter"},
                "spec": {"template": {"spec": spec}}})
        };
        let mounts = json!({"containers": [{}], "volumes": [{"hostPath": {"path": "/dev/kfd"}}]});
        let workloads = vec![set("monitoring", mounts.clone()), set("kube-amd-gpu", mounts)];
        let lists = Lists { nodes, workloads, ..Lists::default() };
        let read = config(&object, &[module], &lists);
        assert!(read.enabled && read.policy.as_ref().is_some_and(RocmPolicy::is_on), "left out is on");
        assert_eq!((read.version.as_deref(), read.module.as_deref()), (Some("30.20"), Some("30.20")));
        assert_eq!(read.dra_image.as_deref(), Some("rocm/dra:v1.0.0"));
        assert_eq!(read.holders, [ObjectName::namespaced("monitoring", "exporter")]);
        let [node] = read.nodes.as_slice() else { panic!("{:?}", read.nodes) };
        assert_eq!(
            (node.version.as_deref(), node.image.as_deref()),
            (Some("30.10"), Some("kmod:ubuntu-30.10"))
        );
        assert_eq!(node.state.as_deref(), Some("Upgrade-Started"));
        assert!(node.ready && node.tainted);
        assert_eq!(node.allocatable.keys().collect::<Vec<_>>(), ["amd.com/gpu"]);
    }
}
