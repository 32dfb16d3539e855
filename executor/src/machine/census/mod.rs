//! The census: verdicts from looks at what stands on a platform, and what a run did to it. Pure: nothing is asked and nothing written.

mod judge;
mod touched;

use jiff::Timestamp;
use switchback_schemas::journal::WaitsFor;

use crate::ports::{Failure, Look};

pub(super) use judge::{changes, fewest};
pub(super) use touched::Touches;

/// Looks at the platform; lost with the process.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// Whether one is on its way.
    pub asked: bool,
    /// Looks before the run's first effect.
    pub before: Vec<Look>,
    /// When the next one is due, if it is not due at once.
    pub next: Option<Timestamp>,
    /// The last good one.
    pub last: Option<(Timestamp, Look)>,
    /// Until when it is good enough, where it found something short; else it soon is not.
    pub again: Option<Timestamp>,
    /// What it found short, as what is waited for.
    pub short: Vec<WaitsFor>,
    /// Since when none could be read, and why.
    pub unread: Option<(Timestamp, Failure)>,
    /// What was seen over several.
    pub seen: judge::Seen,
    /// Until when it is worth waiting.
    pub stays: Option<Timestamp>,
    /// When everything was done.
    pub ended: Option<Timestamp>,
}
