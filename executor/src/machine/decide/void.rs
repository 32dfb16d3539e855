//! Why an approval does not count, and what to do next.

use jiff::Timestamp;
use switchback_model::trust::Unsigned;
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
    /// The trust is not in the store.
    #[error("trust {0}, which the plan names, was not kept with the run")]
    NoTrust(Label),
    /// It is not signed by somebody of the trust.
    #[error("trust {trust} counts signatures of its approvers only: {why}")]
    Unsigned {
        /// The trust.
        trust: Label,
        /// Why it is none.
        why: Unsigned,
    },
    /// Who applies may not approve.
    #[error("{0} applies this run, and who applies may not approve here")]
    Applier(Label),
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
            Self::NoTrust(_) => "`switchback apply PLAN --trust FILE` keeps it with the run",
            Self::Unsigned { .. } => "pass --ssh-key FILE, a key of somebody whom the trust names",
            Self::Applier(_) => "somebody else whom the trust names has to approve",
            Self::Expired(_) => "pass a later --expires, or none",
            Self::Again { .. } => {
                "`switchback status` shows who has approved; somebody else has to, or nobody"
            }
            Self::NotAsked(_) => "`switchback status` shows what the run waits for",
            Self::NoOverride(_) => "`switchback override GATE --reason TEXT --expires INSTANT`",
        }
    }
}
