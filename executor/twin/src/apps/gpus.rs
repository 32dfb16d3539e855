//! GPUs of nodes, as Jobs see them: a test that runs on one fails where they are broken, and a node boots anew where a pod asks its host to.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::call::Raw;
use crate::kube::neighbours::Application;
use crate::world::key::{list, set, text};
use crate::world::{Key, World};

/// On a node whose GPUs answer no program.
const BROKEN: (&str, &str) = ("twin.switchback.dev/gpus", "broken");
/// What resources of GPUs begin with.
const RESOURCES: [&str; 2] = ["nvidia.com/", "amd.com/"];

/// All of them.
#[derive(Debug)]
pub(crate) struct Gpus;

/// Whether a pod asks for a GPU.
fn asks(pod: &Value) -> bool {
    let limits = list(pod, "/spec/containers")
        .iter()
        .filter_map(|container| container.pointer("/resources/limits").and_then(Value::as_object));
    limits.flatten().any(|(name, _)| RESOURCES.iter().any(|of| name.starts_with(of)))
}

/// Whether a pod boots its host.
fn boots(pod: &Value) -> bool {
    let words = list(pod, "/spec/containers").iter().flat_map(|container| list(container, "/command"));
    let says = words.into_iter().filter_map(Value::as_str).any(|word| word.ends_with("reboot"));
    says && pod.pointer("/spec/hostPID") == Some(&json!(true))
}

impl Application for Gpus {
    fn start(&self, _: &mut World, _: &Key, _: &Value) -> Result<(), String> {
        Ok(())
    }

    fn runs_for(&self, _: &World, _: &Value) -> Option<SignedDuration> {
        None
    }

    /// A pod that boots its host does not live to say that it did.
    fn completes(&self, world: &mut World, _: &Key, pod: &Value) -> Option<(i64, String)> {
        let node = Key::core("nodes", "", text(pod, "/spec/nodeName"));
        if boots(pod) {
            let boot = format!("boot-{}", world.count());
            world.modify(&node, |n| set(n, &["status", "nodeInfo", "bootID"], boot.into()));
            return Some((137, String::new()));
        }
        let object = world.get(&node)?;
        let broken = object.pointer("/metadata/annotations").and_then(|all| all.get(BROKEN.0));
        (asks(pod) && broken == Some(&json!(BROKEN.1))).then(|| (1, "no device answers".to_owned()))
    }

    fn answer(&self, _: &mut World, _: &Key, _: &Value, _: &str, _: &str) -> Option<Raw> {
        None
    }

    fn admit(&self, _: &World, _: &Key, _: Option<&Value>, _: &Value) -> Result<(), String> {
        Ok(())
    }
}
