//! What runs on each node of a roll before it takes pods again.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::seconds::Length;

/// A test that a node has to pass once its driver is ready, before it takes pods again. It is a Job of one pod that runs to its end;
/// an exit code other than 0 fails the batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SmokeTest {
    /// The image, with a tag or a digest.
    pub image: String,
    /// Program and arguments; those of the image when it is left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// What it asks of the node, by resource; one GPU when it is left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub resources: BTreeMap<String, String>,
    /// Where the Job stands; the namespace of the operator when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The runtime class of its pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_class: Option<String>,
    /// How long it may take, the pulling of its image included; 15 minutes when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Length>,
}

/// How a node boots anew: by a privileged pod in the namespaces of the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Reboot {
    /// The image, with a tag or a digest.
    pub image: String,
    /// Program and arguments; `nsenter --all --target=1 -- sh -c 'sync; reboot'` when it is left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// How long the node may take to be Ready again; an hour when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Length>,
}
