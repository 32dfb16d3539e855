//! What stands on single nodes: pods of DaemonSets, what holds their devices, what they offer.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Pods of DaemonSets, one or more a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DaemonPods {
    /// Their namespace.
    pub namespace: String,
    /// Their labels; none for those of every DaemonSet of the namespace.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The version of their first container: the tag of its image is this, or this and then what follows a `-`. Absent where any
    /// will do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// Pods that keep a driver from being unloaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeviceHolders {
    /// What the resources begin with that they ask for.
    pub resources: String,
    /// Runtime classes under which a pod gets devices that it did not ask for.
    pub runtime_classes: Vec<String>,
    /// Directories of the host that only users of the driver mount.
    pub host_paths: Vec<String>,
    /// The namespace of the operator, whose own DaemonSets it takes off the node by itself.
    pub operator: String,
    /// What the labels of nodes begin with by which it takes off DaemonSets of others, too: those that select nodes by one.
    pub taken_off_by: String,
}

impl DeviceHolders {
    /// Who holds the driver of NVIDIA, where the GPU Operator stands in a namespace.
    pub fn of_nvidia(operator: &str) -> Self {
        Self {
            resources: "nvidia.com/".to_owned(),
            runtime_classes: ["nvidia", "nvidia-cdi", "nvidia-legacy"].map(str::to_owned).to_vec(),
            host_paths: vec!["/run/nvidia/driver".to_owned()],
            operator: operator.to_owned(),
            taken_off_by: "nvidia.com/gpu.deploy.".to_owned(),
        }
    }

    /// Who holds the driver of AMD, where its GPU Operator stands in a namespace. Pods of its DaemonSets go with the label that says that the
    /// driver is loaded.
    pub fn of_amd(operator: &str) -> Self {
        Self {
            resources: "amd.com/".to_owned(),
            runtime_classes: Vec::new(),
            host_paths: ["/dev/kfd", "/dev/dri"].map(str::to_owned).to_vec(),
            operator: operator.to_owned(),
            taken_off_by: "kmm.node.kubernetes.io/".to_owned(),
        }
    }
}

/// A kernel module that Kernel Module Management loads and unloads: what it has done on a node stands in the NodeModulesConfig of the
/// node's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KernelModule {
    /// The namespace of its Module.
    pub namespace: String,
    /// The name of its Module.
    pub name: String,
    /// Its version: the tag of the image that it was loaded from ends with `-` and this.
    pub version: String,
}

/// What nodes offered when they were observed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Offers {
    /// What the resources begin with. A node that was not observed offers one of them.
    pub resources: String,
    /// Quantities by resource, by node.
    pub observed: BTreeMap<String, BTreeMap<String, String>>,
}
