//! Effects: the typed arguments of what drivers do. One struct an effect; a driver implements it by the same
//! name and reads nothing else of the plan.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Condition, FieldTest, Operand, Target};
use crate::{
    Digest, Seconds, StepId, Version,
    name::{Label, ObjectName},
};

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
    pub const KINDS: [&'static str; 12] = [
        "kube.apply",
        "kube.patch",
        "kube.restore",
        "kube.delete",
        "kube.migrate-storage",
        "node.cordon",
        "node.drain",
        "helm.upgrade",
        "helm.rollback",
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
            Self::Command(_) => "command",
            Self::Notify(_) => "notify",
            Self::Wait(_) => "wait",
        }
    }
}

/// Server-side apply under the field manager `switchback`. What the API server gives back is compared with what
/// was sent: a field that its schema dropped is a failure (user-pain P-20).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KubeApply {
    /// The object as it shall be; only fields that are ours.
    pub object: Value,
    /// Whether fields of other managers may be taken over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
}

/// Sets fields of one object if others have the expected values: a JSON patch with tests, so it is atomic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KubePatch {
    /// The object.
    pub object: Target,
    /// `status`, where the fields belong to a subresource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subresource: Option<String>,
    /// What must be true of it, or nothing is written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only_if: Vec<FieldTest>,
    /// What is written.
    pub set: Vec<SetField>,
}

/// One field to write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetField {
    /// JSON pointer.
    pub pointer: String,
    /// The value; JSON null removes the field, and so does a capture of a field that was not there.
    pub to: Operand,
}

/// Restores objects from the artifact that a step captured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KubeRestore {
    /// The step that captured them.
    pub step: StepId,
    /// The capture's name.
    pub name: String,
}

/// Deletes one object. A bound target is deleted only under its UID.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KubeDelete {
    /// The object.
    pub object: Target,
}

/// Writes every object of a CRD back unchanged, so that it is stored in the CRD's storage version, then sets
/// `status.storedVersions` to that version alone (user-pain P-12).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MigrateStorage {
    /// The CRD's name, `plural.group`.
    pub crd: String,
    /// The storage version.
    pub to: String,
}

/// Sets `spec.unschedulable` of a node, with an annotation that says which run did it. Uncordoning leaves a node
/// alone that somebody else cordoned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeCordon {
    /// The node.
    pub node: Target,
    /// Whether it becomes unschedulable (`true`) or schedulable again.
    pub unschedulable: bool,
}

/// Empties a cordoned node. One call does what can be done now; what it waits for is its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeDrain {
    /// The node.
    pub node: Target,
}

/// `helm upgrade`, never with `--wait`: readiness is a verification of ours, so that nothing long runs as a child.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HelmUpgrade {
    /// The release.
    pub release: ObjectName,
    /// The chart.
    pub chart: Chart,
    /// Values that change, as nested fields, merged over those that the release was given before
    /// (`--reset-then-reuse-values`): so no secret among the others has to stand in a plan.
    pub set: Value,
    /// Digest of all values given after the merge, as compact sorted JSON.
    pub values: Digest,
    /// Whether the release is installed when it is not there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub install: bool,
    /// Whether objects of the chart that exist already are adopted into the release.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub take_ownership: bool,
}

/// A chart in one version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Chart {
    /// Its name.
    pub name: String,
    /// Where it is: `oci://…`, `https://…`, or a directory.
    pub repository: String,
    /// Its version.
    pub version: Version,
    /// Digest of the chart archive, or of the files of a directory.
    pub digest: Digest,
}

/// `helm rollback` to a revision that was proven to exist before the upgrade.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HelmRollback {
    /// The release.
    pub release: ObjectName,
    /// The revision gone back to.
    pub to: Operand,
    /// CRDs that the revision gone back to does not hold and that must survive: they get Helm's keep policy first
    /// (user-pain P-35).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keep_crds: Vec<String>,
}

/// A program with an argument vector; never a shell line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Command {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Environment beyond `PATH` and `HOME`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, EnvValue>,
    /// How long it may run.
    pub timeout: Seconds,
}

/// The value of an environment variable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum EnvValue {
    /// A value that is no secret.
    Text(String),
    /// The name of a variable of the executor's own environment; its value never leaves the process.
    FromEnv(String),
}

/// Tells a channel what the run does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Notify {
    /// The channel of the Platform.
    pub channel: Label,
    /// The variable of the executor's environment that holds the channel's address.
    pub url_from_env: String,
    /// The text.
    pub text: String,
}

/// Waits until its condition holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wait {
    /// The condition.
    pub until: Condition,
}
