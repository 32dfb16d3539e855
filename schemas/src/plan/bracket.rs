//! Brackets: an actor that is suspended while steps run, and resumed when that is safe.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Condition;
use crate::{Seconds, StepId, name::Label};

/// A suspension: a pair of steps around others.
///
/// Rolling back past one is ordinary: the rollback of the closing step suspends again, that of the opening step resumes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Bracket {
    /// Its name.
    pub id: Label,
    /// What is suspended, for people.
    pub title: String,
    /// The step that opens it, or sees that it is open.
    pub open: StepId,
    /// Who opened it.
    #[serde(default, skip_serializing_if = "OpenedBy::is_this_run")]
    pub opened_by: OpenedBy,
    /// The step that closes it.
    pub close: StepId,
    /// Watched while it is open; an actor that undoes it stops dispatch.
    pub held: Condition,
    /// What must hold before it is closed outside of the plan's order (after a failure, by the janitor).
    pub safe_to_close: Condition,
    /// How long it may stay open before somebody is told.
    pub max_open: Seconds,
    /// Whether a run may park while it is open.
    pub spans_park: bool,
    /// What the bracket does not stop.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cannot_stop: Vec<String>,
    /// Who is told when it has to stay open.
    pub owner: String,
    /// What a person types to close it by hand.
    pub closing_command: String,
}

/// Who suspended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OpenedBy {
    /// A run of this plan.
    #[default]
    ThisRun,
    /// An earlier run of the operation; its rollback closes it.
    EarlierRun,
}

impl OpenedBy {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "the shape that serde's skip_serializing_if asks for"
    )]
    fn is_this_run(&self) -> bool {
        *self == Self::ThisRun
    }
}
