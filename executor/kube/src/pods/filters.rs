//! Which pods of a node a drain has to move. The rules are those of `kubectl drain`, as `facts/catalog/drain.yaml` tells
//! them: DaemonSet pods, mirror pods and finished pods stay.

use serde_json::Value;

use crate::fields;

/// Annotation of a pod that the kubelet made from a file on its node.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// What a drain has to do with a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It stays: DaemonSet, mirror, finished.
    Stays,
    /// It is on its way out.
    Terminating,
    /// It has to move.
    Moves,
}

/// What a drain has to do with a pod.
pub(crate) fn standing(pod: &Value) -> Standing {
    if is_finished(pod) || is_mirror(pod) || daemon_set(pod).is_some() {
        Standing::Stays
    } else if pod.pointer("/metadata/deletionTimestamp").is_some() {
        Standing::Terminating
    } else {
        Standing::Moves
    }
}

/// Whether its containers have ended for good.
pub(crate) fn is_finished(pod: &Value) -> bool {
    matches!(fields::text(pod, "/status/phase"), "Succeeded" | "Failed")
}

fn is_mirror(pod: &Value) -> bool {
    pod.pointer("/metadata/annotations").is_some_and(|annotations| annotations.get(MIRROR).is_some())
}

/// The reference to the DaemonSet that makes a pod.
pub(crate) fn daemon_set(pod: &Value) -> Option<&Value> {
    super::owners::controller(pod).filter(|owner| fields::text(owner, "/kind") == "DaemonSet")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pods_that_a_drain_leaves_alone() {
        let daemon = json!({"metadata": {"ownerReferences": [{"kind": "DaemonSet", "name": "d", "controller": true}]}});
        let mirror = json!({"metadata": {"annotations": {MIRROR: "x"}}});
        let finished = json!({"metadata": {"deletionTimestamp": "t"}, "status": {"phase": "Succeeded"}});
        for pod in [daemon, mirror, finished] {
            assert_eq!(standing(&pod), Standing::Stays, "{pod}");
        }
    }

    #[test]
    fn pods_that_move_and_pods_on_their_way() {
        assert_eq!(standing(&json!({"metadata": {}, "status": {"phase": "Running"}})), Standing::Moves);
        assert_eq!(standing(&json!({"metadata": {"deletionTimestamp": "t"}})), Standing::Terminating);
        let not_controlled = json!({"metadata": {"ownerReferences": [{"kind": "DaemonSet", "name": "d"}]}});
        assert_eq!(standing(&not_controlled), Standing::Moves);
    }
}
