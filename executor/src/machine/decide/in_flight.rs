//! What a machine is in the middle of: asked and not answered yet. Lost with its process, and nothing depends on it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use switchback_model::journal::Side;
pub(in crate::machine) use switchback_model::windows::later;
use switchback_schemas::{
    ItemKey, RunId, Seconds,
    journal::{At, Event, Outcome, Record, Verdict, WaitsFor},
    name::Label,
    plan::Verify,
};

use crate::{
    machine::{Phase, RunState, census::Looks},
    ports::Member,
};

/// How far two looks are apart that confirm each other.
pub(in crate::machine) const APART: Seconds = Seconds(10);

#[derive(Debug, Default)]
pub(in crate::machine) struct Live {
    pub next: u64,
    pub commands: BTreeMap<u64, Asked>,
    pub places: BTreeMap<At, Place>,
    /// Calls whose intent this process wrote. An open call that is not among them is left over from another process.
    pub own: BTreeSet<At>,
    pub side: Side,
    pub suspensions: BTreeMap<Label, Watch>,
    /// Latest listings of nodes, good or not, by roll.
    pub listed: BTreeMap<At, Timestamp>,
    /// Nodes of a batch that the last listing did not hold, and when each is asked after by its name.
    pub missing: BTreeMap<At, BTreeMap<ItemKey, Timestamp>>,
    /// Rolls whose listings held no node at all, and since when.
    pub empty: BTreeMap<At, Timestamp>,
    /// Looks at what stands on the platform.
    pub looks: Looks,
    pub stopping: Option<String>,
    /// When something came forward last.
    pub progress: Option<Timestamp>,
    /// Events that answers led to.
    pub outbox: VecDeque<Event>,
}

/// A command that was not answered yet.
#[derive(Debug, PartialEq)]
pub(in crate::machine) struct Asked {
    pub at: At,
    pub purpose: Purpose,
}

/// What a command is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::machine) enum Purpose {
    Claim,
    Gate(Label),
    DoneWhen,
    SafeToResume(Label),
    Read(usize),
    Capture(String),
    Apply,
    Observe,
    Verify(usize),
    Members,
    Missing,
    Held(Label),
    Census,
}

/// How far the preparation of a call has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::machine) enum Stage {
    #[default]
    Gates,
    DoneWhen,
    SafeToResume,
    Read(usize),
    Captures,
    Ready,
}

/// What is going on at one place.
#[derive(Debug, Default)]
pub(in crate::machine) struct Place {
    pub command: Option<u64>,
    pub stage: Stage,
    /// Whether it waited for others since it was looked at.
    pub waited: bool,
    /// Not looked at before.
    pub wake: Option<Timestamp>,
    /// What it waits for outside, since when, and when time alone may help.
    pub waits: Vec<WaitsFor>,
    pub since: Option<Timestamp>,
    pub helps: Option<Timestamp>,
    /// Which of the plan's reads did not hold when it was looked at last, and since when.
    pub missed: Option<(usize, Timestamp)>,
    pub verify: BTreeMap<usize, Proof>,
    pub members: Option<Vec<Member>>,
}

/// How far one verification has come.
#[derive(Debug, Default)]
pub(in crate::machine) struct Proof {
    /// For how long it was seen to hold. What passes before a look that cannot be read does not count.
    pub held: SignedDuration,
    /// The last look that held; absent once one failed.
    pub good: Option<Timestamp>,
    /// Since when no look could be read.
    pub unread: Option<Timestamp>,
    /// Whether a look could not be read since it holds.
    pub interrupted: bool,
    /// For how long nothing could be read before the last look that could: that time is not the other side's.
    pub dark: SignedDuration,
    pub looked: Option<Timestamp>,
    pub last: Option<Verdict>,
    pub next: Option<Timestamp>,
}

impl Proof {
    /// What one more look makes of it. Looks further apart than `gap` say nothing of what was in between.
    pub(in crate::machine) fn look(&mut self, verdict: Verdict, now: Timestamp, gap: Seconds) {
        if matches!(verdict, Verdict::Unknown { .. }) {
            self.unread.get_or_insert(now);
        } else if let Some(since) = self.unread.take() {
            self.dark += now.duration_since(since);
        }
        match &verdict {
            Verdict::Holds { .. } => {
                self.held = match (self.good, self.looked) {
                    (Some(good), Some(looked)) if later(good, gap) >= now => {
                        self.held + now.duration_since(looked)
                    }
                    _ => SignedDuration::ZERO,
                };
                self.good = Some(now);
            }
            Verdict::Fails { .. } => *self = Self { next: self.next, dark: self.dark, ..Self::default() },
            Verdict::Unknown { .. } => self.interrupted = self.good.is_some(),
        }
        self.looked = Some(now);
        self.last = Some(verdict);
    }

