//! Suspensions: watched while they are open, closed on the rollback only when that is safe, else handed over by name.

use jiff::Timestamp;
use switchback_schemas::{
    journal::{At, Event, Evidence, Verdict, WaitsFor, Way},
    name::Label,
    plan::{SuspendedBy, Suspension},
};

use super::{
    in_flight::{Purpose, Stage, later},
    prepare::said,
};
use crate::machine::{Decision, Machine, Phase, Task, fold::place::work_at};

impl Machine {
    /// Suspensions that hold now and have to go on holding: begun, verified, and not being resumed.
    fn watched_suspensions(&self) -> Vec<Suspension> {
        let forward = self.state.back.is_none() && self.state.cleanup.is_none() && self.state.hold.is_none();
        let held = |suspension: &&Suspension| {
            let phase = self.state.phase(&At::forward(&suspension.suspend));
            let opened = phase == Phase::Done || self.was_found(suspension);
            let closing =
                self.state.task(&At::forward(&suspension.resume)).is_some_and(|task| task.attempts > 0);
            let closed = self.state.phase(&At::forward(&suspension.resume)).is_finished();
            opened && !closing && !closed
        };
        self.index.plan.suspensions.iter().filter(|_| forward).filter(held).cloned().collect()
    }

    pub(super) fn watch_suspensions(&mut self, now: Timestamp, out: &mut Decision) {
        let watched = self.watched_suspensions();
        self.live
            .suspensions
            .retain(|id, watch| watch.asked || watched.iter().any(|suspension| suspension.id == *id));
        for suspension in watched {
            let opened = self.state.task(&At::forward(&suspension.suspend)).and_then(|task| task.applied);
            let text =
                format!("suspension {} has lasted longer than {}", suspension.id, suspension.max_suspended);
            let overdue = opened.is_some_and(|opened| later(opened, suspension.max_suspended) < now);
            if overdue && !self.state.notes.contains(&text) {
                out.append.push(Event::Noted { text });
                return;
            }
            let watch = self.live.suspensions.entry(suspension.id.clone()).or_default();
            if !watch.asked && watch.next.is_none_or(|next| next <= now) {
                watch.asked = true;
                let at = At::forward(&suspension.suspend);
                self.check(&at, Purpose::Held(suspension.id.clone()), &suspension.held, now, out);
            }
        }
    }

    pub(super) fn watched(&mut self, suspension: &Label, verdict: Verdict, now: Timestamp) {
        let still = self.watched_suspensions().into_iter().find(|watched| watched.id == *suspension);
        let Some(suspension) = still else {
            self.live.suspensions.remove(suspension);
            return;
        };
        let pause = if verdict.is_holding() { self.settings.watch } else { self.settings.poll };
        if let Verdict::Fails { evidence } = &verdict {
            let why = said(
                &format!("suspension {} was ended by somebody else ({})", suspension.id, suspension.title),
                evidence,
            );
            self.live.outbox.push_back(Event::Held { at: Some(At::forward(&suspension.suspend)), why });
        }
        let watch = self.live.suspensions.entry(suspension.id).or_default();
        watch.asked = false;
        watch.next = Some(later(now, pause));
        watch.last = Some(verdict);
    }

    /// A suspension of which nobody knows whether it holds keeps effects from starting, except its own closing. One that
    /// was opened just now is being asked: its answer comes by itself, so that is no wait that anybody has to hear of.
    pub(super) fn waits_for_suspensions(&mut self, at: &At, now: Timestamp) -> bool {
        let mut unsure = self.watched_suspensions().into_iter().filter(|suspension| {
            suspension.resume != at.step && !self.seen(&suspension.id).is_some_and(Verdict::is_holding)
        });
        let Some(first) = unsure.next() else { return false };
        // One that cannot be read is told of also where another was not looked at yet.
        let unread = std::iter::once(first).chain(unsure).find_map(|suspension| {
            let why = self.seen(&suspension.id)?.evidence().0.join("; ");
            Some(WaitsFor::Unreadable {
                what: format!("whether suspension {} is in force", suspension.id),
                why,
            })
        });
        if let Some(waits) = unread {
            self.look_again(at, waits, now);
        }
        true
    }

