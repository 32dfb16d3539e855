//! Everything that acts by itself: one file each. An actor notices a change, plans to look at a key
//! after a while, and when the clock gets there looks at the world as it then is.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::world::key::{list, set, text};
use crate::world::{Change, Key, World};

mod budgets;
pub(crate) mod cloud;
mod daemonset;
mod definitions;
mod deployment;
mod garbage;
mod job;
pub(crate) mod karpenter;
mod kubelet;
pub(crate) mod mlflow;
mod namespaces;
mod nodes;
mod replicaset;
mod scheduler;
mod statefulset;

/// A key to look at, and after how long.
pub(crate) type Wakes = Vec<(Key, SignedDuration)>;

struct Actor {
    notice: fn(&World, &Change) -> Wakes,
    act: fn(&mut World, &Key),
}

const ACTORS: &[Actor] = &[
    Actor { notice: definitions::notice, act: definitions::act },
    Actor { notice: namespaces::notice, act: namespaces::act },
    Actor { notice: garbage::notice, act: garbage::act },
    Actor { notice: deployment::notice, act: deployment::act },
    Actor { notice: replicaset::notice, act: replicaset::act },
    Actor { notice: daemonset::notice, act: daemonset::act },
    Actor { notice: statefulset::notice, act: statefulset::act },
    Actor { notice: job::notice, act: job::act },
    Actor { notice: scheduler::notice, act: scheduler::act },
    Actor { notice: kubelet::notice, act: kubelet::act },
    Actor { notice: nodes::notice, act: nodes::act },
    Actor { notice: budgets::notice, act: budgets::act },
    Actor { notice: karpenter::notice, act: karpenter::act },
    // Snapshots name actors by their place: new ones come last.
    Actor { notice: cloud::notice, act: cloud::act },
];

/// Who wants to look at what, and when, because of a change.
pub(crate) fn notice(world: &World, change: &Change) -> Vec<(usize, Key, SignedDuration)> {
    let mut out = Vec::new();
    for (id, actor) in ACTORS.iter().enumerate() {
        out.extend((actor.notice)(world, change).into_iter().map(|(key, after)| (id, key, after)));
    }
    out
}

/// Lets an actor look at a key.
pub(crate) fn act(world: &mut World, actor: usize, key: &Key) {
    if let Some(actor) = ACTORS.get(actor) {
        (actor.act)(world, key);
    }
}

/// The place of an actor in the table, for those that plan their own next look.
fn id_of(act: fn(&mut World, &Key)) -> usize {
    ACTORS.iter().position(|a| std::ptr::fn_addr_eq(a.act, act)).unwrap_or(usize::MAX)
}

/// How long a controller takes to see a change.
fn soon(world: &World) -> SignedDuration {
    crate::world::Timings::ms(world.settings().timings.controller)
}

/// The key of the controller of an object, where it is of this kind.
fn controller(object: &Value, key: &Key, kind: &str, group: &str, resource: &str) -> Option<Key> {
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
fn template_hash(template: &Value) -> String {
    // FNV-1a over the canonical text: stable between runs and platforms.
    let text = template.to_string();
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    format!("{:010x}", hash & 0xff_ffff_ffff)
}

/// A number or a percentage of `total`, rounded up or down.
fn share(value: Option<&Value>, total: i64, up: bool) -> i64 {
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
