//! How calls and checks end.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::ApprovalScope;

/// What was seen: short texts for status and reports, cleaned of escapes and secrets where they were read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Evidence(pub Vec<String>);

impl Evidence {
    /// One line.
    pub fn line(text: impl Into<String>) -> Self {
        Self(vec![text.into()])
    }
}

/// How the call of an effect ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Outcome {
    /// The effect happened.
    Done {
        /// What was seen.
        evidence: Evidence,
    },
    /// The effect is under way or was done in part, and goes on when something outside of us changes. Never a failure.
    Blocked {
        /// What it waits for.
        waits_for: Vec<WaitsFor>,
    },
    /// The effect did not happen.
    NotDone {
        /// What kind of failure.
        class: Class,
        /// What was answered.
        evidence: Evidence,
    },
    /// Whether it happened is unknown: check before anything else.
    InDoubt {
        /// What kind of failure.
        class: Class,
        /// What was answered.
        evidence: Evidence,
    },
}

impl Outcome {
    /// Of one call of several, where those before have changed something: then no failure of it says that nothing happened.
    #[must_use]
    pub fn in_part(self) -> Self {
        match self {
            Self::NotDone { class, evidence } => Self::InDoubt { class, evidence },
            other => other,
        }
    }
}

/// What kind of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// The other side is overloaded or asks to wait.
    Throttled,
    /// It could not be reached, or broke off.
    Unreachable,
    /// Somebody else changed the thing in between.
    Conflict,
    /// Credentials are missing, expired or not enough.
    Denied,
    /// It was refused for good; the same call will be refused again.
    Refused,
    /// An admission webhook refused it. What it says twice is final.
    Vetoed,
    /// It took longer than it may.
    Deadline,
    /// The process that made the call died before it heard the answer.
    Crashed,
    /// A rule of our own was broken.
    Bug,
}

/// What something waits for, with the name of the one who can help.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum WaitsFor {
    /// A PodDisruptionBudget that allows no eviction now.
    Budget {
        /// The budget.
        budget: String,
        /// The pod.
        pod: String,
    },
    /// A workload that must not be disturbed.
    Workload {
        /// The workload: its topmost owner.
        workload: String,
        /// Its class; absent for a pod of no class.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        class: Option<String>,
        /// The node.
        node: String,
        /// What moving it would do to it; absent where its class says to wait.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// Pods that are on their way out.
    Terminating {
        /// How many.
        pods: u64,
        /// The node.
        node: String,
    },
    /// Something long that another system does for us. Its name comes back with the next call, so that it is asked after and not
    /// begun twice.
    Operation {
        /// The other system's name for it.
        id: String,
        /// What it does and how far it is.
        message: String,
    },
    /// An approval.
    Approval {
        /// What is to be approved.
        scope: ApprovalScope,
    },
    /// A window to open, or a freeze to end.
    Window {
        /// Which.
        window: String,
    },
    /// An instant.
    Instant {
        /// When.
        at: jiff::Timestamp,
    },
    /// More nodes.
    Capacity {
        /// What was said.
        message: String,
    },
    /// Credentials.
    Credentials {
        /// What was said.
        message: String,
    },
    /// Something that could not be read.
    Unreadable {
        /// What.
        what: String,
        /// Why.
        why: String,
    },
    /// A second look, some time after the first: something was not seen, and what follows cannot be undone.
    SecondLook {
        /// What is looked at.
        what: String,
    },
    /// A condition to come true.
    Condition {
        /// What it asks, and what was seen.
        message: String,
    },
    /// An operator to decide.
    Person {
        /// What about.
        message: String,
    },
}

/// What came out of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Verdict {
    /// It holds.
    Holds {
        /// What was seen.
        evidence: Evidence,
    },
    /// It does not hold.
    Fails {
        /// What was seen.
        evidence: Evidence,
    },
    /// It could not be read. Blocks, and never counts as a failure.
    Unknown {
        /// Why.
        evidence: Evidence,
    },
}

impl Verdict {
    /// Holds, with one line of evidence.
    pub fn holds(line: impl Into<String>) -> Self {
        Self::Holds { evidence: Evidence::line(line) }
    }

    /// Fails, with one line of evidence.
    pub fn fails(line: impl Into<String>) -> Self {
        Self::Fails { evidence: Evidence::line(line) }
    }

    /// Unknown, with one line of reason.
    pub fn unknown(line: impl Into<String>) -> Self {
        Self::Unknown { evidence: Evidence::line(line) }
    }

    /// What was seen.
    pub fn evidence(&self) -> &Evidence {
        match self {
            Self::Holds { evidence } | Self::Fails { evidence } | Self::Unknown { evidence } => evidence,
        }
    }

    /// Whether it holds.
    pub fn is_holding(&self) -> bool {
        matches!(self, Self::Holds { .. })
    }
}
