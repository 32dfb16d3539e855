//! Effects: the typed arguments of what drivers do. One struct an effect; a driver implements it by the same
//! name and reads nothing else of the plan.

mod eks;
mod helm;
mod kube;
mod program;
mod rds;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use eks::{
    EksCreateNodegroup, EksDeleteNodegroup, EksScaleNodegroup, EksUpdateAddon, EksUpdateCluster,
    EksUpdateNodegroup, NodeTerminate, NodegroupSize, ResolveConflicts,
};
pub use helm::{Chart, HelmRollback, HelmUpgrade};
pub use kube::{
    KubeApply, KubeDelete, KubePatch, KubeRestore, MigrateStorage, NodeCordon, NodeDrain, SetField,
};
pub use program::{Command, EnvValue, Notify};
pub use rds::{RdsDeleteInstance, RdsDeleteSnapshot, RdsProveSnapshot, RdsRestore, RdsSnapshot};

use super::Condition;

/// Something that changes the platform, or waits for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", deny_unknown_fields)]
pub enum Effect {
    /// Server-side apply of one object.
    #[serde(rename = "kube.apply")]
    KubeApply(KubeApply),
    /// Compare-and-set of some fields of one object.
    #[serde(rename = "kube.patch")]
    KubePatch(KubePatch),
    /// Puts objects back as they were captured.
    #[serde(rename = "kube.restore")]
    KubeRestore(KubeRestore),
    /// Deletes one object.
    #[serde(rename = "kube.delete")]
    KubeDelete(KubeDelete),
    /// Rewrites all objects of a CRD in one stored version.
    #[serde(rename = "kube.migrate-storage")]
    MigrateStorage(MigrateStorage),
    /// Makes a node unschedulable, or schedulable again.
    #[serde(rename = "node.cordon")]
    NodeCordon(NodeCordon),
    /// Evicts the pods of a cordoned node by the eviction API, as their workload classes say.
    #[serde(rename = "node.drain")]
    NodeDrain(NodeDrain),
    /// Upgrades (or installs) a Helm release.
    #[serde(rename = "helm.upgrade")]
    HelmUpgrade(HelmUpgrade),
    /// Rolls a Helm release back to a revision.
    #[serde(rename = "helm.rollback")]
    HelmRollback(HelmRollback),
    /// Moves an EKS control plane by one minor.
    #[serde(rename = "eks.update-cluster")]
    EksUpdateCluster(EksUpdateCluster),
    /// Moves an EKS add-on to a version.
    #[serde(rename = "eks.update-addon")]
    EksUpdateAddon(EksUpdateAddon),
    /// Lets EKS replace the nodes of a managed group.
    #[serde(rename = "eks.update-nodegroup")]
    EksUpdateNodegroup(EksUpdateNodegroup),
    /// Makes a managed node group as a copy of another one.
    #[serde(rename = "eks.create-nodegroup")]
    EksCreateNodegroup(EksCreateNodegroup),
    /// Sets how many nodes a managed group has.
    #[serde(rename = "eks.scale-nodegroup")]
    EksScaleNodegroup(EksScaleNodegroup),
    /// Deletes a managed node group that has no nodes.
    #[serde(rename = "eks.delete-nodegroup")]
    EksDeleteNodegroup(EksDeleteNodegroup),
    /// Terminates the instance of a drained node and does not replace it.
    #[serde(rename = "node.terminate")]
    NodeTerminate(NodeTerminate),
    /// Makes a snapshot of an RDS instance.
    #[serde(rename = "rds.snapshot")]
    RdsSnapshot(RdsSnapshot),
    /// Proves that a snapshot can be restored.
    #[serde(rename = "rds.prove-snapshot")]
    RdsProveSnapshot(RdsProveSnapshot),
    /// Puts an RDS instance back as a snapshot holds it.
    #[serde(rename = "rds.restore")]
    RdsRestore(RdsRestore),
    /// Deletes a snapshot that a step took.
    #[serde(rename = "rds.delete-snapshot")]
    RdsDeleteSnapshot(RdsDeleteSnapshot),
    /// Deletes an instance that a restore put aside.
    #[serde(rename = "rds.delete-instance")]
    RdsDeleteInstance(RdsDeleteInstance),
    /// Runs a program.
    #[serde(rename = "command")]
    Command(Command),
    /// Tells a channel.
    #[serde(rename = "notify")]
    Notify(Notify),
    /// Does nothing but wait for its verification: a checkpoint of health.
    #[serde(rename = "wait")]
    Wait(Wait),
}

impl Effect {
    /// Every kind, as it stands in `kind` and among a plan's features.
    pub const KINDS: [&'static str; 24] = [
        "kube.apply",
        "kube.patch",
        "kube.restore",
        "kube.delete",
        "kube.migrate-storage",
        "node.cordon",
        "node.drain",
        "helm.upgrade",
        "helm.rollback",
        "eks.update-cluster",
        "eks.update-addon",
        "eks.update-nodegroup",
        "eks.create-nodegroup",
        "eks.scale-nodegroup",
        "eks.delete-nodegroup",
        "node.terminate",
        "rds.snapshot",
        "rds.prove-snapshot",
        "rds.restore",
        "rds.delete-snapshot",
        "rds.delete-instance",
        "command",
        "notify",
        "wait",
    ];

    /// The kind, as it stands in `kind`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::KubeApply(_) => "kube.apply",
            Self::KubePatch(_) => "kube.patch",
            Self::KubeRestore(_) => "kube.restore",
            Self::KubeDelete(_) => "kube.delete",
            Self::MigrateStorage(_) => "kube.migrate-storage",
            Self::NodeCordon(_) => "node.cordon",
            Self::NodeDrain(_) => "node.drain",
            Self::HelmUpgrade(_) => "helm.upgrade",
            Self::HelmRollback(_) => "helm.rollback",
            Self::EksUpdateCluster(_) => "eks.update-cluster",
            Self::EksUpdateAddon(_) => "eks.update-addon",
            Self::EksUpdateNodegroup(_) => "eks.update-nodegroup",
            Self::EksCreateNodegroup(_) => "eks.create-nodegroup",
            Self::EksScaleNodegroup(_) => "eks.scale-nodegroup",
            Self::EksDeleteNodegroup(_) => "eks.delete-nodegroup",
            Self::NodeTerminate(_) => "node.terminate",
            Self::RdsSnapshot(_) => "rds.snapshot",
            Self::RdsProveSnapshot(_) => "rds.prove-snapshot",
            Self::RdsRestore(_) => "rds.restore",
            Self::RdsDeleteSnapshot(_) => "rds.delete-snapshot",
            Self::RdsDeleteInstance(_) => "rds.delete-instance",
            Self::Command(_) => "command",
            Self::Notify(_) => "notify",
            Self::Wait(_) => "wait",
        }
    }
}

/// Waits until its condition holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wait {
    /// The condition.
    pub until: Condition,
}
