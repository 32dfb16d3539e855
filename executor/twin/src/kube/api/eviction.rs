//! The eviction subresource.

use http::StatusCode;
use serde_json::{Value, json};

use super::{Answer, select};
use crate::call::Call;
use crate::kube::error::{About, ApiError, ApiResult};
use crate::world::key::{number, set, text};
use crate::world::{DeleteOptions, Key, Propagation, World};

pub(super) fn answer(world: &mut World, call: &Call, key: &Key) -> ApiResult<Answer> {
    let body = call.json()?;
    let pod = world
        .get(key)
        .cloned()
        .ok_or_else(|| ApiError::not_found(About { group: "", kind: "pods", name: &key.name }))?;
    let options = body.get("deleteOptions").cloned().unwrap_or(Value::Null);
    let (wanted, found) = (text(&options, "/preconditions/uid"), text(&pod, "/metadata/uid"));
    if !wanted.is_empty() && wanted != found {
        return Err(ApiError::wrong_uid(About { group: "", kind: "Pod", name: &key.name }, wanted, found));
    }
    let finished = matches!(text(&pod, "/status/phase"), "Succeeded" | "Failed" | "Pending");
    let going = !text(&pod, "/metadata/deletionTimestamp").is_empty();
    if !finished && !going {
        spend(world, key, &pod)?;
    }
    if !going {
        mark_disrupted(world, key, "EvictionByEvictionAPI", "Eviction API: evicting");
    }
    world.delete(
        key,
        DeleteOptions {
            propagation: Propagation::Background,
            grace_seconds: number(&options, "/gracePeriodSeconds"),
        },
    );
    let status =
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
    Ok(Answer::with(201, status, Vec::new()))
}

/// Says of a pod that it goes because of a disruption.
pub(crate) fn mark_disrupted(world: &mut World, pod: &Key, reason: &str, message: &str) {
    let Some(found) = world.get(pod) else { return };
    let mut status = found.get("status").cloned().unwrap_or_else(|| json!({}));
    let all = world.with_condition(&status, "DisruptionTarget", "True", reason, message);
    set(&mut status, &["conditions"], all);
    world.set_status(pod, status);
}

/// Whether the budgets of a pod let it go now.
pub(crate) fn may_go(world: &World, key: &Key, pod: &Value) -> bool {
    let budgets = budgets(world, key, pod);
    budgets.len() <= 1 && budgets.iter().all(|budget| allowed(world, budget) > 0)
}

fn budgets(world: &World, pod_key: &Key, pod: &Value) -> Vec<Key> {
    let labels = crate::world::labels(pod);
    world
        .list("policy", "poddisruptionbudgets", Some(&pod_key.namespace))
        .filter(|(_, b)| select::label_selector(b.pointer("/spec/selector"), &labels))
        .map(|(k, _)| k.clone())
        .collect()
}

fn allowed(world: &World, budget: &Key) -> i64 {
    world.get(budget).and_then(|b| number(b, "/status/disruptionsAllowed")).unwrap_or(0)
}

/// Asks a pod to go, as far as its budget lets.
pub(crate) fn evict(world: &mut World, key: &Key, pod: &Value) {
    if !may_go(world, key, pod) {
        return;
    }
    for budget in &budgets(world, key, pod) {
        let (allowed, stamp) = (allowed(world, budget), world.stamp());
        world.modify(budget, |b| {
            set(b, &["status", "disruptionsAllowed"], (allowed - 1).into());
            set(b, &["status", "disruptedPods", &key.name], stamp.into());
        });
    }
    mark_disrupted(world, key, "EvictionByEvictionAPI", "Eviction API: evicting");
    world.delete(key, DeleteOptions::default());
}

/// Takes one disruption out of the budget that covers the pod.
fn spend(world: &mut World, pod_key: &Key, pod: &Value) -> ApiResult<()> {
    let budgets = budgets(world, pod_key, pod);
    let key = match budgets.as_slice() {
        [] => return Ok(()),
        [one] => one.clone(),
        _ => {
            return Err(ApiError::internal(
                "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
            ));
        }
    };
    let Some(budget) = world.get(&key).cloned() else { return Ok(()) };
    let count = |field: &str| number(&budget, &format!("/status/{field}")).unwrap_or(0);
    let (healthy, desired, allowed) =
        (count("currentHealthy"), count("desiredHealthy"), count("disruptionsAllowed"));
    if !super::convert::pod_ready(pod) {
        let always = text(&budget, "/spec/unhealthyPodEvictionPolicy") == "AlwaysAllow";
        if always || (healthy >= desired && desired > 0) {
            return Ok(());
        }
    }
    if count("observedGeneration") < number(&budget, "/metadata/generation").unwrap_or(0) {
        return Err(ApiError::new(
            StatusCode::TOO_MANY_REQUESTS,
            "TooManyRequests",
            "Cannot evict pod as it would violate the pod's disruption budget.",
        )
        .with_details(json!({"causes": [{"reason": "DisruptionBudget",
            "message": format!("The disruption budget {} is still being processed by the server.", key.name)}]}))
        .after(10));
    }
    if allowed <= 0 {
        return Err(ApiError::new(
            StatusCode::TOO_MANY_REQUESTS,
            "TooManyRequests",
            "Cannot evict pod as it would violate the pod's disruption budget.",
        )
        .with_details(json!({"causes": [{"reason": "DisruptionBudget",
            "message": format!("The disruption budget {} needs {desired} healthy pods and has {healthy} currently", key.name)}]})));
    }
    let stamp = world.stamp();
    world.modify(&key, |b| {
        set(b, &["status", "disruptionsAllowed"], (allowed - 1).into());
        set(b, &["status", "disruptedPods", &pod_key.name], stamp.into());
    });
    Ok(())
}
