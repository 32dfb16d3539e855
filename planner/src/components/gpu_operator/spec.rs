//! The kind `GpuOperatorUpgrade`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use switchback_schemas::{
    Version,
    manifest::{ChartSource, OnFailure, Requires},
    name::{Label, ObjectName},
};

use crate::manifest::upgrade;

/// Moves the NVIDIA GPU Operator and its operands. The driver and its manager stay as they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GpuOperatorUpgrade {
    /// The cluster.
    pub target: Label,
    /// The version to reach.
    pub to: Version,
    /// The release of the chart `gpu-operator`.
    pub release: ObjectName,
    /// Where the chart comes from.
    pub charts: ChartSource,
    /// Values that change with the upgrade, by dotted path; all other values stay as they are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, Value>,
    /// The driver that stays; what the ClusterPolicy says when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<DriverPin>,
    /// What becomes of driver pods whose template the upgrade changes.
    #[serde(default)]
    pub driver_restarts: DriverRestarts,
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

/// The driver that stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DriverPin {
    /// The version that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The version of the driver manager that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manager_version: Option<String>,
}

/// What becomes of driver pods whose template an upgrade changes, though the driver stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DriverRestarts {
    /// No plan is made: the operator would evict GPU pods from every node.
    #[default]
    Refuse,
    /// They stay. Each node keeps the label `nvidia.com/gpu-driver-upgrade.skip`, until somebody who has drained it takes it off.
    Postpone,
}

upgrade!(GpuOperatorUpgrade);
