//! Suspensions: an actor that is suspended while steps run, and resumed when that is safe.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Condition;
use crate::{Seconds, StepId, name::Label};

/// A suspension: a pair of steps around others.
///
/// Rolling back past one is ordinary: the rollback of the step that resumes suspends again, that of the step that suspends resumes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Suspension {
    /// Its name.
    pub id: Label,
    /// What is suspended, as text.
    pub title: String,
    /// The step that suspends, or checks that it is suspended.
    pub suspend: StepId,
    /// Who suspended it.
    #[serde(default, skip_serializing_if = "SuspendedBy::is_this_run")]
    pub suspended_by: SuspendedBy,
    /// The step that resumes.
    pub resume: StepId,
    /// Watched while it lasts; an actor that ends it stops dispatch.
    pub held: Condition,
    /// What must hold before it is resumed outside of the plan's order (after a failure, by the janitor).
    pub safe_to_resume: Condition,
    /// How long it may last before its owner is notified.
    pub max_suspended: Seconds,
    /// Whether a run may park while it lasts.
    pub spans_park: bool,
    /// What the suspension does not stop.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cannot_stop: Vec<String>,
    /// Who is notified when it has to be left suspended.
    pub owner: String,
    /// The command that resumes it without Switchback.
    pub resume_command: String,
}

/// Who suspended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SuspendedBy {
    /// A run of this plan.
    #[default]
    ThisRun,
    /// An earlier run of the operation; its rollback resumes it.
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
