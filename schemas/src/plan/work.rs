//! Work: the one shape of everything that acts. A step, its undo, a step of a roll's recipe and the removal of what a run kept
//! hold one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Action, Capture, Condition, Disruption, Effect, Estimate, Read, RetryClass, Roll, Verify};
use crate::Seconds;

/// What is done at one place of a plan, when it is done already, how it is verified, and what it takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Work {
    /// What it does, as text.
    pub title: String,
    /// What it does. Only a step and its undo can be a roll.
    pub action: Action,
    /// What it was compiled from; checked again before it starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<Read>,
    /// Holds before: skipped, and recorded so. After a crash: holds means the effect happened. For an undo it also holds if the
    /// forward effect never happened, or happened by half.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_when: Option<Condition>,
    /// What must hold after the effect.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verify: Vec<Verify>,
    /// How long the effect may take before it is parked or failed.
    pub timeout: Seconds,
    /// What is retried.
    pub retry: RetryClass,
    /// What it does to workloads.
    pub disruption: Disruption,
    /// What is captured before the effect.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub captures: Vec<Capture>,
    /// How long it takes.
    pub estimate: Estimate,
}

impl Work {
    /// Work with nothing special about it; fields are set with struct update. It may take ten minutes, can be repeated without
    /// harm, and disrupts nothing.
    pub fn new(title: impl Into<String>, action: Action) -> Self {
        Self {
            title: title.into(),
            action,
            reads: Vec::new(),
            done_when: None,
            verify: Vec::new(),
            timeout: Seconds::minutes(10),
            retry: RetryClass::Idempotent,
            disruption: Disruption::None,
            captures: Vec::new(),
            estimate: Estimate::seconds(10, 60),
        }
    }

    /// The same with one effect.
    pub fn effect(title: impl Into<String>, effect: Effect) -> Self {
        Self::new(title, Action::Effect(effect))
    }

    /// The roll, if it is one.
    pub fn roll(&self) -> Option<&Roll> {
        match &self.action {
            Action::Roll(roll) => Some(roll),
            Action::Effect(_) => None,
        }
    }
}
