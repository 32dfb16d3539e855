//! Nodes: what is read of them in more than one place.

use std::collections::BTreeSet;

use serde_json::Value;
use switchback_schemas::plan::{Objection, Pool};

use crate::{
    api::{Kinds, Query, Reader, Resource, Sought},
    classify::CallError,
    fields,
    pods::{gpus, objections},
};

/// Annotation of a node that says which run cordoned it.
pub const CORDONED_BY: &str = "switchback.dev/cordoned-by";

/// One of the kinds that every API server serves.
pub(crate) fn built_in(api_version: &str, kind: &str) -> Result<Resource, CallError> {
    let missing = || CallError::NotServed { api_version: api_version.to_owned(), kind: kind.to_owned() };
    Kinds::built_in(api_version, kind).ok_or_else(missing)
}

/// The UID of the namespace `kube-system`, by which a cluster is known again.
pub(crate) async fn kube_system_uid(api: &Reader) -> Result<String, CallError> {
    let kind = built_in("v1", "Namespace")?;
    let namespace = api.look(Sought::new(&kind, None, "kube-system")).await?;
    let missing = || CallError::Garbled {
        what: "it has no namespace kube-system: this is no API server that can be known again".to_owned(),
    };
    Ok(namespace.ok_or_else(missing)?.uid().to_owned())
}

/// Pods.
pub(crate) fn pods() -> Result<Resource, CallError> {
    built_in("v1", "Pod")
}

/// The pods that stand on a node.
pub(crate) fn pods_query(node: &str) -> Query {
    Query { fields: Some(format!("spec.nodeName={node}")), ..Query::all() }
}

/// Whether a node is cordoned.
pub(crate) fn is_cordoned(node: &Value) -> bool {
    node.pointer("/spec/unschedulable").and_then(Value::as_bool) == Some(true)
}

/// Why nothing is done on a node that somebody uncordoned since it was drained.
pub(crate) fn uncordoned(name: &str) -> String {
    format!("node {name} is not cordoned any more, and pods may stand on it: cordon and drain it, and retry")
}

/// The run that cordoned a node.
pub(crate) fn cordoned_by(node: &Value) -> Option<&str> {
    node.pointer("/metadata/annotations")?.get(CORDONED_BY)?.as_str()
}

/// What stands against moving a node, whatever stands on it. A run that marked its cordon is nobody else.
pub(crate) fn objections(node: &Value) -> BTreeSet<Objection> {
    let mut found = BTreeSet::new();
    if objections::says_no(node) {
        found.insert(Objection::DoNotDisrupt);
    }
    if is_cordoned(node) && cordoned_by(node).is_none() {
        found.insert(Objection::Cordoned);
    }
    found
}

/// Whether a node is Ready.
pub(crate) fn is_ready(node: &Value) -> bool {
    fields::has_condition(node, "Ready")
}

/// Whether a node has GPUs: because it says so, or because a pool that it belongs to says so.
pub(crate) fn has_gpus(node: &Value, pools: &[Pool]) -> bool {
    let label = |key: &str| node.pointer("/metadata/labels").and_then(|labels| labels.get(key)?.as_str());
    let of_pool = |pool: &Pool| pool.labels.iter().all(|(key, value)| label(key) == Some(value));
    !gpus::of_node(node).is_empty() || pools.iter().any(|pool| pool.gpu && of_pool(pool))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a06_a07_somebodys_cordon_and_somebodys_no_are_objections() {
        let node = |annotations: Value| json!({"metadata": {"annotations": annotations}, "spec": {"unschedulable": true}});
        assert_eq!(objections(&node(json!({}))), [Objection::Cordoned].into());
        assert_eq!(objections(&node(json!({CORDONED_BY: "run-1"}))), [].into());
        let no = json!({"metadata": {"annotations": {"karpenter.sh/do-not-disrupt": "true"}}});
        assert_eq!(objections(&no), [Objection::DoNotDisrupt].into());
    }
}
