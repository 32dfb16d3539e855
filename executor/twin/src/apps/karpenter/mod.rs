//! Karpenter: machines for pods that wait, drift, budgets, and the end of a claim.
//!
//! Rows of the contract hold it to Karpenter's own core; for the rest it follows the project's
//! documentation, and what it promises is listed in this crate's README.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::kube::controllers::{soon, template_hash};
use crate::world::key::{list, number, text};
use crate::world::{Actor, Change, ChangeKind, Key, Timings, Wakes, World};

pub(crate) use launch::claim;

mod claims;
mod disruption;
mod launch;

pub(crate) const GROUP: &str = "karpenter.sh";
const AWS: &str = "karpenter.k8s.aws";
/// On a claim and its node: the template it was made from.
const POOL_HASH: &str = "karpenter.sh/nodepool-hash";
const CLASS_HASH: &str = "karpenter.k8s.aws/ec2nodeclass-hash";
/// On a claim: the version of the controller that made it.
const MADE_BY: &str = "twin.switchback.dev/controller-version";
/// On a claim: the minor that its image was made for. An alias means another image once the control plane moved.
const MINOR: &str = "twin.switchback.dev/kubernetes-minor";
const POOL: &str = "karpenter.sh/nodepool";
const FINALIZER: &str = "karpenter.sh/termination";
const DO_NOT_DISRUPT: &str = "karpenter.sh/do-not-disrupt";

/// The key under which Karpenter looks at everything.
fn everything() -> Key {
    Key::new(GROUP, "nodepools", "", "")
}

/// Who it is.
pub(crate) const ACTOR: Actor = Actor { name: "karpenter", notice, act };

fn notice(world: &World, change: &Change) -> Wakes {
    let key = &change.key;
    let pool = *key.group == *GROUP || *key.group == *AWS;
    let waiting = key.is("", "pods") && unschedulable(&change.object);
    let left = key.is("", "pods") && change.kind == ChangeKind::Deleted;
    let node = key.is("", "nodes")
        && change.object.pointer("/metadata/labels").is_some_and(|l| l.get(POOL).is_some());
    let itself = key.is("apps", "deployments") && is_controller(&change.object);
    if node && change.kind == ChangeKind::Deleted
        || key.is("", "nodes") && !text(&change.object, "/metadata/deletionTimestamp").is_empty()
    {
        return vec![(everything(), soon(world))];
    }
    // Another minor of the control plane means other images.
    let moved = key.is("eks", "clusters");
    if (pool || moved || waiting || itself || node || left) && installed(world) {
        let mut wakes = vec![(everything(), soon(world))];
        if waiting || left {
            // It batches pods before it decides.
            wakes.push((everything(), SignedDuration::from_secs(1)));
        }
        return wakes;
    }
    Vec::new()
}

fn installed(world: &World) -> bool {
    world.kind(GROUP, "v1", "nodepools").is_some()
}

fn is_controller(deployment: &Value) -> bool {
    text(deployment, "/metadata/labels/app.kubernetes.io~1name") == "karpenter"
}

fn unschedulable(pod: &Value) -> bool {
    text(pod, "/spec/nodeName").is_empty()
        && text(pod, "/metadata/deletionTimestamp").is_empty()
        && list(pod, "/status/conditions").iter().any(|c| text(c, "/reason") == "Unschedulable")
}

/// The version of the running controller; `None` while none is ready.
fn running(world: &World) -> Option<String> {
    world
        .list("apps", "deployments", None)
        .find(|(_, d)| is_controller(d))
        .filter(|(_, d)| {
            number(d, "/status/readyReplicas").unwrap_or(0) > 0
                && number(d, "/status/updatedReplicas").unwrap_or(0) > 0
        })
        .map(|(_, d)| text(d, "/metadata/labels/app.kubernetes.io~1version").to_owned())
}

