//! DaemonSets: one pod on each node that fits, replaced when the template changes.

use serde_json::{Value, json};

use super::{controller, pod_from, scheduler, share, soon, template_hash};
use crate::kube::api::pod_ready;
use crate::world::key::{list, number, set, text};
use crate::world::{Actor, Change, DeleteOptions, Key, Wakes, World};

const HASH: &str = "controller-revision-hash";

/// Who it is.
pub(crate) const ACTOR: Actor = Actor { name: "daemonset", notice, act };

fn notice(world: &World, change: &Change) -> Wakes {
    if change.key.is("apps", "daemonsets") {
        return vec![(change.key.clone(), soon(world))];
    }
    if change.key.is("", "nodes") {
        return world.list("apps", "daemonsets", None).map(|(k, _)| (k.clone(), soon(world))).collect();
    }
    if change.key.is("", "pods")
        && let Some(key) = controller(&change.object, &change.key, "DaemonSet", "apps", "daemonsets")
    {
        return vec![(key, soon(world))];
    }
    Vec::new()
}

/// A daemon's pod tolerates what its node goes through.
fn tolerations(template: &Value) -> Value {
    let mut all = list(template, "/spec/tolerations").to_vec();
    for (key, effect) in [
        ("node.kubernetes.io/not-ready", "NoExecute"),
        ("node.kubernetes.io/unreachable", "NoExecute"),
        ("node.kubernetes.io/disk-pressure", "NoSchedule"),
        ("node.kubernetes.io/memory-pressure", "NoSchedule"),
        ("node.kubernetes.io/pid-pressure", "NoSchedule"),
        ("node.kubernetes.io/unschedulable", "NoSchedule"),
    ] {
        all.push(json!({"key": key, "operator": "Exists", "effect": effect}));
    }
    all.into()
}

fn act(world: &mut World, key: &Key) {
    let Some(daemon) = world.get(key).cloned() else { return };
    if !text(&daemon, "/metadata/deletionTimestamp").is_empty() {
        return;
    }
    let mut template = daemon.pointer("/spec/template").cloned().unwrap_or(Value::Null);
    let hash = template_hash(&template);
    let tolerated = tolerations(&template);
    set(&mut template, &["spec", "tolerations"], tolerated);
    set(&mut template, &["metadata", "labels", HASH], hash.clone().into());
    let pods: Vec<_> = world
        .owned_by(text(&daemon, "/metadata/uid"))
        .into_iter()
        .filter(|(k, _)| k.is("", "pods"))
        .collect();
    let nodes: Vec<Key> = world
        .list("", "nodes", None)
        .filter(|(_, node)| scheduler::fits_rules(&template, node))
        .map(|(k, _)| k.clone())
        .collect();
    for (pod, object) in &pods {
        let homeless = !nodes.iter().any(|n| *n.name == *text(object, "/spec/nodeName"));
        if homeless || matches!(text(object, "/status/phase"), "Failed" | "Succeeded") {
            world.delete(pod, DeleteOptions::default());
        }
    }
    for node in &nodes {
        if pods.iter().any(|(_, p)| text(p, "/spec/nodeName") == &*node.name) {
            continue;
        }
        let mut pod = pod_from(&template, &key.namespace, &daemon);
        set(&mut pod, &["spec", "nodeName"], (*node.name).into());
        let name = format!("{}-{}", key.name, world.suffix());
        world.create(Key::core("pods", &key.namespace, &name), pod);
    }
    let ready = pods.iter().filter(|(_, p)| pod_ready(p) && super::replicaset::active(p)).count();
    let current = |p: &Value| p.pointer("/metadata/labels").and_then(|l| l.get(HASH)) == Some(&json!(hash));
    if text(&daemon, "/spec/updateStrategy/type") == "RollingUpdate" {
        let desired = i64::try_from(nodes.len()).unwrap_or(0);
        let most =
            share(daemon.pointer("/spec/updateStrategy/rollingUpdate/maxUnavailable"), desired, true).max(1);
        let mut down = desired - i64::try_from(ready).unwrap_or(0);
        for (pod, object) in pods.iter().filter(|(_, p)| !current(p) && super::replicaset::active(p)) {
            if !pod_ready(object) {
                world.delete(pod, DeleteOptions::default());
            } else if down < most {
                world.delete(pod, DeleteOptions::default());
                down += 1;
            }
        }
    }
    let updated = pods.iter().filter(|(_, p)| current(p)).count();
    let scheduled = pods.len().min(nodes.len());
    let mut status = json!({
        "currentNumberScheduled": scheduled, "numberMisscheduled": 0, "desiredNumberScheduled": nodes.len(),
        "numberReady": ready, "observedGeneration": number(&daemon, "/metadata/generation"),
    });
    for (field, value) in [
        ("updatedNumberScheduled", updated),
        ("numberAvailable", ready),
        ("numberUnavailable", nodes.len().saturating_sub(ready)),
    ] {
        if value > 0 {
            set(&mut status, &[field], value.into());
        }
    }
    world.set_status(key, status);
}
