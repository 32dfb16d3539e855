//! Jobs: how many evictions of its pods a Job survives.
//!
//! The Job controller counts an evicted pod as a failed one, unless the Job's `podFailurePolicy` says otherwise of pods that
//! carry the condition `DisruptionTarget`; past `backoffLimit` it ends the whole Job as failed (contract rows
//! `evictions_count_as_failures` and `a_job_may_ignore_disruptions`).

use serde_json::Value;

use super::owners::controller;
use crate::fields::{number, text};

/// What the API server fills in where a Job says nothing.
const BACKOFF_LIMIT: u64 = 6;

/// Kept by a pod until its Job has counted it.
const TRACKING: &str = "batch.kubernetes.io/job-tracking";

/// The label that a Job puts on its pods: its UID.
pub(crate) const OF_JOB: &str = "batch.kubernetes.io/controller-uid";

/// How many more evictions a Job survives; `None` where they do not count, or where it is another controller's to begin it
/// again.
pub(crate) fn survives(job: &Value) -> Option<u64> {
    if controller(job).is_some_and(|owner| text(owner, "/kind") != "CronJob") {
        return None;
    }
    match on_disruption(job) {
        Some("Ignore") => return None,
        Some("FailJob" | "FailIndex") => return Some(0),
        _ => {}
    }
    // Each index of it has a limit of its own, and each of its pods is evicted once.
    if let Some(limit) = job.pointer("/spec/backoffLimitPerIndex").and_then(Value::as_u64) {
        return (limit == 0).then_some(0);
    }
    let limit = job.pointer("/spec/backoffLimit").and_then(Value::as_u64).unwrap_or(BACKOFF_LIMIT);
    Some(limit.saturating_sub(number(job, "/status/failed")))
}

/// What a Job's policy says of a disrupted pod: the action of the first rule that fits.
fn on_disruption(job: &Value) -> Option<&str> {
    let disrupted = |pattern: &Value| {
        text(pattern, "/type") == "DisruptionTarget" && matches!(text(pattern, "/status"), "" | "True")
    };
    let mut rules = items(job, "/spec/podFailurePolicy/rules");
    let rule = rules.find(|rule| items(rule, "/onPodConditions").any(disrupted))?;
    Some(text(rule, "/action"))
}

fn items<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

/// Whether a pod goes, and its Job has not counted it yet.
pub(crate) fn is_uncounted(pod: &Value) -> bool {
    pod.pointer("/metadata/deletionTimestamp").is_some()
        && items(pod, "/metadata/finalizers").any(|finalizer| finalizer.as_str() == Some(TRACKING))
}

/// Whether a pod runs and stays.
pub(crate) fn runs(pod: &Value) -> bool {
    text(pod, "/status/phase") == "Running" && pod.pointer("/metadata/deletionTimestamp").is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_job_survives_follows_its_limits_and_its_policy() {
        let policy = |action: &str, status: &str| {
            json!({"rules": [
                {"action": "Count", "onExitCodes": {"operator": "In", "values": [1]}},
                {"action": action, "onPodConditions": [{"type": "DisruptionTarget", "status": status}]},
            ]})
        };
        let cases = [
            (json!({}), Some(6)),
            (json!({"backoffLimit": 0}), Some(0)),
            (json!({"backoffLimit": 4}), Some(4)),
            (json!({"backoffLimit": 0, "podFailurePolicy": policy("Ignore", "True")}), None),
            (json!({"backoffLimit": 2, "podFailurePolicy": policy("Ignore", "False")}), Some(2)),
            (json!({"backoffLimit": 2, "podFailurePolicy": policy("Count", "True")}), Some(2)),
            (json!({"backoffLimit": 2, "podFailurePolicy": policy("FailJob", "True")}), Some(0)),
            (json!({"backoffLimitPerIndex": 1, "backoffLimit": 2_147_483_647_u64}), None),
            (json!({"backoffLimitPerIndex": 0, "backoffLimit": 2_147_483_647_u64}), Some(0)),
        ];
        for (spec, expected) in cases {
            assert_eq!(survives(&json!({"spec": spec})), expected, "{spec}");
        }
        let failing = json!({"spec": {"backoffLimit": 4}, "status": {"failed": 3}});
        assert_eq!(survives(&failing), Some(1));
        let owned = |kind: &str| json!({"metadata": {"ownerReferences": [{"kind": kind, "name": "o", "controller": true}]}, "spec": {"backoffLimit": 0}});
        assert_eq!(survives(&owned("CronJob")), Some(0));
        assert_eq!(survives(&owned("JobSet")), None, "its own policy begins it again");
    }
}
