//! Pods: which of them a drain has to move, whose they are, and what the plan says about them.

pub(crate) mod budgets;
pub(crate) mod classes;
pub(crate) mod filters;
pub(crate) mod given_labels;
pub(crate) mod gpus;
pub(crate) mod jobs;
pub(crate) mod needs;
pub(crate) mod objections;
pub(crate) mod owners;

use serde_json::Value;

use crate::fields;

/// `namespace/name` of a pod.
pub(crate) fn name(pod: &Value) -> String {
    format!("{}/{}", fields::text(pod, "/metadata/namespace"), fields::text(pod, "/metadata/name"))
}
