//! Kernel Module Management: what is loaded on a node follows its label, once nobody holds it.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{KMM, Of, holders};
use crate::world::key::{list, set, text, unset};
use crate::world::{Key, World, labels};

/// Since when a module is to be loaded.
const SINCE: &str = "twin.switchback.dev/loads-since";
/// How long a module takes to be loaded.
const LOADS: i64 = 60;

/// The image of a driver.
fn image(version: &str) -> String {
    format!("registry.example/amdgpu_kmod:ubuntu-22.04-5.15.0-94-generic-{version}")
}

impl Of {
    fn is_this(&self, module: &Value) -> bool {
        text(module, "/namespace") == &*self.key.namespace && text(module, "/name") == &*self.key.name
    }

    /// The image of the module in a part of a NodeModulesConfig.
    fn image_in(&self, config: &Value, part: &str) -> Option<String> {
        let modules = list(config, &format!("/{part}/modules"));
        let module = modules.iter().find(|module| self.is_this(module))?;
        Some(text(module, "/config/containerImage").to_owned())
    }

    fn put(&self, config: &mut Value, part: &str, module: Option<Value>) {
        let others = list(config, &format!("/{part}/modules")).iter().filter(|one| !self.is_this(one));
        let all: Vec<Value> = others.cloned().chain(module).collect();
        set(config, &[part, "modules"], all.into());
    }

    fn entry(&self, image: &str, boot: &str) -> Value {
        json!({"namespace": &*self.key.namespace, "name": &*self.key.name, "bootId": boot,
            "config": {"containerImage": image, "kernelVersion": "5.15.0-94-generic"}})
    }

    /// The image that is loaded on a node.
    pub(super) fn loaded(&self, world: &World, node: &str) -> Option<String> {
        self.image_in(world.get(&config_of(node))?, "status")
    }

    /// Takes a node one step further. Says whether it is under way.
    pub(super) fn follow(&self, world: &mut World, node: &Key) -> bool {
        let Some(object) = world.get(node).cloned() else { return false };
        let asks = match labels(&object).get(&self.asks()).and_then(Value::as_str) {
            Some(asks) => asks.to_owned(),
            // A node that is new gets the driver of the DeviceConfig; what was asked of others is theirs to change.
            None => {
                let (label, version) = (self.asks(), self.version().to_owned());
                world.modify(node, |n| set(n, &["metadata", "labels", &label], version.clone().into()));
                version
            }
        };
        let key = config_of(&node.name);
        if world.get(&key).is_none() {
            let config = json!({"apiVersion": "kmm.sigs.x-k8s.io/v1beta1", "kind": "NodeModulesConfig",
                "metadata": {"name": &*node.name}, "spec": {"modules": []}, "status": {"modules": []}});
            world.create(key.clone(), config);
        }
        if asks == self.version() {
            let entry = self.entry(&image(&asks), "");
            world.modify(&key, |config| self.put(config, "spec", Some(entry)));
        }
        let busy = if self.schedulable(&object) {
            self.step(world, node, &key, &asks)
        } else {
            self.offer(world, node, false);
            false
        };
        self.offers(world, node);
        busy
    }

    fn step(&self, world: &mut World, node: &Key, key: &Key, asks: &str) -> bool {
        let Some(config) = world.get(key).cloned() else { return false };
        let boot = world.get(node).map(|n| text(n, "/status/nodeInfo/bootID").to_owned()).unwrap_or_default();
        let booted = list(&config, "/status/modules")
            .iter()
            .any(|module| self.is_this(module) && text(module, "/bootId") != boot);
        let stamp = world.stamp();
        let unloaded = |config: &mut Value| {
            self.put(config, "status", None);
            set(config, &["metadata", "annotations", SINCE], stamp.clone().into());
        };
        if booted {
            // What the Module no longer names is not loaded anew.
            world.modify(key, |config| {
                unloaded(config);
                if asks != self.version() {
                    self.put(config, "spec", None);
                }
            });
            self.offer(world, node, false);
            return true;
        }
        match (self.image_in(&config, "spec"), self.image_in(&config, "status")) {
            (Some(wanted), Some(loaded)) if wanted == loaded => {
                self.offer(world, node, true);
                false
            }
            (_, Some(_)) => {
                self.offer(world, node, false);
                // It cannot be unloaded while somebody holds it.
                if holders(world, &node.name).is_empty() {
                    world.modify(key, unloaded);
                }
                true
            }
            (Some(wanted), None) => {
                self.offer(world, node, false);
                let since = config.pointer("/metadata/annotations").and_then(|all| all.get(SINCE));
                let since = since.and_then(Value::as_str).and_then(|at| at.parse::<Timestamp>().ok());
                match since {
                    None => drop(world.modify(key, |config| {
                        set(config, &["metadata", "annotations", SINCE], stamp.clone().into());
                    })),
                    Some(since) if world.now().duration_since(since).as_secs() < LOADS => {}
                    Some(_) if world.settings().broken_images.contains(&wanted) => {}
                    Some(_) => {
                        let entry = self.entry(&wanted, &boot);
                        world.modify(key, |config| {
                            self.put(config, "status", Some(entry));
                            unset(config, &["metadata", "annotations", SINCE]);
                        });
                    }
                }
                true
            }
            (None, None) => {
                self.offer(world, node, false);
                false
            }
        }
    }

    /// Says on the node whether the driver is loaded.
    fn offer(&self, world: &mut World, node: &Key, loaded: bool) {
        let label = self.ready();
        world.modify(node, |n| match loaded {
            true => set(n, &["metadata", "labels", &label], "".into()),
            false => unset(n, &["metadata", "labels", &label]),
        });
    }

    /// A node offers its GPUs while the driver is loaded.
    fn offers(&self, world: &mut World, node: &Key) {
        let Some(object) = world.get(node).cloned() else { return };
        let loaded = labels(&object).contains_key(&self.ready());
        let capacity =
            object.pointer("/status/capacity").and_then(Value::as_object).cloned().unwrap_or_default();
        for (resource, count) in capacity.into_iter().filter(|(name, _)| name.starts_with("amd.com/")) {
            let count = if loaded { count } else { json!("0") };
            world.modify(node, |n| set(n, &["status", "allocatable", &resource], count));
        }
    }
}

/// What is to be loaded on a node, and what was.
fn config_of(node: &str) -> Key {
    Key::new(KMM, "nodemodulesconfigs", "", node)
}
