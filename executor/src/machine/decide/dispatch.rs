//! Polling: which places come forward now, in which order.

use jiff::Timestamp;
use switchback_schemas::{
    Seconds,
    journal::{At, Class, Event, Outcome, Verdict, WaitsFor, Way},
    plan::{Action, Condition, Effect},
};

use super::in_flight::{Asked, Purpose, later, token};
use crate::{
    machine::{
        Answer, Command, Decision, Machine, Phase, Task, What,
        fold::{place::work_at, retry, transition::may_act},
    },
    ports::Looked,
};

/// How long good looks may be apart and still be one stretch of time in which something held.
const GAP: Seconds = Seconds::minutes(2);

impl Machine {
    /// What happens now.
    pub fn poll(&mut self, now: Timestamp) -> Decision {
        let mut out = Decision::default();
        if self.state.run.is_none() || self.is_at_rest(&mut out) {
            return out;
        }
        if self.state.is_over() {
            // Another run went on from here, and somebody asked for what this one kept to be removed.
            self.listen(now, &mut out);
            return out;
        }
        self.post(&mut out);
        let stages: [fn(&mut Self, Timestamp, &mut Decision); 7] = [
            Self::recover,
            Self::listen,
            Self::answer_failures,
            Self::settle,
            Self::watch_suspensions,
            Self::go_on,
            Self::begin,
        ];
        for stage in stages {
            // What is written changes what is decided next, so nothing is decided before it came back.
            if !out.append.is_empty() {
                return out;
            }
            stage(self, now, &mut out);
            // What a stage decided on its own is written, too, before the next one decides: else both begin the same.
            if out.append.is_empty() {
                self.post(&mut out);
            }
        }
        if out.append.is_empty() && out.start.is_empty() {
            self.rest(now, &mut out);
        }
        out.wake_at = self.next_wake(now);
        out
    }

    /// What answers led to, as far as it still follows: the run may have turned since they were asked for.
    fn post(&mut self, out: &mut Decision) {
        while let Some(event) = self.live.outbox.pop_front() {
            if matches!(event, Event::Held { .. }) && self.state.hold.is_some() {
                continue;
            }
            let acts = match &event {
                Event::Skipped { at, .. }
                | Event::Frozen { at, .. }
                | Event::Converged { at }
                | Event::Intent { at, .. } => Some(at),
                _ => None,
            };
            if let Some(at) = acts
                && (!self.may_start_at(at) || may_act(&self.index, &self.state, at).is_err())
            {
                self.live.places.remove(at);
                continue;
            }
            let turns = matches!(event, Event::Held { .. } | Event::LeftSuspended { .. });
            out.append.push(event);
            if turns {
                return;
            }
        }
    }

    /// Calls that another process left open are in doubt.
    fn recover(&mut self, _: Timestamp, out: &mut Decision) {
        out.append.extend(self.state.lost_calls(|at| self.live.own.contains(at)));
    }

    /// Whether effects may start: nothing failed, nobody asked to stop, nothing holds.
    pub(super) fn may_start(&self) -> bool {
        self.state.hold.is_none()
            && self.live.stopping.is_none()
            && !self.has_failures()
            && !self.is_asked_to_turn()
    }

    /// The same for one place: nodes are let go also while the run holds, whichever way it went.
    pub(super) fn may_start_at(&self, at: &At) -> bool {
        self.may_start() || (self.live.stopping.is_none() && self.state.is_release(at))
    }

    /// Places that are under way.
    fn go_on(&mut self, now: Timestamp, out: &mut Decision) {
        let permit = self.may_start();
        let way = self.way();
        let open: Vec<At> = self.state.open.iter().cloned().collect();
        for at in open {
            let turn = at.way == way || self.state.is_release(&at);
            self.advance(&at, permit && turn, now, out);
        }
    }

