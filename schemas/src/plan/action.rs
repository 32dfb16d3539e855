//! What a step does, and what is expected to change.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Effect, Roll};
use crate::name::ObjectRef;

/// What a step does: one effect, or a roll over a set that a rule chooses at run time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Action {
    /// One effect.
    Effect(Effect),
    /// A recipe over nodes.
    Roll(Roll),
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
    /// `>`: run once, by a hook.
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
            Self::Run => '>',
        }
    }
}
