//! The upgrade of drivers, node by node.

use serde_json::{Value, json};

use super::{PRESENT, REVISION, driver_pods, holds_gpu, label, revision};
use crate::kube::api::pod_ready;
use crate::kube::controllers::share;
use crate::world::key::{list, number, set, text, unset};
use crate::world::{DeleteOptions, Key, World};

const STATE: &str = "nvidia.com/gpu-driver-upgrade-state";
const SKIP: &str = "nvidia.com/gpu-driver-upgrade.skip";
/// On a node that was cordoned before its upgrade began: it stays so.
const CORDONED: &str = "nvidia.com/gpu-driver-upgrade.node-initial-state.unschedulable";

const REQUIRED: &str = "upgrade-required";
const CORDON: &str = "cordon-required";
const DELETION: &str = "pod-deletion-required";
const RESTART: &str = "pod-restart-required";
const UNCORDON: &str = "uncordon-required";
const DONE: &str = "upgrade-done";

/// Takes every node one state further. Says whether one has to be looked at again.
pub(super) fn follow(world: &mut World, namespace: &str, policy: &Value) -> bool {
    let with_gpus = |node: &Value| label(node, PRESENT) == "true";
    let nodes: Vec<Key> =
        world.list("", "nodes", None).filter(|(_, n)| with_gpus(n)).map(|(k, _)| k.clone()).collect();
    let upgrades = policy.pointer("/spec/driver/upgradePolicy/autoUpgrade") == Some(&json!(true))
        && policy.pointer("/spec/driver/enabled") != Some(&json!(false));
    let Some(revision) = revision(world, namespace).filter(|_| upgrades) else {
        // It forgets which node was where.
        for node in nodes {
            world.modify(&node, |n| unset(n, &["metadata", "labels", STATE]));
        }
        return false;
    };
    let mut busy = false;
    for node in &nodes {
        let slots = slots(world, &nodes, policy);
        busy |= step(world, namespace, node, &revision, slots);
    }
    busy
}

/// How many more nodes may be taken up.
fn slots(world: &World, nodes: &[Key], policy: &Value) -> i64 {
    let all = i64::try_from(nodes.len()).unwrap_or(0);
    let at = |pointer: &str| policy.pointer(&format!("/spec/driver/upgradePolicy/{pointer}"));
    let of = |is: &dyn Fn(&Value) -> bool| {
        let found = nodes.iter().filter_map(|key| world.get(key)).filter(|node| is(node)).count();
        i64::try_from(found).unwrap_or(0)
    };
    let moving = of(&|node| ![REQUIRED, DONE, ""].contains(&label(node, STATE)));
    let away = of(&|node| cordoned(node));
    // 0 is no limit.
    let parallel = match number(policy, "/spec/driver/upgradePolicy/maxParallelUpgrades").unwrap_or(1) {
        0 => all,
        most => most,
    };
    let most = at("maxUnavailable")
        .map_or_else(|| share(Some(&json!("25%")), all, true), |most| share(Some(most), all, true));
    (parallel - moving).min(most - away)
}

fn cordoned(node: &Value) -> bool {
    node.pointer("/spec/unschedulable") == Some(&json!(true))
}

/// One node, one state further. Says whether it is under way.
fn step(world: &mut World, namespace: &str, key: &Key, revision: &str, slots: i64) -> bool {
    let Some(node) = world.get(key).cloned() else { return false };
    let pod =
        driver_pods(world, namespace).into_iter().find(|(_, p)| text(p, "/spec/nodeName") == &*key.name);
    let current = pod.as_ref().is_some_and(|(_, p)| label(p, REVISION) == revision);
    match label(&node, STATE) {
        "" | DONE if pod.is_none() => {}
        "" | DONE if current => say(world, key, DONE),
        "" | DONE => {
            if cordoned(&node) {
                world.modify(key, |n| set(n, &["metadata", "annotations", CORDONED], "true".into()));
            }
            say(world, key, REQUIRED);
            return true;
        }
        REQUIRED if label(&node, SKIP) == "true" || (slots <= 0 && !cordoned(&node)) => {}
        REQUIRED => {
            say(world, key, CORDON);
            return true;
        }
        CORDON => {
            world.modify(key, |n| set(n, &["spec", "unschedulable"], true.into()));
            say(world, key, DELETION);
            return true;
        }
        DELETION => {
            for (pod, _) in world.pods_on(&key.name).into_iter().filter(|(_, p)| is_of_a_user(p)) {
                world.delete(&pod, DeleteOptions::default());
            }
            say(world, key, RESTART);
            return true;
        }
        RESTART => {
            match pod {
                Some((pod, _)) if !current => drop(world.delete(&pod, DeleteOptions::default())),
                Some((_, pod)) if pod_ready(&pod) => {
                    let next = if initially_cordoned(&node) { DONE } else { UNCORDON };
                    world.modify(key, |n| unset(n, &["metadata", "annotations", CORDONED]));
                    say(world, key, next);
                }
                _ => {}
            }
            return true;
        }
        UNCORDON => {
            world.modify(key, |n| unset(n, &["spec", "unschedulable"]));
            say(world, key, DONE);
            return true;
        }
        _ => {}
    }
    false
}

fn initially_cordoned(node: &Value) -> bool {
    node.pointer("/metadata/annotations").and_then(|all| all.get(CORDONED)) == Some(&json!("true"))
}

/// A pod that holds a GPU and that no DaemonSet put there.
fn is_of_a_user(pod: &Value) -> bool {
    let daemon =
        list(pod, "/metadata/ownerReferences").iter().any(|owner| text(owner, "/kind") == "DaemonSet");
    holds_gpu(pod) && !daemon
}

fn say(world: &mut World, node: &Key, state: &str) {
    world.modify(node, |n| set(n, &["metadata", "labels", STATE], state.into()));
}
