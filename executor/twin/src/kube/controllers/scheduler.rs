//! The scheduler: selectors, affinity, taints, cordons, requests. Spreading and priorities are not played.

use serde_json::{Map, Value, json};

use super::soon;
use crate::kube::api::select::expression;
use crate::world::key::{list, set, text};
use crate::world::{Actor, Change, ChangeKind, Key, Requests, Wakes, World, amount, labels, requests};

/// The key under which all pending pods are looked at again.
fn everything() -> Key {
    Key::core("pods", "", "")
}

/// Who it is.
pub(crate) const ACTOR: Actor = Actor { name: "scheduler", notice, act };

fn notice(world: &World, change: &Change) -> Wakes {
    if change.key.is("", "pods") {
        let unbound = text(&change.object, "/spec/nodeName").is_empty();
        return match change.kind {
            ChangeKind::Added if unbound => vec![(change.key.clone(), soon(world))],
            ChangeKind::Deleted if !unbound => vec![(everything(), soon(world))],
            _ => Vec::new(),
        };
    }
    let moved = |pointer: &str| {
        change.before.as_ref().is_none_or(|b| b.pointer(pointer) != change.object.pointer(pointer))
    };
    if change.key.is("", "nodes")
        && change.kind != ChangeKind::Deleted
        && (moved("/spec")
            || moved("/status/conditions")
            || moved("/status/allocatable")
            || moved("/metadata/labels"))
    {
        return vec![(everything(), soon(world))];
    }
    Vec::new()
}

fn act(world: &mut World, key: &Key) {
    let waiting: Vec<Key> = if key.name.is_empty() {
        world
            .list("", "pods", None)
            .filter(|(_, p)| text(p, "/spec/nodeName").is_empty() && text(p, "/status/phase") == "Pending")
            .map(|(k, _)| k.clone())
            .collect()
    } else {
        vec![key.clone()]
    };
    for pod in waiting {
        place(world, &pod);
    }
}

fn place(world: &mut World, key: &Key) {
    let Some(pod) = world.get(key).cloned() else { return };
    let idle = text(&pod, "/spec/nodeName").is_empty()
        && text(&pod, "/metadata/deletionTimestamp").is_empty()
        && list(&pod, "/spec/schedulingGates").is_empty();
    if !idle {
        return;
    }
    let asked = requests(&pod);
    let mut best: Option<(i64, Key)> = None;
    for (node_key, node) in world.list("", "nodes", None) {
        let left = slots(world, node);
        // What is cheap is asked first: of nodes that have as much room the first one is taken.
        if left >= 1
            && best.as_ref().is_none_or(|(most, _)| left > *most)
            && node_ready(node)
            && is_left(world, node, &asked)
            && fits_rules(&pod, node)
        {
            best = Some((left, node_key.clone()));
        }
    }
    let status = pod.get("status").cloned().unwrap_or(Value::Null);
    match best {
        Some((_, node)) => {
            let mut conditions = world.with_condition(&status, "PodScheduled", "True", "", "");
            for condition in conditions.as_array_mut().into_iter().flatten() {
                if let Some(map) = condition.as_object_mut() {
                    map.retain(|_, v| v != "");
                }
            }
            world.modify(key, |p| {
                set(p, &["spec", "nodeName"], (*node.name).into());
                set(p, &["status", "conditions"], conditions);
            });
        }
        None => {
            let nodes = world.list("", "nodes", None).count();
            let message = format!("0/{nodes} nodes are available: no node fits the pod.");
            let conditions =
                world.with_condition(&status, "PodScheduled", "False", "Unschedulable", &message);
            world.modify(key, |p| set(p, &["status", "conditions"], conditions));
        }
    }
}

fn node_ready(node: &Value) -> bool {
    list(node, "/status/conditions")
        .iter()
        .any(|c| text(c, "/type") == "Ready" && text(c, "/status") == "True")
}

/// Whether a pod (or a template) may run on a node, resources aside.
pub(crate) fn fits_rules(pod: &Value, node: &Value) -> bool {
    let its = labels(node);
    let selected = pod
        .pointer("/spec/nodeSelector")
        .and_then(Value::as_object)
        .is_none_or(|wanted| wanted.iter().all(|(k, v)| its.get(k) == Some(v)));
    let terms = list(
        pod,
        "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms",
    );
    let liked = terms.is_empty()
        || terms.iter().any(|t| {
            list(t, "/matchExpressions").iter().all(|e| expression(e, &its))
                && list(t, "/matchFields").iter().all(|e| {
                    let mut fields = Map::new();
                    fields.insert("metadata.name".into(), text(node, "/metadata/name").into());
                    expression(e, &fields)
                })
        });
    let mut taints = list(node, "/spec/taints").to_vec();
    if node.pointer("/spec/unschedulable") == Some(&json!(true)) {
        taints.push(json!({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}));
    }
    selected
        && liked
        && taints
            .iter()
            .filter(|t| matches!(text(t, "/effect"), "NoSchedule" | "NoExecute"))
            .all(|taint| list(pod, "/spec/tolerations").iter().any(|t| tolerates(t, taint)))
}

/// Whether a toleration covers a taint.
pub(crate) fn tolerates(toleration: &Value, taint: &Value) -> bool {
    let (key, effect) = (text(toleration, "/key"), text(toleration, "/effect"));
    let exists = text(toleration, "/operator") == "Exists";
    (effect.is_empty() || effect == text(taint, "/effect"))
        && ((key.is_empty() && exists) || key == text(taint, "/key"))
        && (exists || text(toleration, "/value") == text(taint, "/value"))
}

/// Pods that a node has room for, whatever they ask for.
fn slots(world: &World, node: &Value) -> i64 {
    let pods = node.pointer("/status/allocatable/pods").map_or(110_000, |pods| {
        amount(pods) - world.requested(text(node, "/metadata/name")).get("pods").copied().unwrap_or_default()
    });
    pods / 1000
}

/// Whether what a pod asks for is left on a node.
fn is_left(world: &World, node: &Value, asked: &Requests) -> bool {
    let requested = world.requested(text(node, "/metadata/name"));
    let allocatable = node.pointer("/status/allocatable");
    asked.iter().filter(|(name, _)| *name != "pods").all(|(name, asked)| {
        let whole = allocatable.and_then(|all| all.get(name)).map(amount);
        let left = whole.map(|whole| whole - requested.get(name).copied().unwrap_or_default());
        *asked <= left.unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taints_need_their_toleration() {
        let taint = json!({"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"});
        assert!(tolerates(&json!({"operator": "Exists"}), &taint));
        assert!(tolerates(&json!({"key": "nvidia.com/gpu", "operator": "Exists"}), &taint));
        assert!(!tolerates(&json!({"key": "nvidia.com/gpu", "value": "no"}), &taint));
    }
}
