//! What a step does, and how its arguments name things that only the run knows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Effect, Roll};
use crate::{StepId, name::ObjectRef};

/// What a step does: one effect, or a roll over a set that a rule chooses at run time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Action {
    /// One effect.
    Effect(Effect),
    /// A recipe over nodes.
    Roll(Roll),
}

/// An argument that is known now, or that the run fills in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Operand {
    /// A value that the plan fixes.
    Value(Value),
    /// What a step captured before its effect.
    Captured {
        /// The step.
        step: StepId,
        /// The capture's name.
        name: String,
    },
}

/// An object that an effect acts on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Target {
    /// A named object.
    Object(ObjectRef),
    /// The node that a roll is at. Bound to name and UID when its batch is frozen.
    ItemNode {},
    /// The NodeClaim of the node that a roll is at.
    ItemNodeClaim {},
    /// An object that was bound to a UID: an object of the same name and another UID is another object.
    Bound {
        /// The object.
        object: ObjectRef,
        /// Its UID.
        uid: String,
    },
}

/// What is expected to happen to one object, for the dry-run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Change {
    /// How it changes.
    pub mark: Mark,
    /// The object.
    pub object: ObjectRef,
    /// Lines of a unified diff of its YAML, without file headers. Values of Secrets are digests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diff: Vec<String>,
}

/// How something changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    /// `+`
    Add,
    /// `~`
    Change,
    /// `-`
    Remove,
    /// `±`: removed and added again.
    Replace,
    /// `!`: run by a hook.
    Run,
}

impl Mark {
    /// The mark as one character.
    pub fn symbol(self) -> char {
        match self {
            Self::Add => '+',
            Self::Change => '~',
            Self::Remove => '-',
            Self::Replace => '±',
            Self::Run => '!',
        }
    }
}
