//! Jobs: pods until enough have succeeded, or too many have failed.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Wakes, controller, id_of, pod_from, soon};
use crate::api::pod_ready;
use crate::world::key::{list, number, set, text};
use crate::world::{Change, DeleteOptions, Key, World};

pub(super) fn notice(world: &World, change: &Change) -> Wakes {
    if change.key.is("batch", "jobs") {
        return vec![(change.key.clone(), soon(world))];
    }
    if change.key.is("", "pods")
        && let Some(key) = controller(&change.object, &change.key, "Job", "batch", "jobs")
    {
        return vec![(key, soon(world))];
    }
    Vec::new()
}

fn finished(job: &Value) -> bool {
    list(job, "/status/conditions")
        .iter()
        .any(|c| matches!(text(c, "/type"), "Complete" | "Failed") && text(c, "/status") == "True")
}

pub(super) fn act(world: &mut World, key: &Key) {
    let Some(job) = world.get(key).cloned() else { return };
    if !text(&job, "/metadata/deletionTimestamp").is_empty() || finished(&job) {
        return;
    }
    let spec = |name: &str| number(&job, &format!("/spec/{name}"));
    let pods: Vec<_> =
        world.owned_by(text(&job, "/metadata/uid")).into_iter().filter(|(k, _)| k.is("", "pods")).collect();
    let phase = |wanted: &str| pods.iter().filter(|(_, p)| text(p, "/status/phase") == wanted).count();
    // What was counted stays counted when the pod goes.
    let counted = |name: &str| number(&job, &format!("/status/{name}")).unwrap_or(0);
    let whole = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let succeeded = whole(phase("Succeeded")).max(counted("succeeded"));
    let lost = pods.iter().filter(|(_, p)| !text(p, "/metadata/deletionTimestamp").is_empty()).count();
    let failed = whole(phase("Failed")).max(counted("failed"));
    let active: Vec<_> = pods.iter().filter(|(_, p)| super::replicaset::active(p)).collect();
    let parallelism = spec("parallelism").unwrap_or(1);
    let completions = spec("completions").unwrap_or(parallelism);
    let suspended = job.pointer("/spec/suspend") == Some(&json!(true));
    let start = match text(&job, "/status/startTime") {
        _ if suspended => String::new(),
        "" => world.stamp(),
        given => given.to_owned(),
    };
    let late = spec("activeDeadlineSeconds").is_some_and(|limit| {
        start.parse::<Timestamp>().is_ok_and(|s| world.now().duration_since(s).as_secs() >= limit)
    });
    if let (Some(limit), true) =
        (spec("activeDeadlineSeconds"), text(&job, "/status/startTime").is_empty() && !suspended)
    {
        world.plan(id_of(act), key.clone(), SignedDuration::from_secs(limit + 1));
    }
    let end = if succeeded >= completions {
        Some((
            "SuccessCriteriaMet",
            "Complete",
            "CompletionsReached",
            "Reached expected number of succeeded pods",
        ))
    } else if late {
        Some(("FailureTarget", "Failed", "DeadlineExceeded", "Job was active longer than specified deadline"))
    } else if failed > spec("backoffLimit").unwrap_or(6) {
        Some((
            "FailureTarget",
            "Failed",
            "BackoffLimitExceeded",
            "Job has reached the specified backoff limit",
        ))
    } else {
        None
    };
    let mut live = whole(active.len());
    if end.is_some() || suspended {
        for (pod, _) in &active {
            world.delete(pod, DeleteOptions::default());
        }
        live = 0;
    } else {
        let wanted = parallelism.min(completions - succeeded).max(0);
        for _ in live..wanted {
            let template = job.pointer("/spec/template").cloned().unwrap_or(Value::Null);
            let name = format!("{}-{}", key.name, world.suffix());
            let pod = pod_from(&template, &key.namespace, &job);
            world.create(Key::core("pods", &key.namespace, &name), pod);
        }
        live = live.max(wanted);
    }
    let mut status = json!({
        "terminating": lost, "uncountedTerminatedPods": {},
        "ready": if end.is_some() { 0 } else { active.iter().filter(|(_, p)| pod_ready(p)).count() },
    });
    if !start.is_empty() {
        set(&mut status, &["startTime"], start.into());
    }
    for (name, value) in [("active", live), ("succeeded", succeeded), ("failed", failed)] {
        if value > 0 {
            set(&mut status, &[name], value.into());
        }
    }
    let mut conditions = json!({"conditions": list(&job, "/status/conditions")});
    let suspended_before = list(&job, "/status/conditions").iter().any(|c| text(c, "/type") == "Suspended");
    if suspended || suspended_before {
        let (value, reason, message) = if suspended {
            ("True", "JobSuspended", "Job suspended")
        } else {
            ("False", "JobResumed", "Job resumed")
        };
        conditions =
            json!({"conditions": world.with_condition(&conditions, "Suspended", value, reason, message)});
    }
    if let Some((first, last, reason, message)) = end {
        for kind in [first, last] {
            let mut all = world.with_condition(&conditions, kind, "True", reason, message);
            if let Some(added) = all.as_array_mut().and_then(|a| a.last_mut()) {
                set(added, &["lastProbeTime"], world.stamp().into());
            }
            conditions = json!({"conditions": all});
        }
        if last == "Complete" {
            set(&mut status, &["completionTime"], world.stamp().into());
        }
    }
    if !list(&conditions, "/conditions").is_empty() {
        set(&mut status, &["conditions"], list(&conditions, "/conditions").into());
    }
    world.set_status(key, status);
}
