//! Gates: what must pass before a step starts. Pass, fail or unknown; unknown blocks.

use jiff::{Timestamp, civil::Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Condition;
use crate::{
    Seconds, StepId,
    name::{Label, ObjectRef},
};

/// A gate; steps name the gates that they wait for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Gate {
    /// Its name.
    pub id: Label,
    /// What it asks, as text.
    pub title: String,
    /// What it asks.
    pub kind: GateKind,
    /// Whether `switchback override` may pass it for a named person with a reason and an expiry.
    pub may_override: bool,
}

/// What a gate asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum GateKind {
    /// Somebody approved it.
    Approval(ApprovalScope),
    /// The time is inside one of the plan's windows of this use, and what must follow fits.
    Window(WindowUse),
    /// It is not before this instant.
    NotBefore(Timestamp),
    /// The platform says so.
    Check(Condition),
}

/// What an approval covers. An approval counts for what it names and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum ApprovalScope {
    /// The whole plan.
    Plan {},
    /// One point of no return.
    Point(Label),
    /// Passing one gate by hand.
    Gate(Label),
    /// Deleting what rollbacks of a run that has ended still need.
    Cleanup {},
    /// Going on although something is worse than before the run, as long as it does not get worse than this.
    Worse(AcceptedShortage),
}

/// How much worse something may be than before a run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AcceptedShortage {
    /// The object.
    pub object: ObjectRef,
    /// What is wrong with it.
    pub how: ShortageKind,
    /// How many pods may be missing at most.
    pub short: u64,
}

/// What is wrong with something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ShortageKind {
    /// Fewer are Ready than were before and are wanted.
    Short,
    /// It failed.
    Failed,
    /// It is gone, and nobody saw how it ended: unknown.
    Gone,
}

/// A step after which an earlier state cannot be restored without loss.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PointOfNoReturn {
    /// Its name, which approvals must name.
    pub id: Label,
    /// The step that passes it.
    pub step: StepId,
    /// The rollback that ends here, as text.
    pub ends: String,
    /// How to recover afterwards.
    pub recovery: String,
}

/// A time in which steps may start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Window {
    /// Its name.
    pub name: Label,
    /// What it is for.
    pub used_for: WindowUse,
    /// The time zone, by its IANA name; civil time follows its rules of the day.
    pub zone: String,
    /// Days on which it begins; empty means every day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<Day>,
    /// When it begins. A start that the zone skips moves on; a doubled hour counts once.
    pub start: Time,
    /// How long it lasts.
    pub length: Seconds,
}

/// What a window is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WindowUse {
    /// Steps forward start only inside of it.
    Forward,
    /// Steps back start only inside of it; without any such window, at any time.
    Rollback,
    /// Nothing forward starts inside of it.
    Freeze,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the days need no explanation")]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// A notification channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Channel {
    /// Its name.
    pub name: Label,
    /// Variable of the executor's environment that holds the webhook's address; the address is a secret.
    pub url_from_env: String,
}
