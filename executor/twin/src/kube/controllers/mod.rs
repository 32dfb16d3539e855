//! The controllers of a cluster, its scheduler and its kubelets: one actor a file.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::world::key::{list, set, text};
use crate::world::{Key, Timings, World};

pub(crate) mod budgets;
pub(crate) mod daemonset;
pub(crate) mod definitions;
pub(crate) mod deployment;
pub(crate) mod garbage;
pub(crate) mod job;
pub(crate) mod kubelet;
pub(crate) mod namespaces;
pub(crate) mod nodes;
pub(crate) mod replicaset;
pub(crate) mod scheduler;
pub(crate) mod statefulset;

/// How long a controller takes to see a change.
pub(crate) fn soon(world: &World) -> SignedDuration {
    Timings::ms(world.settings().timings.controller)
}

/// The key of the controller of an object, where it is of this kind.
pub(crate) fn controller(object: &Value, key: &Key, kind: &str, group: &str, resource: &str) -> Option<Key> {
    list(object, "/metadata/ownerReferences")
        .iter()
        .find(|r| text(r, "/kind") == kind && r.get("controller") == Some(&json!(true)))
        .map(|r| Key::new(group, resource, &key.namespace, text(r, "/name")))
}

/// The reference an owner puts on what it makes.
fn owned(owner: &Value) -> Value {
    json!([{
        "apiVersion": text(owner, "/apiVersion"), "kind": text(owner, "/kind"), "name": text(owner, "/metadata/name"),
        "uid": text(owner, "/metadata/uid"), "controller": true, "blockOwnerDeletion": true,
    }])
}

/// A pod from a template.
fn pod_from(template: &Value, namespace: &str, owner: &Value) -> Value {
    let mut metadata = json!({"namespace": namespace, "ownerReferences": owned(owner)});
    for field in ["labels", "annotations"] {
        if let Some(value) = template.pointer(&format!("/metadata/{field}")) {
            set(&mut metadata, &[field], value.clone());
        }
    }
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": metadata,
        "spec": template.get("spec").cloned().unwrap_or(Value::Null),
        "status": {"phase": "Pending", "qosClass": "BestEffort"},
    })
}

/// A short name for the content of a template.
pub(crate) fn template_hash(template: &Value) -> String {
    // FNV-1a over the canonical text: stable between runs and platforms.
    let text = template.to_string();
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    format!("{:010x}", hash & 0xff_ffff_ffff)
}

/// A number or a percentage of `total`, rounded up or down.
pub(crate) fn share(value: Option<&Value>, total: i64, up: bool) -> i64 {
    match value {
        Some(Value::Number(n)) => n.as_i64().unwrap_or(0),
        Some(Value::String(s)) => {
            let percent = s.trim_end_matches('%').parse::<i64>().unwrap_or(0);
            let scaled = percent * total;
            if up { (scaled + 99).div_euclid(100) } else { scaled.div_euclid(100) }
        }
        _ => 0,
    }
}
