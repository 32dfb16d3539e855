//! Effects on an EKS cluster. Each starts an update of the service, or adopts the one that is under way, and is blocked until
//! that ends: a call of ours never waits (facts of the API: docs in `executor/aws/README.md`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Version,
    name::Label,
    plan::{Operand, Target},
};

/// `UpdateClusterVersion`: one minor up, or, within seven days of its end, back down to where it came from. Never forced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EksUpdateCluster {
    /// The cluster.
    pub target: Label,
    /// The minor that it must have before, or nothing is started.
    pub from: Version,
    /// The minor after.
    pub to: Version,
}

/// `UpdateAddon` to a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EksUpdateAddon {
    /// The cluster.
    pub target: Label,
    /// The add-on's name, such as `vpc-cni`.
    pub addon: String,
    /// Its version, a text such as `v1.20.1-eksbuild.3`.
    pub version: Operand,
    /// What happens to fields that somebody else set.
    pub conflicts: ResolveConflicts,
}

/// What an add-on's update does about fields that differ from its defaults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ResolveConflicts {
    /// The update fails.
    None,
    /// They are set to the add-on's own.
    Overwrite,
    /// They stay.
    #[default]
    Preserve,
}

/// `UpdateNodegroupVersion`: EKS picks the nodes at random, drains each for 15 minutes at most, and cannot be paused. Never
/// forced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EksUpdateNodegroup {
    /// The cluster.
    pub target: Label,
    /// The group.
    pub nodegroup: String,
    /// The minor of its kubelets after.
    pub kubernetes: Version,
    /// The AMI release, a text; without one the newest of the minor is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<Operand>,
}

/// `CreateNodegroup` as a copy of another one: the same subnets, role, instance types, disks, labels and taints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EksCreateNodegroup {
    /// The cluster.
    pub target: Label,
    /// The new group.
    pub nodegroup: String,
    /// The group that it is a copy of.
    pub like: String,
    /// The minor of its kubelets.
    pub kubernetes: Version,
    /// Its AMI type, where it differs from that of the group it is a copy of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ami_type: Option<String>,
    /// How many nodes it starts with.
    pub size: NodegroupSize,
}

impl EksCreateNodegroup {
    /// The tag of a copy that names the group which it was made from.
    pub const COPY_OF: &str = "switchback.dev/copy-of";
}

/// `UpdateNodegroupConfig` of how many nodes a group has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EksScaleNodegroup {
    /// The cluster.
    pub target: Label,
    /// The group.
    pub nodegroup: String,
    /// How many nodes it shall have.
    pub size: NodegroupSize,
}

/// How many nodes a group has. Whole numbers, known now or captured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodegroupSize {
    /// No fewer than these.
    pub min: Operand,
    /// These many now.
    pub desired: Operand,
    /// No more than these.
    pub max: Operand,
}

/// `DeleteNodegroup`. A group that still has nodes is refused: they are drained and terminated one by one before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EksDeleteNodegroup {
    /// The cluster.
    pub target: Label,
    /// The group.
    pub nodegroup: String,
}

/// `TerminateInstanceInAutoScalingGroup` of a drained node, with the group's desired size lowered by one, so that it is not
/// replaced. Done when the instance is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeTerminate {
    /// The cluster.
    pub target: Label,
    /// The node.
    pub node: Target,
    /// Its provider id, `aws:///ZONE/INSTANCE`. Bound together with the node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<String>,
}
