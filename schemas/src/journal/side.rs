//! The side log: what people say to a run. It needs no lease, so one can approve while nobody runs.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Evidence, RollbackScope};
use crate::{Digest, RunId, StepId, name::Label, plan::ApprovalScope};

/// One line of the side log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SideEntry {
    /// The run.
    pub run: RunId,
    /// When it was said.
    pub at: Timestamp,
    /// Who said it.
    pub by: Identified,
    /// What.
    pub says: SideKind,
}

/// Who somebody is, and how that was proven.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Identified {
    /// A name that nobody checked. Counts only on platforms that allow it.
    Asserted(String),
    /// What the caller's API server says of the credentials (SelfSubjectReview). Where a plan has a trust, it proves nothing.
    Kubernetes(String),
    /// A person of the plan's trust, by a signature of one of their keys.
    Ssh {
        /// The person's name.
        name: Label,
        /// The key's fingerprint, `SHA256:` and base64.
        key: String,
    },
}

/// A request of an operator or approver.
#[expect(clippy::large_enum_variant, reason = "a run hears a handful of them")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum SideKind {
    /// Approves something.
    Approve {
        /// The approval.
        approval: Approval,
    },
    /// Stops dispatch before the next step.
    Pause {
        /// Why.
        reason: String,
    },
    /// Goes on after a pause or a hold.
    Continue {
        /// Why.
        reason: String,
    },
    /// Runs a failed or doubtful step again.
    Retry {
        /// The step.
        step: StepId,
        /// Why.
        reason: String,
    },
    /// Turns the run back.
    Rollback {
        /// How far.
        scope: RollbackScope,
        /// Why.
        reason: String,
    },
    /// Deletes what a run that has ended retains.
    Cleanup {
        /// Also what a rollback still needs.
        early: bool,
        /// Why.
        reason: String,
    },
    /// Gives the run up where it stands.
    Abandon {
        /// Why.
        reason: String,
    },
    /// The janitor took back something that the run had left when it was over.
    Cleared {
        /// The suspension or node, as it was listed.
        what: String,
        /// Why.
        reason: String,
        /// What was seen.
        evidence: Evidence,
    },
    /// Something to remember.
    Note {
        /// What.
        text: String,
    },
}

/// An approval. It binds to the review digest, so it is void for a plan whose risk is another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Approval {
    /// Who approves.
    pub by: Identified,
    /// What.
    pub scope: ApprovalScope,
    /// The review digest that was looked at.
    pub review: Digest,
    /// Why; an override needs one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was given.
    pub given: Timestamp,
    /// When it stops counting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// The signature of a key, in OpenSSH's form. It covers run, plan, scope, review digest, reason and both times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<String>,
}
