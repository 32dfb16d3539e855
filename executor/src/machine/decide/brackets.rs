//! Brackets: watched while they are open, closed on the way back only when that is safe, else handed over by name.

use jiff::Timestamp;
use switchback_schemas::{
    journal::{At, Event, Evidence, Verdict, WaitsFor, Way},
    name::Label,
    plan::Bracket,
};

use super::{
    in_flight::{Purpose, later},
    prepare::said,
};
use crate::machine::{Decision, Machine, Phase, fold::place::work_at};

impl Machine {
    /// Brackets that hold now and have to go on holding: opened, verified, and not being closed.
    fn watched_brackets(&self) -> Vec<Bracket> {
        let forward = self.state.back.is_none() && self.state.closing.is_none() && self.state.hold.is_none();
        let held = |bracket: &&Bracket| {
            let opened = self.state.phase(&At::forward(&bracket.open)) == Phase::Done;
            let closing = self.state.task(&At::forward(&bracket.close)).is_some_and(|task| task.attempts > 0);
            let closed = self.state.phase(&At::forward(&bracket.close)).is_finished();
            opened && !closing && !closed
        };
        self.index.plan.brackets.iter().filter(|_| forward).filter(held).cloned().collect()
    }

    pub(super) fn watch_brackets(&mut self, now: Timestamp, out: &mut Decision) {
        let watched = self.watched_brackets();
        self.live.brackets.retain(|id, watch| watch.asked || watched.iter().any(|bracket| bracket.id == *id));
        for bracket in watched {
            let opened = self.state.task(&At::forward(&bracket.open)).and_then(|task| task.applied);
            let text = format!("suspension {} has lasted longer than {}", bracket.id, bracket.max_open);
            let overdue = opened.is_some_and(|opened| later(opened, bracket.max_open) < now);
            if overdue && !self.state.notes.contains(&text) {
                out.append.push(Event::Noted { text });
                return;
            }
            let watch = self.live.brackets.entry(bracket.id.clone()).or_default();
            if !watch.asked && watch.next.is_none_or(|next| next <= now) {
                watch.asked = true;
                let at = At::forward(&bracket.open);
                self.check(&at, Purpose::Held(bracket.id.clone()), &bracket.held, now, out);
            }
        }
    }

    pub(super) fn watched(&mut self, bracket: &Label, verdict: Verdict, now: Timestamp) {
        let still = self.watched_brackets().into_iter().find(|watched| watched.id == *bracket);
        let Some(bracket) = still else {
            self.live.brackets.remove(bracket);
            return;
        };
        let pause = if verdict.is_holding() { self.settings.watch } else { self.settings.poll };
        if let Verdict::Fails { evidence } = &verdict {
            let why = said(
                &format!("suspension {} was ended by somebody else ({})", bracket.id, bracket.title),
                evidence,
            );
            self.live.outbox.push_back(Event::Held { at: Some(At::forward(&bracket.open)), why });
        }
        let watch = self.live.brackets.entry(bracket.id).or_default();
        watch.asked = false;
        watch.next = Some(later(now, pause));
        watch.last = Some(verdict);
    }

    /// A bracket of which nobody knows whether it holds keeps effects from starting, except its own closing. One that
    /// was opened just now is being asked: its answer comes by itself, so that is no wait that anybody has to hear of.
    pub(super) fn waits_for_brackets(&mut self, at: &At, now: Timestamp) -> bool {
        let mut unsure = self.watched_brackets().into_iter().filter(|bracket| {
            bracket.close != at.step && !self.seen(&bracket.id).is_some_and(Verdict::is_holding)
        });
        let Some(first) = unsure.next() else { return false };
        // One that cannot be read is told of also where another was not looked at yet.
        let unread = std::iter::once(first).chain(unsure).find_map(|bracket| {
            let why = self.seen(&bracket.id)?.evidence().0.join("; ");
            Some(WaitsFor::Unreadable { what: format!("whether suspension {} is in force", bracket.id), why })
        });
        if let Some(waits) = unread {
            self.look_again(at, waits, now);
        }
        true
    }

    /// What was seen of a bracket last.
    fn seen(&self, bracket: &Label) -> Option<&Verdict> {
        self.live.brackets.get(bracket).and_then(|watch| watch.last.as_ref())
    }

    /// The bracket that a rollback step closes.
    pub(super) fn closes(&self, at: &At) -> Option<&Bracket> {
        let undoes = at.way == Way::Back && at.item.is_none() && self.state.phase(at) == Phase::New;
        self.index.closed_by(&at.step).filter(|_| undoes)
    }

    /// Closing would not be safe, or nobody knows: asked again for as long as the closing may take, then handed over.
    pub(super) fn not_safe(&mut self, at: &At, bracket: &Label, evidence: &Evidence, now: Timestamp) {
        let timeout = work_at(&self.index.plan, &self.state, at).map(|work| work.timeout).unwrap_or_default();
        let since = self.live.place(at).since.unwrap_or(now);
        let why = said("it is not safe to resume it", evidence);
        if later(since, timeout) <= now {
            self.live.outbox.push_back(Event::HeldOver { bracket: bracket.clone(), why });
        } else {
            self.look_again(at, WaitsFor::Condition { message: format!("suspension {bracket}: {why}") }, now);
        }
    }
}