    /// Places that can begin.
    fn begin(&mut self, now: Timestamp, out: &mut Decision) {
        if self.releases_due() {
            self.release(now, out);
            return;
        }
        if !self.may_start() {
            return;
        }
        if self.is_full(out) {
            return;
        }
        // A plan can have thousands of ready steps; no more are looked at than can be started.
        let startable = |at: &At| {
            let place = self.live.places.get(at);
            let waits = place.is_some_and(|p| p.command.is_some() || p.wake.is_some_and(|wake| wake > now));
            !waits && self.state.phase(at) == Phase::New
        };
        let ready: Vec<At> = match (&self.state.cleanup, &self.state.back) {
            (Some(closing), _) => closing.steps.iter().map(At::cleanup).filter(startable).collect(),
            (None, None) => {
                let ids = self.state.ready.iter().filter_map(|(_, number)| self.index.id(*number));
                ids.map(At::forward).filter(startable).take(self.settings.parallel).collect()
            }
            (None, Some(back)) => {
                let ids = back.ready.iter().map(|(_, step)| step);
                ids.map(At::rollback).filter(startable).take(self.settings.parallel).collect()
            }
        };
        for at in ready {
            if self.is_full(out) {
                return;
            }
            self.advance(&at, true, now, out);
        }
    }

    pub(super) fn is_full(&self, out: &Decision) -> bool {
        let waiting = self.live.own.iter().filter(|at| self.state.phase(at) == Phase::Called).count();
        let intents = out.append.iter().filter(|event| matches!(event, Event::Intent { .. })).count();
        self.live.commands.len().max(waiting + intents) >= self.settings.parallel
    }

    pub(super) fn way(&self) -> Way {
        match (&self.state.cleanup, &self.state.back) {
            (Some(_), _) => Way::Cleanup,
            (None, Some(_)) => Way::Rollback,
            (None, None) => Way::Forward,
        }
    }

    /// Brings one place forward as far as it goes now.
    pub(super) fn advance(&mut self, at: &At, permit: bool, now: Timestamp, out: &mut Decision) {
        let place = self.live.place(at);
        let early = place.wake.is_some_and(|wake| wake > now);
        if place.command.is_some() {
            return;
        }
        match self.state.phase(at) {
            Phase::New if permit && !early => self.prepare(at, now, out),
            Phase::Again if permit && !early => {
                let due = self.due(at);
                match due > now {
                    true => self.wait_until(at, due, now),
                    false => self.prepare(at, now, out),
                }
            }
            Phase::Called if permit && !early => self.call(at, now, out),
            Phase::Called if !permit => self.close_blocked(at, out),
            Phase::Applied => self.verify(at, now, out),
            Phase::Blocked if permit && !early => self.call_blocked(at, now, out),
            Phase::InDoubt if permit && !early => self.observe(at, now, out),
            Phase::Rolling => self.roll_on(at, permit, now, out),
            _ => {}
        }
    }

    /// When the next try of a place is due.
    pub(super) fn due(&self, at: &At) -> Timestamp {
        match self.state.task(at) {
            Some(task) if task.failures > 0 => {
                retry::due(self.state.run.as_ref(), at, task.failures, task.last)
            }
            _ => Timestamp::MIN,
        }
    }

    pub(super) fn wait_until(&mut self, at: &At, due: Timestamp, now: Timestamp) {
        let evidence = self.state.task(at).map(|task| task.evidence.0.join("; ")).unwrap_or_default();
        let waits = match self.state.task(at).and_then(|task| task.class) {
            Some(Class::Denied) => WaitsFor::Credentials { message: evidence },
            Some(Class::Unreachable) => WaitsFor::Unreadable { what: at.to_string(), why: evidence },
            Some(Class::Throttled) => WaitsFor::Capacity { message: evidence },
            _ => WaitsFor::Instant { at: due },
        };
        self.wait(at, vec![waits], (due, Some(due)), now);
    }

