//! Who stands on the nodes that a plan moves, and which nodes no pool has. What was observed: approvals do not bind to it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Objection;
use crate::name::{Label, ObjectRef};

/// What stands on the nodes of a pool that moves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Standing {
    /// The pool.
    pub pool: Label,
    /// Workloads by kind, namespace and name. What stays on its node, as pods of DaemonSets do, is left out.
    pub workloads: Vec<StandingWorkload>,
}

/// A workload, by its topmost owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StandingWorkload {
    /// The topmost owner that is known; the pod itself where it has none.
    pub object: ObjectRef,
    /// Its UID.
    pub uid: String,
    /// Owners between it and its pods, nearest to the pods first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub through: Vec<ObjectRef>,
    /// The class of its pods; absent for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<Label>,
    /// Its pods on nodes of the pool.
    pub pods: u64,
    /// Nodes of the pool that they stand on.
    pub nodes: u64,
    /// GPUs that they hold.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub gpus: u64,
    /// When the first of them started; absent where nobody says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Hours of GPUs since its pods started, rounded down.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub gpu_hours: u64,
    /// Whether they fit somewhere else.
    pub refit: Refit,
    /// Objections that no class overrides: what needs a decision.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub undecided: BTreeSet<Objection>,
    /// Objections that its class overrides.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub overridden: BTreeSet<Objection>,
    /// Why its topmost owner is not known, so that its pods are not moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<String>,
}

impl StandingWorkload {
    /// Whether somebody has to decide before it moves.
    pub fn needs_a_decision(&self) -> bool {
        !self.undecided.is_empty() || self.unread.is_some()
    }
}

/// Whether a pod that is evicted can stand somewhere else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Refit {
    /// There is a kind of node that it fits. Whether one is free is not said.
    Fits {},
    /// That could not be told.
    Unknown(String),
    /// No node fits it, nor any that could be made.
    Cannot(String),
}

/// Nodes that no pool of the Platform has, or that no roll of the plan moves, and what becomes of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Outside {
    /// What they are: `NodePool spot`, `nodes ip-1, ip-2`.
    pub what: String,
    /// The pool of the Platform that has them, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<Label>,
    /// How many.
    pub nodes: u64,
    /// What becomes of them.
    pub fate: Fate,
}

/// What becomes of nodes that a plan does not move.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Fate {
    /// They stay as they are.
    Stay {},
    /// Karpenter replaces them by itself when their NodePool is thawed, within its own budgets.
    Drift {
        /// How many at least.
        at_least: u64,
        /// How many at most.
        at_most: u64,
        /// Why.
        why: String,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}
