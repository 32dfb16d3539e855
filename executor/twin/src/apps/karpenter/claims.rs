//! The life of a claim: launched, registered as a node, initialised; and its end, which drains.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{FINALIZER, GROUP, POOL, drop_condition, is, set_condition};
use crate::kube::api::evict;
use crate::kube::controllers::scheduler;
use crate::world::key::{list, set, text};
use crate::world::{DeleteOptions, Key, Timings, World, labels};

const TAINT: &str = "karpenter.sh/disrupted";

/// Brings every claim one step further.
pub(super) fn follow(world: &mut World) {
    // A node that somebody deletes ends its claim, and the other way round.
    let going: Vec<String> = world
        .list("", "nodes", None)
        .filter(|(_, n)| !text(n, "/metadata/deletionTimestamp").is_empty())
        .map(|(k, _)| k.name.to_string())
        .collect();
    let keys: Vec<Key> = world.list(GROUP, "nodeclaims", None).map(|(k, _)| k.clone()).collect();
    for key in keys {
        let Some(claim) = world.get(&key).cloned() else { continue };
        if going.iter().any(|n| n == text(&claim, "/status/nodeName")) {
            world.delete(&key, DeleteOptions::default());
        }
        let Some(claim) = world.get(&key).cloned() else { continue };
        if text(&claim, "/metadata/deletionTimestamp").is_empty() {
            grow(world, &key, &claim);
        } else {
            end(world, &key, &claim);
        }
    }
}

fn grow(world: &mut World, key: &Key, claim: &Value) {
    if !is(claim, "Launched") {
        let n = world.count();
        let id = format!("aws:///{}a/i-{n:017x}", region(world));
        world.modify(key, |c| set(c, &["status", "providerID"], id.into()));
        set_condition(world, key, "Launched", "True", "Launched");
        return;
    }
    if !is(claim, "Registered") {
        let launched = list(claim, "/status/conditions").iter().find(|c| text(c, "/type") == "Launched");
        let since = launched
            .and_then(|c| text(c, "/lastTransitionTime").parse::<Timestamp>().ok())
            .unwrap_or(world.now());
        let due = since.checked_add(Timings::ms(world.settings().timings.node_join)).unwrap_or(since);
        if world.now() < due {
            world.plan(super::ACTOR.name, super::everything(), due.duration_since(world.now()));
            return;
        }
        join(world, key, claim);
        return;
    }
    if !is(claim, "Initialized") {
        let node = Key::core("nodes", "", text(claim, "/status/nodeName"));
        let ready = world.get(&node).is_some_and(|n| is(n, "Ready"));
        if ready {
            world.modify(&node, |n| {
                set(n, &["metadata", "labels", "karpenter.sh/initialized"], "true".into());
            });
            set_condition(world, key, "Initialized", "True", "Initialized");
            set_condition(world, key, "Ready", "True", "Ready");
        }
        return;
    }
    // The machine is gone: so is its claim.
    let node = Key::core("nodes", "", text(claim, "/status/nodeName"));
    if world.get(&node).is_none() {
        world.delete(key, DeleteOptions::default());
    }
}

/// Where machines come up: the region of the cloud, where the world has one.
fn region(world: &World) -> String {
    match world.cloud().region.as_str() {
        "" => "eu-central-1".to_owned(),
        region => region.to_owned(),
    }
}

