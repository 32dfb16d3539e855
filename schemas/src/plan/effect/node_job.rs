//! A Job on one node, to its end.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    Seconds,
    plan::{BoundObject, Target},
};

/// How long a Job that has ended stays, so that somebody can read what it wrote.
const STAYS: u64 = 24 * 60 * 60;

/// Runs a Job on a node, whatever keeps other pods from it, and answers when it has ended. It is tried once: what fails is a failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "NodeJob")]
pub struct NodeJob<T = Target> {
    /// The node.
    pub node: T,
    /// The Job's namespace.
    pub namespace: String,
    /// What its name begins with.
    pub name: String,
    /// The spec of its pod, without what puts it onto the node.
    pub pod: Value,
    /// How long it may take, the pulling of its image included.
    pub within: Seconds,
    /// What it has to come to.
    pub until: NodeJobEnd,
}

/// What a Job on a node has to come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum NodeJobEnd {
    /// It succeeds.
    Succeeded,
    /// The node has booted anew and is Ready, whatever became of the Job.
    Rebooted,
}

impl NodeJob<BoundObject> {
    /// The Job, under a name.
    pub fn object(&self, name: &str) -> Value {
        let labels = json!({"app.kubernetes.io/managed-by": "switchback"});
        let mut pod = self.pod.clone();
        if let Some(fields) = pod.as_object_mut() {
            let here = json!({"key": "metadata.name", "operator": "In", "values": [self.node.object.name]});
            let required = json!({"nodeSelectorTerms": [{"matchFields": [here]}]});
            let affinity =
                json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}});
            fields.insert("affinity".to_owned(), affinity);
            // The node is cordoned, and may have taints that keep all but its own pods from it.
            fields.insert("tolerations".to_owned(), json!([{"operator": "Exists"}]));
            fields.insert("restartPolicy".to_owned(), json!("Never"));
        }
        json!({
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": name, "namespace": self.namespace, "labels": labels},
            "spec": {
                "backoffLimit": 0,
                "completions": 1,
                "parallelism": 1,
                "activeDeadlineSeconds": self.within.0,
                "ttlSecondsAfterFinished": STAYS,
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        })
    }
}
