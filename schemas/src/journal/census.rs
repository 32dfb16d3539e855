//! What a run counts on a platform, and what is short of what was counted.

use std::collections::BTreeSet;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    HopId, Seconds,
    name::{ObjectName, ObjectRef},
    plan::{AcceptedShortage, ShortageKind},
};

/// A workload by its topmost controller, a pod without any, a Service, a PodDisruptionBudget, or another object that says whether it
/// is ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Counted {
    /// The UID of the object; with `/ready` behind it for what an owner says of itself, beside its pods.
    pub uid: String,
    /// The object.
    pub object: ObjectRef,
    /// How many pods it wants now; 1 for what is ready or not.
    pub desired: u64,
    /// How many of them are Ready; the fewest of several looks before a run.
    pub ready: u64,
    /// Where work stands that comes to an end.
    #[serde(default, skip_serializing_if = "is_lasting")]
    pub progress: Progress,
    /// The longest time from a pod's creation until it was Ready that was seen; 0 where none was.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub start: Seconds,
    /// The Helm release that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<ObjectName>,
    /// Node groups and NodePools on whose nodes its pods stand.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub groups: BTreeSet<String>,
    /// UIDs of the workloads on whose pods a Service, a budget or an owner depends.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub through: BTreeSet<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde's skip_serializing_if asks for")]
fn is_zero(length: &Seconds) -> bool {
    length.0 == 0
}

/// Where work stands that comes to an end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Progress {
    /// It has no end.
    #[default]
    Lasting,
    /// It is not at its end.
    Unfinished,
    /// It came to a good end.
    Complete,
    /// It ended without success.
    Failed,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde's skip_serializing_if asks for")]
fn is_lasting(progress: &Progress) -> bool {
    *progress == Progress::Lasting
}

/// Something that has less than it had before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Shortage {
    /// What it was counted under.
    pub uid: String,
    /// The object.
    pub object: ObjectRef,
    /// What is wrong with it.
    pub how: ShortageKind,
    /// How many pods were Ready before.
    pub before: u64,
    /// How many are wanted now.
    pub desired: u64,
    /// How many are Ready now.
    pub ready: u64,
    /// Since when it was seen like this without a break.
    pub since: Timestamp,
    /// By which hop and how this run may have caused it; absent where it did not touch it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ours: Option<Touched>,
    /// What the platform says about it; empty where it says nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cause: String,
}

/// How a run touched something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Touched {
    /// The hop.
    pub hop: HopId,
    /// What it did.
    pub how: String,
}

impl Shortage {
    /// How many pods are missing; 0 where that is not what is wrong.
    pub fn short(&self) -> u64 {
        match self.how {
            ShortageKind::Short => self.before.min(self.desired).saturating_sub(self.ready),
            ShortageKind::Failed | ShortageKind::Gone => 0,
        }
    }

    /// Whether an approval is for it: of the same kind, and for no less than is missing.
    pub fn is_within(&self, accepted: &AcceptedShortage) -> bool {
        accepted.object == self.object && accepted.how == self.how && self.short() <= accepted.short
    }

    /// What an approval of it has to name.
    pub fn accepted(&self) -> AcceptedShortage {
        AcceptedShortage { object: self.object.clone(), how: self.how, short: self.short() }
    }
}

impl std::fmt::Display for Shortage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { object, before, desired, ready, since, cause, .. } = self;
        match self.how {
            ShortageKind::Short => {
                let wanted = (*before).min(*desired);
                write!(f, "{object}: {ready} of {wanted} ready ({before} before) since {since}")?;
            }
            ShortageKind::Failed => write!(f, "{object}: failed ({before} ready before)")?,
            ShortageKind::Gone => write!(f, "{object}: gone ({before} ready before), end not seen")?,
        }
        if let Some(touched) = &self.ours {
            write!(f, "; {}", touched.how)?;
        }
        if cause.is_empty() { Ok(()) } else { write!(f, "; {cause}") }
    }
}
