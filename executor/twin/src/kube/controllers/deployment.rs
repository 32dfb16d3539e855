//! Deployments: a ReplicaSet for each template, replicas moved between them.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{controller, owned, share, soon, template_hash};
use crate::world::key::{list, number, set, text};
use crate::world::{Actor, Change, Key, Wakes, World, labels};

const REVISION: &str = "deployment.kubernetes.io/revision";
const HASH: &str = "pod-template-hash";

/// Who it is.
pub(crate) const ACTOR: Actor = Actor { name: "deployment", notice, act };

fn notice(world: &World, change: &Change) -> Wakes {
    if change.key.is("apps", "deployments") {
        return vec![(change.key.clone(), soon(world))];
    }
    if change.key.is("apps", "replicasets")
        && let Some(key) = controller(&change.object, &change.key, "Deployment", "apps", "deployments")
    {
        return vec![(key, soon(world))];
    }
    Vec::new()
}

struct Set {
    key: Key,
    object: Arc<Value>,
}

impl Set {
    fn wanted(&self) -> i64 {
        number(&self.object, "/spec/replicas").unwrap_or(0)
    }
    fn status(&self, field: &str) -> i64 {
        number(&self.object, &format!("/status/{field}")).unwrap_or(0)
    }
    fn revision(&self) -> i64 {
        self.object
            .pointer("/metadata/annotations")
            .and_then(|a| a.get(REVISION))
            .and_then(Value::as_str)
            .and_then(|r| r.parse().ok())
            .unwrap_or(0)
    }
}

fn act(world: &mut World, key: &Key) {
    let Some(deployment) = world.get(key).cloned() else { return };
    if !text(&deployment, "/metadata/deletionTimestamp").is_empty() {
        return;
    }
    let template = deployment.pointer("/spec/template").cloned().unwrap_or(Value::Null);
    let (mut new, mut old) = (None, Vec::new());
    for (set_key, object) in world.owned_by(text(&deployment, "/metadata/uid")) {
        let mut its = object.pointer("/spec/template").cloned().unwrap_or(Value::Null);
        if let Some(Value::Object(l)) = its.pointer_mut("/metadata/labels") {
            l.remove(HASH);
        }
        let one = Set { key: set_key, object };
        if its == template { new = Some(one) } else { old.push(one) }
    }
    let revision = old.iter().map(Set::revision).max().unwrap_or(0) + 1;
    let paused = deployment.pointer("/spec/paused") == Some(&json!(true));
    if new.is_none() && !paused {
        new = Some(make(world, key, &deployment, &template, revision));
    } else if let Some(back) = new.as_ref().filter(|n| n.revision() < revision && !old.is_empty() && !paused)
    {
        world.modify(&back.key, |o| {
            set(o, &["metadata", "annotations", REVISION], revision.to_string().into());
        });
    }
    let shown = new
        .as_ref()
        .and_then(|n| world.get(&n.key))
        .and_then(|n| n.pointer("/metadata/annotations")?.get(REVISION).cloned());
    if let Some(shown) = shown {
        world.modify(key, |d| set(d, &["metadata", "annotations", REVISION], shown));
    }
    let wanted = number(&deployment, "/spec/replicas").unwrap_or(1);
    if let Some(new) = &new {
        if text(&deployment, "/spec/strategy/type") == "Recreate" {
            recreate(world, wanted, new, &old);
        } else {
            roll(world, &deployment, wanted, new, &old);
        }
    }
    status(world, key, new.as_ref(), &old);
}

fn make(world: &mut World, key: &Key, deployment: &Value, template: &Value, revision: i64) -> Set {
    let hash = template_hash(template);
    let mut template = template.clone();
    set(&mut template, &["metadata", "labels", HASH], hash.clone().into());
    let mut selector = deployment.pointer("/spec/selector").cloned().unwrap_or_else(|| json!({}));
    set(&mut selector, &["matchLabels", HASH], hash.clone().into());
    let set_key = Key::new("apps", "replicasets", &key.namespace, &format!("{}-{hash}", key.name));
    let object = json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {
            "labels": labels(&template), "ownerReferences": owned(deployment),
            "annotations": {REVISION: revision.to_string()},
        },
        "spec": {"replicas": 0, "selector": selector, "template": template},
        "status": {"replicas": 0},
    });
    let object = world.create(set_key.clone(), object);
    Set { key: set_key, object }
}

fn resize(world: &mut World, of: &Set, replicas: i64) {
    world.modify(&of.key, |o| set(o, &["spec", "replicas"], replicas.max(0).into()));
}

fn recreate(world: &mut World, wanted: i64, new: &Set, old: &[Set]) {
    for set in old {
        resize(world, set, 0);
    }
    let pods = |world: &World, of: &Set| world.owned_by(text(&of.object, "/metadata/uid")).len();
    if old.iter().all(|o| pods(world, o) == 0) {
        resize(world, new, wanted);
    }
}

