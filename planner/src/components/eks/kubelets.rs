//! What is asked of nodes and their kubelets.

use std::collections::BTreeMap;

use serde_json::json;
use switchback_schemas::plan::{Condition, FieldTest, Find, KubeCondition, Test};

/// No node that was found by labels has a kubelet that passes a test.
pub(super) fn no_kubelet(labels: &BTreeMap<String, String>, test: Test) -> Condition {
    Condition::Kube(KubeCondition::Count {
        find: nodes(labels),
        each: vec![FieldTest { pointer: "/status/nodeInfo/kubeletVersion".to_owned(), is: test }],
        at_least: None,
        at_most: Some(0),
    })
}

/// So many nodes with these labels are Ready.
pub(super) fn ready(labels: &BTreeMap<String, String>, at_least: u64) -> Condition {
    let condition = json!({"type": "Ready", "status": "True"});
    Condition::Kube(KubeCondition::Count {
        find: nodes(labels),
        each: vec![FieldTest { pointer: "/status/conditions".to_owned(), is: Test::Contains(condition) }],
        at_least: Some(at_least),
        at_most: None,
    })
}

fn nodes(labels: &BTreeMap<String, String>) -> Find {
    Find { api_version: "v1".to_owned(), kind: "Node".to_owned(), namespace: None, labels: labels.clone() }
}