    /// What was seen of a suspension last.
    fn seen(&self, suspension: &Label) -> Option<&Verdict> {
        self.live.suspensions.get(suspension).and_then(|watch| watch.last.as_ref())
    }

    /// The suspension that a rollback step resumes.
    pub(super) fn resumes(&self, at: &At) -> Option<&Suspension> {
        let undoes = at.way == Way::Rollback && at.item.is_none() && self.state.phase(at) == Phase::New;
        self.index.closed_by(&at.step).filter(|_| undoes)
    }

    /// The suspension that a step begins, if no call of this step may have begun it already.
    pub(super) fn opens(&self, at: &At) -> Option<&Suspension> {
        let acted = |task: &Task| task.round > 0 || task.may_have_acted();
        let first = at.way == Way::Forward && at.item.is_none() && !self.state.task(at).is_some_and(acted);
        let begins = |suspension: &&Suspension| {
            suspension.suspend == at.step && suspension.suspended_by == SuspendedBy::ThisRun
        };
        self.index.plan.suspensions.iter().find(begins).filter(|_| first)
    }

    /// Whether resuming puts back what was found before: what was found suspended then stays so.
    pub(super) fn leaves_as_found(&self, suspension: &Suspension) -> bool {
        let resume = self.index.plan.step(&suspension.resume);
        let captures = resume.map(|step| step.work.captures_used()).unwrap_or_default();
        captures.iter().any(|(step, _)| *step == suspension.suspend)
    }

    /// Where something else decides what it is resumed to, the step is judged by what it was compiled from before it counts as done.
    pub(super) fn reads_first(&self, at: &At) -> bool {
        self.opens(at).is_some_and(|suspension| !self.leaves_as_found(suspension))
    }

    /// What is looked at first of a step that may begin.
    pub(super) fn after_gates(&self, at: &At) -> Stage {
        if self.reads_first(at) { Stage::Read(0) } else { Stage::DoneWhen }
    }

    /// Whether it was suspended when this run came to it, by somebody else, and is left so.
    fn was_found(&self, suspension: &Suspension) -> bool {
        let skipped = |task: &Task| task.phase == Phase::Skipped && task.round == 0;
        self.state.task(&At::forward(&suspension.suspend)).is_some_and(skipped)
            && suspension.suspended_by == SuspendedBy::ThisRun
            && self.leaves_as_found(suspension)
    }

    /// The suspension that a step would resume, if somebody else began it: he ends it, too.
    pub(super) fn resumes_what_was_found(&self, at: &At) -> Option<&Suspension> {
        let forward = at.way == Way::Forward && at.item.is_none();
        let suspensions = self.index.plan.suspensions.iter().filter(|_| forward);
        suspensions.into_iter().find(|suspension| suspension.resume == at.step && self.was_found(suspension))
    }

    /// Cleanup would not be safe, or nobody knows: asked again for as long as the closing may take, then handed over.
    pub(super) fn not_safe(&mut self, at: &At, suspension: &Label, evidence: &Evidence, now: Timestamp) {
        let timeout = work_at(&self.index.plan, &self.state, at).map(|work| work.timeout).unwrap_or_default();
        let since = self.live.place(at).since.unwrap_or(now);
        let why = said("it is not safe to resume it", evidence);
        if later(since, timeout) <= now {
            self.live.outbox.push_back(Event::LeftSuspended { suspension: suspension.clone(), why });
        } else {
            // The last look is when its time is over: a run that came to rest just before would begin to wait anew.
            let wake = later(now, self.settings.poll).min(later(since, timeout));
            let waits = WaitsFor::Condition { message: format!("suspension {suspension}: {why}") };
            self.wait(at, vec![waits], (wake, Some(wake)), now);
        }
    }
}
