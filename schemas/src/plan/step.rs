//! Steps: the nodes of the DAG.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Change, Condition, Undo, Work};
use crate::{HopId, Seconds, StepId, name::Label};

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Its stable path.
    pub id: StepId,
    /// The hop it belongs to.
    pub hop: HopId,
    /// The target it acts on.
    pub target: Label,
    /// What is done.
    pub work: Work,
    /// Steps that must be done first, with reasons.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<Need>,
    /// How it is undone. There is no default.
    pub undo: Undo,
    /// The lowest tier of the pools it touches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<u32>,
    /// What follows a failure.
    pub on_failure: FailurePolicy,
    /// Gates that must pass first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<Label>,
    /// What is expected to change, object by object.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
}

/// A step that must come first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Need {
    /// The step.
    pub step: StepId,
    /// Why.
    pub why: String,
    /// Where that is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// A predicate that the compiler relied on. False stops the step, unreadable holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Read {
    /// What was found.
    pub condition: Condition,
    /// When it is true.
    pub basis: ReadBasis,
}

/// When a predicate is true.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum ReadBasis {
    /// It was observed.
    Observed {},
    /// An earlier step of this plan leaves it so.
    After(StepId),
}

/// What is retried by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RetryClass {
    /// Nothing: a second call could do it twice.
    Never,
    /// What did not happen (throttled, unreachable) is tried again.
    NotDone,
    /// Also what may have happened: the call can be repeated without harm.
    Idempotent,
}

/// What a step does to workloads, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Disruption {
    /// Nothing.
    None,
    /// Restarts pods of the platform's own services.
    Restart,
    /// Moves workloads off nodes.
    Drain,
    /// A service is unavailable.
    Outage,
}

/// How long something takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Estimate {
    /// As a rule.
    pub expected: Seconds,
    /// Nine times out of ten at most.
    pub p90: Seconds,
}

impl Estimate {
    /// From two lengths in seconds.
    pub const fn seconds(expected: u64, p90: u64) -> Self {
        Self { expected: Seconds(expected), p90: Seconds(p90) }
    }
}

/// What follows a failure, and why that was chosen at plan time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FailurePolicy {
    /// What is done.
    pub action: FailureAction,
    /// The price that decided it.
    pub why: String,
}

/// What is done after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FailureAction {
    /// Stop dispatch, leave what is healthy as it is, and wait for an operator.
    Hold,
    /// Undo the step, then hold.
    RollbackStep,
    /// Go back to the savepoint before the hop, then end.
    RollbackHop,
}
