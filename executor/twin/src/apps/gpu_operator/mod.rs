//! The NVIDIA GPU Operator: DaemonSets that follow its ClusterPolicy, and the upgrade of drivers, node by node.
//!
//! Rows of the contract hold it to the operator's own upgrade controller. What drivers themselves do (unload, wait for holders of a GPU, boot) is not played.

use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::kube::controllers::template_hash;
use crate::world::key::{list, number, set, text};
use crate::world::{Actor, Change, ChangeKind, Key, Wakes, World};

mod nodes;
mod operands;

const GROUP: &str = "nvidia.com";
/// How soon it sees what it watches.
const SOON: SignedDuration = SignedDuration::from_secs(5);
/// The DaemonSet that installs drivers, by its name and the label `app` of its pods.
const DRIVER: &str = "nvidia-driver-daemonset";
/// The label that a pod has from the template it was made of.
const REVISION: &str = "controller-revision-hash";
/// The label of nodes with GPUs.
const PRESENT: &str = "nvidia.com/gpu.present";

/// The key under which it looks at everything.
fn everything() -> Key {
    Key::new(GROUP, "clusterpolicies", "", "")
}

/// Who it is.
pub(crate) const ACTOR: Actor = Actor { name: "gpu-operator", notice, act };

fn notice(world: &World, change: &Change) -> Wakes {
    let key = &change.key;
    let policy = *key.group == *GROUP;
    let itself = key.is("apps", "deployments") && is_operator(&change.object);
    let driver = key.is("", "pods") && label(&change.object, "app") == DRIVER;
    let node = key.is("", "nodes") && label(&change.object, PRESENT) == "true" && moved(change);
    let installed = world.kind(GROUP, "v1", "clusterpolicies").is_some();
    if installed && (policy || itself || driver || node) { vec![(everything(), SOON)] } else { Vec::new() }
}

/// Whether a node changed in what the operator looks at, and not in its heartbeat.
fn moved(change: &Change) -> bool {
    let seen = |node: &Value| {
        ["/metadata/labels", "/metadata/annotations", "/spec/unschedulable"]
            .map(|at| node.pointer(at).cloned())
    };
    change.kind != ChangeKind::Modified
        || change.before.as_ref().is_none_or(|before| seen(before) != seen(&change.object))
}

fn is_operator(deployment: &Value) -> bool {
    label(deployment, "app.kubernetes.io/component") == "gpu-operator"
}

fn label<'a>(object: &'a Value, key: &str) -> &'a str {
    object.pointer("/metadata/labels").and_then(|l| l.get(key)).and_then(Value::as_str).unwrap_or_default()
}

/// Namespace and version of the operator that runs; `None` while none does.
fn running(world: &World) -> Option<(String, String)> {
    let ready = |d: &Value| {
        let count = |at| number(d, at).unwrap_or(0);
        count("/status/readyReplicas") > 0
            && count("/status/updatedReplicas") > 0
            && count("/status/observedGeneration") == count("/metadata/generation")
    };
    let mut found = world.list("apps", "deployments", None).filter(|(_, d)| is_operator(d) && ready(d));
    found.next().map(|(key, d)| (key.namespace.to_string(), label(d, "app.kubernetes.io/version").to_owned()))
}

fn act(world: &mut World, _: &Key) {
    let Some((namespace, version)) = running(world) else { return };
    let Some((key, policy)) =
        world.list(GROUP, "clusterpolicies", None).next().map(|(k, p)| (k.clone(), p.clone()))
    else {
        return;
    };
    operands::follow(world, (&namespace, &version), &policy);
    let busy = nodes::follow(world, &namespace, &policy);
    // It says so while pods of two templates run.
    let state = if outdated(world, &namespace) { "notReady" } else { "ready" };
    world.modify(&key, |p| set(p, &["status", "state"], state.into()));
    if busy {
        world.plan(ACTOR.name, everything(), SOON);
    }
}

/// The driver's DaemonSet.
fn driver_set(namespace: &str) -> Key {
    Key::new("apps", "daemonsets", namespace, DRIVER)
}

/// The revision that driver pods are to have.
fn revision(world: &World, namespace: &str) -> Option<String> {
    let set = world.get(&driver_set(namespace))?;
    Some(template_hash(set.pointer("/spec/template").unwrap_or(&Value::Null)))
}

/// Driver pods that are not going, by their keys.
fn driver_pods(world: &World, namespace: &str) -> Vec<(Key, Arc<Value>)> {
    let pods = world.list("", "pods", Some(namespace)).filter(|(_, p)| label(p, "app") == DRIVER);
    let stays = |p: &Value| text(p, "/metadata/deletionTimestamp").is_empty();
    pods.filter(|(_, p)| stays(p)).map(|(k, p)| (k.clone(), p.clone())).collect()
}

fn outdated(world: &World, namespace: &str) -> bool {
    let Some(revision) = revision(world, namespace) else { return false };
    driver_pods(world, namespace).iter().any(|(_, pod)| label(pod, REVISION) != revision)
}

/// Whether a pod holds a GPU.
fn holds_gpu(pod: &Value) -> bool {
    list(pod, "/spec/containers").iter().any(|container| {
        let limits = container.pointer("/resources/limits").and_then(Value::as_object);
        limits
            .into_iter()
            .flatten()
            .any(|(name, count)| name.starts_with("nvidia.com/") && *count != json!("0"))
    })
}
