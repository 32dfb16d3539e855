//! What the component of AMD's drivers needs to know.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::name::ObjectName;

/// The section `rocm-driver` of an inventory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RocmDriver {
    /// DeviceConfigs, by namespace and name.
    pub configs: Vec<DeviceConfig>,
}

/// A DeviceConfig of AMD's GPU Operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeviceConfig {
    /// Its name.
    pub name: ObjectName,
    /// Whether the operator installs the driver; where it does not, the node's image holds it.
    pub enabled: bool,
    /// `spec.driver.version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// `spec.driver.driverType`.
    pub driver_type: String,
    /// `spec.driver.upgradePolicy`; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<RocmPolicy>,
    /// `spec.driver.tolerations`, as they stand there; null where there are none.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub tolerations: Value,
    /// `spec.remediationWorkflow.enable`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remediation: Option<bool>,
    /// The image of the DRA driver, where that is enabled; empty where the operator chooses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dra_image: Option<String>,
    /// The version of the Module that the operator makes of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// Nodes that it selects, by name.
    pub nodes: Vec<RocmNode>,
    /// DaemonSets of others that hold the driver, and that no drain takes off a node.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holders: Vec<ObjectName>,
}

/// How the operator upgrades drivers by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RocmPolicy {
    /// `enable`; where it is left out, the operator upgrades as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable: Option<bool>,
    /// `rebootRequired`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reboots: bool,
}

impl RocmPolicy {
    /// Whether the operator upgrades drivers by itself. It asks whether the policy is switched off, and not whether it is on.
    pub fn is_on(&self) -> bool {
        self.enable != Some(false)
    }
}

/// A node with GPUs of AMD.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RocmNode {
    /// Its name.
    pub name: String,
    /// The version that its label asks of Kernel Module Management.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Whether it has the label that says that the driver is loaded.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ready: bool,
    /// `status.nodeModuleStatus` of the DeviceConfig: its state; absent while the operator upgrades nothing by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The image that the driver was loaded from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Whether it has the operator's taint.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tainted: bool,
    /// Its label `operator.amd.com/gpu-driver-upgrade-state`, by which somebody asks for another attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<String>,
    /// What it offers of `amd.com/*`, as the kubelet says it.
    pub allocatable: BTreeMap<String, String>,
}
