//! What is asked of nodes and their kubelets.

use std::collections::BTreeMap;

use switchback_schemas::plan::{Condition, FieldTest, KubeCondition, Test};

use crate::lower::groups::nodes;

/// No node that was found by labels has a kubelet that passes a test.
pub(super) fn no_kubelet(labels: &BTreeMap<String, String>, test: Test) -> Condition {
    Condition::Kube(KubeCondition::Count {
        find: nodes(labels),
        each: vec![FieldTest { pointer: "/status/nodeInfo/kubeletVersion".to_owned(), is: test }],
        at_least: None,
        at_most: Some(0),
    })
}