    /// Whether its time is over, which began then. Time in which nothing can be read does not count, until that has lasted for so
    /// long; and what holds when its time is over has the same time again to stay so.
    pub(in crate::machine) fn is_late(
        &self,
        verify: &Verify,
        began: Timestamp,
        patience: Seconds,
        now: Timestamp,
    ) -> bool {
        let over = later(began, verify.within);
        let most = SignedDuration::from_secs(i64::try_from(patience.0).unwrap_or(i64::MAX));
        let counted = over.saturating_add(self.dark.min(most)).unwrap_or(now);
        match (self.unread, &self.last) {
            (Some(since), _) => now >= later(since, patience) && now > over,
            (None, None) => false,
            (None, Some(Verdict::Holds { .. })) => now > later(later(counted, verify.within), verify.settle),
            (None, Some(_)) => now > counted,
        }
    }

    /// Whether it held for long enough. The time since the last look counts while that look was good.
    pub(in crate::machine) fn is_settled(&self, settle: Seconds, now: Timestamp) -> bool {
        let since = self.good.filter(|_| self.good == self.looked).map(|good| now.duration_since(good));
        let held = self.held.saturating_add(since.unwrap_or_default());
        self.good.is_some() && held.as_secs() >= i64::try_from(settle.0).unwrap_or(i64::MAX)
    }
}

/// An open suspension that is looked at.
#[derive(Debug, Default)]
pub(in crate::machine) struct Watch {
    pub asked: bool,
    pub next: Option<Timestamp>,
    pub last: Option<Verdict>,
}

/// What idempotency tokens are made of: the same for every attempt, another when a step was undone and begins anew.
pub(in crate::machine) fn token(run: Option<&RunId>, at: &At, round: u32) -> String {
    let seed = format!("{}|{at}|{round}", run.map_or("", RunId::as_str));
    let digit = |n: u8| char::from_digit(u32::from(n), 16).unwrap_or('0');
    Sha256::digest(seed).iter().take(16).flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

impl Live {
    pub(in crate::machine) fn place(&mut self, at: &At) -> &mut Place {
        self.places.entry(at.clone()).or_default()
    }

    /// What a record makes out of date.
    pub(in crate::machine) fn after(&mut self, state: &RunState, record: &Record) {
        let at = match &record.event {
            Event::Epoch { .. } => {
                *self = Self { side: std::mem::take(&mut self.side), ..Self::default() };
                None
            }
            Event::Counted { .. } => {
                (self.looks.before, self.looks.next) = (Vec::new(), None);
                None
            }
            Event::Intent { at, .. } => {
                self.looks.ended = None;
                self.own.insert(at.clone());
                Some(at)
            }
            Event::Ended { at, .. }
            | Event::Skipped { at, .. }
            | Event::Stopped { at, .. }
            | Event::Verified { at, .. }
            | Event::Frozen { at, .. }
            | Event::Gone { at, .. }
            | Event::BatchDone { at, .. }
            | Event::Converged { at }
            | Event::Retry { at, .. } => Some(at),
            Event::TurnedToRollback { .. } | Event::TurnedForward { .. } | Event::TurnedToCleanup { .. } => {
                // Somebody may have mended what was seen.
                self.looks.last = None;
                let own = &self.own;
                self.places.retain(|at, place| place.command.is_some() || own.contains(at));
                None
            }
            _ => None,
        };
        if let Some(at) = at {
            if state.phase(at) != Phase::Called {
                self.own.remove(at);
            }
            // What was asked about the phase before is not waited for any more; its answer is dropped.
            if let Some(id) = self.places.remove(at).and_then(|place| place.command) {
                self.commands.remove(&id);
            }
        }
        if comes_forward(&record.event) || self.progress.is_none() {
            self.progress = Some(record.at);
        }
    }
}

/// Whether a record means that a run came forward, and does not only say again that it waits.
fn comes_forward(event: &Event) -> bool {
    match event {
        Event::Ended { outcome, .. } => matches!(outcome, Outcome::Done { .. }),
        Event::Intent { .. } | Event::Parked { .. } | Event::Noted { .. } | Event::Heard { .. } => false,
        _ => true,
    }
}
