//! The scheduler: selectors, affinity, taints, cordons, requests. Spreading and priorities are not played.

use serde_json::{Map, Value, json};

use super::soon;
use crate::kube::api::select::expression;
use crate::world::key::{list, set, text};
use crate::world::{Actor, Change, ChangeKind, Key, Wakes, World, labels};

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
    let mut best: Option<(i64, Key)> = None;
    for (node_key, node) in world.list("", "nodes", None) {
        if !fits_rules(&pod, node) || !node_ready(node) {
            continue;
        }
        if let Some(left) = room(world, node, &pod)
            && best.as_ref().is_none_or(|(most, _)| left > *most)
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

/// Room left on the node (in pods) after the pod, `None` where it does not fit.
fn room(world: &World, node: &Value, pod: &Value) -> Option<i64> {
    let mut free: Map<String, Value> = Map::new();
    let mut amounts: Vec<(String, i64)> = node
        .pointer("/status/allocatable")
        .and_then(Value::as_object)
        .map(|all| all.iter().map(|(k, v)| (k.clone(), amount(v))).collect())
        .unwrap_or_default();
    let running: Vec<_> = world
        .pods_on(text(node, "/metadata/name"))
        .into_iter()
        .filter(|(_, p)| !matches!(text(p, "/status/phase"), "Succeeded" | "Failed"))
        .collect();
    for (_, other) in &running {
        for (name, left) in &mut amounts {
            *left -= request(other, name);
        }
    }
    for (name, left) in &amounts {
        free.insert(name.clone(), (*left).into());
    }
    let asked = asked(pod);
    for name in &asked {
        let left = free.get(name).and_then(Value::as_i64).unwrap_or(0);
        if request(pod, name) > left {
            return None;
        }
    }
    let pods = free.get("pods").and_then(Value::as_i64).unwrap_or(110_000);
    (pods >= 1000).then_some(pods / 1000)
}

fn asked(pod: &Value) -> Vec<String> {
    let mut names = Vec::new();
    for container in list(pod, "/spec/containers") {
        for of in ["requests", "limits"] {
            if let Some(all) = container.pointer(&format!("/resources/{of}")).and_then(Value::as_object) {
                names.extend(all.keys().cloned());
            }
        }
    }
    names.sort();
    names.dedup();
    names
}

/// What a pod asks of a resource, in thousandths.
fn request(pod: &Value, name: &str) -> i64 {
    if name == "pods" {
        return 1000;
    }
    list(pod, "/spec/containers")
        .iter()
        .map(|c| {
            let of =
                |kind: &str| c.pointer(&format!("/resources/{kind}")).and_then(|r| r.get(name)).map(amount);
            of("requests").or_else(|| of("limits")).unwrap_or(0)
        })
        .sum()
}

/// A quantity in thousandths.
pub(crate) fn amount(quantity: &Value) -> i64 {
    let text = match quantity {
        Value::Number(n) => return n.as_i64().unwrap_or(0).saturating_mul(1000),
        Value::String(s) => s.as_str(),
        _ => return 0,
    };
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let whole: i64 = whole.parse().unwrap_or(0);
    let part: i64 = format!("{part:0<3}").get(..3).and_then(|p| p.parse().ok()).unwrap_or(0);
    let thousandths = whole.saturating_mul(1000).saturating_add(part);
    let factor: i64 = match unit {
        "m" => return thousandths / 1000,
        "k" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        _ => 1,
    };
    thousandths.saturating_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities() {
        for (text, expected) in
            [("1", 1000), ("500m", 500), ("1.5", 1500), ("2Ki", 2_048_000), ("110", 110_000)]
        {
            assert_eq!(amount(&json!(text)), expected, "{text}");
        }
    }

    #[test]
    fn taints_need_their_toleration() {
        let taint = json!({"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"});
        assert!(tolerates(&json!({"operator": "Exists"}), &taint));
        assert!(tolerates(&json!({"key": "nvidia.com/gpu", "operator": "Exists"}), &taint));
        assert!(!tolerates(&json!({"key": "nvidia.com/gpu", "value": "no"}), &taint));
    }
}