    /// A place waits for something outside and is looked at again at `wake`; `helps` is when time alone may change it.
    pub(super) fn wait(
        &mut self,
        at: &At,
        waits: Vec<WaitsFor>,
        (wake, helps): (Timestamp, Option<Timestamp>),
        now: Timestamp,
    ) {
        let place = self.live.place(at);
        place.since.get_or_insert(now);
        place.waits = waits;
        place.wake = Some(wake);
        place.helps = helps;
    }

    /// Waits for something that may change by itself, and looks again.
    pub(super) fn look_again(&mut self, at: &At, waits: WaitsFor, now: Timestamp) {
        let wake = later(now, self.settings.poll);
        self.wait(at, vec![waits], (wake, Some(wake)), now);
    }

    fn call(&mut self, at: &At, now: Timestamp, out: &mut Decision) {
        if !self.live.own.contains(at) {
            return;
        }
        let Some(Action::Effect(effect)) =
            work_at(&self.index.plan, &self.state, at).map(|work| &work.action)
        else {
            return;
        };
        let effect: Effect = effect.clone();
        self.ask(at, Purpose::Apply, What::Apply(effect), now, out);
    }

    /// A blocked effect is called again when some time has passed.
    fn call_blocked(&mut self, at: &At, now: Timestamp, out: &mut Decision) {
        let Some(task) = self.state.task(at) else { return };
        let wake = later(task.last, self.settings.poll);
        let blocked = task.blocked.clone();
        match blocked {
            Some((since, waits)) if wake > now => {
                self.live.place(at).since = Some(since);
                self.wait(at, waits, (wake, Some(wake)), now);
            }
            _ => self.intend(at, out),
        }
    }

    /// A call that is repeated while it is blocked is closed when the run comes to rest.
    pub(super) fn close_blocked(&self, at: &At, out: &mut Decision) {
        let waits_for = self.live.places.get(at).map(|place| place.waits.clone()).unwrap_or_default();
        if self.live.own.contains(at) && !waits_for.is_empty() {
            let attempt = self.state.task(at).map_or(1, |task| task.attempts);
            out.append.push(Event::Ended {
                at: at.clone(),
                attempt,
                outcome: Outcome::Blocked { waits_for },
            });
        }
    }

    /// Writes the intent; the call follows when it came back durable.
    pub(super) fn intend(&mut self, at: &At, out: &mut Decision) {
        let (attempts, round) = self.state.task(at).map_or((0, 0), |task| (task.attempts, task.round));
        let token = token(self.state.run.as_ref(), at, round);
        out.append.push(Event::Intent { at: at.clone(), attempt: attempts.saturating_add(1), token });
    }

    /// Starts a command.
    pub(super) fn ask(&mut self, at: &At, purpose: Purpose, what: What, now: Timestamp, out: &mut Decision) {
        let id = self.live.next;
        self.live.next += 1;
        let task = self.state.task(at);
        let called = task.is_some_and(|task| task.phase == Phase::Called);
        let attempts = task.map_or(0, |task| task.attempts);
        let blocked =
            task.and_then(|task| task.blocked.as_ref()).map(|(since, _)| now.duration_since(*since));
        let waited = blocked.map_or(0, |waited| u64::try_from(waited.as_secs()).unwrap_or(0));
        out.start.push(Command {
            id,
            at: at.clone(),
            attempt: if called { attempts } else { attempts.saturating_add(1) },
            token: token(self.state.run.as_ref(), at, task.map_or(0, |task| task.round)),
            waited: Seconds(waited),
            operation: task.and_then(operation),
            looked: task.and_then(|task| looked(task, now)),
            what,
        });
        if !matches!(purpose, Purpose::Held(_) | Purpose::Claim | Purpose::Census) {
            self.live.place(at).command = Some(id);
        }
        self.live.commands.insert(id, Asked { at: at.clone(), purpose });
    }

    pub(super) fn check(
        &mut self,
        at: &At,
        purpose: Purpose,
        c: &Condition,
        now: Timestamp,
        out: &mut Decision,
    ) {
        self.ask(at, purpose, What::Check(c.clone()), now, out);
    }

