//! How EKS drains a node: cordon, evict through budgets, give up after a quarter of an hour.

use serde_json::json;

use crate::cloud::eks;
use crate::cloud::eks::state::Drain;
use crate::kube::api::evict;
use crate::world::key::{list, set, text, unset};
use crate::world::{DeleteOptions, Key, Timings, World};

const EXCLUDED: &str = "node.kubernetes.io/exclude-from-external-load-balancers";

/// How far a drain is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// Pods are still there.
    Going,
    /// It is empty, for long enough to be terminated.
    Empty,
    /// The limit has passed.
    Stuck,
}

/// Keeps new pods off a node.
pub(super) fn cordon(world: &mut World, node: &str) {
    world.modify(&Key::core("nodes", "", node), |n| {
        set(n, &["spec", "unschedulable"], true.into());
        set(n, &["metadata", "labels", EXCLUDED], "true".into());
    });
}

/// Lets pods onto it again.
pub(super) fn uncordon(world: &mut World, node: &str) {
    world.modify(&Key::core("nodes", "", node), |n| {
        unset(n, &["spec", "unschedulable"]);
        unset(n, &["metadata", "labels", EXCLUDED]);
    });
}

/// Begins the drain of an instance.
pub(super) fn begin(world: &mut World, cluster: &str, group: &str, id: &str) {
    let now = world.now();
    let Ok(found) = eks::cluster_mut(world, cluster) else { return };
    let Some(instance) = found.nodegroups.get_mut(group).and_then(|g| g.instances.get_mut(id)) else {
        return;
    };
    instance.drain = Some(Drain { since: now, empty: None });
    let node = instance.node.clone();
    cordon(world, &node);
}

/// Takes a drain one step further.
pub(super) fn step(world: &mut World, cluster: &str, group: &str, id: &str, force: bool) -> Progress {
    let now = world.now();
    let instance = eks::cluster(world, cluster)
        .ok()
        .and_then(|c| c.nodegroups.get(group))
        .and_then(|g| g.instances.get(id))
        .cloned();
    let Some((instance, drain)) = instance.and_then(|i| i.drain.clone().map(|d| (i, d))) else {
        return Progress::Empty;
    };
    let (limit, rest) =
        (Timings::ms(world.settings().cloud.drain_limit), Timings::ms(world.settings().cloud.drained));
    let spent = now.duration_since(drain.since) >= limit;
    let mut left = false;
    for (key, pod) in world.pods_on(&instance.node) {
        let stays = list(&pod, "/metadata/ownerReferences")
            .iter()
            .any(|r| matches!(text(r, "/kind"), "DaemonSet" | "Node"))
            || matches!(text(&pod, "/status/phase"), "Succeeded" | "Failed");
        if stays {
            continue;
        }
        left = true;
        if !text(&pod, "/metadata/deletionTimestamp").is_empty() {
            continue;
        }
        if spent && force {
            world.delete(&key, DeleteOptions::default());
        } else {
            evict(world, &key, &pod);
        }
    }
    if left {
        return if spent && !force { Progress::Stuck } else { Progress::Going };
    }
    let empty = drain.empty.unwrap_or(now);
    if drain.empty.is_none()
        && let Ok(found) = eks::cluster_mut(world, cluster)
        && let Some(instance) = found.nodegroups.get_mut(group).and_then(|g| g.instances.get_mut(id))
    {
        instance.drain = Some(Drain { empty: Some(now), ..drain });
    }
    if now.duration_since(empty) >= rest { Progress::Empty } else { Progress::Going }
}

/// Pods that keep a node from becoming empty, for the report of a failure.
pub(super) fn holders(world: &World, node: &str) -> Vec<String> {
    world
        .pods_on(node)
        .into_iter()
        .filter(|(_, p)| {
            !list(p, "/metadata/ownerReferences").iter().any(|r| r.get("kind") == Some(&json!("DaemonSet")))
        })
        .map(|(k, _)| format!("{}/{}", k.namespace, k.name))
        .collect()
}
