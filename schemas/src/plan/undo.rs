//! Undo: every step says how it is undone, and the steps of a rollback are a list of the plan's own.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Work;
use crate::{Seconds, StepId};

/// How a step is undone. There is no default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Undo {
    /// There is nothing to undo: its effect only reads, or what it makes is retained and removed by cleanup.
    Unneeded {
        /// Why that is so.
        why: String,
    },
    /// By the rollback steps of the plan that name it.
    Rollback {},
    /// It cannot be undone.
    Irreversible {
        /// Why.
        why: String,
        /// How to recover instead.
        recovery: String,
    },
}

/// How a step of a roll's recipe is undone while its node is still there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum NodeUndo {
    /// There is nothing to undo.
    Unneeded {
        /// Why that is so.
        why: String,
    },
    /// By this, on the same node.
    Rollback(Box<Work>),
    /// It cannot be undone.
    Irreversible {
        /// Why.
        why: String,
        /// What follows from that.
        recovery: String,
    },
}

/// A step of a rollback. Its `doneWhen` also holds if what it undoes never happened, or happened by half.
///
/// It is taken if one of the steps that it undoes was started, and comes where the first of them came: after the rollback steps
/// of everything that came after that one, before those of everything that came before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RollbackStep {
    /// Its stable path.
    pub id: StepId,
    /// The steps that it undoes, all of one hop; the others come after the first.
    pub undoes: Vec<StepId>,
    /// Of which kind it is.
    pub kind: UndoKind,
    /// What is done.
    pub work: Work,
    /// Rollback steps that come before it, beyond that order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<StepId>,
    /// The rollback step that lifts what this one suspends: neither is ever taken without the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifted_by: Option<StepId>,
    /// What is lost by it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loses: Vec<String>,
    /// Whether it needs nodes beyond those that are there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub needs_capacity: bool,
    /// When it stops being possible; the earliest counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expires: Vec<Expiry>,
}

impl RollbackStep {
    /// The inverse of one step, by the same id: it loses nothing and never expires.
    pub fn inverse(id: StepId, work: Work) -> Self {
        Self {
            undoes: vec![id.clone()],
            id,
            kind: UndoKind::Inverse,
            work,
            after: Vec::new(),
            lifted_by: None,
            loses: Vec::new(),
            needs_capacity: false,
            expires: Vec::new(),
        }
    }

    /// The step whose place it takes: the first that it undoes.
    pub fn place(&self) -> Option<&StepId> {
        self.undoes.first()
    }
}

/// Kinds of rollback steps.
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

/// One thing after which a rollback step is not possible any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Expiry {
    /// When.
    pub at: ExpiresAt,
    /// Why.
    pub why: String,
}

/// When a rollback step expires.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum ExpiresAt {
    /// At an instant, such as an end of support.
    Instant(Timestamp),
    /// So long after the first step that it undoes has ended.
    After(Seconds),
    /// When another step starts.
    Start(StepId),
}
