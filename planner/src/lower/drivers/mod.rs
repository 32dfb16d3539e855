//! Drivers that the GPU Operator installs: labels of nodes by which their upgrade is seen and held, and conditions over them.
//!
//! The status of a ClusterPolicy says ready in the middle of an upgrade and flaps, so nothing here asks it.

pub mod fits;
pub mod known;
pub mod state;
mod unsettled;

use std::{collections::BTreeMap, rc::Rc};

use serde_json::{Value, json};
use switchback_schemas::{
    Diagnostic, Label, codes,
    inventory::gpu_operator::{GpuNode, GpuOperator},
    name::{ObjectName, ObjectRef},
    plan::{Condition, FieldTest, Find, KubeCondition, Operand, Target, Test},
};

pub use self::unsettled::{Unsettled, unsettled};
use super::suspension::{Parts, Suspended, Titles};
use crate::{
    context::Cx,
    objects::{self, token},
};

/// The label of a node whose driver is left as it is.
pub const SKIP: &str = "nvidia.com/gpu-driver-upgrade.skip";
/// The label of nodes that have GPUs.
pub const PRESENT: &str = "nvidia.com/gpu.present";
/// What the resources begin with that nodes offer.
pub const RESOURCES: &str = "nvidia.com/";
/// States of a node in which the operator is at work on its driver: `pkg/upgrade` of NVIDIA/k8s-operator-libs, as vendored by
/// NVIDIA/gpu-operator @a22dbf67.
pub const BUSY: [&str; 9] = [
    "cordon-required",
    "wait-for-jobs-required",
    "pod-deletion-required",
    "drain-required",
    "node-maintenance-required",
    "post-maintenance-required",
    "pod-restart-required",
    "validation-required",
    "uncordon-required",
];

/// Where a node says that its driver is left as it is.
pub const SKIP_POINTER: &str = "/metadata/labels/nvidia.com~1gpu-driver-upgrade.skip";
/// Where a node says how far the upgrade of its driver is.
pub const STATE_POINTER: &str = "/metadata/labels/nvidia.com~1gpu-driver-upgrade-state";
/// The state of a node whose driver pod is of another template, and that waits for its turn.
pub const REQUIRED: &str = "upgrade-required";
/// The state of a node whose driver pod is of its template.
pub const DONE: &str = "upgrade-done";
/// The state of a node where an upgrade has failed.
pub const FAILED: &str = "upgrade-failed";

/// What was observed of the operator; what is missing is said at `place`.
pub fn section(cx: &Cx<'_>, place: Label) -> Option<Rc<GpuOperator>> {
    let (code, message, help) = match cx.sections.get::<GpuOperator>("gpu-operator") {
        Ok(Some(section)) => return Some(section),
        Ok(None) => (
            codes::PLAN_INVENTORY_MISSING,
            "the inventory holds nothing about the GPU Operator".to_owned(),
            "observe again with credentials that may list ClusterPolicies, DaemonSets and nodes",
        ),
        Err(error) => (codes::PLAN_UNREADABLE, error, "observe again with this release"),
    };
    cx.findings.say(Diagnostic::error(code, message).at(place).help(help));
    None
}

/// A node.
pub fn node(name: &str) -> ObjectRef {
    ObjectRef::new("v1", "Node", &ObjectName::cluster(name))
}

/// Holding the driver of a node: the operator does not touch a node with this label, whatever its driver's template becomes.
pub fn hold(node: &GpuNode) -> Suspended {
    let name = &node.name;
    Suspended {
        name: name.clone(),
        parts: Parts { suspend: "hold", found: "held", resume: "release" },
        object: self::node(name),
        pointer: SKIP_POINTER,
        path: "metadata.labels[nvidia.com/gpu-driver-upgrade.skip]",
        capture: "skip",
        value: json!("true"),
        observed: json!(node.skip),
        titles: Titles {
            what: format!("upgrades of the driver of node {name}"),
            suspend: format!("hold the driver of node {name}"),
            found: format!("check that the driver of node {name} is still held"),
            resume: format!("stop holding the driver of node {name}"),
            undo_suspend: format!("stop holding the driver of node {name}"),
            undo_resume: format!("hold the driver of node {name} again"),
            already: format!(
                "node {name} has the label nvidia.com/gpu-driver-upgrade.skip already, not by this plan, which leaves it so"
            ),
        },
        cannot_stop: vec![
            "a driver pod that somebody deletes: it comes back at the template as it is then".to_owned(),
        ],
        owner: "whoever answers for the GPU nodes".to_owned(),
    }
}

/// No GPU node passes all tests.
fn none(each: Vec<FieldTest>) -> Condition {
    Condition::Kube(KubeCondition::Count {
        find: Find {
            api_version: "v1".to_owned(),
            kind: "Node".to_owned(),
            namespace: None,
            labels: BTreeMap::from([(PRESENT.to_owned(), "true".to_owned())]),
        },
        each,
        at_least: None,
        at_most: Some(0),
    })
}

/// No GPU node is in one of these states.
pub fn none_in<'a>(states: impl IntoIterator<Item = &'a str>) -> Condition {
    let states = states.into_iter().map(|state| json!(state)).collect();
    none(vec![FieldTest { pointer: STATE_POINTER.to_owned(), is: Test::OneOf(states) }])
}

/// No node is at work on its driver, or has failed at it.
pub fn none_busy() -> Condition {
    none_in(BUSY.into_iter().chain([FAILED]))
}

/// The driver of every GPU node is held.
pub fn all_held() -> Condition {
    let held = Operand::Value(json!("true"));
    none(vec![FieldTest { pointer: SKIP_POINTER.to_owned(), is: Test::Differs(held) }])
}

fn field(name: &str, pointer: String, is: Test) -> Condition {
    Condition::Kube(KubeCondition::Field { object: Target::Object(node(name)), pointer, is })
}

/// A node is not there any more.
pub fn gone(name: &str) -> Condition {
    field(name, "/metadata/uid".to_owned(), Test::Absent {})
}

/// Every node offers what it offered of `nvidia.com/*` when it was observed, unless it is gone.
pub fn offers_as_before(nodes: &[GpuNode]) -> Vec<Condition> {
    let of = |node: &GpuNode| {
        let offers = node.allocatable.iter().map(|(resource, quantity)| {
            let pointer = format!("/status/allocatable/{}", token(resource));
            field(&node.name, pointer, Test::Equals(Operand::Value(json!(quantity))))
        });
        Condition::Any(vec![gone(&node.name), Condition::All(offers.collect())])
    };
    nodes.iter().filter(|node| !node.allocatable.is_empty()).map(of).collect()
}

/// The DaemonSet of an operand.
pub fn daemon_set(name: &ObjectName) -> ObjectRef {
    ObjectRef::new("apps/v1", "DaemonSet", name)
}

/// The ClusterPolicy of a name.
pub fn policy_ref(name: &str) -> ObjectRef {
    ObjectRef::new("nvidia.com/v1", "ClusterPolicy", &ObjectName::cluster(name))
}

/// The ClusterPolicy among objects.
pub fn policy(objects: &[Value]) -> Option<&Value> {
    objects.iter().find(|object| {
        objects::text(object, "/kind") == Some("ClusterPolicy")
            && objects::text(object, "/apiVersion").is_some_and(|version| version.starts_with("nvidia.com/"))
    })
}
