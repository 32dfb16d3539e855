//! What a run left behind that nobody asked for.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::At;
use crate::name::Label;

/// One thing that a run left behind, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Residue {
    /// An operator abandoned the run.
    Abandoned {
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// Its claim was released, which abandoned it.
    ClaimTaken {
        /// By whom.
        by: String,
        /// Why.
        reason: String,
    },
    /// Something is left suspended.
    Suspended {
        /// The name of the suspension.
        id: Label,
        /// What is suspended.
        title: String,
        /// Why it is, if the run said so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
        /// Who resumes it.
        owner: String,
        /// By which command.
        command: String,
    },
    /// Work did not come to a good end, or is not undone.
    Work {
        /// Where.
        at: At,
        /// How far it came.
        left: Unfinished,
    },
    /// A node was touched, and is neither replaced nor let go.
    Node {
        /// Its name.
        node: String,
        /// The roll that began it.
        roll: At,
    },
}

/// How far work came that is left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Unfinished {
    /// Nobody knows.
    InDoubt,
    /// It failed after it may have changed something.
    FailedInPart,
    /// A rollback that was stopped.
    NotUndone,
    /// A cleanup that did not come to its end.
    NotRemoved,
    /// It is done, and its rollback is not.
    Done,
    /// It was started on a node.
    Begun,
}

impl Residue {
    /// Whether it is the suspension, the node or the step of this name: what can be cleared by name.
    pub fn is_named(&self, name: &str) -> bool {
        match self {
            Self::Suspended { id, .. } => id.as_str() == name,
            Self::Node { node, .. } => node == name,
            Self::Work { at, .. } => *at == At::forward(&at.step) && at.step.as_str() == name,
            Self::Abandoned { .. } | Self::ClaimTaken { .. } => false,
        }
    }
}

impl fmt::Display for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InDoubt => "may or may not have happened",
            Self::FailedInPart => "failed and may have changed something",
            Self::NotUndone => "was not undone",
            Self::NotRemoved => "did not come to its end",
            Self::Done => "was done and is not undone",
            Self::Begun => "was started",
        })
    }
}

impl fmt::Display for Residue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Abandoned { by, reason } => write!(f, "abandoned by {by}: {reason}"),
            Self::ClaimTaken { by, reason } => {
                write!(f, "abandoned when its claim was released by {by}: {reason}")
            }
            Self::Suspended { id, title, why, owner, command } => {
                let why = why.as_ref().map_or_else(String::new, |why| format!(": {why}"));
                write!(f, "suspension {id} is left ({title}){why}; {owner} resumes it with: {command}")
            }
            Self::Work { at, left } => write!(f, "{at} {left}"),
            Self::Node { node, roll } => {
                write!(f, "node {node} was started by {roll}, and is neither replaced nor uncordoned")
            }
        }
    }
}
