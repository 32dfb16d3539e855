//! How long places were worked on, from the records of a run.
//!
//! Work is a call from its intent to its outcome, waiting for what blocks it included, and its verification; of a roll it is
//! everything from its first batch to its verification. Not work is the time in which no process worked on the run, and whatever
//! was in vain: attempts that failed and those of which nobody knew how they ended. What went on after a crash ended at an
//! instant that nobody saw, so nothing is said of it, and nothing of a roll with a failure or a hold inside.

use std::collections::BTreeMap;

use jiff::Timestamp;
use switchback_schemas::{
    Seconds,
    journal::{At, Event, Outcome, Record, Verdict, Way},
};

use crate::windows::between;

/// How long each place was worked on that came to its end.
pub fn worked(records: &[Record]) -> BTreeMap<At, Seconds> {
    let mut work = Work::default();
    for record in records {
        work.add(record);
    }
    work.ended
}

#[derive(Default)]
struct Work {
    open: BTreeMap<At, Place>,
    ended: BTreeMap<At, Seconds>,
    /// When the last record was written.
    last: Option<Timestamp>,
}

/// A place that is worked on.
#[derive(Default)]
struct Place {
    /// Since when time is not yet counted; absent while no process works on the run.
    since: Option<Timestamp>,
    total: Seconds,
    /// Whether a call is open.
    called: bool,
    rolls: bool,
    /// Whether nobody saw how long it took.
    unseen: bool,
}

impl Place {
    fn count(&mut self, now: Timestamp) {
        if let Some(since) = self.since.replace(now) {
            self.total = self.total + between(since, now);
        }
    }
}

impl Work {
    fn add(&mut self, record: &Record) {
        let now = record.at;
        match &record.event {
            Event::Intent { at, .. } => {
                let place = self.open.entry(at.clone()).or_default();
                place.count(now);
                place.called = true;
            }
            Event::Ended { at, outcome, .. } => self.call_ended(at, outcome, now),
            Event::Frozen { at, .. } => {
                let place = self.open.entry(at.clone()).or_default();
                place.count(now);
                place.rolls = true;
            }
            Event::Verified { at, verdict: Verdict::Holds { .. } } => {
                if let Some(mut place) = self.open.remove(at) {
                    place.count(now);
                    if !place.unseen {
                        self.ended.insert(at.clone(), place.total);
                    }
                }
            }
            Event::Verified { at, .. } | Event::Stopped { at, .. } => self.in_vain(at),
            Event::Retry { at, .. } => drop(self.open.remove(at)),
            Event::TurnedToRollback { .. } => self.open.retain(|at, _| at.way == Way::Rollback),
            Event::TurnedForward { .. } => self.open.retain(|at, _| at.way == Way::Forward),
            Event::Held { .. } => {
                let rolls = self.open.values_mut().filter(|place| place.rolls);
                rolls.for_each(|place| place.unseen = true);
            }
            Event::Parked { .. } => {
                for place in self.open.values_mut() {
                    place.count(now);
                    place.since = None;
                }
            }
            Event::Epoch { .. } => self.taken_up(now),
            _ => {}
        }
        self.last = Some(now);
    }

    fn call_ended(&mut self, at: &At, outcome: &Outcome, now: Timestamp) {
        match outcome {
            Outcome::Done { .. } | Outcome::Blocked { .. } => {
                let place = self.open.entry(at.clone()).or_default();
                // Found done, by a look at the platform: how long it took was not seen.
                place.unseen |= !place.called;
                place.called = false;
                place.count(now);
            }
            Outcome::NotDone { .. } | Outcome::InDoubt { .. } => self.in_vain(at),
        }
    }

    /// What was done there so far led to nothing; a roll that it belongs to took longer for it.
    fn in_vain(&mut self, at: &At) {
        self.open.remove(at);
        let roll = At { item: None, ..at.clone() };
        if let Some(place) = self.open.get_mut(&roll).filter(|_| at.item.is_some()) {
            place.unseen = true;
        }
    }

