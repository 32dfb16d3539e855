//! What outlives its run, and how it is removed when the run is closed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Work;
use crate::{Seconds, StepId};

/// Something that a run retains for rollback after its end. Deleting it is a point of no return: after its date it needs no approval,
/// before that it does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Retention {
    /// What is retained.
    pub what: String,
    /// Which rollback needs it.
    pub why: String,
    /// The step that leaves it; no two retained resources have the same. A rollback that takes this step back needs it.
    pub step: StepId,
    /// Whether it is the undo of that step that leaves it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_undo: bool,
    /// How long after that step the rollback needs it; before, it is not removed unless somebody approves that.
    pub keep: Seconds,
    /// How it is removed: one effect that says when it is done and can be repeated without harm.
    pub removal: Work,
}
