//! Namespaces: what each gets, and how one goes.

use serde_json::json;

use super::soon;
use crate::world::key::{set, text};
use crate::world::{Actor, Change, ChangeKind, DeleteOptions, Key, Wakes, World};

/// Who it is.
pub(crate) const ACTOR: Actor = Actor { name: "namespaces", notice, act };

fn notice(world: &World, change: &Change) -> Wakes {
    if change.key.is("", "namespaces") {
        return vec![(change.key.clone(), soon(world))];
    }
    if change.kind == ChangeKind::Deleted && !change.key.namespace.is_empty() {
        let key = Key::core("namespaces", "", &change.key.namespace);
        let going = world.get(&key).is_some_and(|n| !text(n, "/metadata/deletionTimestamp").is_empty());
        if going {
            return vec![(key, soon(world))];
        }
    }
    Vec::new()
}

fn act(world: &mut World, key: &Key) {
    let Some(namespace) = world.get(key).cloned() else { return };
    let name = &*key.name;
    if text(&namespace, "/metadata/deletionTimestamp").is_empty() {
        let account = Key::core("serviceaccounts", name, "default");
        if world.get(&account).is_none() {
            world.create(account, json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {}}));
        }
        let root = Key::core("configmaps", name, "kube-root-ca.crt");
        if world.get(&root).is_none() {
            world.create(
                root,
                json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}, "data": {"ca.crt": ""}}),
            );
        }
        return;
    }
    let inside: Vec<Key> =
        world.objects().filter(|(k, _)| *k.namespace == *name).map(|(k, _)| k.clone()).collect();
    for object in &inside {
        world.delete(object, DeleteOptions::default());
    }
    if world.objects().all(|(k, _)| *k.namespace != *name) {
        world.modify(key, |n| set(n, &["spec", "finalizers"], json!([])));
    }
}
