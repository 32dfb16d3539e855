//! Nodes: they come up, carry the taints of their state, and take their pods along when they go.

use serde_json::{Value, json};

use super::soon;
use crate::world::key::{list, set, text};
use crate::world::{Actor, Change, ChangeKind, DeleteOptions, Key, Timings, Wakes, World};

const CORDON: &str = "node.kubernetes.io/unschedulable";
const BEHAVIOUR: &str = "cluster.switchback.test/node";

/// Who it is.
pub(crate) const ACTOR: Actor = Actor { name: "nodes", notice, act };

fn notice(world: &World, change: &Change) -> Wakes {
    if !change.key.is("", "nodes") {
        return Vec::new();
    }
    let fresh = change.kind == ChangeKind::Added;
    // Machines of a NodeClaim are still booting when their node appears.
    let claimed =
        list(&change.object, "/metadata/ownerReferences").iter().any(|r| text(r, "/kind") == "NodeClaim");
    let after = if fresh && claimed { Timings::ms(world.settings().timings.node_ready) } else { soon(world) };
    vec![(change.key.clone(), after)]
}

fn act(world: &mut World, key: &Key) {
    let Some(node) = world.get(key).cloned() else {
        for (pod, _) in world.pods_on(&key.name) {
            world.delete(&pod, DeleteOptions { grace_seconds: Some(0), ..DeleteOptions::default() });
        }
        return;
    };
    let stamp = world.stamp();
    let cordoned = node.pointer("/spec/unschedulable") == Some(&json!(true));
    let tainted = list(&node, "/spec/taints").iter().any(|t| text(t, "/key") == CORDON);
    if cordoned != tainted {
        let mut taints: Vec<Value> =
            list(&node, "/spec/taints").iter().filter(|t| text(t, "/key") != CORDON).cloned().collect();
        if cordoned {
            taints.push(json!({"key": CORDON, "effect": "NoSchedule", "timeAdded": stamp}));
        }
        world.modify(key, |n| {
            if taints.is_empty() {
                crate::world::key::unset(n, &["spec", "taints"]);
            } else {
                set(n, &["spec", "taints"], taints.into());
            }
        });
    }
    let unready =
        node.pointer("/metadata/annotations").and_then(|a| a.get(BEHAVIOUR)) == Some(&json!("unready"));
    let (value, reason) = if unready { ("False", "KubeletNotReady") } else { ("True", "KubeletReady") };
    let known = list(&node, "/status/conditions").iter().any(|c| text(c, "/type") == "Ready");
    if !known || unready {
        let mut status = node.get("status").cloned().unwrap_or_else(|| json!({}));
        let value = world.with_condition(&status, "Ready", value, reason, "");
        set(&mut status, &["conditions"], value);
        if status.get("allocatable").is_none() {
            let value = status
                .get("capacity")
                .cloned()
                .unwrap_or_else(|| json!({"cpu": "1k", "memory": "1Ti", "pods": "1M"}));
            set(&mut status, &["allocatable"], value);
        }
        if status.get("capacity").is_none() {
            let value = status.get("allocatable").cloned().unwrap_or_default();
            set(&mut status, &["capacity"], value);
        }
        set(&mut status, &["phase"], "Running".into());
        world.set_status(key, status);
    }
    if !text(&node, "/metadata/deletionTimestamp").is_empty() {
        return;
    }
    // NoExecute removes what does not tolerate it, budgets or not.
    let executing: Vec<Value> =
        list(&node, "/spec/taints").iter().filter(|t| text(t, "/effect") == "NoExecute").cloned().collect();
    if executing.is_empty() {
        return;
    }
    for (pod, object) in world.pods_on(&key.name) {
        let stays = executing.iter().all(|taint| {
            list(&object, "/spec/tolerations").iter().any(|t| super::scheduler::tolerates(t, taint))
        });
        if !stays {
            world.delete(&pod, DeleteOptions::default());
        }
    }
}
