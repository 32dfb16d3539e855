//! Kubelets: bound pods run, become ready, complete, and stop when they are deleted.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::soon;
use crate::kube::neighbours::{Application, Neighbours};
use crate::world::key::{list, number, set, text};
use crate::world::{Actor, Change, ChangeKind, DeleteOptions, Key, Timings, Wakes, World};

/// Annotations that make a pod behave: the same that the test cluster honours.
const BEHAVIOUR: &str = "cluster.switchback.test/pod";
const DELETE_AFTER: &str = "cluster.switchback.test/delete-after";
/// How long a pod of a Job runs, in seconds.
const RUN_SECONDS: &str = "twin.switchback.dev/run-seconds";

/// Why a container that ended waits, and how long it does.
const CRASHING: &str = "CrashLoopBackOff";
const RESTART: SignedDuration = SignedDuration::from_secs(20);

/// Whether a pod's container ended and will be started again.
fn crashing(pod: &Value) -> bool {
    list(pod, "/status/containerStatuses").iter().any(|c| text(c, "/state/waiting/reason") == CRASHING)
}

fn restarts(pod: &Value) -> i64 {
    list(pod, "/status/containerStatuses")
        .iter()
        .filter_map(|c| number(c, "/restartCount"))
        .max()
        .unwrap_or(0)
}

fn annotation<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.pointer("/metadata/annotations")?.get(name)?.as_str()
}

/// Who it is.
pub(crate) const ACTOR: Actor = Actor { name: "kubelet", notice, act };

fn notice(world: &World, change: &Change) -> Wakes {
    if change.key.is("", "nodes") && change.kind != ChangeKind::Added {
        let moved = change
            .before
            .as_ref()
            .is_some_and(|b| b.pointer("/status/conditions") != change.object.pointer("/status/conditions"));
        if moved {
            return world.pods_on(&change.key.name).into_iter().map(|(k, _)| (k, start(world))).collect();
        }
    }
    if !change.key.is("", "pods") || change.kind == ChangeKind::Deleted {
        return Vec::new();
    }
    let pod = &change.object;
    let before = change.before.as_deref().unwrap_or(&Value::Null);
    let came = |pointer: &str| text(before, pointer).is_empty() && !text(pod, pointer).is_empty();
    let key = change.key.clone();
    if came("/metadata/deletionTimestamp")
        || number(before, "/metadata/deletionGracePeriodSeconds")
            != number(pod, "/metadata/deletionGracePeriodSeconds")
    {
        return vec![(key, stop(world, pod))];
    }
    if came("/spec/nodeName") {
        return vec![(key, start(world))];
    }
    if text(before, "/status/phase") != "Running" && text(pod, "/status/phase") == "Running" && is_job(pod) {
        let run = annotation(pod, RUN_SECONDS)
            .and_then(|s| s.parse::<i64>().ok())
            .map(SignedDuration::from_secs)
            .or_else(|| applications(world).iter().find_map(|app| app.runs_for(world, pod)))
            .unwrap_or_else(|| Timings::ms(world.settings().timings.job_run));
        return vec![(key, run.max(soon(world)))];
    }
    Vec::new()
}

/// What runs in pods.
fn applications(world: &World) -> &'static [&'static dyn Application] {
    Neighbours::of(world).applications
}

fn start(world: &World) -> SignedDuration {
    Timings::ms(world.settings().timings.pod_start)
}

fn stop(world: &World, pod: &Value) -> SignedDuration {
    let grace = number(pod, "/metadata/deletionGracePeriodSeconds").unwrap_or(0);
    let asked = annotation(pod, DELETE_AFTER).and_then(seconds);
    let takes = asked.unwrap_or_else(|| Timings::ms(world.settings().timings.pod_stop));
    takes.min(SignedDuration::from_secs(grace)).max(soon(world))
}

fn seconds(text: &str) -> Option<SignedDuration> {
    let (digits, factor) = match text.strip_suffix('m') {
        Some(minutes) => (minutes, 60),
        None => (text.trim_end_matches('s'), 1),
    };
    digits.parse::<i64>().ok().map(|n| SignedDuration::from_secs(n * factor))
}

fn is_job(pod: &Value) -> bool {
    list(pod, "/metadata/ownerReferences").iter().any(|r| text(r, "/kind") == "Job")
}

