//! ReplicaSets: as many pods as asked for.

use jiff::SignedDuration;
use serde_json::{Value, json};
use std::sync::Arc;

use super::{controller, pod_from, soon};
use crate::kube::api::{pod_ready, refused};
use crate::world::key::{list, number, set, text};
use crate::world::{Actor, Change, DeleteOptions, Key, Wakes, World};

/// How long it waits after a webhook refused a pod.
const AGAIN: SignedDuration = SignedDuration::from_secs(10);

/// Who it is.
pub(crate) const ACTOR: Actor = Actor { name: "replicaset", notice, act };

fn notice(world: &World, change: &Change) -> Wakes {
    if change.key.is("apps", "replicasets") {
        return vec![(change.key.clone(), soon(world))];
    }
    if change.key.is("", "pods")
        && let Some(key) = controller(&change.object, &change.key, "ReplicaSet", "apps", "replicasets")
    {
        return vec![(key, soon(world))];
    }
    Vec::new()
}

pub(super) fn active(pod: &Value) -> bool {
    text(pod, "/metadata/deletionTimestamp").is_empty()
        && !matches!(text(pod, "/status/phase"), "Succeeded" | "Failed")
}

fn act(world: &mut World, key: &Key) {
    let Some(owner) = world.get(key).cloned() else { return };
    if !text(&owner, "/metadata/deletionTimestamp").is_empty() {
        return;
    }
    let uid = text(&owner, "/metadata/uid").to_owned();
    let wanted = usize::try_from(number(&owner, "/spec/replicas").unwrap_or(1)).unwrap_or(0);
    let mut pods = active_pods(world, &uid);
    for _ in pods.len()..wanted {
        let template = owner.pointer("/spec/template").cloned().unwrap_or(Value::Null);
        let name = format!("{}-{}", key.name, world.suffix());
        let pod = pod_from(&template, &key.namespace, &owner);
        let pod_key = Key::core("pods", &key.namespace, &name);
        if refused(world, &pod_key, None, &pod).is_some() {
            // It tries again after a while, as long as it has too few.
            world.plan(ACTOR.name, key.clone(), AGAIN);
            break;
        }
        world.create(pod_key, pod);
    }
    if pods.len() > wanted {
        // Cheapest first: unbound, then unready, then the youngest.
        pods.sort_by_key(|(k, p)| {
            let bound = !text(p, "/spec/nodeName").is_empty();
            let born = std::cmp::Reverse(text(p, "/metadata/creationTimestamp").to_owned());
            (bound, pod_ready(p), born, k.clone())
        });
        for (pod, _) in pods.iter().take(pods.len() - wanted) {
            world.delete(pod, DeleteOptions::default());
        }
    }
    let all = world.owned_by(&uid);
    let pods = active_pods(world, &uid);
    let ready = pods.iter().filter(|(_, p)| pod_ready(p)).count();
    let terminating = all.iter().filter(|(_, p)| !text(p, "/metadata/deletionTimestamp").is_empty()).count();
    let mut status = json!({
        "replicas": pods.len(), "observedGeneration": number(&owner, "/metadata/generation"),
        "terminatingReplicas": terminating,
    });
    for (field, value) in
        [("fullyLabeledReplicas", pods.len()), ("readyReplicas", ready), ("availableReplicas", ready)]
    {
        if value > 0 {
            set(&mut status, &[field], value.into());
        }
    }
    if !list(&owner, "/status/conditions").is_empty() {
        let value = list(&owner, "/status/conditions").into();
        set(&mut status, &["conditions"], value);
    }
    world.set_status(key, status);
}

fn active_pods(world: &World, uid: &str) -> Vec<(Key, Arc<Value>)> {
    world.owned_by(uid).into_iter().filter(|(k, p)| k.is("", "pods") && active(p)).collect()
}

/// Not finished; one that is being deleted still counts here.
pub(super) fn active_or_going(pod: &Value) -> bool {
    !matches!(text(pod, "/status/phase"), "Succeeded" | "Failed")
}
