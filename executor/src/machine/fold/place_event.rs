//! What a record can say of one place, and in which phases of the place it may: the table that the fold goes by.

use super::state::Phase;

/// What a record says of one place. A record of another kind is about the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaceEvent {
    /// A gate passed.
    Passed,
    /// Something was captured.
    Captured,
    /// It is done already.
    Skipped,
    /// What it was compiled from does not hold.
    Stopped,
    /// A call begins.
    Intent,
    /// A call ended.
    Ended,
    /// What must hold after it was looked at.
    Verified,
    /// A batch of nodes was chosen.
    Frozen,
    /// A node is gone.
    Gone,
    /// A batch has moved.
    BatchDone,
    /// No node is left to move.
    Converged,
    /// An operator wants it tried again.
    Retry,
}

impl PlaceEvent {
    /// The phases in which a place may have it.
    pub(super) const fn phases(self) -> &'static [Phase] {
        match self {
            Self::Passed => &[Phase::New],
            Self::Captured | Self::Skipped => &[Phase::New, Phase::Again],
            Self::Stopped => &[Phase::New, Phase::Again, Phase::Rolling],
            Self::Intent => &[Phase::New, Phase::Blocked, Phase::Again, Phase::InDoubt],
            Self::Ended => &[Phase::Called, Phase::Blocked, Phase::InDoubt, Phase::Asked],
            Self::Verified => &[Phase::Applied, Phase::Rolling],
            Self::Frozen | Self::Converged => &[Phase::New, Phase::Rolling],
            Self::Gone | Self::BatchDone => &[Phase::Rolling],
            // A failed place, and a node's step that a retry of another one took up.
            Self::Retry => &[Phase::New, Phase::Failed, Phase::Stopped, Phase::Unproven, Phase::Asked],
        }
    }

    /// Only a roll has it.
    pub(super) const fn is_of_roll(self) -> bool {
        matches!(self, Self::Frozen | Self::Gone | Self::BatchDone | Self::Converged)
    }

    /// Only an effect has it.
    pub(super) const fn is_of_effect(self) -> bool {
        matches!(self, Self::Intent | Self::Ended)
    }
}
