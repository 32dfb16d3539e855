//! Deleting: finalizers, grace periods, what owners take with them.

use std::sync::Arc;

use serde_json::{Value, json};

use super::key::{list, number, set, text};
use super::{Key, World};

/// What happens to what an object owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Propagation {
    /// It goes later.
    #[default]
    Background,
    /// It goes first.
    Foreground,
    /// It stays.
    Orphan,
}

/// How to delete.
#[derive(Debug, Clone, Copy, Default)]
pub struct DeleteOptions {
    /// What happens to what it owns.
    pub propagation: Propagation,
    /// Instead of the pod's own.
    pub grace_seconds: Option<i64>,
}

impl World {
    /// Deletes an object, or marks it where a finalizer or a grace period holds it. Returns it as it
    /// is afterwards (or was, where it is gone).
    pub fn delete(&mut self, key: &Key, options: DeleteOptions) -> Option<Arc<Value>> {
        let object = self.get(key)?.clone();
        let already = !text(&object, "/metadata/deletionTimestamp").is_empty();
        let grace = if key.is("", "pods") { pod_grace(&object, options.grace_seconds) } else { 0 };
        if already && (grace > 0 || !key.is("", "pods")) && !holds(&object).is_empty() {
            return Some(object);
        }
        let mut new = (*object).clone();
        let mut finalizers = holds(&object);
        match options.propagation {
            Propagation::Background => {}
            Propagation::Foreground => finalizers.push("foregroundDeletion".into()),
            Propagation::Orphan => self.orphan(&object),
        }
        if key.is("", "namespaces") {
            set(&mut new, &["status", "phase"], "Terminating".into());
        }
        if &*key.resource == "customresourcedefinitions" {
            let cleanup = "customresourcecleanup.apiextensions.k8s.io".to_owned();
            if !finalizers.contains(&cleanup) {
                finalizers.push(cleanup);
            }
            let conditions = self.with_condition(
                new.get("status").unwrap_or(&Value::Null),
                "Terminating",
                "True",
                "InstanceDeletionPending",
                "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
            );
            set(&mut new, &["status", "conditions"], conditions);
        }
        let held = !finalizers.is_empty() || key.is("", "namespaces");
        if grace == 0 && !held {
            return self.take(key);
        }
        if !already {
            let at = self.now().checked_add(jiff::SignedDuration::from_secs(grace)).unwrap_or(self.now());
            set(&mut new, &["metadata", "deletionTimestamp"], super::stamp(at).into());
            if let Some(generation) = number(&new, "/metadata/generation") {
                set(&mut new, &["metadata", "generation"], (generation + 1).into());
            }
        }
        set(&mut new, &["metadata", "deletionGracePeriodSeconds"], grace.into());
        if !finalizers.is_empty() {
            set(&mut new, &["metadata", "finalizers"], json!(finalizers));
        }
        if new == *object {
            return Some(object);
        }
        Some(self.put(key.clone(), new))
    }

    fn orphan(&mut self, owner: &Value) {
        let uid = text(owner, "/metadata/uid").to_owned();
        for (key, _) in self.owned_by(&uid) {
            self.modify(&key, |o| {
                let rest: Vec<Value> = list(o, "/metadata/ownerReferences")
                    .iter()
                    .filter(|r| text(r, "/uid") != uid)
                    .cloned()
                    .collect();
                set(o, &["metadata", "ownerReferences"], rest.into());
            });
        }
    }
}

fn holds(object: &Value) -> Vec<String> {
    list(object, "/metadata/finalizers").iter().filter_map(|f| f.as_str().map(str::to_owned)).collect()
}

/// A pod that runs nowhere or has finished needs no grace.
fn pod_grace(pod: &Value, asked: Option<i64>) -> i64 {
    let idle = text(pod, "/spec/nodeName").is_empty()
        || matches!(text(pod, "/status/phase"), "Succeeded" | "Failed");
    if idle {
        return 0;
    }
    asked.or_else(|| number(pod, "/spec/terminationGracePeriodSeconds")).unwrap_or(30).max(0)
}
