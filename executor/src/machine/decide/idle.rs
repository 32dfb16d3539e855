//! Coming to rest: savepoints, the end, parking, holding. Nothing is left unaccounted for.

use jiff::Timestamp;
use switchback_schemas::{
    Seconds,
    journal::{At, End, Event, RollbackScope, WaitsFor},
};

use super::in_flight::{Purpose, later};
use crate::machine::{Decision, Machine, Phase, Rest, fold::place::work_at, left_suspended, residue};

impl Machine {
    /// Whether the process may end before anything else is looked at.
    pub(super) fn is_at_rest(&self, out: &mut Decision) -> bool {
        out.rest = if let Some((end, _)) = &self.state.ended {
            Some(Rest::Ended(*end))
        } else if let Some(by) = self.state.superseded.as_ref().filter(|_| self.stays_over()) {
            Some(Rest::Superseded(by.clone()))
        } else if let Some((waits_for, wake_at)) = &self.state.parked {
            Some(Rest::Parked { waits_for: waits_for.clone(), wake_at: *wake_at })
        } else {
            None
        };
        out.rest.is_some()
    }

    /// Savepoints and ends that were reached.
    pub(super) fn settle(&mut self, now: Timestamp, out: &mut Decision) {
        if self.state.hold.is_some() {
            return;
        }
        if self.state.cleanup.is_some() {
            let ends = self.state.end_of_cleanup(&self.index.plan);
            let event = match (ends, &self.state.superseded) {
                (Some(end), _) => Some(Event::Done { end, residue: residue(&self.index.plan, &self.state) }),
                (None, Some(by)) if self.state.is_cleaned_up() => Some(Event::Superseded { by: by.clone() }),
                (None, _) => None,
            };
            out.append.extend(event);
            return;
        }
        if let Some(back) = &self.state.back {
            if back.ready.is_empty() && !self.releases_due() && !self.has_failures() {
                let event = match &back.scope {
                    RollbackScope::Step(step) => {
                        let why = format!("{step} is undone, after: {}", back.why);
                        Event::Held { at: Some(At::forward(step)), why }
                    }
                    RollbackScope::Savepoint(_) => {
                        let held_over = !self.state.held_over.is_empty();
                        let end = if held_over { End::RolledBackSuspended } else { End::RolledBack };
                        Event::Done { end, residue: residue(&self.index.plan, &self.state) }
                    }
                };
                out.append.push(event);
            }
            return;
        }
        let reached = self.state.holding.iter().filter_map(|number| self.index.plan.savepoints.get(*number));
        out.append.extend(reached.map(|savepoint| Event::Reached { savepoint: savepoint.id.clone() }));
        if self.state.all_done() && self.leaves_all(now, out) {
            let residue = residue(&self.index.plan, &self.state);
            out.append.push(Event::Done { end: End::Complete, residue });
        }
    }

    /// Nothing was written and nothing started: whether the process goes on waiting.
    pub(super) fn rest(&mut self, now: Timestamp, out: &mut Decision) {
        let asked = self.live.commands.values().any(|asked| !self.is_watch(&asked.purpose));
        if asked {
            return;
        }
        // A batch that has moved is looked at, as an effect that was called is.
        let batch =
            self.state.rolls.values().any(|roll| roll.batch.as_ref().is_some_and(|b| b.moved.is_some()));
        let proving = self.state.open.iter().any(|at| match self.state.phase(at) {
            Phase::Applied => true,
            Phase::Rolling => batch,
            _ => false,
        });
        if let Some(hold) = &self.state.hold {
            if !proving && !self.releases_due() || self.live.stopping.is_some() {
                out.rest = Some(Rest::Held { why: hold.why.clone() });
            }
            return;
        }
        let (waits_for, wake_at) = self.waits();
        if let Some(why) = self.live.stopping.clone() {
            let mut waits_for = waits_for;
            if waits_for.is_empty() {
                waits_for.push(WaitsFor::Instant { at: now });
            }
            self.park(waits_for, Some(now), &why, out);
            return;
        }
        if proving {
            return;
        }
        if waits_for.is_empty() {
            self.nothing_left(out);
            return;
        }
        let far = wake_at.is_none_or(|wake| wake > later(now, self.settings.patience));
        let spans =
            left_suspended(&self.index.plan, &self.state).iter().all(|suspension| suspension.spans_park);
        if far && spans && self.patience_ends(now).is_none() {
            self.park(waits_for, wake_at, "", out);
        }
    }