fn join(world: &mut World, key: &Key, claim: &Value) {
    let n = world.count();
    let region = region(world);
    let zone = format!("{region}a");
    let name = format!("ip-10-0-{}-{}.{region}.compute.internal", (n >> 8) & 0xFF, n & 0xFF);
    let mut metadata = json!({
        "labels": labels(claim), "finalizers": [FINALIZER],
        "ownerReferences": [{"apiVersion": "karpenter.sh/v1", "kind": "NodeClaim", "name": &*key.name,
            "uid": text(claim, "/metadata/uid"), "blockOwnerDeletion": true}],
    });
    for (label, value) in [
        ("kubernetes.io/hostname", name.as_str()),
        ("karpenter.sh/registered", "true"),
        ("topology.kubernetes.io/zone", zone.as_str()),
    ] {
        if metadata.pointer("/labels").is_none_or(|l| l.get(label).is_none()) {
            set(&mut metadata, &["labels", label], value.into());
        }
    }
    if let Some(annotations) = claim.pointer("/metadata/annotations") {
        set(&mut metadata, &["annotations"], annotations.clone());
    }
    let kubelet = world.settings().kubernetes.0.clone();
    let node = json!({
        "apiVersion": "v1", "kind": "Node", "metadata": metadata,
        "spec": {"providerID": text(claim, "/status/providerID"), "taints": list(claim, "/spec/taints")},
        "status": {"capacity": claim.pointer("/status/capacity"), "allocatable": claim.pointer("/status/allocatable"),
            "nodeInfo": {"kubeletVersion": kubelet, "operatingSystem": "linux", "architecture": "amd64"}},
    });
    world.create(Key::core("nodes", "", &name), node);
    world.modify(key, |c| set(c, &["status", "nodeName"], name.into()));
    set_condition(world, key, "Registered", "True", "Registered");
}

/// Ends a claim: taint, drain by eviction, machine, node, claim.
fn end(world: &mut World, key: &Key, claim: &Value) {
    let node = Key::core("nodes", "", text(claim, "/status/nodeName"));
    if let Some(object) = world.get(&node).cloned() {
        if !list(&object, "/spec/taints").iter().any(|t| text(t, "/key") == TAINT) {
            let mut taints = list(&object, "/spec/taints").to_vec();
            taints.push(json!({"key": TAINT, "effect": "NoSchedule"}));
            world.modify(&node, |n| set(n, &["spec", "taints"], taints.into()));
        }
        let left = drain(world, &node, claim);
        if left {
            return;
        }
        world.modify(&node, |n| set(n, &["metadata", "finalizers"], json!([])));
        world.delete(&node, DeleteOptions::default());
    }
    drop_condition(world, key, "Ready");
    world.modify(key, |c| set(c, &["metadata", "finalizers"], json!([])));
}

/// Asks the pods of a node to go. Says whether any is left that must.
fn drain(world: &mut World, node: &Key, claim: &Value) -> bool {
    let since = text(claim, "/metadata/deletionTimestamp").parse::<Timestamp>().ok();
    let grace = text(claim, "/spec/terminationGracePeriod").parse::<SignedDuration>().ok();
    let out_of_patience = match (since, grace) {
        (Some(since), Some(grace)) => world.now().duration_since(since) >= grace,
        _ => false,
    };
    let mut left = false;
    for (key, pod) in world.pods_on(&node.name) {
        let stays = list(&pod, "/metadata/ownerReferences")
            .iter()
            .any(|r| matches!(text(r, "/kind"), "DaemonSet" | "Node"))
            || list(&pod, "/spec/tolerations")
                .iter()
                .any(|t| scheduler::tolerates(t, &json!({"key": TAINT, "effect": "NoSchedule"})))
            || matches!(text(&pod, "/status/phase"), "Succeeded" | "Failed");
        if stays {
            continue;
        }
        left = true;
        if !text(&pod, "/metadata/deletionTimestamp").is_empty() {
            continue;
        }
        if out_of_patience {
            world.delete(&key, DeleteOptions::default());
        } else if !do_not_disrupt(&pod) {
            evict(world, &key, &pod);
        }
    }
    left
}

/// Whether a pod says that it must not be disturbed.
pub(super) fn do_not_disrupt(pod: &Value) -> bool {
    pod.pointer("/metadata/annotations").and_then(|a| a.get(super::DO_NOT_DISRUPT)) == Some(&json!("true"))
}

/// The node pool of a node, for those that list them.
pub(super) fn pool_label() -> &'static str {
    POOL
}
