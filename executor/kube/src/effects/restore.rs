//! `kube.restore`: puts objects back as they were captured.

use serde_json::Value;
use switchback_executor::ports::Classify as _;
use switchback_schemas::{
    journal::{Evidence, Outcome},
    plan::KubeRestore,
};

use super::apply::reference;
use crate::{
    api::{Kinds, MANAGER, Sought, Writer, object_path, query_path},
    classify::CallError,
    target::refused,
};

/// Fields that the API server fills in, and that say nothing of what somebody wanted.
const OF_THE_SERVER: [&str; 6] =
    ["resourceVersion", "uid", "generation", "creationTimestamp", "managedFields", "selfLink"];

pub(super) async fn run(api: &Writer, effect: &KubeRestore<Value>) -> Result<Outcome, CallError> {
    let Some(objects) = effect.objects.as_array() else {
        return Ok(refused("what was captured is no list of objects"));
    };
    let kinds = Kinds::new(&api.read);
    let mut lines = Vec::new();
    for object in objects {
        match one(api, &kinds, object, effect.only_gone).await {
            Ok(line) => lines.push(line),
            Err(Stopped::Read(error)) => return Ok(with_done(error.of_read(), &lines)),
            Err(Stopped::Write(error)) => return Ok(with_done(error.of_write(), &lines)),
            Err(Stopped::NoObject) => {
                return Ok(with_done(refused("the artifact holds something that is no object"), &lines));
            }
        }
    }
    Ok(Outcome::Done { evidence: Evidence(lines) })
}

/// Where restoring stopped.
enum Stopped {
    Read(CallError),
    Write(CallError),
    NoObject,
}

async fn one(api: &Writer, kinds: &Kinds<'_>, captured: &Value, only_gone: bool) -> Result<String, Stopped> {
    let named = reference(captured).ok_or(Stopped::NoObject)?;
    let resource = kinds.of(&named).await.map_err(Stopped::Read)?;
    let path = |name| object_path(&resource, named.namespace.as_deref(), name, None).map_err(Stopped::Read);
    let writing = |path: String| query_path(&path, &[("fieldManager", MANAGER)]);
    let wanted = wanted(captured);
    let sought = Sought::new(&resource, named.namespace.as_deref(), &named.name);
    match api.read.look(sought).await.map_err(Stopped::Read)? {
        // Who made it makes it again; tied to an owner that is gone, it would be deleted at once.
        None if only_gone && is_controlled(captured) => Ok(format!("{named} is left to its owner")),
        None => {
            api.post(&writing(path(None)?), &wanted).await.map_err(Stopped::Write)?;
            Ok(format!("{named} created again"))
        }
        Some(present) if self::wanted(&present) == wanted => Ok(format!("{named} is as it was")),
        Some(_) if only_gone => Ok(format!("{named} is there")),
        Some(present) => {
            let body = under_version_of(wanted, &present);
            api.put(&writing(path(Some(&named.name))?), &body).await.map_err(Stopped::Write)?;
            Ok(format!("{named} restored"))
        }
    }
}

fn is_controlled(object: &Value) -> bool {
    let owners = object.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    owners.into_iter().flatten().any(|owner| owner.get("controller") == Some(&Value::Bool(true)))
}

/// What somebody wanted of an object: without status and without what the API server fills in.
pub(super) fn wanted(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
        if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.retain(|name, _| !OF_THE_SERVER.contains(&name.as_str()));
        }
    }
    object
}

/// Ties a replacement to the object that was just read, so that a change in between is a conflict.
fn under_version_of(mut object: Value, present: &Value) -> Value {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in ["resourceVersion", "uid"] {
            if let Some(value) = present.pointer("/metadata").and_then(|metadata| metadata.get(field)) {
                metadata.insert(field.to_owned(), value.clone());
            }
        }
    }
    object
}

/// An outcome that also tells what was restored before it.
fn with_done(outcome: Outcome, lines: &[String]) -> Outcome {
    let more = |Evidence(mut evidence): Evidence| {
        evidence.extend_from_slice(lines);
        Evidence(evidence)
    };
    match outcome {
        Outcome::Done { evidence } => Outcome::Done { evidence: more(evidence) },
        Outcome::NotDone { class, evidence } => Outcome::NotDone { class, evidence: more(evidence) },
        Outcome::InDoubt { class, evidence } => Outcome::InDoubt { class, evidence: more(evidence) },
        blocked @ Outcome::Blocked { .. } => blocked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_somebody_wanted_is_put_back() {
        let captured = json!({"kind": "K", "metadata": {"name": "n", "uid": "u", "resourceVersion": "1", "generation": 4,
            "labels": {"a": "b"}}, "spec": {"x": 1}, "status": {"y": 2}});
        let wanted = wanted(&captured);
        assert_eq!(
            wanted,
            json!({"kind": "K", "metadata": {"name": "n", "labels": {"a": "b"}}, "spec": {"x": 1}})
        );
        let present = json!({"metadata": {"uid": "v", "resourceVersion": "9"}});
        let body = under_version_of(wanted, &present);
        assert_eq!(
            (&body["metadata"]["uid"], &body["metadata"]["resourceVersion"]),
            (&json!("v"), &json!("9"))
        );
    }
}
