//! Definitions of custom kinds: established after a while; deleted, they take their objects along.

use serde_json::{Value, json};

use super::soon;
use crate::world::key::{list, set, text};
use crate::world::{Actor, Change, ChangeKind, DeleteOptions, Key, Wakes, World};

const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

/// Who it is.
pub(crate) const ACTOR: Actor = Actor { name: "definitions", notice, act };

fn notice(world: &World, change: &Change) -> Wakes {
    if &*change.key.resource == "customresourcedefinitions" {
        return vec![(change.key.clone(), soon(world))];
    }
    // The last object of a definition that is going.
    if change.kind == ChangeKind::Deleted && !change.key.group.is_empty() {
        let name = format!("{}.{}", change.key.resource, change.key.group);
        let key = Key::new("apiextensions.k8s.io", "customresourcedefinitions", "", &name);
        return world.get(&key).map(|_| vec![(key, soon(world))]).unwrap_or_default();
    }
    Vec::new()
}

fn act(world: &mut World, key: &Key) {
    let Some(definition) = world.get(key).cloned() else { return };
    if text(&definition, "/metadata/deletionTimestamp").is_empty() {
        let status = definition.get("status").cloned().unwrap_or(Value::Null);
        let named =
            world.with_condition(&status, "NamesAccepted", "True", "NoConflicts", "no conflicts found");
        let both = world.with_condition(
            &json!({"conditions": named}),
            "Established",
            "True",
            "InitialNamesAccepted",
            "the initial names have been accepted",
        );
        let mut accepted = definition.pointer("/spec/names").cloned().unwrap_or(Value::Null);
        if let Some(map) = accepted.as_object_mut() {
            map.retain(|_, v| v != &json!([]));
        }
        world.modify(key, |d| {
            set(d, &["status", "conditions"], both);
            set(d, &["status", "acceptedNames"], accepted);
        });
        return;
    }
    let (group, resource) = (text(&definition, "/spec/group"), text(&definition, "/spec/names/plural"));
    let objects: Vec<Key> = world.list(group, resource, None).map(|(k, _)| k.clone()).collect();
    for object in &objects {
        world.delete(object, DeleteOptions::default());
    }
    if world.list(group, resource, None).next().is_none() {
        world.modify(key, |d| {
            let rest: Vec<Value> = list(d, "/metadata/finalizers")
                .iter()
                .filter(|f| f.as_str() != Some(CLEANUP))
                .cloned()
                .collect();
            set(d, &["metadata", "finalizers"], rest.into());
        });
    }
}