    /// Another process works on the run. One that did not park died after its last record.
    fn taken_up(&mut self, now: Timestamp) {
        let died = self.last.unwrap_or(now);
        self.open.retain(|_, place| !place.called);
        for place in self.open.values_mut() {
            if place.since.is_some() {
                place.count(died);
            }
            place.since = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use switchback_schemas::{
        ItemKey,
        journal::{Class, Evidence, RollbackScope},
        name::Label,
    };

    use super::*;
    use crate::testing::id;

    const NOTHING: Evidence = Evidence(Vec::new());

    fn at() -> At {
        At::forward(&id("a"))
    }

    fn node() -> At {
        at().item(&ItemKey::new("n").expect("a key"), &Label::new("drain").expect("a name"))
    }

    fn call(at: At) -> Event {
        Event::Intent { at, attempt: 1, token: String::new() }
    }

    fn ended(at: At, outcome: Outcome) -> Event {
        Event::Ended { at, attempt: 1, outcome }
    }

    fn done() -> Outcome {
        Outcome::Done { evidence: NOTHING }
    }

    fn blocked() -> Outcome {
        Outcome::Blocked { waits_for: Vec::new() }
    }

    fn failed() -> Outcome {
        Outcome::NotDone { class: Class::Unreachable, evidence: NOTHING }
    }

    fn doubtful() -> Outcome {
        Outcome::InDoubt { class: Class::Unreachable, evidence: NOTHING }
    }

    fn holds(at: At) -> Event {
        Event::Verified { at, verdict: Verdict::Holds { evidence: NOTHING } }
    }

    fn fails(at: At) -> Event {
        Event::Verified { at, verdict: Verdict::Fails { evidence: NOTHING } }
    }

    fn parked() -> Event {
        Event::Parked { waits_for: Vec::new(), wake_at: None }
    }

    fn epoch() -> Event {
        Event::Epoch { holder: String::new(), by: None }
    }

    fn retry() -> Event {
        Event::Retry { at: at(), why: String::new() }
    }

    fn frozen() -> Event {
        Event::Frozen { at: at(), pass: 1, batch: 0, items: Vec::new() }
    }

    fn turned_back() -> Event {
        Event::TurnedToRollback { scope: RollbackScope::Step(id("a")), why: String::new() }
    }

    fn held() -> Event {
        Event::Held { at: None, why: String::new() }
    }

    /// Records at some seconds, and how long step `a` was worked on.
    fn of(events: Vec<(i64, Event)>) -> Option<u64> {
        let record = |(second, event)| Record {
            seq: 0,
            epoch: 1,
            at: Timestamp::from_second(second).expect("an instant"),
            prev: String::new(),
            event,
        };
        let records: Vec<Record> = events.into_iter().map(record).collect();
        worked(&records).get(&at()).map(|length| length.0)
    }

    #[test]
    fn a_call_and_its_verification_are_work() {
        let plain = || vec![(10, call(at())), (40, ended(at(), done())), (60, holds(at()))];
        assert_eq!(of(plain()), Some(50));
        assert_eq!(of(plain()[..2].to_vec()), None, "it was not verified");
        let waits = vec![
            (10, call(at())),
            (20, ended(at(), blocked())),
            (50, call(at())),
            (60, ended(at(), done())),
            (60, holds(at())),
        ];
        assert_eq!(of(waits), Some(50), "what a budget lets wait takes that long");
    }

    #[test]
    fn what_was_in_vain_is_no_work() {
        let again = || vec![(1_000, call(at())), (1_030, ended(at(), done())), (1_040, holds(at()))];
        for (why, before) in [
            ("it did not happen", vec![(10, call(at())), (500, ended(at(), failed()))]),
            ("it was not known", vec![(10, call(at())), (500, ended(at(), doubtful()))]),
            (
                "a person had it retried",
                vec![(10, call(at())), (200, ended(at(), done())), (500, fails(at())), (900, retry())],
            ),
            ("it was undone", vec![(10, call(at())), (200, ended(at(), done())), (500, turned_back())]),
            (
                "it waited, then failed",
                vec![
                    (10, call(at())),
                    (90, ended(at(), blocked())),
                    (95, call(at())),
                    (99, ended(at(), failed())),
                ],
            ),
        ] {
            assert_eq!(of([before, again()].concat()), Some(40), "{why}");
        }
    }

    #[test]
    fn time_without_a_process_is_no_work() {
        let over = |between: Vec<(i64, Event)>| {
            let begin = vec![(10, call(at())), (20, ended(at(), blocked()))];
            let end = vec![(90_010, call(at())), (90_020, ended(at(), done())), (90_030, holds(at()))];
            of([begin, between, end].concat())
        };
        assert_eq!(over(vec![(30, parked()), (90_000, epoch())]), Some(50), "20 s before, 30 s after");
        let died = vec![(25, Event::Noted { text: String::new() }), (90_000, epoch())];
        assert_eq!(over(died), Some(45), "it lived for as long as it wrote");
        let verified = vec![
            (10, call(at())),
            (20, ended(at(), done())),
            (30, parked()),
            (90_000, epoch()),
            (90_010, holds(at())),
        ];
        assert_eq!(of(verified), Some(30));
    }

    #[test]
    fn what_nobody_saw_the_end_of_says_nothing() {
        let found =
            vec![(10, call(at())), (90_000, epoch()), (90_010, ended(at(), done())), (90_020, holds(at()))];
        assert_eq!(of(found), None, "its process died, and it was found done");
        let doubt = vec![
            (10, call(at())),
            (20, ended(at(), doubtful())),
            (30, ended(at(), done())),
            (40, holds(at())),
        ];
        assert_eq!(of(doubt), None);
    }

    #[test]
    fn a_roll_is_worked_on_from_its_first_batch_on() {
        let roll = |inside: Vec<(i64, Event)>| {
            let end = vec![(1_000, Event::Converged { at: at() }), (1_010, holds(at()))];
            of([vec![(10, frozen())], inside, end].concat())
        };
        let moved =
            vec![(20, call(node())), (50, ended(node(), done())), (60, holds(node())), (70, frozen())];
        assert_eq!(roll(moved), Some(1_000));
        assert_eq!(roll(vec![(100, parked()), (800, epoch())]), Some(300));
        assert_eq!(
            roll(vec![(20, call(node())), (50, ended(node(), failed()))]),
            None,
            "a node had to be repeated"
        );
        assert_eq!(roll(vec![(20, held()), (900, frozen())]), None, "somebody had it wait");
    }
}
