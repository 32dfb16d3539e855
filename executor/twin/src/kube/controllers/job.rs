//! Jobs: pods until enough have succeeded, or too many have failed.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{controller, pod_from, soon};
use crate::kube::api::pod_ready;
use crate::world::key::{list, number, set, text};
use crate::world::{Actor, Change, DeleteOptions, Key, Wakes, World};

/// Who it is.
pub(crate) const ACTOR: Actor = Actor { name: "job", notice, act };

fn notice(world: &World, change: &Change) -> Wakes {
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

/// Keeps a pod until its Job has counted how it ended.
const TRACKING: &str = "batch.kubernetes.io/job-tracking";

fn finished(job: &Value) -> bool {
    list(job, "/status/conditions")
        .iter()
        .any(|c| matches!(text(c, "/type"), "Complete" | "Failed") && text(c, "/status") == "True")
}

fn act(world: &mut World, key: &Key) {
    let lives = |job: &Arc<Value>| text(job, "/metadata/deletionTimestamp").is_empty() && !finished(job);
    let job = world.get(key).cloned().filter(lives);
    let ended = settle(world, key, job.as_deref());
    let Some(job) = job else { return };
    let spec = |name: &str| number(&job, &format!("/spec/{name}"));
    let pods: Vec<_> =
        world.owned_by(text(&job, "/metadata/uid")).into_iter().filter(|(k, _)| k.is("", "pods")).collect();
    let counted = |name: &str| number(&job, &format!("/status/{name}")).unwrap_or(0);
    let whole = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let succeeded = counted("succeeded") + ended.succeeded;
    let failed = counted("failed") + ended.failed;
    let lost = pods.iter().filter(|(_, p)| !text(p, "/metadata/deletionTimestamp").is_empty()).count();
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
        world.plan(ACTOR.name, key.clone(), SignedDuration::from_secs(limit + 1));
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
        // Whoever looks at how pods failed waits until they are gone before it makes others.
        let going = if text(&job, "/spec/podReplacementPolicy") == "Failed" { whole(lost) } else { 0 };
        let wanted = (parallelism.min(completions - succeeded) - going).max(0);
        for _ in live..wanted {
            let template = job.pointer("/spec/template").cloned().unwrap_or(Value::Null);
            let name = format!("{}-{}", key.name, world.suffix());
            let mut pod = pod_from(&template, &key.namespace, &job);
            set(&mut pod, &["metadata", "finalizers"], json!([TRACKING]));
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

/// Pods that ended since a Job was last looked at.
#[derive(Default)]
struct Ended {
    succeeded: i64,
    failed: i64,
}

/// Counts the pods that ended, each once, and lets them go. Of a Job that is over nothing is counted.
fn settle(world: &mut World, key: &Key, job: Option<&Value>) -> Ended {
    let tracked = |(pod_key, pod): &(Key, Arc<Value>)| {
        list(pod, "/metadata/finalizers").contains(&json!(TRACKING))
            && controller(pod, pod_key, "Job", "batch", "jobs").as_ref() == Some(key)
    };
    let pods = world.list("", "pods", Some(&key.namespace)).map(|(k, p)| (k.clone(), p.clone()));
    let pods: Vec<_> = pods.filter(tracked).collect();
    let mut ended = Ended::default();
    for (pod_key, pod) in pods {
        let phase = text(&pod, "/status/phase");
        let going = !text(&pod, "/metadata/deletionTimestamp").is_empty();
        // Without a policy for failures a pod counts as soon as it goes, whatever it says at its end.
        let waited_for = job.is_some_and(|job| job.pointer("/spec/podFailurePolicy").is_some());
        if !matches!(phase, "Succeeded" | "Failed") && (!going || waited_for) {
            continue;
        }
        match job.filter(|job| owns(job, &pod)) {
            Some(_) if phase == "Succeeded" => ended.succeeded += 1,
            Some(job) if !ignored(job, &pod) => ended.failed += 1,
            _ => {}
        }
        world.modify(&pod_key, |pod| {
            let rest = list(pod, "/metadata/finalizers").iter().filter(|f| f.as_str() != Some(TRACKING));
            let rest: Vec<Value> = rest.cloned().collect();
            set(pod, &["metadata", "finalizers"], rest.into());
        });
    }
    ended
}

fn owns(job: &Value, pod: &Value) -> bool {
    let uid = text(job, "/metadata/uid");
    list(pod, "/metadata/ownerReferences").iter().any(|owner| text(owner, "/uid") == uid)
}

/// Whether the first rule of a Job's policy that fits a failed pod says that it does not count. Exit codes are not played.
fn ignored(job: &Value, pod: &Value) -> bool {
    let has = |wanted: &Value| {
        let fits = |c: &&Value| {
            text(c, "/type") == text(wanted, "/type") && text(c, "/status") == text(wanted, "/status")
        };
        list(pod, "/status/conditions").iter().any(|c| fits(&c))
    };
    let mut rules = list(job, "/spec/podFailurePolicy/rules").iter();
    let fits = rules.find(|rule| list(rule, "/onPodConditions").iter().any(has));
    fits.is_some_and(|rule| text(rule, "/action") == "Ignore")
}
