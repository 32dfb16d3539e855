//! Controllers of pods: built-in kinds by what they say of themselves, all others by the pods that name them.

use serde_json::Value;
use switchback_schemas::{
    inventory::{Container, Workload},
    name::{ObjectName, ObjectRef},
};

use super::pods::Pods;
use crate::{
    fields::{has_condition, number, text, texts},
    pods::{jobs, owners::controller},
};

pub(super) fn read(objects: &[Value], pods: &Pods) -> Vec<Workload> {
    let mut workloads: Vec<Workload> = objects.iter().filter(|object| counts(object)).map(workload).collect();
    workloads.extend(pods.of_others.iter().map(|(object, pods)| other(object, pods)));
    workloads.sort_by(|a, b| key(a).cmp(&key(b)));
    workloads
}

fn key(workload: &Workload) -> (&str, &ObjectRef) {
    (&workload.object.kind, &workload.object)
}

/// Finished Jobs are history, and ReplicaSets of a Deployment are the Deployment's own business.
fn counts(object: &Value) -> bool {
    match text(object, "/kind") {
        "Job" => !has_condition(object, "Complete") && !has_condition(object, "Failed"),
        "ReplicaSet" => controller(object).is_none(),
        _ => true,
    }
}

fn workload(object: &Value) -> Workload {
    let kind = text(object, "/kind");
    let wanted = |pointer| object.pointer(pointer).and_then(Value::as_u64).unwrap_or(1);
    let (replicas, ready) = match kind {
        "DaemonSet" => {
            (number(object, "/status/desiredNumberScheduled"), number(object, "/status/numberReady"))
        }
        "Job" => (wanted("/spec/parallelism"), number(object, "/status/active")),
        _ => (wanted("/spec/replicas"), number(object, "/status/readyReplicas")),
    };
    let name = ObjectName::namespaced(text(object, "/metadata/namespace"), text(object, "/metadata/name"));
    Workload {
        object: ObjectRef::new(text(object, "/apiVersion"), kind, &name),
        replicas,
        ready,
        paused: object.pointer("/spec/paused").and_then(Value::as_bool) == Some(true),
        survives: if kind == "Job" { jobs::survives(object) } else { None },
        labels: texts(object, "/metadata/labels"),
        containers: containers(object.pointer("/spec/template/spec/containers")),
    }
}

fn other(object: &ObjectRef, pods: &[Value]) -> Workload {
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    Workload {
        object: object.clone(),
        replicas: count(pods.len()),
        ready: count(pods.iter().filter(|pod| has_condition(pod, "Ready")).count()),
        paused: false,
        survives: None,
        labels: std::collections::BTreeMap::new(),
        containers: containers(pods.first().and_then(|pod| pod.pointer("/spec/containers"))),
    }
}

fn containers(containers: Option<&Value>) -> Vec<Container> {
    let containers = containers.and_then(Value::as_array).into_iter().flatten();
    containers
        .map(|c| Container { name: text(c, "/name").to_owned(), image: text(c, "/image").to_owned() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn history_is_left_out() {
        let done = json!({"kind": "Job", "status": {"conditions": [{"type": "Complete", "status": "True"}]}});
        let owned = json!({"kind": "ReplicaSet", "metadata": {"ownerReferences": [{"controller": true}]}});
        assert!(!counts(&done));
        assert!(!counts(&owned));
        assert!(counts(&json!({"kind": "Job"})));
        assert!(counts(&json!({"kind": "ReplicaSet"})));
    }

    #[test]
    fn a_workload_says_what_it_wants_and_has() {
        let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": "a", "name": "b"},
            "spec": {"replicas": 3, "template": {"spec": {"containers": [{"name": "c", "image": "i:1"}]}}},
            "status": {"readyReplicas": 2}});
        let workload = workload(&object);
        assert_eq!((workload.replicas, workload.ready), (3, 2));
        assert_eq!(workload.containers[0].image, "i:1");
    }
}
