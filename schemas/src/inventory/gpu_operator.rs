//! What the GPU Operator component needs to know.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name::ObjectName;

/// The section `gpu-operator` of an inventory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GpuOperator {
    /// Names of the ClusterPolicies; the operator follows one.
    pub policies: Vec<String>,
    /// What the ClusterPolicy says of the driver; absent where there is no ClusterPolicy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<GpuDriver>,
    /// Names of the NVIDIADriver objects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nvidia_drivers: Vec<String>,
    /// Names of the GPUCluster objects, which take the place of a ClusterPolicy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gpu_clusters: Vec<String>,
    /// DaemonSets that the operator makes, by name.
    pub daemon_sets: Vec<GpuDaemonSet>,
    /// DaemonSets of others that hold the driver, and that neither a drain nor the operator takes off a node.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holders: Vec<ObjectName>,
    /// Nodes that have GPUs, by name.
    pub nodes: Vec<GpuNode>,
}

/// The driver of a ClusterPolicy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GpuDriver {
    /// Whether the operator installs it; where it does not, the node's image holds it.
    pub enabled: bool,
    /// Whether NVIDIADriver objects say which driver a node gets.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_objects: bool,
    /// `spec.driver.version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// `spec.driver.manager.version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manager_version: Option<String>,
    /// `spec.driver.upgradePolicy.autoUpgrade`.
    pub auto_upgrade: bool,
    /// Variables of the driver manager by which it moves pods and uncordons nodes by itself, where the operator upgrades no driver:
    /// `ENABLE_GPU_POD_EVICTION`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub manager_moves_pods: Vec<String>,
    /// Whether the version is a branch, and the image that of a driver compiled for one kernel.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub precompiled: bool,
    /// Switches below `spec.driver.upgradePolicy` that are on and have the operator move pods by itself: `drain.enable`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moves_pods: Vec<String>,
}

/// A DaemonSet that the operator makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GpuDaemonSet {
    /// Its name.
    pub name: ObjectName,
    /// Whether it installs drivers.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub driver: bool,
    /// Whether its pods follow its template only when somebody deletes them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub on_delete: bool,
    /// Pods that it wants.
    pub desired: u64,
    /// Pods of its present template.
    pub updated: u64,
    /// Pods that are ready.
    pub ready: u64,
}

/// A node that has GPUs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GpuNode {
    /// Its name.
    pub name: String,
    /// Its label `nvidia.com/gpu-driver-upgrade-state`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Its label `nvidia.com/gpu-driver-upgrade.skip`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip: Option<String>,
    /// Labels `nvidia.com/gpu.deploy.*` that say `paused-for-driver-upgrade`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paused: Vec<String>,
    /// The tag of the image of its driver pod; absent where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// What it offers of `nvidia.com/*`, as the kubelet says it.
    pub allocatable: BTreeMap<String, String>,
}