    /// Whether a command looks at a suspension that was seen before; what comes to rest need not wait for its answer.
    fn is_watch(&self, purpose: &Purpose) -> bool {
        let Purpose::Held(suspension) = purpose else { return false };
        self.live.suspensions.get(suspension).is_some_and(|watch| watch.last.is_some())
    }

    fn park(&self, waits_for: Vec<WaitsFor>, wake_at: Option<Timestamp>, why: &str, out: &mut Decision) {
        for suspension in
            left_suspended(&self.index.plan, &self.state).iter().filter(|suspension| !suspension.spans_park)
        {
            let text = format!(
                "parked ({why}) although suspension {} is active, which should not last over a park",
                suspension.id
            );
            out.append.push(Event::Noted { text });
        }
        // Whoever takes the run up knows then that nothing was under way.
        for at in self.state.open.iter().filter(|at| self.state.phase(at) == Phase::Called) {
            self.close_blocked(at, out);
        }
        out.append.push(Event::Parked { waits_for, wake_at });
    }

    /// What everything waits for, and when time alone may help. A wait for people has no such time. What is looked at
    /// again and again may change at any time, so a parked run looks again after a while.
    fn waits(&self) -> (Vec<WaitsFor>, Option<Timestamp>) {
        let places = self.live.places.values().filter(|place| !place.waits.is_empty());
        let mut waits: Vec<WaitsFor> = Vec::new();
        let mut wake: Option<Timestamp> = None;
        for place in places {
            waits
                .extend(place.waits.iter().filter(|wait| !waits.contains(wait)).cloned().collect::<Vec<_>>());
            let polled = place.helps.is_some() && place.helps == place.wake && !is_timed(&place.waits);
            let helps = place.helps.map(|helps| if polled { later(helps, PARKED_POLL) } else { helps });
            wake = wake.into_iter().chain(helps).min();
        }
        if !waits.is_empty() {
            // The cause beside what follows from it.
            waits.extend(self.pools_in_trouble());
        }
        waits.sort();
        waits.dedup();
        (waits, wake)
    }

    /// When the longest patience of what waits ends; `None` when all of it has ended.
    pub(super) fn patience_ends(&self, now: Timestamp) -> Option<Timestamp> {
        let ends = self.live.places.iter().filter(|(_, place)| !place.waits.is_empty()).map(|(at, place)| {
            // A suspension has the time of its closing to become safe to close.
            let blocked =
                matches!(self.state.phase(at), Phase::Blocked | Phase::Called) || self.resumes(at).is_some();
            let own = work_at(&self.index.plan, &self.state, at).filter(|_| blocked).map(|work| work.timeout);
            // Before anything was called; a call that is not answered has waits of its own, each longer than the last.
            let unread = self.state.phase(at) == Phase::New
                && place.waits.iter().any(|waits| matches!(waits, WaitsFor::Unreadable { .. }));
            let settings = &self.settings;
            let patience = if unread { settings.evidence } else { settings.patience };
            let patience = own.unwrap_or_default().max(patience);
            later(place.since.unwrap_or(now), patience)
        });
        let progress = self.live.progress.map(|progress| later(progress, self.settings.patience));
        ends.chain(progress).chain(self.live.looks.stays).filter(|end| *end > now).max()
    }

    /// No place waits and none can begin: a failure that was left behind is in the way.
    fn nothing_left(&self, out: &mut Decision) {
        let left = self.state.tasks.iter().filter(|(_, task)| task.phase.is_failed());
        let left: Vec<String> = left.map(|(at, _)| at.to_string()).collect();
        if !left.is_empty() {
            let why = format!("nothing more can be done before this is: {}", left.join(", "));
            out.append.push(Event::Held { at: None, why });
        }
    }
}

/// How long a parked run leaves alone what it would otherwise look at again and again.
const PARKED_POLL: Seconds = Seconds::minutes(15);

fn is_timed(waits: &[WaitsFor]) -> bool {
    waits.iter().any(|wait| matches!(wait, WaitsFor::Instant { .. } | WaitsFor::Window { .. }))
}