    /// How a command ended. An answer that nobody waits for any more is dropped.
    pub fn answered(&mut self, id: u64, answer: Answer, now: Timestamp) {
        let Some(asked) = self.live.commands.remove(&id) else { return };
        let Asked { at, purpose } = asked;
        if let Some(place) = self.live.places.get_mut(&at).filter(|place| place.command == Some(id)) {
            place.command = None;
        }
        match (purpose, answer) {
            (Purpose::Claim, Answer::Claimed) => self.live.outbox.push_back(Event::Claimed {}),
            (Purpose::Apply, Answer::Applied(outcome)) => self.applied(&at, outcome, now),
            (Purpose::Observe, Answer::Checked(verdict)) => self.observed(&at, verdict, now),
            (Purpose::Verify(which), Answer::Checked(verdict)) => self.checked(&at, which, verdict, now),
            (Purpose::Missing, Answer::Checked(verdict)) => self.asked_after(&at, &verdict, now),
            (Purpose::Held(suspension), Answer::Checked(verdict)) => self.watched(&suspension, verdict, now),
            (Purpose::Capture(name), Answer::Captured(captured)) => self.kept(&at, &name, captured, now),
            (Purpose::Members, Answer::Members(members)) => self.listed(&at, members, now),
            (Purpose::Census, Answer::Census(look)) => self.looked(look, now),
            (purpose, Answer::Checked(verdict)) => self.prepared(&at, purpose, verdict, now),
            // An answer of another kind than its command: whoever drives the machine is wrong; the command is asked again.
            _ => {}
        }
    }

    fn applied(&mut self, at: &At, outcome: Outcome, now: Timestamp) {
        let Some(task) = self.state.task(at).filter(|task| task.phase == Phase::Called) else { return };
        let attempt = task.attempts;
        if let Outcome::Blocked { waits_for } = &outcome {
            let wake = later(now, self.settings.poll);
            let same =
                task.failures == 0 && task.blocked.as_ref().is_some_and(|(_, before)| before == waits_for);
            let waits = waits_for.clone();
            if same {
                // The same as before is not written again; the call is repeated under its intent.
                let since = task.blocked.as_ref().map_or(now, |(since, _)| *since);
                self.live.place(at).since = Some(since);
                self.wait(at, waits, (wake, Some(wake)), now);
                return;
            }
        }
        self.live.outbox.push_back(Event::Ended { at: at.clone(), attempt, outcome });
    }

    fn checked(&mut self, at: &At, which: usize, verdict: Verdict, now: Timestamp) {
        let next = later(now, self.settings.poll);
        let gap = Seconds(self.settings.poll.0.saturating_mul(4)).max(GAP);
        let proof = self.live.place(at).verify.entry(which).or_default();
        proof.look(verdict, now, gap);
        proof.next = Some(next);
    }

    /// When to look again.
    fn next_wake(&self, now: Timestamp) -> Option<Timestamp> {
        let places = self.live.places.values().filter(|place| place.command.is_none());
        let wakes = places.flat_map(|place| {
            place.wake.into_iter().chain(place.verify.values().filter_map(|proof| proof.next))
        });
        let watches =
            self.live.suspensions.values().filter(|watch| !watch.asked).filter_map(|watch| watch.next);
        wakes.chain(watches).chain(self.patience_ends(now)).filter(|wake| *wake > now).min()
    }
}

/// What earlier calls did not see.
fn looked(task: &Task, now: Timestamp) -> Option<Looked> {
    let (since, what) = task.looked.clone()?;
    Some(Looked { what, ago: Seconds(u64::try_from(now.duration_since(since).as_secs()).unwrap_or(0)) })
}

/// What the other system called the operation that a blocked call told of last.
fn operation(task: &Task) -> Option<String> {
    let (_, waits) = task.blocked.as_ref()?;
    waits.iter().find_map(|waits| match waits {
        WaitsFor::Operation { id, .. } => Some(id.clone()),
        _ => None,
    })
}
