//! StatefulSets: numbered pods, started from the first and replaced from the last. A revision's name is a hash of its
//! template; older templates are not kept, since nothing that is simulated asks for them again.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{controller, pod_from, replicaset, soon, template_hash};
use crate::kube::api::pod_ready;
use crate::world::key::{number, set, text};
use crate::world::{Actor, Change, DeleteOptions, Key, Wakes, World};

const REVISION: &str = "controller-revision-hash";

/// Who it is.
pub(crate) const ACTOR: Actor = Actor { name: "statefulset", notice, act };

fn notice(world: &World, change: &Change) -> Wakes {
    if change.key.is("apps", "statefulsets") {
        return vec![(change.key.clone(), soon(world))];
    }
    if change.key.is("", "pods")
        && let Some(key) = controller(&change.object, &change.key, "StatefulSet", "apps", "statefulsets")
    {
        return vec![(key, soon(world))];
    }
    Vec::new()
}

/// What is asked for.
struct Asked<'a> {
    key: &'a Key,
    object: &'a Value,
    replicas: i64,
    /// One after the other, instead of all at once.
    ordered: bool,
    /// Pods of an older revision are replaced.
    rolling: bool,
    /// The name of the revision of its template.
    revision: String,
}

impl<'a> Asked<'a> {
    fn of(key: &'a Key, object: &'a Value) -> Self {
        let template = object.pointer("/spec/template").unwrap_or(&Value::Null);
        Self {
            key,
            object,
            replicas: number(object, "/spec/replicas").unwrap_or(1),
            ordered: text(object, "/spec/podManagementPolicy") != "Parallel",
            rolling: text(object, "/spec/updateStrategy/type") == "RollingUpdate",
            revision: format!("{}-{}", key.name, template_hash(template)),
        }
    }

    fn pod(&self, number: i64) -> (Key, Value) {
        let name = format!("{}-{number}", self.key.name);
        let template = self.object.pointer("/spec/template").unwrap_or(&Value::Null);
        let mut pod = pod_from(template, &self.key.namespace, self.object);
        for (label, value) in [
            (REVISION, self.revision.clone()),
            ("statefulset.kubernetes.io/pod-name", name.clone()),
            ("apps.kubernetes.io/pod-index", number.to_string()),
        ] {
            set(&mut pod, &["metadata", "labels", label], value.into());
        }
        set(&mut pod, &["spec", "hostname"], name.clone().into());
        let service = text(self.object, "/spec/serviceName");
        if !service.is_empty() {
            set(&mut pod, &["spec", "subdomain"], service.into());
        }
        (Key::core("pods", &self.key.namespace, &name), pod)
    }
}

type Pods = BTreeMap<i64, (Key, Arc<Value>)>;

/// Its pods by their numbers.
fn pods(world: &World, of: &Value) -> Pods {
    let owned = world.owned_by(text(of, "/metadata/uid")).into_iter().filter(|(k, _)| k.is("", "pods"));
    owned
        .filter_map(|(key, pod)| {
            let number = key.name.rsplit('-').next()?.parse().ok()?;
            Some((number, (key, pod)))
        })
        .collect()
}

fn going(pod: &Value) -> bool {
    !text(pod, "/metadata/deletionTimestamp").is_empty()
}

fn revision(pod: &Value) -> &str {
    pod.pointer("/metadata/labels").and_then(|l| l.get(REVISION)).and_then(Value::as_str).unwrap_or_default()
}

fn act(world: &mut World, key: &Key) {
    let Some(object) = world.get(key).cloned() else { return };
    if going(&object) {
        return;
    }
    let asked = Asked::of(key, &object);
    let found = pods(world, &object);
    if fill(world, &asked, &found) && shrink(world, &asked, &found) && asked.rolling {
        roll(world, &asked, &found);
    }
    let status = status(&asked, &pods(world, &object));
    world.set_status(key, status);
}

/// Makes pods that are missing; false where it has to wait before anything else is done.
fn fill(world: &mut World, asked: &Asked<'_>, found: &Pods) -> bool {
    for number in 0..asked.replicas {
        let settled = match found.get(&number) {
            None => {
                let (key, pod) = asked.pod(number);
                // A pod of somebody else may have its name: then it waits for that to go.
                if world.get(&key).is_none() {
                    world.create(key, pod);
                }
                false
            }
            Some((key, pod)) if !going(pod) && !replicaset::active(pod) => {
                world.delete(key, DeleteOptions::default());
                false
            }
            Some((_, pod)) => !going(pod) && pod_ready(pod),
        };
        if asked.ordered && !settled {
            return false;
        }
    }
    true
}

/// Takes pods away that are too many; false where it has to wait.
fn shrink(world: &mut World, asked: &Asked<'_>, found: &Pods) -> bool {
    for (_, (key, pod)) in found.range(asked.replicas..).rev() {
        if !going(pod) {
            world.delete(key, DeleteOptions::default());
        }
        if asked.ordered {
            return false;
        }
    }
    true
}

/// Replaces the last pod of another revision, once all after it are ready.
fn roll(world: &mut World, asked: &Asked<'_>, found: &Pods) {
    for (_, (key, pod)) in found.range(..asked.replicas).rev() {
        if revision(pod) != asked.revision && !going(pod) {
            world.delete(key, DeleteOptions::default());
            return;
        }
        if going(pod) || !pod_ready(pod) {
            return;
        }
    }
}

fn status(asked: &Asked<'_>, pods: &Pods) -> Value {
    let count = |fits: &dyn Fn(&Value) -> bool| {
        i64::try_from(pods.values().filter(|(_, pod)| fits(pod)).count()).unwrap_or(0)
    };
    let of = |wanted: &str| count(&|pod| !going(pod) && revision(pod) == wanted);
    let (all, ready, updated) = (count(&|_| true), count(&pod_ready), of(&asked.revision));
    let complete = [all, ready, updated].iter().all(|n| *n == asked.replicas);
    let current = match text(asked.object, "/status/currentRevision") {
        "" => asked.revision.as_str(),
        _ if asked.rolling && complete => asked.revision.as_str(),
        current => current,
    };
    let mut status = json!({
        "replicas": all, "availableReplicas": ready, "collisionCount": 0,
        "currentRevision": current, "updateRevision": asked.revision,
        "observedGeneration": number(asked.object, "/metadata/generation"),
    });
    for (field, value) in
        [("readyReplicas", ready), ("currentReplicas", of(current)), ("updatedReplicas", updated)]
    {
        if value > 0 {
            set(&mut status, &[field], value.into());
        }
    }
    status
}
