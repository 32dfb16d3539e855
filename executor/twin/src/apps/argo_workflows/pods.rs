//! Pods of Workflows: they run for their time and end, whoever looks.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{API, COMPLETED, Controller, WORKFLOW, since};
use crate::kube::controllers::soon;
use crate::world::key::{list, set, text};
use crate::world::{Change, Key, Timings, World};

/// How long a pod runs, in seconds: on its template, or on its Workflow.
pub(super) const RUN_SECONDS: &str = "twin.switchback.dev/run-seconds";

fn annotation<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.pointer("/metadata/annotations")?.get(name)?.as_str()
}

fn runs(world: &World, pod: &Value) -> SignedDuration {
    let asked = annotation(pod, RUN_SECONDS).and_then(|seconds| seconds.parse::<i64>().ok());
    asked.map_or_else(|| Timings::ms(world.settings().timings.job_run), SignedDuration::from_secs)
}

/// After which time a pod that began to run has to be looked at.
pub(super) fn ends_after(world: &World, change: &Change) -> Option<SignedDuration> {
    let phase = |object: &Value| text(object, "/status/phase") == "Running";
    let began = phase(&change.object) && !change.before.as_deref().is_some_and(phase);
    began.then(|| runs(world, &change.object).max(soon(world)))
}

/// Ends a pod whose time is over.
pub(super) fn end(world: &mut World, key: &Key) {
    let Some(pod) = world.get(key).cloned() else { return };
    let over = since(world, text(&pod, "/status/startTime")).is_some_and(|ran| ran >= runs(world, &pod));
    if text(&pod, "/status/phase") != "Running" || !over {
        return;
    }
    let stamp = world.stamp();
    let mut status = pod.get("status").cloned().unwrap_or_else(|| json!({}));
    set(&mut status, &["phase"], "Succeeded".into());
    for kind in ["Ready", "ContainersReady"] {
        let conditions = world.with_condition(&status, kind, "False", "PodCompleted", "");
        set(&mut status, &["conditions"], conditions);
    }
    let containers = status.pointer_mut("/containerStatuses").and_then(Value::as_array_mut);
    for container in containers.into_iter().flatten() {
        set(container, &["ready"], false.into());
        let ended = json!({"terminated": {"exitCode": 0, "reason": "Completed", "finishedAt": stamp}});
        set(container, &["state"], ended);
    }
    world.set_status(key, status);
}

/// The pod of a node of a Workflow.
pub(super) fn make(
    world: &mut World,
    key: &Key,
    workflow: &Value,
    template: &Value,
    controller: &Controller,
) {
    let owner = json!([{"apiVersion": API, "kind": "Workflow", "name": text(workflow, "/metadata/name"),
        "uid": text(workflow, "/metadata/uid"), "controller": true, "blockOwnerDeletion": true}]);
    let mut main = template.get("container").cloned().unwrap_or_else(|| json!({}));
    set(&mut main, &["name"], "main".into());
    let seconds = annotation(template, RUN_SECONDS).or_else(|| annotation(workflow, RUN_SECONDS));
    let mut annotations = json!({"workflows.argoproj.io/node-name": text(template, "/name")});
    if let Some(seconds) = seconds {
        set(&mut annotations, &[RUN_SECONDS], seconds.into());
    }
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"ownerReferences": owner, "annotations": annotations,
            "labels": {WORKFLOW: text(workflow, "/metadata/name"), COMPLETED: "false"}},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "wait", "image": controller.executor}, main]},
        "status": {"phase": "Pending", "qosClass": "BestEffort"},
    });
    world.create(key.clone(), pod);
}

/// The executor that a pod was made with.
pub(super) fn executor(pod: &Value) -> &str {
    let wait = list(pod, "/spec/containers").iter().find(|container| text(container, "/name") == "wait");
    wait.map_or("", |container| text(container, "/image"))
}
