//! Creating and changing objects, below the API: system metadata, generations, no-ops.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::key::{list, number, set, text};
use super::{Key, World};

impl World {
    /// Stores a new object: uid, instant and first generation are set here.
    pub fn create(&mut self, key: Key, mut object: Value) -> Arc<Value> {
        let uid = match text(&object, "/metadata/uid") {
            "" => self.uid(),
            given => given.to_owned(),
        };
        let stamp = self.stamp();
        let generation = self.stored_kind(&key).is_some_and(|k| k.generation);
        set(&mut object, &["metadata", "name"], (*key.name).into());
        if !key.namespace.is_empty() {
            set(&mut object, &["metadata", "namespace"], (*key.namespace).into());
        }
        set(&mut object, &["metadata", "uid"], uid.into());
        set(&mut object, &["metadata", "creationTimestamp"], stamp.into());
        if generation {
            set(&mut object, &["metadata", "generation"], 1.into());
        }
        self.put(key, object)
    }

    pub(crate) fn uid(&mut self) -> String {
        let n = self.count();
        format!("{:08x}-7717-4000-8000-{:012x}", n.wrapping_mul(0x9E37_79B1) & 0xFFFF_FFFF, n)
    }

    /// Changes an object, as an actor does. Counts its generation where its spec changed; stores
    /// nothing where nothing changed.
    pub fn modify(&mut self, key: &Key, change: impl FnOnce(&mut Value)) -> bool {
        let Some(old) = self.get(key).cloned() else { return false };
        let mut new = (*old).clone();
        change(&mut new);
        self.replace(key, &old, new).is_some()
    }

    /// Stores a changed object; `None` where nothing changed. An object that was being deleted and
    /// lost its last finalizer goes.
    pub(crate) fn replace(&mut self, key: &Key, old: &Arc<Value>, mut new: Value) -> Option<Arc<Value>> {
        if same(old, &new) {
            return None;
        }
        if self.stored_kind(key).is_some_and(|k| k.generation) && spec_differs(old, &new) {
            let generation = number(old, "/metadata/generation").unwrap_or(0) + 1;
            set(&mut new, &["metadata", "generation"], generation.into());
        }
        let going = !text(&new, "/metadata/deletionTimestamp").is_empty()
            && (!key.is("", "namespaces") || list(&new, "/spec/finalizers").is_empty());
        let grace = number(&new, "/metadata/deletionGracePeriodSeconds").unwrap_or(0);
        let stored = self.put(key.clone(), new);
        if going && list(&stored, "/metadata/finalizers").is_empty() && grace == 0 {
            return self.take(key);
        }
        Some(stored)
    }

    /// Sets a status as an actor does.
    pub fn set_status(&mut self, key: &Key, status: Value) -> bool {
        self.modify(key, |o| set(o, &["status"], status))
    }

    /// Status conditions with one of them set; its transition instant moves only with its status.
    pub fn with_condition(
        &self,
        status: &Value,
        kind: &str,
        value: &str,
        reason: &str,
        message: &str,
    ) -> Value {
        let stamp = self.stamp();
        let mut conditions = list(status, "/conditions").to_vec();
        let fresh = |since: &str| json!({"type": kind, "status": value, "lastTransitionTime": since, "reason": reason, "message": message});
        match conditions.iter_mut().find(|c| text(c, "/type") == kind) {
            Some(present) => {
                let since = if text(present, "/status") == value {
                    text(present, "/lastTransitionTime").to_owned()
                } else {
                    stamp
                };
                let mut new = fresh(&since);
                // Fields that only some conditions have stay.
                if let (Some(old), Some(map)) = (present.as_object(), new.as_object_mut()) {
                    for (name, field) in old {
                        map.entry(name.clone()).or_insert_with(|| field.clone());
                    }
                }
                *present = new;
            }
            None => conditions.push(fresh(&stamp)),
        }
        conditions.into()
    }
}

/// Equal but for the resourceVersion and the instants of ownership.
fn same(old: &Value, new: &Value) -> bool {
    let fields = |v: &Value| -> Option<Map<String, Value>> { v.as_object().cloned() };
    let (Some(mut a), Some(mut b)) = (fields(old), fields(new)) else { return old == new };
    let (Some(mut ma), Some(mut mb)) = (a.remove("metadata"), b.remove("metadata")) else {
        return old == new;
    };
    if a != b {
        return false;
    }
    for metadata in [&mut ma, &mut mb] {
        if let Some(map) = metadata.as_object_mut() {
            map.remove("resourceVersion");
            if let Some(Value::Array(entries)) = map.get_mut("managedFields") {
                for entry in entries {
                    if let Some(entry) = entry.as_object_mut() {
                        entry.remove("time");
                    }
                }
            }
        }
    }
    ma == mb
}

fn spec_differs(old: &Value, new: &Value) -> bool {
    let rest = |v: &Value| -> Map<String, Value> {
        v.as_object()
            .map(|m| {
                m.iter()
                    .filter(|(k, _)| !matches!(k.as_str(), "metadata" | "status" | "apiVersion" | "kind"))
                    .map(|(k, v)| (k.clone(), v.clone()))
                    .collect()
            })
            .unwrap_or_default()
    };
    rest(old) != rest(new)
}

/// Labels of an object.
pub(crate) fn labels(object: &Value) -> Map<String, Value> {
    object.pointer("/metadata/labels").and_then(Value::as_object).cloned().unwrap_or_default()
}
