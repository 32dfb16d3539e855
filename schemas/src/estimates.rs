//! How long steps took, learned from runs.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    HopId, RunId, StepId,
    format::{self, Document, Format, ReadError},
    journal::Way,
    plan::Estimate,
};

/// Lengths of steps, which `plan --estimates` takes instead of its own. Approvals do not bind to them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Estimates {
    /// `switchback.estimates/1.0`.
    pub format: Format,
    /// The runs that they were learned from; empty where a person wrote them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub runs: BTreeSet<RunId>,
    /// Steps, by their path.
    pub steps: Vec<StepEstimate>,
}

/// How long one step takes, whatever version it moves to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StepEstimate {
    /// The step's path without versions: `karpenter/main/controller`.
    pub step: String,
    /// Forward, or its undo.
    pub way: Way,
    /// Of a roll: how long it takes for each node, and not as a whole.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub each_node: bool,
    /// How often it was seen; 0 where a person wrote it.
    #[serde(default)]
    pub seen: u64,
    /// How long it takes.
    pub takes: Estimate,
}

impl Estimates {
    /// Reads the bytes of a file.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ReadError> {
        format::read(bytes, Document::Estimates, &[])
    }

    /// The bytes of the file: indented JSON, ending with a line feed.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// What is known of a step.
    pub fn of(&self, step: &StepId, way: Way) -> Option<&StepEstimate> {
        let path = path(step);
        self.steps.iter().find(|known| known.step == path && known.way == way)
    }
}

/// A step's path without its hop's version: `karpenter/main@1.8.8/controller` is `karpenter/main/controller`.
pub fn path(step: &StepId) -> String {
    match HopId::of_step(step) {
        Some((hop, part)) => {
            let back = if hop.is_rollback() { "rollback/" } else { "" };
            format!("{}/{}/{back}{part}", hop.component(), hop.instance())
        }
        None => step.to_string(),
    }
}