fn act(world: &mut World, _: &Key) {
    if !installed(world) {
        return;
    }
    let Some(version) = running(world) else { return };
    status_of_classes(world);
    status_of_pools(world);
    claims::follow(world);
    launch::provision(world, &version);
    disruption::drift(world, &version);
    disruption::disrupt(world);
    if world.list(GROUP, "nodeclaims", None).next().is_some() && busy(world) {
        // On a grid, so that looks planned by different acts fall together.
        let period = world.settings().timings.karpenter.max(1);
        let passed = world.now().as_millisecond().rem_euclid(period);
        world.plan(ACTOR.name, everything(), Timings::ms(period - passed));
    }
}

/// Whether something is under way that no event will tell of.
fn busy(world: &World) -> bool {
    world.list(GROUP, "nodeclaims", None).any(|(_, c)| {
        !text(c, "/metadata/deletionTimestamp").is_empty() || !is(c, "Initialized") || is(c, "Drifted")
    })
}

/// Whether a condition is True.
fn is(object: &Value, condition: &str) -> bool {
    list(object, "/status/conditions")
        .iter()
        .any(|c| text(c, "/type") == condition && text(c, "/status") == "True")
}

fn set_condition(world: &mut World, key: &Key, kind: &str, value: &str, reason: &str) {
    let Some(object) = world.get(key) else { return };
    let status = object.get("status").cloned().unwrap_or_else(|| json!({}));
    let conditions = world.with_condition(&status, kind, value, reason, "");
    world.modify(key, |o| crate::world::key::set(o, &["status", "conditions"], conditions));
}

fn drop_condition(world: &mut World, key: &Key, kind: &str) {
    world.modify(key, |o| {
        if let Some(all) = o.pointer_mut("/status/conditions").and_then(Value::as_array_mut) {
            all.retain(|c| text(c, "/type") != kind);
        }
    });
}

fn status_of_classes(world: &mut World) {
    let keys: Vec<Key> = world.list(AWS, "ec2nodeclasses", None).map(|(k, _)| k.clone()).collect();
    for key in keys {
        set_condition(world, &key, "Ready", "True", "Ready");
    }
}

fn status_of_pools(world: &mut World) {
    let pools: Vec<(Key, bool)> = world
        .list(GROUP, "nodepools", None)
        .map(|(k, p)| (k.clone(), class_of(world, p.pointer("/spec/template/spec")).is_some()))
        .collect();
    for (key, ready) in pools {
        let (value, reason) = if ready { ("True", "Ready") } else { ("False", "NodeClassNotFound") };
        set_condition(world, &key, "NodeClassReady", value, reason);
        set_condition(world, &key, "Ready", value, reason);
        let count = world.list(GROUP, "nodeclaims", None).filter(|(_, c)| pool_of(c) == &*key.name).count();
        world.modify(&key, |p| {
            crate::world::key::set(p, &["status", "resources", "nodes"], count.to_string().into());
        });
    }
}

/// The EC2NodeClass that a spec refers to.
fn class_of(world: &World, spec: Option<&Value>) -> Option<std::sync::Arc<Value>> {
    let name = text(spec?, "/nodeClassRef/name");
    world.get(&Key::new(AWS, "ec2nodeclasses", "", name)).cloned()
}

fn pool_of(object: &Value) -> &str {
    object.pointer("/metadata/labels").and_then(|l| l.get(POOL)).and_then(Value::as_str).unwrap_or_default()
}

/// The hash of what a pool's nodes are made from. Disruption, limits and weight are not part of it.
fn pool_hash(pool: &Value) -> String {
    let mut template = pool.pointer("/spec/template").cloned().unwrap_or(Value::Null);
    for field in ["requirements", "resources", "terminationGracePeriod"] {
        crate::world::key::unset(&mut template, &["spec", field]);
    }
    template_hash(&template)
}

/// The minor of the control plane, as text.
fn minor(world: &World) -> String {
    let version = world.settings().kubernetes.0.trim_start_matches('v');
    version.split('.').take(2).collect::<Vec<_>>().join(".")
}

fn class_hash(class: &Value) -> String {
    template_hash(class.get("spec").unwrap_or(&Value::Null))
}
