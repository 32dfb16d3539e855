//! PodDisruptionBudgets: their status follows the pods.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::{share, soon};
use crate::kube::api::pod_ready;
use crate::kube::api::select::label_selector;
use crate::world::key::{list, number, set, text};
use crate::world::{Actor, Change, Key, Wakes, World, labels};

/// A disruption that did not happen is forgotten after this.
const FORGET: SignedDuration = SignedDuration::from_mins(2);

/// Who it is.
pub(crate) const ACTOR: Actor = Actor { name: "budgets", notice, act };

fn notice(world: &World, change: &Change) -> Wakes {
    if change.key.is("policy", "poddisruptionbudgets") {
        return vec![(change.key.clone(), soon(world))];
    }
    let counts = change.key.is("", "pods")
        || change.key.is("apps", "replicasets")
        || change.key.is("apps", "statefulsets")
        || change.key.is("apps", "deployments");
    if !counts {
        return Vec::new();
    }
    world
        .list("policy", "poddisruptionbudgets", Some(&change.key.namespace))
        .map(|(k, _)| (k.clone(), soon(world)))
        .collect()
}

fn act(world: &mut World, key: &Key) {
    let Some(budget) = world.get(key).cloned() else { return };
    let mut pods = Vec::new();
    for (k, pod) in world.list("", "pods", Some(&key.namespace)) {
        if label_selector(budget.pointer("/spec/selector"), &labels(pod))
            && super::replicaset::active_or_going(pod)
        {
            pods.push((k.clone(), pod.clone()));
        }
    }
    let by_scale = budget.pointer("/spec/maxUnavailable").is_some()
        || budget.pointer("/spec/minAvailable").is_some_and(Value::is_string);
    let count = i64::try_from(pods.len()).unwrap_or(0);
    let expected = if by_scale { scale(world, &pods, key) } else { count };
    let desired = match (budget.pointer("/spec/maxUnavailable"), budget.pointer("/spec/minAvailable")) {
        (Some(most), _) => (expected - share(Some(most), expected, true)).max(0),
        (None, least @ Some(_)) => share(least, expected, true),
        (None, None) => 0,
    };
    let mut disrupted = Map::new();
    for (name, since) in
        budget.pointer("/status/disruptedPods").and_then(Value::as_object).cloned().unwrap_or_default()
    {
        let fresh = since
            .as_str()
            .and_then(|s| s.parse::<Timestamp>().ok())
            .is_some_and(|s| world.now().duration_since(s) < FORGET);
        let there =
            pods.iter().any(|(k, p)| *k.name == *name && text(p, "/metadata/deletionTimestamp").is_empty());
        if fresh && there {
            disrupted.insert(name, since);
        }
    }
    let healthy = pods
        .iter()
        .filter(|(k, p)| {
            pod_ready(p)
                && text(p, "/metadata/deletionTimestamp").is_empty()
                && !disrupted.contains_key(&*k.name)
        })
        .count();
    let healthy = i64::try_from(healthy).unwrap_or(0);
    let allowed = if expected == 0 { 0 } else { (healthy - desired).max(0) };
    let (value, reason) =
        if allowed > 0 { ("True", "SufficientPods") } else { ("False", "InsufficientPods") };
    let generation = number(&budget, "/metadata/generation");
    let previous = budget.get("status").cloned().unwrap_or(Value::Null);
    let mut conditions = world.with_condition(&previous, "DisruptionAllowed", value, reason, "");
    for condition in conditions.as_array_mut().into_iter().flatten() {
        condition["observedGeneration"] = json!(generation);
    }
    let mut status = json!({
        "observedGeneration": generation, "disruptionsAllowed": allowed, "currentHealthy": healthy,
        "desiredHealthy": desired, "expectedPods": expected, "conditions": conditions,
    });
    if !disrupted.is_empty() {
        set(&mut status, &["disruptedPods"], disrupted.into());
    }
    world.set_status(key, status);
}

/// How many pods the controllers of these pods want.
fn scale(world: &World, pods: &[(Key, std::sync::Arc<Value>)], budget: &Key) -> i64 {
    let mut wanted = 0;
    let mut seen = BTreeSet::new();
    for (_, pod) in pods {
        for owner in list(pod, "/metadata/ownerReferences") {
            let (resource, field) = match text(owner, "/kind") {
                "ReplicaSet" => (("apps", "replicasets"), "/spec/replicas"),
                "StatefulSet" => (("apps", "statefulsets"), "/spec/replicas"),
                "Job" => (("batch", "jobs"), "/spec/parallelism"),
                _ => continue,
            };
            let key = Key::new(resource.0, resource.1, &budget.namespace, text(owner, "/name"));
            let Some(mut found) = world.get(&key).cloned() else { continue };
            let mut field = field;
            // The Deployment above counts, not each of its ReplicaSets.
            if let Some(above) = super::controller(&found, &key, "Deployment", "apps", "deployments")
                && let Some(deployment) = world.get(&above)
            {
                found = deployment.clone();
                field = "/spec/replicas";
            }
            if seen.insert(text(&found, "/metadata/uid").to_owned()) {
                wanted += number(&found, field).unwrap_or(0);
            }
        }
    }
    wanted
}
