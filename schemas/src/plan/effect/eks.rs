//! Effects on an EKS cluster. Each starts an update of the service, or adopts the one that is under way, and is blocked until
//! that ends: a call of ours never waits (facts of the API: docs in `executor/aws/README.md`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

use crate::{
    Version,
    name::Label,
    plan::{Arguments, Operand},
};

/// Effects on an EKS cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, IntoStaticStr, VariantNames)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[strum(serialize_all = "camelCase")]
#[schemars(rename = "EksEffect")]
pub enum EksEffect<V = Operand> {
    /// Moves a control plane by one minor.
    UpdateCluster(EksUpdateCluster),
    /// Moves an add-on to a version.
    UpdateAddon(EksUpdateAddon<V>),
    /// Lets EKS replace the nodes of a managed group.
    UpdateNodegroup(EksUpdateNodegroup<V>),
    /// Makes a managed node group as a copy of another one.
    CreateNodegroup(EksCreateNodegroup<V>),
    /// Sets how many nodes a managed group has.
    ScaleNodegroup(EksScaleNodegroup<V>),
    /// Deletes a managed node group that has no nodes.
    DeleteNodegroup(EksDeleteNodegroup),
    /// Terminates the instance of a drained node and does not replace it.
    TerminateNode(EksTerminateNode<V>),
}

impl EksEffect {
    /// The same with other arguments.
    pub fn map<A: Arguments>(&self, by: &mut A) -> Result<EksEffect<A::Value>, A::Error> {
        Ok(match self {
            Self::UpdateCluster(update) => EksEffect::UpdateCluster(update.clone()),
            Self::UpdateAddon(update) => EksEffect::UpdateAddon(EksUpdateAddon {
                target: update.target.clone(),
                addon: update.addon.clone(),
                version: by.value(&update.version)?,
                conflicts: update.conflicts,
            }),
            Self::UpdateNodegroup(update) => EksEffect::UpdateNodegroup(EksUpdateNodegroup {
                target: update.target.clone(),
                nodegroup: update.nodegroup.clone(),
                kubernetes: update.kubernetes.clone(),
                release: update.release.as_ref().map(|release| by.value(release)).transpose()?,
            }),
            Self::CreateNodegroup(create) => EksEffect::CreateNodegroup(EksCreateNodegroup {
                target: create.target.clone(),
                nodegroup: create.nodegroup.clone(),
                like: create.like.clone(),
                kubernetes: create.kubernetes.clone(),
                release: create.release.clone(),
                ami_type: create.ami_type.clone(),
                size: create.size.map(by)?,
            }),
            Self::ScaleNodegroup(scale) => EksEffect::ScaleNodegroup(EksScaleNodegroup {
                target: scale.target.clone(),
                nodegroup: scale.nodegroup.clone(),
                size: scale.size.map(by)?,
            }),
            Self::DeleteNodegroup(delete) => EksEffect::DeleteNodegroup(delete.clone()),
            Self::TerminateNode(terminate) => EksEffect::TerminateNode(EksTerminateNode {
                target: terminate.target.clone(),
                provider_id: by.value(&terminate.provider_id)?,
            }),
        })
    }
}

impl<V> EksEffect<V> {
    /// The cluster.
    pub fn target(&self) -> &Label {
        match self {
            Self::UpdateCluster(update) => &update.target,
            Self::UpdateAddon(update) => &update.target,
            Self::UpdateNodegroup(update) => &update.target,
            Self::CreateNodegroup(create) => &create.target,
            Self::ScaleNodegroup(scale) => &scale.target,
            Self::DeleteNodegroup(delete) => &delete.target,
            Self::TerminateNode(terminate) => &terminate.target,
        }
    }
}

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
#[schemars(rename = "EksUpdateAddon")]
pub struct EksUpdateAddon<V = Operand> {
    /// The cluster.
    pub target: Label,
    /// The add-on's name, such as `vpc-cni`.
    pub addon: String,
    /// Its version, a text such as `v1.20.1-eksbuild.3`.
    pub version: V,
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
#[schemars(rename = "EksUpdateNodegroup")]
pub struct EksUpdateNodegroup<V = Operand> {
    /// The cluster.
    pub target: Label,
    /// The group.
    pub nodegroup: String,
    /// The minor of its kubelets after.
    pub kubernetes: Version,
    /// The AMI release, a text; without one the newest of the minor is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<V>,
}

/// `CreateNodegroup` as a copy of another one: the same subnets, role, instance types, disks, labels and taints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "EksCreateNodegroup")]
pub struct EksCreateNodegroup<V = Operand> {
    /// The cluster.
    pub target: Label,
    /// The new group.
    pub nodegroup: String,
    /// The group that it is a copy of.
    pub like: String,
    /// The minor of its kubelets.
    pub kubernetes: Version,
    /// Its AMI release, such as `1.33.5-20261112`; without one the newest of the minor is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// Its AMI type, where it differs from that of the group it is a copy of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ami_type: Option<String>,
    /// How many nodes it starts with.
    pub size: NodegroupSize<V>,
}

impl EksCreateNodegroup {
    /// The tag of a copy that names the group which it was made from.
    pub const COPY_OF: &str = "switchback.dev/copy-of";
}

/// `UpdateNodegroupConfig` of how many nodes a group has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "EksScaleNodegroup")]
pub struct EksScaleNodegroup<V = Operand> {
    /// The cluster.
    pub target: Label,
    /// The group.
    pub nodegroup: String,
    /// How many nodes it shall have.
    pub size: NodegroupSize<V>,
}

/// How many nodes a group has. Whole numbers, known now or captured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "NodegroupSize")]
pub struct NodegroupSize<V = Operand> {
    /// No fewer than these.
    pub min: V,
    /// These many now.
    pub desired: V,
    /// No more than these.
    pub max: V,
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

impl NodegroupSize {
    /// The same with other arguments.
    fn map<A: Arguments>(&self, by: &mut A) -> Result<NodegroupSize<A::Value>, A::Error> {
        Ok(NodegroupSize {
            min: by.value(&self.min)?,
            desired: by.value(&self.desired)?,
            max: by.value(&self.max)?,
        })
    }
}

/// `TerminateInstanceInAutoScalingGroup` of a drained node, with the group's desired size lowered by one, so that it is not
/// replaced. Done when the instance is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "EksTerminateNode")]
pub struct EksTerminateNode<V = Operand> {
    /// The cluster.
    pub target: Label,
    /// The node's provider id, `aws:///ZONE/INSTANCE`.
    pub provider_id: V,
}
