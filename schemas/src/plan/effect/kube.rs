//! Effects on objects of a Kubernetes API server.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    StepId,
    plan::{FieldTest, Operand, Target},
};

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
