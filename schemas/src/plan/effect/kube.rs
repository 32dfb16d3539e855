//! Effects on objects of a Kubernetes API server.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strum::{IntoStaticStr, VariantNames};

use super::NodeJob;
use crate::plan::{Arguments, DaemonPods, FieldTest, Find, Operand, Target, argument::mapped};

/// Effects on objects of a Kubernetes API server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, IntoStaticStr, VariantNames)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[strum(serialize_all = "camelCase")]
#[schemars(rename = "KubeEffect")]
pub enum KubeEffect<V = Operand, T = Target> {
    /// Server-side apply of one object.
    Apply(KubeApply),
    /// Compare-and-set of some fields of one object.
    Patch(KubePatch<V, T>),
    /// Puts objects back as they were captured.
    Restore(KubeRestore<V>),
    /// Deletes one object.
    Delete(KubeDelete<T>),
    /// Rewrites all objects of a CRD in one stored version.
    MigrateStorage(MigrateStorage),
    /// Makes a node unschedulable, or schedulable again.
    Cordon(NodeCordon<T>),
    /// Evicts the pods of a cordoned node by the eviction API, as their workload classes say.
    Drain(NodeDrain<T>),
    /// Lets the API server try to create an object, without storing it.
    Admit(KubeAdmit),
    /// Lets the API server try to create captured objects again, without storing them.
    TryCreate(KubeTryCreate<V>),
    /// Lets the API server try to update objects as they are, without storing them.
    TryUpdate(KubeTryUpdate),
    /// Runs a Job on a node to its end.
    NodeJob(NodeJob<T>),
    /// Deletes pods of DaemonSets on a node, so that others of the present template come.
    RestartPods(NodePods<T>),
}

impl KubeEffect {
    /// The same with other arguments.
    pub fn map<A: Arguments>(&self, by: &mut A) -> Result<KubeEffect<A::Value, A::Object>, A::Error> {
        Ok(match self {
            Self::Apply(apply) => KubeEffect::Apply(apply.clone()),
            Self::Patch(patch) => KubeEffect::Patch(KubePatch {
                object: by.object(&patch.object)?,
                subresource: patch.subresource.clone(),
                only_if: mapped(&patch.only_if, |test| test.map(by))?,
                set: mapped(&patch.set, |field| {
                    Ok(SetField { pointer: field.pointer.clone(), to: by.value(&field.to)? })
                })?,
            }),
            Self::Restore(restore) => KubeEffect::Restore(KubeRestore {
                objects: by.value(&restore.objects)?,
                only_gone: restore.only_gone,
            }),
            Self::Delete(delete) => KubeEffect::Delete(KubeDelete { object: by.object(&delete.object)? }),
            Self::MigrateStorage(migrate) => KubeEffect::MigrateStorage(migrate.clone()),
            Self::Cordon(cordon) => KubeEffect::Cordon(NodeCordon {
                node: by.object(&cordon.node)?,
                unschedulable: cordon.unschedulable,
                annotations: cordon.annotations.clone(),
            }),
            Self::Admit(admit) => KubeEffect::Admit(admit.clone()),
            Self::TryCreate(tried) => {
                KubeEffect::TryCreate(KubeTryCreate { objects: by.value(&tried.objects)? })
            }
            Self::TryUpdate(tried) => KubeEffect::TryUpdate(tried.clone()),
            Self::Drain(drain) => KubeEffect::Drain(NodeDrain { node: by.object(&drain.node)? }),
            Self::RestartPods(restart) => KubeEffect::RestartPods(NodePods {
                node: by.object(&restart.node)?,
                pods: restart.pods.clone(),
            }),
            Self::NodeJob(job) => KubeEffect::NodeJob(NodeJob {
                node: by.object(&job.node)?,
                namespace: job.namespace.clone(),
                name: job.name.clone(),
                pod: job.pod.clone(),
                within: job.within,
                until: job.until,
            }),
        })
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
#[schemars(rename = "KubePatch")]
pub struct KubePatch<V = Operand, T = Target> {
    /// The object.
    pub object: T,
    /// `status`, where the fields belong to a subresource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subresource: Option<String>,
    /// What must be true of it, or nothing is written.
    #[serde(default = "Vec::<FieldTest<V>>::new", skip_serializing_if = "Vec::is_empty")]
    pub only_if: Vec<FieldTest<V>>,
    /// What is written.
    pub set: Vec<SetField<V>>,
}

/// One field to write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "SetField")]
pub struct SetField<V = Operand> {
    /// JSON pointer.
    pub pointer: String,
    /// The value; JSON null removes the field, and so does a capture of a field that was not there.
    pub to: V,
}

/// Puts objects back as they were.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "KubeRestore")]
pub struct KubeRestore<V = Operand> {
    /// The objects, a list: a capture of [`crate::plan::KubeCapture::Objects`], [`crate::plan::KubeCapture::Found`] or
    /// [`crate::plan::KubeCapture::Kinds`].
    pub objects: V,
    /// Whether only those are created again that are gone. One that is there stays as it is, and one that a controller owned is left to
    /// it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub only_gone: bool,
}

impl<V> KubeRestore<V> {
    /// Each object as it was, whatever became of it.
    pub fn of(objects: V) -> Self {
        Self { objects, only_gone: false }
    }
}

/// Deletes one object. A bound target is deleted only under its UID.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "KubeDelete")]
pub struct KubeDelete<T = Target> {
    /// The object.
    pub object: T,
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
#[schemars(rename = "NodeCordon")]
pub struct NodeCordon<T = Target> {
    /// The node.
    pub node: T,
    /// Whether it becomes unschedulable (`true`) or schedulable again.
    pub unschedulable: bool,
    /// Annotations that it gets in the same write, whoever cordoned it, and loses when it is uncordoned: for a controller that would
    /// uncordon it otherwise.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl<T> NodeCordon<T> {
    /// Without annotations.
    pub fn new(node: T, unschedulable: bool) -> Self {
        Self { node, unschedulable, annotations: BTreeMap::new() }
    }
}

/// Empties a cordoned node. One call does what can be done now; what it waits for is its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "NodeDrain")]
pub struct NodeDrain<T = Target> {
    /// The node.
    pub node: T,
}

/// Deletes, under their UIDs, those pods of DaemonSets on a node that do not run the version: for DaemonSets whose pods nobody restarts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "NodePods")]
pub struct NodePods<T = Target> {
    /// The node.
    pub node: T,
    /// Which pods, with the version of the present template.
    pub pods: DaemonPods,
}

/// A create with `dryRun=All`: every admission webhook that concerns the object answers, and nothing is stored. A webhook that does not
/// answer is tried again, as long as the step may take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KubeAdmit {
    /// The object.
    pub object: Value,
}

/// A create with `dryRun=All` of each captured object, under a name of its own and with strict validation: whether the schema and the
/// webhooks that are there now would take it back if it were lost. Every object that is refused is named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "KubeTryCreate")]
pub struct KubeTryCreate<V = Operand> {
    /// The objects, a list, as of [`KubeRestore`].
    pub objects: V,
}

/// An update with `dryRun=All` of each object that is found, as it is: whether the webhooks that are there now still take it. Every
/// object that is refused is named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KubeTryUpdate {
    /// Which objects.
    pub find: Vec<Find>,
}
