//! The journal: the only state of a run.
//!
//! One line a record: `<length: 8 hex> <crc32c: 8 hex> <json>\n`. The JSON holds a sequence number, the epoch of its
//! writer, and the first 16 bytes of the SHA-256 of the line before, so that splicing, reordering and dropping are seen.

mod census;
mod item;
mod outcome;
mod residue;
mod side;

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use census::{Counted, Progress, Shortage, Touched};
pub use item::{Item, NodeClaimRef};
pub use outcome::{Class, Evidence, Outcome, Verdict, WaitsFor};
pub use residue::{Residue, Unfinished};
pub use side::{Approval, Identified, SideEntry, SideKind};

use crate::{
    Digest, HopId, ItemKey, RunId, StepId,
    format::Format,
    name::{Label, SavepointId},
};

/// One record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Record {
    /// Rises by one.
    pub seq: u64,
    /// The epoch of the process that wrote it.
    pub epoch: u64,
    /// When it was written. Recorded for reports and for windows; never used to order records.
    pub at: Timestamp,
    /// First 16 bytes, in hex, of the SHA-256 of the line before; empty for the first.
    pub prev: String,
    /// What happened.
    pub event: Event,
}

/// Which way a step is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// The step itself.
    Forward,
    /// Its undo.
    Rollback,
    /// The removal of what it left.
    Cleanup,
}

impl Way {
    /// What stands before a step's name.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Forward => "",
            Self::Rollback => "undo ",
            Self::Cleanup => "cleanup ",
        }
    }
}

/// A step, or a step of a roll's recipe on one node, in one direction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct At {
    /// The step.
    pub step: StepId,
    /// The node and the recipe's step, in a roll.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<AtItem>,
    /// Which way.
    pub way: Way,
}

/// A node of a roll and a step of its recipe.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AtItem {
    /// The node, by its UID.
    pub key: ItemKey,
    /// The recipe's step.
    pub recipe: Label,
    /// Whether the step of an undo's recipe is itself taken back, because its run holds. What a roll forward did to a node
    /// is taken back under the rollback without this.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub let_go: bool,
}

impl At {
    /// A step, forward.
    pub fn forward(step: &StepId) -> Self {
        Self { step: step.clone(), item: None, way: Way::Forward }
    }

    /// A step's undo.
    pub fn rollback(step: &StepId) -> Self {
        Self { step: step.clone(), item: None, way: Way::Rollback }
    }

    /// The removal of what a step left.
    pub fn cleanup(step: &StepId) -> Self {
        Self { step: step.clone(), item: None, way: Way::Cleanup }
    }

    /// A step of a roll's recipe on one node.
    #[must_use]
    pub fn item(&self, key: &ItemKey, recipe: &Label) -> Self {
        let item = AtItem { key: key.clone(), recipe: recipe.clone(), let_go: false };
        Self { item: Some(item), ..self.clone() }
    }

