//! Why an approval does not count, and what to do next.

use jiff::Timestamp;
use switchback_schemas::name::Label;

/// Why an approval does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Void {
    /// It is of another plan.
    #[error("it is of another plan, with another review digest")]
    OtherReview,
    /// Nobody proved the name.
    #[error("platform {0} counts proven identities only")]
    Unproven(Label),
    /// It counts no more, or not yet.
    #[error("it expires at {0}, which has passed")]
    Expired(Timestamp),
    /// The same person has approved the same, for at least as long.
    #[error("{by} has approved {scope} at {given}, and a person counts once")]
    Again {
        /// Who.
        by: String,
        /// What.
        scope: String,
        /// When.
        given: Timestamp,
    },
    /// Nothing waits for it, now or later.
    #[error("nothing of the plan asks for an approval of {0}")]
    NotAsked(String),
    /// An override says why, and ends.
    #[error("gate {0} is passed by an override, which needs a reason and an end")]
    NoOverride(Label),
}

impl Void {
    /// What to do next.
    pub fn help(&self) -> &'static str {
        match self {
            Self::OtherReview => "review the plan of the run as it is, and approve that",
            Self::Unproven(_) => "pass --kubeconfig, and no --asserted",
            Self::Expired(_) => "pass a later --expires, or none",
            Self::Again { .. } => {
                "`switchback status` shows who has approved; somebody else has to, or nobody"
            }
            Self::NotAsked(_) => "`switchback status` shows what the run waits for",
            Self::NoOverride(_) => "`switchback override GATE --reason TEXT --expires INSTANT`",
        }
    }
}
