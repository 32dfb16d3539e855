//! What outlives its run, and how it is removed when the run is closed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Condition, Effect, Estimate, Permission};
use crate::{Seconds, StepId};

/// A safety net that outlives its run. Removing it is a point of no return: by date nobody is asked, before that it needs an
/// approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Leftover {
    /// What is kept.
    pub what: String,
    /// Which way back needs it.
    pub why: String,
    /// The step that leaves it; no two leftovers have the same. A way back that takes this step back needs it.
    pub step: StepId,
    /// Whether it is the undo of that step that leaves it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_undo: bool,
    /// How long after that step the way back needs it; before, it is not removed unless somebody approves that.
    pub keep: Seconds,
    /// How it is removed.
    pub removal: Removal,
}

/// The step that removes a leftover. It can be repeated without harm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Removal {
    /// What it does, for people.
    pub title: String,
    /// What it does.
    pub effect: Effect,
    /// Holds when it is removed.
    pub done_when: Condition,
    /// How long it may take.
    pub timeout: Seconds,
    /// How long it takes.
    pub estimate: Estimate,
    /// What the executor's credentials must allow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub permissions: Vec<Permission>,
}
