//! Undo: every step says how it is undone. There is no default.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Action, Capture, Condition, Disruption, Estimate, Permission, Read, RetryClass, Verify};
use crate::{Seconds, StepId};

/// How a step is undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Undo {
    /// Nothing was changed.
    ReadOnly {
        /// Why that is so.
        why: String,
    },
    /// The undo of another step, which comes before this one, undoes it too.
    CoveredBy {
        /// The other step.
        step: StepId,
        /// How.
        why: String,
    },
    /// An ordinary step of the undo graph.
    Step(Box<UndoStep>),
    /// There is no way back.
    Commit {
        /// Why.
        why: String,
        /// What a person does instead.
        recovery: String,
    },
}

/// An undo step. Its `doneWhen` also holds if the forward effect never happened, or happened by half.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UndoStep {
    /// What kind of undo it is.
    pub kind: UndoKind,
    /// What it does, for people.
    pub title: String,
    /// What it does.
    pub action: Action,
    /// What would make the undo itself wrong if it were not so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<Read>,
    /// Holds before: nothing to undo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_when: Option<Condition>,
    /// What must hold after.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verify: Vec<Verify>,
    /// How long it may take.
    pub timeout: Seconds,
    /// What is retried.
    pub retry: RetryClass,
    /// What it does to workloads.
    pub disruption: Disruption,
    /// What is captured before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub captures: Vec<Capture>,
    /// How long it takes.
    pub estimate: Estimate,
    /// What is lost by going back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loses: Vec<String>,
    /// Whether it needs nodes beyond those that are there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub needs_capacity: bool,
    /// When it stops being possible; the earliest counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub closes: Vec<Closing>,
    /// What the executor's credentials must allow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub permissions: Vec<Permission>,
}

/// Kinds of undo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UndoKind {
    /// The inverse effect.
    Inverse,
    /// From a before-image that was captured.
    Restore,
    /// Possible until a time.
    Window,
    /// From a snapshot; loses what was written since.
    RestoreOnly,
}

/// One thing that ends a way back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Closing {
    /// When.
    pub at: ClosingAt,
    /// Why.
    pub why: String,
}

/// When a way back closes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum ClosingAt {
    /// At an instant, such as an end of support.
    Instant(Timestamp),
    /// So long after the step itself ended.
    After(Seconds),
    /// When another step starts.
    Start(StepId),
}
