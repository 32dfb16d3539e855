//! Suspensions: an actor that is suspended while steps run, and resumed when that is safe.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Condition;
use crate::{Seconds, StepId, name::Label};

/// A suspension: a pair of steps around others.
///
/// Rolling back past one is ordinary: the rollback of the closing step suspends again, that of the opening step resumes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Suspension {
    /// Its name.
    pub id: Label,
    /// What is suspended, for people.
    pub title: String,
    /// The step that opens it, or sees that it is open.
    pub suspend: StepId,
    /// Who opened it.
    #[serde(default, skip_serializing_if = "SuspendedBy::is_this_run")]
    pub suspended_by: SuspendedBy,
    /// The step that closes it.
    pub resume: StepId,
    /// Watched while it is open; an actor that undoes it stops dispatch.
    pub held: Condition,
    /// What must hold before it is closed outside of the plan's order (after a failure, by the janitor).
    pub safe_to_resume: Condition,
    /// How long it may stay open before somebody is told.
    pub max_suspended: Seconds,
    /// Whether a run may park while it is open.
    pub spans_park: bool,
    /// What the suspension does not stop.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cannot_stop: Vec<String>,
    /// Who is told when it has to stay open.
    pub owner: String,
    /// What a person types to close it by hand.
    pub resume_command: String,
}

/// Who suspended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SuspendedBy {
    /// A run of this plan.
    #[default]
    ThisRun,
    /// An earlier run of the operation; its rollback closes it.
    EarlierRun,
}

impl SuspendedBy {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "the shape that serde's skip_serializing_if asks for"
    )]
    fn is_this_run(&self) -> bool {
        *self == Self::ThisRun
    }
}
