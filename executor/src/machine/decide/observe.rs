//! An effect in doubt: look first, then decide.

use jiff::Timestamp;
use switchback_schemas::journal::{At, Class, Event, Evidence, Outcome, Verdict, WaitsFor, Way};

use super::{in_flight::Purpose, prepare::said};
use crate::machine::{
    Decision, Machine, Phase,
    fold::{
        place::work_at,
        retry::{Reaction, not_seen},
    },
};

impl Machine {
    pub(super) fn observe(&mut self, at: &At, now: Timestamp, out: &mut Decision) {
        let index = std::sync::Arc::clone(&self.index);
        let Some(work) = work_at(&index.plan, &self.state, at) else { return };
        if let Some(condition) = &work.done_when {
            self.check(at, Purpose::Observe, condition, now, out);
        } else if self.state.back.is_some() && at.way == Way::Forward {
            // Nobody can look. It is not repeated, and what takes it back has to hold whether it happened or not.
            let attempt = self.state.task(at).map_or(1, |task| task.attempts);
            let evidence =
                Evidence::line("the plan has no check whether it happened, and the run rolls back");
            let outcome = Outcome::NotDone { class: Class::Refused, evidence };
            self.live.outbox.push_back(Event::Ended { at: at.clone(), attempt, outcome });
        } else {
            let evidence = Evidence::line("the plan has no check whether it happened");
            let event = self.after_doubt(at, &evidence, now);
            self.live.outbox.extend(event);
        }
    }

    /// What was seen of an effect in doubt.
    pub(super) fn observed(&mut self, at: &At, verdict: Verdict, now: Timestamp) {
        let Some(task) = self
            .state
            .task(at)
            .filter(|task| matches!(task.phase, Phase::Blocked | Phase::InDoubt | Phase::Asked))
        else {
            return;
        };
        let attempt = task.attempts;
        match verdict {
            Verdict::Holds { evidence } => {
                let outcome = Outcome::Done { evidence };
                self.live.outbox.push_back(Event::Ended { at: at.clone(), attempt, outcome });
            }
            Verdict::Fails { evidence } => {
                if self.state.back.is_some() && at.way == Way::Forward {
                    // Rolling back, what was not seen is not repeated and need not be undone.
                    let outcome = Outcome::NotDone { class: Class::Refused, evidence };
                    self.live.outbox.push_back(Event::Ended { at: at.clone(), attempt, outcome });
                    return;
                }
                if !self.may_start_at(at) {
                    return;
                }
                let event = self.after_doubt(at, &evidence, now);
                self.live.outbox.extend(event);
            }
            Verdict::Unknown { evidence } => {
                let what = format!("whether {at} happened");
                self.look_again(at, WaitsFor::Unreadable { what, why: evidence.0.join("; ") }, now);
            }
        }
    }

    /// It was not seen: repeated if that does no harm, else a person decides. `None` while the next try is not due.
    fn after_doubt(&mut self, at: &At, evidence: &Evidence, now: Timestamp) -> Option<Event> {
        let work = work_at(&self.index.plan, &self.state, at)?;
        let task = self.state.task(at)?;
        let class = task.class.unwrap_or(Class::Crashed);
        let reaction = not_seen(class, work.retry);
        if reaction.repeats(task.strikes) {
            let due = self.due(at);
            if due > now {
                self.wait_until(at, due, now);
                return None;
            }
            let mut intent = Decision::default();
            self.intend(at, &mut intent);
            return intent.append.pop();
        }
        if matches!(reaction, Reaction::Fail | Reaction::Twice) {
            // What the other side said comes first; what was seen since stands below it.
            let lines = task.evidence.0.iter().chain(&evidence.0).cloned().collect();
            let outcome = Outcome::NotDone { class: Class::Refused, evidence: Evidence(lines) };
            return Some(Event::Ended { at: at.clone(), attempt: task.attempts, outcome });
        }
        let why = match reaction {
            Reaction::Ask => format!("whether {at} happened is unknown, and it cannot be repeated blindly"),
            _ => format!("whether {at} happened is unknown after {} tries", task.attempts),
        };
        let why = said(&why, evidence);
        Some(Event::Held { at: Some(at.clone()), why })
    }
}
