//! Upgrades that the operator makes by itself: it taints a node, deletes the pods that hold its GPUs, and moves its label. A node that is
//! cordoned or not Ready waits.

use serde_json::{Map, Value, json};

use super::{Of, TAINT, holders};
use crate::world::key::{list, number, set, text, unset};
use crate::world::{DeleteOptions, Key, World, labels};

const NOT_STARTED: &str = "Upgrade-Not-Started";
const IN_PROGRESS: &str = "Upgrade-In-Progress";
const COMPLETE: &str = "Upgrade-Complete";
const INSTALLING: &str = "Install-In-Progress";
const INSTALLED: &str = "Install-Complete";

impl Of {
    /// A policy that does not say that it is off is on.
    fn is_automatic(&self) -> bool {
        let policy = self.config.pointer("/spec/driver/upgradePolicy").filter(|policy| policy.is_object());
        policy.is_some_and(|policy| policy.get("enable") != Some(&json!(false)))
    }

    /// Takes nodes up, and says in the status how far each is. Says whether one has to be looked at again.
    pub(super) fn upgrade(&self, world: &mut World, nodes: &[Key]) -> bool {
        let before = self.config.pointer("/status/nodeModuleStatus").cloned().unwrap_or_default();
        let was =
            |node: &Key| before.get(&*node.name).map(|s| text(s, "/status").to_owned()).unwrap_or_default();
        let ending = format!("-{}", self.version());
        let most = number(&self.config, "/spec/driver/upgradePolicy/maxParallelUpgrades").unwrap_or(1);
        let mut moving =
            i64::try_from(nodes.iter().filter(|node| was(node) == IN_PROGRESS).count()).unwrap_or(0);
        let mut all = Map::new();
        let mut busy = false;
        for node in nodes {
            let image = self.loaded(world, &node.name).unwrap_or_default();
            let mut state = String::new();
            if self.is_automatic() {
                state = match (image.ends_with(&ending), was(node).as_str()) {
                    (true, known @ (COMPLETE | INSTALLED)) => known.to_owned(),
                    (true, before) => {
                        untaint(world, node);
                        if before == INSTALLING { INSTALLED } else { COMPLETE }.to_owned()
                    }
                    (false, IN_PROGRESS) => IN_PROGRESS.to_owned(),
                    (false, "" | INSTALLING) if self.asks_for_it(world, node) => INSTALLING.to_owned(),
                    (false, _) if moving < most && self.take(world, node) => {
                        moving += 1;
                        IN_PROGRESS.to_owned()
                    }
                    (false, _) => NOT_STARTED.to_owned(),
                };
                busy |= !matches!(state.as_str(), COMPLETE | INSTALLED);
            }
            let mut status = json!({"containerImage": image, "kernelVersion": "5.15.0-94-generic"});
            if !state.is_empty() {
                set(&mut status, &["status"], state.into());
            }
            all.insert(node.name.to_string(), status);
        }
        world.modify(&self.key, |config| set(config, &["status", "nodeModuleStatus"], all.into()));
        busy
    }

    fn asks_for_it(&self, world: &World, node: &Key) -> bool {
        let asks = world.get(node).and_then(|node| labels(node).get(&self.asks()).cloned());
        asks == Some(json!(self.version()))
    }

    /// Empties a node of what holds its GPUs, and moves its label.
    fn take(&self, world: &mut World, node: &Key) -> bool {
        let Some(object) = world.get(node).cloned() else { return false };
        let waits = object.pointer("/spec/unschedulable") == Some(&json!(true));
        if waits || self.asks_for_it(world, node) {
            return false;
        }
        let taint = json!({"key": TAINT, "value": "true", "effect": "NoSchedule"});
        let taints: Vec<Value> = list(&object, "/spec/taints").iter().cloned().chain([taint]).collect();
        world.modify(node, |n| set(n, &["spec", "taints"], taints.into()));
        for pod in holders(world, &node.name) {
            world.delete(&pod, DeleteOptions::default());
        }
        let (label, version) = (self.asks(), self.version().to_owned());
        world.modify(node, |n| set(n, &["metadata", "labels", &label], version.into()));
        true
    }
}

fn untaint(world: &mut World, node: &Key) {
    world.modify(node, |n| {
        let rest: Vec<Value> =
            list(n, "/spec/taints").iter().filter(|taint| text(taint, "/key") != TAINT).cloned().collect();
        match rest.is_empty() {
            true => unset(n, &["spec", "taints"]),
            false => set(n, &["spec", "taints"], rest.into()),
        }
    });
}
