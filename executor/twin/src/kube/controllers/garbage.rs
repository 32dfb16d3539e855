//! The garbage collector: what has lost its owner goes; a foreground deletion waits for what is owned.

use serde_json::{Value, json};

use super::soon;
use crate::world::key::{list, set, text};
use crate::world::{Actor, Change, ChangeKind, DeleteOptions, Key, Propagation, Wakes, World};

const FOREGROUND: &str = "foregroundDeletion";

fn foreground(object: &Value) -> bool {
    list(object, "/metadata/finalizers").contains(&json!(FOREGROUND))
}

/// Who it is.
pub(crate) const ACTOR: Actor = Actor { name: "garbage", notice, act };

fn notice(world: &World, change: &Change) -> Wakes {
    let mut wakes = Vec::new();
    if change.kind == ChangeKind::Deleted {
        for (key, _) in world.owned_by(text(&change.object, "/metadata/uid")) {
            wakes.push((key, soon(world)));
        }
        // An owner in the foreground may have waited for this one.
        for owner in list(&change.object, "/metadata/ownerReferences") {
            if let Some(key) = owner_key(world, owner, &change.key) {
                wakes.push((key, soon(world)));
            }
        }
    } else if foreground(&change.object)
        || (change.kind == ChangeKind::Added && !list(&change.object, "/metadata/ownerReferences").is_empty())
    {
        wakes.push((change.key.clone(), soon(world)));
    }
    wakes
}

fn owner_key(world: &World, owner: &Value, of: &Key) -> Option<Key> {
    let kind = world.kind_of(owner)?;
    let namespace = if kind.namespaced { &*of.namespace } else { "" };
    let key = Key::new(&kind.group, &kind.resource, namespace, text(owner, "/name"));
    world.get(&key).filter(|o| text(o, "/metadata/uid") == text(owner, "/uid")).map(|_| key)
}

fn act(world: &mut World, key: &Key) {
    let Some(object) = world.get(key).cloned() else { return };
    if foreground(&object) {
        let waits: Vec<Key> =
            world.owned_by(text(&object, "/metadata/uid")).into_iter().map(|(k, _)| k).collect();
        for owned in &waits {
            world.delete(owned, DeleteOptions { propagation: Propagation::Foreground, grace_seconds: None });
        }
        if world.owned_by(text(&object, "/metadata/uid")).is_empty() {
            world.modify(key, |o| {
                let rest: Vec<Value> = list(o, "/metadata/finalizers")
                    .iter()
                    .filter(|f| f.as_str() != Some(FOREGROUND))
                    .cloned()
                    .collect();
                set(o, &["metadata", "finalizers"], rest.into());
            });
        }
        return;
    }
    let owners = list(&object, "/metadata/ownerReferences");
    if !owners.is_empty() && owners.iter().all(|o| gone(world, o, key)) {
        world.delete(key, DeleteOptions::default());
    }
}

/// Of a kind that is not served nothing is known: such an owner is not taken for gone.
fn gone(world: &World, owner: &Value, of: &Key) -> bool {
    world.kind_of(owner).is_some() && owner_key(world, owner, of).is_none()
}