fn roll(world: &mut World, deployment: &Value, wanted: i64, new: &Set, old: &[Set]) {
    let limit = |name: &str, up| {
        share(deployment.pointer(&format!("/spec/strategy/rollingUpdate/{name}")), wanted, up)
    };
    let surge = limit("maxSurge", true);
    let mut unavailable = limit("maxUnavailable", false);
    if surge == 0 && unavailable == 0 {
        unavailable = 1;
    }
    let total: i64 = new.wanted() + old.iter().map(Set::wanted).sum::<i64>();
    if new.wanted() > wanted {
        resize(world, new, wanted);
        return;
    }
    if new.wanted() < wanted && total < wanted + surge {
        let more = (wanted + surge - total).min(wanted - new.wanted());
        resize(world, new, new.wanted() + more);
        return;
    }
    let floor = wanted - unavailable;
    let pending = new.wanted() - new.status("availableReplicas");
    let mut budget = total - floor - pending;
    // Replicas that are not available go first: they cost nothing.
    for set in old {
        let dead = (set.wanted() - set.status("availableReplicas")).min(budget.max(0));
        if dead > 0 {
            resize(world, set, set.wanted() - dead);
            return;
        }
    }
    for set in old.iter().filter(|s| s.wanted() > 0) {
        let less = set.wanted().min(budget);
        if less > 0 {
            resize(world, set, set.wanted() - less);
            budget -= less;
        }
    }
}

fn status(world: &mut World, key: &Key, new: Option<&Set>, old: &[Set]) {
    let Some(deployment) = world.get(key).cloned() else { return };
    let of = |set: &Set, field: &str| {
        world.get(&set.key).and_then(|o| number(o, &format!("/status/{field}"))).unwrap_or(0)
    };
    let sum = |field: &str| new.into_iter().chain(old).map(|s| of(s, field)).sum::<i64>();
    let wanted = number(&deployment, "/spec/replicas").unwrap_or(1);
    let (replicas, ready, available) = (sum("replicas"), sum("readyReplicas"), sum("availableReplicas"));
    let updated = new.map_or(0, |n| of(n, "replicas"));
    let asked: i64 = new
        .into_iter()
        .chain(old)
        .filter_map(|s| world.get(&s.key).and_then(|o| number(o, "/spec/replicas")))
        .sum();
    let floor =
        wanted - share(deployment.pointer("/spec/strategy/rollingUpdate/maxUnavailable"), wanted, false);
    let complete = updated == wanted && replicas == wanted && available == wanted;
    let previous = deployment.get("status").cloned().unwrap_or(Value::Null);
    let mut status = json!({
        "observedGeneration": number(&deployment, "/metadata/generation"), "terminatingReplicas": sum("terminatingReplicas"),
    });
    for (field, value) in [
        ("replicas", replicas),
        ("updatedReplicas", updated),
        ("readyReplicas", ready),
        ("availableReplicas", available),
        ("unavailableReplicas", (asked - available).max(0)),
    ] {
        if value > 0 {
            set(&mut status, &[field], value.into());
        }
    }
    let (value, reason, message) = if available >= floor {
        ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    } else {
        ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    };
    let conditions = world.with_condition(&previous, "Available", value, reason, message);
    let value = progress(world, key, &deployment, &json!({"conditions": conditions}), new, complete, &status);
    set(&mut status, &["conditions"], value);
    world.set_status(key, status);
}

/// The Progressing condition, and the deadline that turns it to False.
fn progress(
    world: &mut World,
    key: &Key,
    deployment: &Value,
    previous: &Value,
    new: Option<&Set>,
    complete: bool,
    status: &Value,
) -> Value {
    let name = new.map(|n| n.key.name.clone()).unwrap_or_default();
    let stamp = world.stamp();
    let before = list(previous, "/conditions").iter().find(|c| text(c, "/type") == "Progressing").cloned();
    let counts = |v: &Value| {
        ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"]
            .map(|f| number(v, &format!("/{f}")))
    };
    let old_status = deployment.get("status").cloned().unwrap_or(Value::Null);
    let moved = counts(&old_status) != counts(status) || before.is_none();
    let was = before.as_ref().map(|b| text(b, "/reason").to_owned()).unwrap_or_default();
    let mut since = before.as_ref().map_or_else(|| stamp.clone(), |b| text(b, "/lastUpdateTime").to_owned());
    let deadline = number(deployment, "/spec/progressDeadlineSeconds").unwrap_or(600);
    let (value, reason, message) = if complete {
        if was != "NewReplicaSetAvailable" {
            since.clone_from(&stamp);
        }
        ("True", "NewReplicaSetAvailable", format!("ReplicaSet \"{name}\" has successfully progressed."))
    } else {
        // A scale of what had been complete is no new rollout.
        let rollout = number(status, "/updatedReplicas").unwrap_or(0)
            < number(status, "/replicas").unwrap_or(0)
            || was != "NewReplicaSetAvailable";
        if moved {
            since.clone_from(&stamp);
        }
        let late =
            since.parse::<Timestamp>().is_ok_and(|s| world.now().duration_since(s).as_secs() >= deadline);
        let after = SignedDuration::from_secs(deadline + 1);
        world.plan(ACTOR.name, key.clone(), after);
        match (rollout, late || was == "ProgressDeadlineExceeded" && !moved) {
            (true, true) => (
                "False",
                "ProgressDeadlineExceeded",
                format!("ReplicaSet \"{name}\" has timed out progressing."),
            ),
            (true, false) => ("True", "ReplicaSetUpdated", format!("ReplicaSet \"{name}\" is progressing.")),
            (false, _) => (
                "True",
                "NewReplicaSetAvailable",
                format!("ReplicaSet \"{name}\" has successfully progressed."),
            ),
        }
    };
    let mut conditions = world.with_condition(previous, "Progressing", value, reason, &message);
    if let Some(all) = conditions.as_array_mut() {
        for condition in all {
            let mine = text(condition, "/type") == "Progressing";
            let update = if mine { since.clone() } else { text(condition, "/lastTransitionTime").to_owned() };
            set(condition, &["lastUpdateTime"], update.into());
        }
    }
    conditions
}
