//! What stands against moving a pod: annotations with which somebody said no, and what a move would lose.
//!
//! What keeps data on a node is what the cluster autoscaler takes for it, so that an owner who said yes to it there has said it here.

use std::collections::BTreeSet;

use serde_json::Value;
use switchback_schemas::plan::Objection;

use super::owners::controller;
use crate::fields::text;

/// Annotations of pods and nodes that Karpenter does not disrupt by itself; the second until v1beta1.
const DO_NOT_DISRUPT: [&str; 2] = ["karpenter.sh/do-not-disrupt", "karpenter.sh/do-not-evict"];
/// What an owner says to the cluster autoscaler: `true`, `false`.
const SAFE_TO_EVICT: &str = "cluster-autoscaler.kubernetes.io/safe-to-evict";
/// Volumes that it may lose, by name.
const SAFE_VOLUMES: &str = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes";

/// What stands against moving a pod.
pub(crate) fn of_pod(pod: &Value) -> BTreeSet<Objection> {
    let mut found = BTreeSet::new();
    if says_no(pod) {
        found.insert(Objection::DoNotDisrupt);
    }
    match annotation(pod, SAFE_TO_EVICT) {
        // An owner who says yes says it to all that follows.
        Some("true") => return found,
        Some("false") => drop(found.insert(Objection::SafeToEvict)),
        _ => {}
    }
    if controller(pod).is_none() {
        found.insert(Objection::NoController);
    }
    if has_local_data(pod) {
        found.insert(Objection::LocalData);
    }
    found
}

/// Whether somebody said of a pod or a node that it is not to be disrupted.
pub(crate) fn says_no(object: &Value) -> bool {
    DO_NOT_DISRUPT.iter().any(|key| annotation(object, key).is_some_and(|value| value != "false"))
}

fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.pointer("/metadata/annotations")?.get(key)?.as_str()
}

fn has_local_data(pod: &Value) -> bool {
    let safe: Vec<&str> =
        annotation(pod, SAFE_VOLUMES).unwrap_or_default().split(',').map(str::trim).collect();
    let volumes = pod.pointer("/spec/volumes").and_then(Value::as_array);
    volumes.into_iter().flatten().any(|volume| {
        let on_disk = volume.get("emptyDir").is_some() && text(volume, "/emptyDir/medium") != "Memory";
        (on_disk || volume.get("hostPath").is_some()) && !safe.contains(&text(volume, "/name"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(annotations: &Value, volumes: &Value) -> Value {
        json!({"metadata": {"annotations": annotations,
            "ownerReferences": [{"kind": "ReplicaSet", "name": "r", "controller": true}]}, "spec": {"volumes": volumes}})
    }

    fn is(found: &BTreeSet<Objection>, expected: &[Objection]) {
        assert_eq!(*found, expected.iter().copied().collect());
    }

    #[test]
    fn a06_somebodys_no_is_an_objection() {
        use Objection::{DoNotDisrupt, SafeToEvict};
        is(&of_pod(&pod(&json!({"karpenter.sh/do-not-disrupt": "true"}), &json!([]))), &[DoNotDisrupt]);
        is(&of_pod(&pod(&json!({"karpenter.sh/do-not-disrupt": "false"}), &json!([]))), &[]);
        is(&of_pod(&pod(&json!({SAFE_TO_EVICT: "false"}), &json!([]))), &[SafeToEvict]);
    }

    #[test]
    fn a04_what_nothing_brings_back_is_an_objection() {
        use Objection::{LocalData, NoController};
        let bare = json!({"metadata": {}, "spec": {"volumes": [{"name": "scratch", "emptyDir": {}}]}});
        is(&of_pod(&bare), &[NoController, LocalData]);
        let host = json!([{"name": "d", "hostPath": {"path": "/data"}}]);
        is(&of_pod(&pod(&json!({}), &host)), &[LocalData]);
        is(&of_pod(&pod(&json!({SAFE_VOLUMES: "a, d"}), &host)), &[]);
        is(&of_pod(&pod(&json!({SAFE_TO_EVICT: "true"}), &host)), &[]);
        is(&of_pod(&pod(&json!({}), &json!([{"name": "m", "emptyDir": {"medium": "Memory"}}]))), &[]);
    }
}
