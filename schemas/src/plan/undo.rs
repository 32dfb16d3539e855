//! Undo: every step says how it is undone. There is no default.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Work;
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

/// How a step is taken back: work, and what it costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UndoStep {
    /// What kind of undo it is.
    pub kind: UndoKind,
    /// What is done.
    pub work: Work,
    /// What is lost by going back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loses: Vec<String>,
    /// Whether it needs nodes beyond those that are there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub needs_capacity: bool,
    /// When it stops being possible; the earliest counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub closes: Vec<Closing>,
}

impl UndoStep {
    /// An inverse that loses nothing and has no end; fields are set with struct update.
    pub fn new(work: Work) -> Self {
        Self { kind: UndoKind::Inverse, work, loses: Vec::new(), needs_capacity: false, closes: Vec::new() }
    }
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
