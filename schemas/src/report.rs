//! What a run came to, and what it hands to the plan that continues it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Digest, HopId, RunId, Seconds, StepId, Version,
    format::Format,
    journal::{Approval, At, Captured, End, Evidence, Identified, Residue, Shortage, WaitsFor},
    name::{Label, SavepointId},
    plan::{ApprovalScope, Condition},
};

/// The account of a run: every step, what it did and what was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Report {
    /// `switchback.report/2.0`.
    pub format: Format,
    /// The run.
    pub run: RunId,
    /// The platform.
    pub platform: Label,
    /// The plan.
    pub plan: Digest,
    /// When the run began.
    pub started: Timestamp,
    /// When the last record was written.
    pub last: Timestamp,
    /// Where the run stands.
    pub state: RunState,
    /// Why the run rolls back, or rolled back: what failed, in the words of the one who refused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<String>,
    /// The last savepoint that was reached.
    pub savepoint: SavepointId,
    /// Every step of the plan and every item of a roll.
    pub steps: Vec<StepReport>,
    /// Suspensions that are not resumed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_suspended: Vec<Label>,
    /// Approvals that counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<Approval>,
    /// Approvals that the run is parked for, with who has given them so far. `status` fills it in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub awaited: Vec<AwaitedApproval>,
    /// What is left behind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub residue: Vec<Residue>,
    /// What was worse than before the run when it was looked at last: of this run, and not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub worse: Vec<Shortage>,
    /// Safety nets that the run has put up and that are still needed by a rollback, the one to remove first in front.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retained: Vec<Retained>,
    /// Rollbacks that are known to expire, the nearest savepoint first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expiring: Vec<ExpiringRollback>,
}

/// An approval that a run waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AwaitedApproval {
    /// What is to be approved.
    pub scope: ApprovalScope,
    /// Who has approved it, each person once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given: Vec<Identified>,
    /// How many different people have to.
    pub needed: u32,
    /// Who else may, where the plan has a trust.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub may: Vec<Label>,
}

impl AwaitedApproval {
    /// How many more people have to approve it.
    pub fn missing(&self) -> u32 {
        self.needed.saturating_sub(u32::try_from(self.given.len()).unwrap_or(u32::MAX))
    }
}

/// A rollback from where the run is, with its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExpiringRollback {
    /// The savepoint that it leads to.
    pub to: SavepointId,
    /// The latest instant at which it can begin; absent where no rollback window has room for it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decide_by: Option<Timestamp>,
    /// When it expires.
    pub expires_at: Timestamp,
    /// Why it expires.
    pub why: String,
    /// The step whose rollback expires.
    pub step: StepId,
}

/// A safety net that outlives its run, until `switchback cleanup` removes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Retained {
    /// Until when its rollback needs it.
    pub until: Timestamp,
    /// What it is.
    pub what: String,
    /// Which rollback needs it.
    pub why: String,
    /// The step that left it.
    pub step: StepId,
}

/// Where a run stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum RunState {
    /// A process is working on it, or died while it did.
    Running {},
    /// Dispatch stopped; an operator decides.
    Held {
        /// Why.
        why: String,
    },
    /// Waits, without a process.
    Parked {
        /// What for.
        waits_for: Vec<WaitsFor>,
        /// When to look again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        wake_at: Option<Timestamp>,
    },
    /// Another run took it over.
    Superseded {
        /// Which.
        by: RunId,
    },
    /// Over.
    Ended {
        /// How.
        end: End,
    },
}

/// What became of one step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StepReport {
    /// The step.
    pub at: At,
    /// Its title.
    pub title: String,
    /// The node, for an item of a roll.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// What became of it.
    pub status: StepStatus,
    /// When its first record was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// When its last record was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// How long it was worked on, if it came to its end: without the time in which the run was parked, and without attempts
    /// that failed or were taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worked: Option<Seconds>,
    /// How often its effect was called.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub attempts: u32,
    /// What was seen last.
    #[serde(default, skip_serializing_if = "no_evidence")]
    pub evidence: Evidence,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde's skip_serializing_if asks for")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

fn no_evidence(evidence: &Evidence) -> bool {
    evidence.0.is_empty()
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StepStatus {
    /// Not started.
    NotStarted,
    /// Started; no outcome yet.
    Running,
    /// Waits for something outside.
    Blocked,
    /// Called; whether it happened is unknown.
    InDoubt,
    /// Done and verified.
    Done,
    /// Was done already.
    Skipped,
    /// Failed.
    Failed,
    /// Undone.
    RolledBack,
    /// Its node vanished by itself.
    Gone,
}

/// What a run hands to the plan that continues it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CarryOver {
    /// The run.
    pub run: RunId,
    /// The chain of plans that it belongs to.
    pub operation: RunId,
    /// Its plan.
    pub plan: Digest,
    /// The chain digest of its last record.
    pub journal_head: String,
    /// The last savepoint that was reached.
    pub savepoint: SavepointId,
    /// Captures, by step and name, also of runs that it continues.
    pub captures: BTreeMap<StepId, BTreeMap<String, Captured>>,
    /// When steps were applied that tell old nodes from new ones (`bornBefore`), also of runs that it continues.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub applied: BTreeMap<StepId, Timestamp>,
    /// Suspensions that are not resumed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_suspended: Vec<LeftSuspended>,
    /// Steps that are done and can still be undone.
    pub done: Vec<StepId>,
    /// Steps that may have changed something and are not undone: those that are done, and those that were only started.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub began: Vec<StepId>,
    /// Hops that were started and are not rolled back, also of the runs that it continues.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hops: Vec<CarriedHop>,
}

/// A hop that an earlier run of an operation moved, or began to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CarriedHop {
    /// The hop.
    pub id: HopId,
    /// The run.
    pub run: RunId,
    /// The version before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Version>,
    /// Whether all of it was done, by its run or by a later one that moved the same thing.
    pub whole: bool,
}

/// A suspension that a run leaves to the plan that continues it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LeftSuspended {
    /// Its name.
    pub id: Label,
    /// What is suspended.
    pub title: String,
    /// Holds while it lasts.
    pub held: Condition,
    /// The captures that resuming it restores.
    pub puts_back: Vec<CaptureName>,
    /// The command that resumes it without Switchback.
    pub resume_command: String,
}

/// A capture of an operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CaptureName {
    /// The step.
    pub step: StepId,
    /// The capture's name.
    pub name: String,
}
