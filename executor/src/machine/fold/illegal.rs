//! Why a record refuses a run.

use switchback_schemas::{Digest, HopId, StepId, journal::At};

use super::{place_event::PlaceEvent, state::Phase};

/// A record that does not follow from those before it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("record {seq} does not follow from those before it: {reason}")]
pub struct Illegal {
    /// The record's number.
    pub seq: u64,
    /// Why.
    pub reason: Reason,
}

/// What is wrong with a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Its number is not the next one.
    #[error("number {0} was expected")]
    Sequence(u64),
    /// It carries another epoch than the one of the process that may write.
    #[error("it carries epoch {found}, and the run is in epoch {current}")]
    Epoch {
        /// The record's.
        found: u64,
        /// The run's.
        current: u64,
    },
    /// The journal does not begin with a header, or has a second one.
    #[error("a journal has one header, at its beginning")]
    Header,
    /// It belongs to another plan.
    #[error("the run was started from plan {0}")]
    OtherPlan(Digest),
    /// The run is over.
    #[error("the run has ended")]
    Over,
    /// Nothing is at this place of the plan.
    #[error("the plan has nothing at {0}")]
    NoSuchPlace(At),
    /// The place is not in a state in which that can happen.
    #[error("{at} is {phase:?}, and then there is no {event:?}")]
    Phase {
        /// The place.
        at: At,
        /// Where it stands.
        phase: Phase,
        /// The record's kind.
        event: PlaceEvent,
    },
    /// A call of which nobody knows the end is settled, or stays as it is.
    #[error("{at} is {phase:?}, and is doubted once more")]
    SecondDoubt {
        /// The place.
        at: At,
        /// Where it stands.
        phase: Phase,
    },
    /// The attempts of a place are counted.
    #[error("attempt {expected} of {at} was expected")]
    Attempt {
        /// The place.
        at: At,
        /// The attempt that would follow.
        expected: u32,
    },
    /// A step comes after what it needs.
    #[error("{step} comes before {need}, which it needs")]
    Order {
        /// The step.
        step: StepId,
        /// What it needs.
        need: StepId,
    },
    /// What stands on the platform is counted before the first effect of a hop.
    #[error("{at} comes before the platform was counted for hop {hop}")]
    Uncounted {
        /// The place.
        at: At,
        /// Its hop.
        hop: Box<HopId>,
    },
    /// Effects need the claim.
    #[error("an effect before the platform was claimed")]
    Unclaimed,
    /// The run goes the other way, or holds.
    #[error("{0} while the run {1}")]
    Direction(At, &'static str),
    /// Something else that cannot be.
    #[error("{0}")]
    Other(String),
}