fn act(world: &mut World, key: &Key) {
    let Some(pod) = world.get(key).cloned() else { return };
    let node = Key::core("nodes", "", text(&pod, "/spec/nodeName"));
    if !text(&pod, "/metadata/deletionTimestamp").is_empty() {
        // The Job's controller waits for a pod to say how it ended.
        if is_job(&pod) && matches!(text(&pod, "/status/phase"), "Pending" | "Running") {
            world.modify(key, |p| set(p, &["status", "phase"], "Failed".into()));
        }
        world.modify(key, |p| set(p, &["metadata", "deletionGracePeriodSeconds"], 0.into()));
        if world.get(key).is_some_and(|p| list(p, "/metadata/finalizers").is_empty()) {
            world.delete(key, DeleteOptions { grace_seconds: Some(0), ..DeleteOptions::default() });
        }
        return;
    }
    let Some(host) = world.get(&node) else { return };
    let up = list(host, "/status/conditions")
        .iter()
        .any(|c| text(c, "/type") == "Ready" && text(c, "/status") == "True");
    if !up {
        return;
    }
    match text(&pod, "/status/phase") {
        "Pending" => run(world, key, &pod),
        "Running" if is_job(&pod) => complete(world, key, &pod),
        "Running" if crashing(&pod) => run(world, key, &pod),
        _ => {}
    }
}

fn broken(world: &World, pod: &Value) -> bool {
    list(pod, "/spec/containers")
        .iter()
        .any(|c| world.settings().broken_images.iter().any(|b| b == text(c, "/image")))
}

fn run(world: &mut World, key: &Key, pod: &Value) {
    let behaviour = annotation(pod, BEHAVIOUR).unwrap_or_default();
    let stamp = world.stamp();
    if behaviour == "pending" || broken(world, pod) {
        let waiting: Vec<Value> = list(pod, "/spec/containers")
            .iter()
            .map(|c| {
                json!({"name": text(c, "/name"), "image": text(c, "/image"), "ready": false, "restartCount": 0,
                    "state": {"waiting": {"reason": "ImagePullBackOff"}}})
            })
            .collect();
        world.modify(key, |p| set(p, &["status", "containerStatuses"], waiting.into()));
        return;
    }
    let ends = applications(world).iter().find_map(|app| app.start(world, key, pod).err());
    let ready = behaviour != "unready" && ends.is_none();
    let mut status = pod.get("status").cloned().unwrap_or_else(|| json!({}));
    for kind in ["Initialized", "Ready", "ContainersReady"] {
        let yes = ready || kind == "Initialized";
        let (value, reason) = if yes { ("True", "") } else { ("False", "ContainersNotReady") };
        let mut all = world.with_condition(&status, kind, value, reason, "");
        for condition in all.as_array_mut().into_iter().flatten() {
            if let Some(map) = condition.as_object_mut() {
                map.retain(|_, v| v != "");
            }
        }
        set(&mut status, &["conditions"], all);
    }
    let containers: Vec<Value> = list(pod, "/spec/containers")
        .iter()
        .map(|c| match &ends {
            None => json!({"name": text(c, "/name"), "image": text(c, "/image"), "ready": ready,
                "restartCount": restarts(pod), "started": true, "state": {"running": {"startedAt": stamp}}}),
            Some(message) => json!({"name": text(c, "/name"), "image": text(c, "/image"), "ready": false,
                "restartCount": restarts(pod) + 1, "started": false,
                "state": {"waiting": {"reason": CRASHING, "message": "back-off restarting failed container"}},
                "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "message": message, "finishedAt": stamp}}}),
        })
        .collect();
    if ends.is_some() {
        world.plan(ACTOR.name, key.clone(), RESTART);
    }
    set(&mut status, &["phase"], "Running".into());
    set(&mut status, &["containerStatuses"], containers.into());
    if !text(&status, "/podIP").is_empty() {
        world.set_status(key, status);
        return;
    }
    let n = world.count();
    set(
        &mut status,
        &["podIP"],
        format!("10.{}.{}.{}", 1 + ((n >> 16) & 0x3F), (n >> 8) & 0xFF, n & 0xFF).into(),
    );
    set(&mut status, &["startTime"], stamp.into());
    world.set_status(key, status);
}

fn complete(world: &mut World, key: &Key, pod: &Value) {
    let (code, message) = match annotation(pod, BEHAVIOUR) {
        Some("hold") => return,
        Some("fail") => (1, String::new()),
        _ => {
            let ended = applications(world).iter().find_map(|app| app.completes(world, key, pod));
            ended.unwrap_or_default()
        }
    };
    let (phase, reason) = if code == 0 { ("Succeeded", "Completed") } else { ("Failed", "Error") };
    let stamp = world.stamp();
    let mut status = pod.get("status").cloned().unwrap_or_else(|| json!({}));
    set(&mut status, &["phase"], phase.into());
    for kind in ["Ready", "ContainersReady"] {
        let value = world.with_condition(&status, kind, "False", "PodCompleted", "");
        set(&mut status, &["conditions"], value);
    }
    for container in
        status.pointer_mut("/containerStatuses").and_then(Value::as_array_mut).into_iter().flatten()
    {
        container["ready"] = false.into();
        container["started"] = false.into();
        container["state"] = json!({"terminated": {"exitCode": code, "reason": reason, "finishedAt": stamp}});
        if !message.is_empty() {
            set(container, &["state", "terminated", "message"], message.clone().into());
        }
    }
    world.set_status(key, status);
}
