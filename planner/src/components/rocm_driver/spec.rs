//! The kind `RocmDriverUpgrade`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use switchback_schemas::{
    Version,
    manifest::{OnFailure, Reboot, Requires, Rollout, SmokeTest},
    name::{Label, ObjectName},
    seconds::Length,
};

use crate::manifest::upgrade;

/// Moves the driver of GPU nodes that AMD's GPU Operator installs, node by node. The operator stays as it is. Not proven on a real
/// controller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RocmDriverUpgrade {
    /// The cluster.
    pub target: Label,
    /// The driver to reach, as `spec.driver.version` of the DeviceConfig has it: `6.4` or `7.0` up to ROCm 7.0, the driver's own number
    /// from ROCm 7.1 on (`30.20.1`).
    pub to: Version,
    /// The DeviceConfig.
    pub device_config: ObjectName,
    /// How nodes move.
    #[serde(default)]
    pub rollout: Rollout,
    /// How long the new driver may take to be loaded on a node that is empty; 40 minutes when it is left out. The operator may build its
    /// image first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver_within: Option<Length>,
    /// How each node boots anew once its driver has moved; no node does when it is left out. `rebootRequired` of the DeviceConfig is the
    /// operator's own way, which this upgrade does not take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reboot: Option<Reboot>,
    /// What each node has to pass before it takes pods again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smoke_test: Option<SmokeTest>,
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

upgrade!(RocmDriverUpgrade);
