//! The kind `GpuDriverUpgrade`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use switchback_schemas::{
    Version,
    manifest::{ChartSource, OnFailure, Requires, Rollout, SmokeTest},
    name::{Label, ObjectName},
    seconds::Length,
};

use crate::manifest::upgrade;

/// Moves the driver of GPU nodes that the NVIDIA GPU Operator installs, node by node. The operator stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GpuDriverUpgrade {
    /// The cluster.
    pub target: Label,
    /// The version of the driver to reach, as `driver.version` of the chart has it.
    pub to: Version,
    /// The release of the chart `gpu-operator`.
    pub release: ObjectName,
    /// Where the chart comes from. It stays at the version that is deployed.
    pub charts: ChartSource,
    /// How nodes move.
    #[serde(default)]
    pub rollout: Rollout,
    /// How long the new driver may take to be Ready on a node that is empty; 40 minutes when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver_within: Option<Length>,
    /// What each node has to pass once its driver is ready, before it takes pods again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smoke_test: Option<SmokeTest>,
    /// The newest CUDA that workloads on the GPU nodes are built for: no API shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cuda: Option<Version>,
    /// What must come first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<Requires>,
    /// Verifications after the upgrade.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verify: Vec<Label>,
    /// What follows a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
}

upgrade!(GpuDriverUpgrade);
