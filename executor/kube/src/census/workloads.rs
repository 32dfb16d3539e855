//! Workloads: controllers of built-in kinds under their topmost owner, custom owners by their pods, and pods without any.

use std::collections::BTreeMap;

use serde_json::Value;
use switchback_executor::ports::Look;
use switchback_schemas::{
    Seconds,
    journal::{Counted, Progress},
    name::ObjectName,
};

use super::pods::{Group, Pods};
use crate::{
    classify::CallError,
    fields::{has_condition, number, text},
    pods::owners::{Owner, Owners},
};

/// Kinds of controllers that say how many pods they want.
pub(super) const KINDS: [(&str, &str); 4] =
    [("apps/v1", "Deployment"), ("apps/v1", "StatefulSet"), ("apps/v1", "DaemonSet"), ("batch/v1", "Job")];

/// Kinds of owners that count as their schedule and not by their Jobs.
const SCHEDULES: [&str; 2] = ["CronJob", "CronWorkflow"];

/// Counts workloads.
pub(super) async fn count(
    controllers: &[Value],
    pods: &Pods,
    owners: &mut Owners<'_>,
    look: &mut Look,
) -> Result<(), CallError> {
    let mut counted: BTreeMap<String, Counted> = BTreeMap::new();
    for object in controllers {
        let chain = owners.chain(object).await?;
        if chain.kinds().iter().any(|kind| SCHEDULES.contains(kind)) {
            continue;
        }
        let top = chain.top().cloned().unwrap_or_else(|| Owner::itself(object));
        let one = counted.entry(top.uid.clone()).or_insert_with(|| new(&top));
        one.desired += desired(object);
        one.progress = together(one.progress, progress(object));
        one.release = one.release.take().or_else(|| release(object));
    }
    for group in pods.by_owner.values() {
        let uid = &group.owner.uid;
        let left_out = group.placeholder || group.kinds.iter().any(|kind| SCHEDULES.contains(&kind.as_str()));
        if left_out {
            counted.remove(uid);
            continue;
        }
        let known = counted.contains_key(uid);
        let one = counted.entry(uid.clone()).or_insert_with(|| new(&group.owner));
        if known {
            one.desired = one.desired.saturating_sub(group.gated);
        } else {
            by_pods(one, group);
        }
        one.ready = group.ready;
        one.start = group.start;
        one.groups.clone_from(&group.groups);
        if let Some(cause) = &group.cause {
            look.causes.insert(uid.clone(), cause.clone());
        }
    }
    for object in controllers {
        let (uid, refused) = (text(object, "/metadata/uid"), refused(object));
        if let Some(refused) = refused.filter(|_| counted.contains_key(uid)) {
            look.causes.entry(uid.to_owned()).or_insert(refused);
        }
    }
    look.counted.extend(counted.into_values());
    Ok(())
}

/// What only its pods tell of: an owner of a custom kind, or a pod without any.
fn by_pods(one: &mut Counted, group: &Group) {
    one.desired = group.live;
    if group.kinds.is_empty() {
        one.progress = match group.ended {
            None => Progress::Unfinished,
            Some(true) => Progress::Complete,
            Some(false) => Progress::Failed,
        };
    }
}

fn new(owner: &Owner) -> Counted {
    Counted {
        uid: owner.uid.clone(),
        object: owner.object.clone(),
        desired: 0,
        ready: 0,
        progress: Progress::Lasting,
        start: Seconds(0),
        release: None,
        groups: std::collections::BTreeSet::new(),
        through: std::collections::BTreeSet::new(),
    }
}

/// How many pods a controller wants now.
fn desired(object: &Value) -> u64 {
    let spec = |field: &str| object.pointer(field).and_then(Value::as_u64);
    match text(object, "/kind") {
        "DaemonSet" => number(object, "/status/desiredNumberScheduled"),
        "Job" => {
            let suspended = object.pointer("/spec/suspend").and_then(Value::as_bool) == Some(true);
            if suspended || progress(object) != Progress::Unfinished {
                return 0;
            }
            let left =
                spec("/spec/completions").map(|all| all.saturating_sub(number(object, "/status/succeeded")));
            spec("/spec/parallelism").unwrap_or(1).min(left.unwrap_or(u64::MAX))
        }
        _ => spec("/spec/replicas").unwrap_or(1),
    }
}

fn progress(object: &Value) -> Progress {
    if text(object, "/kind") != "Job" {
        Progress::Lasting
    } else if has_condition(object, "Complete") {
        Progress::Complete
    } else if has_condition(object, "Failed") {
        Progress::Failed
    } else {
        Progress::Unfinished
    }
}

/// The progress of what has several parts: at its end when all of them are, and failed when one is.
fn together(one: Progress, other: Progress) -> Progress {
    let weight = |progress: &Progress| match progress {
        Progress::Lasting => 0,
        Progress::Complete => 1,
        Progress::Failed => 2,
        Progress::Unfinished => 3,
    };
    std::cmp::max_by_key(one, other, weight)
}

/// The release that Helm says an object belongs to.
pub(super) fn release(object: &Value) -> Option<ObjectName> {
    let annotations = object.pointer("/metadata/annotations")?;
    let text = |key: &str| annotations.get(key).and_then(Value::as_str);
    Some(ObjectName::namespaced(text("meta.helm.sh/release-namespace")?, text("meta.helm.sh/release-name")?))
}

/// Why a controller cannot make pods, in its own words.
fn refused(object: &Value) -> Option<String> {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    let told = |condition: &&Value| {
        matches!(text(condition, "/type"), "ReplicaFailure" | "Failed")
            && text(condition, "/status") == "True"
    };
    let condition = conditions.into_iter().flatten().find(told)?;
    let line = format!("{}: {}", text(condition, "/reason"), text(condition, "/message"));
    Some(switchback_executor::untrusted::text::line(&line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_job_wants_what_is_left_of_it() {
        let job = |spec: Value, status: Value| json!({"kind": "Job", "spec": spec, "status": status});
        let four = json!({"parallelism": 4, "completions": 4});
        assert_eq!(desired(&job(four.clone(), json!({}))), 4);
        assert_eq!(desired(&job(four.clone(), json!({"succeeded": 3}))), 1);
        let done = json!({"conditions": [{"type": "Complete", "status": "True"}]});
        assert_eq!(desired(&job(four, done.clone())), 0);
        assert_eq!(progress(&job(json!({}), done)), Progress::Complete);
        assert_eq!(desired(&job(json!({"parallelism": 4, "suspend": true}), json!({}))), 0);
    }

    #[test]
    fn an_owner_of_several_jobs_is_at_its_end_when_all_of_them_are() {
        use Progress::{Complete, Failed, Lasting, Unfinished};
        assert_eq!(together(together(Lasting, Complete), Unfinished), Unfinished);
        assert_eq!(together(together(Lasting, Failed), Complete), Failed);
        assert_eq!(together(Lasting, Complete), Complete);
    }

    #[test]
    fn others_want_what_they_say() {
        let of = |kind: &str, object: Value| {
            let mut object = object;
            object["kind"] = kind.into();
            desired(&object)
        };
        assert_eq!(of("Deployment", json!({"spec": {"replicas": 3}})), 3);
        assert_eq!(of("StatefulSet", json!({"spec": {}})), 1);
        assert_eq!(of("DaemonSet", json!({"status": {"desiredNumberScheduled": 7}})), 7);
    }
}