    /// The place at which a step of a roll's recipe is taken back on one node; `self` is the roll.
    #[must_use]
    pub fn release(&self, key: &ItemKey, recipe: &Label) -> Self {
        let item = AtItem { key: key.clone(), recipe: recipe.clone(), let_go: self.way == Way::Rollback };
        Self { item: Some(item), way: Way::Rollback, step: self.step.clone() }
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.item.as_ref().is_some_and(|item| item.let_go) {
            f.write_str("let go in ")?;
        }
        f.write_str(self.way.prefix())?;
        self.step.fmt(f)?;
        match &self.item {
            Some(item) => write!(f, "[{}]/{}", item.key, item.recipe),
            None => Ok(()),
        }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Event {
    /// The first record: what this journal is.
    Header {
        /// `switchback.journal/3.0`.
        format: Format,
        /// The run.
        run: RunId,
        /// The chain of plans that it belongs to: the first run's id.
        operation: RunId,
        /// The platform's name.
        platform: Label,
        /// The plan's digest.
        plan: Digest,
        /// The plan's review digest, which approvals bind to.
        review: Digest,
    },
    /// A process took the run over. Every record after it carries this epoch.
    Epoch {
        /// Host and process, as text.
        holder: String,
        /// Whose credentials it applies with, where the plan's trust asks.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Identified>,
    },
    /// The platform is this run's until it ends.
    Claimed {},
    /// Somebody approved something; copied from the side log when it first counted.
    Approved {
        /// The approval.
        approval: Approval,
    },
    /// A gate passed; it is not asked again for this step.
    Passed {
        /// The step.
        at: At,
        /// The gate.
        gate: Label,
        /// What was seen.
        evidence: Evidence,
    },
    /// The step was done already.
    Skipped {
        /// The step.
        at: At,
        /// What was seen.
        evidence: Evidence,
    },
    /// A value was read and kept, before the effect.
    Captured {
        /// The step.
        at: At,
        /// The capture's name.
        name: String,
        /// The value, or where it is.
        value: Captured,
    },
    /// The clusters' workloads were counted. Durable before the first effect of the hop.
    Counted {
        /// The hop that comes next.
        hop: HopId,
        /// From how many looks.
        looks: u32,
        /// What was counted, as far as it differs from what was counted before.
        counted: Vec<Counted>,
        /// UIDs of what is not there any more.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        gone: Vec<String>,
    },
    /// The clusters' workloads were compared with what was counted before.
    Compared {
        /// What is worse.
        shortages: Vec<Shortage>,
    },
    /// The effect is about to be called. Durable before the call.
    Intent {
        /// The step.
        at: At,
        /// Counts from 1.
        attempt: u32,
        /// The same for every attempt at this effect of this run: what idempotency tokens are made of.
        token: String,
    },
    /// How a call ended.
    Ended {
        /// The step.
        at: At,
        /// The attempt.
        attempt: u32,
        /// How.
        outcome: Outcome,
    },
    /// Verification came to an end.
    Verified {
        /// The step.
        at: At,
        /// What came out; `holds` makes the step done.
        verdict: Verdict,
    },
    /// The step stopped before its effect: something it was compiled from no longer holds.
    Stopped {
        /// The step.
        at: At,
        /// What was seen.
        evidence: Evidence,
    },
    /// The next nodes of a roll, chosen by its rule.
    Frozen {
        /// The roll.
        at: At,
        /// Counts from 1.
        pass: u32,
        /// Counts from 1 over all passes; 0 is the canary.
        batch: u32,
        /// The nodes, in the order in which they move.
        items: Vec<Item>,
    },
    /// A node of a roll is gone by itself: done.
    Gone {
        /// The roll.
        at: At,
        /// The node.
        item: ItemKey,
    },
    /// A batch is done and verified.
    BatchDone {
        /// The roll.
        at: At,
        /// The batch.
        batch: u32,
    },
    /// The roll's rule finds nothing more.
    Converged {
        /// The roll.
        at: At,
    },
    /// A savepoint is reached.
    Reached {
        /// The savepoint.
        savepoint: SavepointId,
    },
    /// From here on the run rolls back.
    TurnedToRollback {
        /// What is undone.
        scope: RollbackScope,
        /// Why: a failure, or a person.
        why: String,
    },
    /// From here on the run goes forward again: an operator said `continue` or `retry` after a hold.
    TurnedForward {
        /// Who and why.
        why: String,
    },
    /// From here on a run that had ended deletes what it retained for rollback: a point of no return.
    TurnedToCleanup {
        /// Steps whose retained resources are removed.
        steps: Vec<StepId>,
        /// Those of them whose retained resources a rollback still needed.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        early: Vec<StepId>,
        /// Who and why.
        why: String,
    },
    /// Dispatch stops: a failure whose action is `hold`, or a pause.
    Held {
        /// The step, if one caused it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<At>,
        /// Why.
        why: String,
    },
    /// An operator requested a retry of a step that failed, or whose outcome is unknown.
    Retry {
        /// The step.
        at: At,
        /// Who and why.
        why: String,
    },
    /// So many entries of the side log have been acted on. Written after what they led to, so that a crash in between
    /// makes the run listen to an entry twice rather than never.
    Heard {
        /// How many, from the beginning of the side log.
        entries: u64,
    },
    /// The process ends; the run goes on later.
    Parked {
        /// What it waits for.
        waits_for: Vec<WaitsFor>,
        /// When to look again, if time alone may help.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        wake_at: Option<Timestamp>,
    },
    /// A suspension cannot be resumed safely and is left, by name.
    LeftSuspended {
        /// The suspension.
        suspension: Label,
        /// Why.
        why: String,
    },
    /// Something of the platform changed while the run held it, and nothing was lost by it.
    Noted {
        /// What.
        text: String,
    },
    /// The run's claim went to the plan that continues it.
    Superseded {
        /// The run that took over.
        by: RunId,
    },
    /// The run that took over rolled back to where it began: the platform is as this run left it, and this run's again.
    Returned {
        /// The run that had taken over.
        from: RunId,
        /// Hops that cannot be rolled back since then, and why.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        lost: BTreeMap<HopId, String>,
    },
    /// The run is over; its claim is released.
    Done {
        /// How it ended.
        end: End,
        /// What is left behind.
        residue: Vec<Residue>,
    },
}

/// What is undone when a run turns back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum RollbackScope {
    /// One step and what was started after it because of it; then the run holds.
    Step(StepId),
    /// Everything outside of a savepoint; then the run ends as unwound.
    Savepoint(SavepointId),
}

/// What was captured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Captured {
    /// A small value that is no secret.
    Scalar(Value),
    /// Objects, kept beside the journal.
    Artifact {
        /// Digest of the artifact's bytes.
        digest: Digest,
        /// Its length.
        bytes: u64,
    },
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// Targets reached and verified.
    Complete,
    /// Back at a savepoint.
    RolledBack,
    /// Rolled back to a savepoint, with suspensions left.
    RolledBackSuspended,
    /// Abandoned by an operator; what is left is listed.
    Abandoned,
    /// Everything that was retained for rollback is deleted.
    CleanedUp,
}
