//! The kind `DeploymentUpgrade`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use switchback_schemas::{
    Version,
    manifest::{OnFailure, Requires},
    name::{Label, ObjectName},
    seconds::Length,
};

use crate::manifest::upgrade;

/// Moves one container's image of a Deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeploymentUpgrade {
    /// The cluster.
    pub target: Label,
    /// The Deployment.
    pub deployment: ObjectName,
    /// The container.
    pub container: String,
    /// The image to reach, with a tag or a digest.
    pub image: String,
    /// The version that the image has, for the plan's path.
    pub to: Version,
    /// How long the rollout may take; 10 minutes when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Length>,
    /// What must come first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<Requires>,
    /// Verifications after it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verify: Vec<Label>,
    /// What follows a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
}

upgrade!(DeploymentUpgrade);
