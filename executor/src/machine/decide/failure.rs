//! What follows a failure: what the plan fixed for it, and never more than the rollback allows now.

use std::collections::BTreeSet;

use jiff::Timestamp;
use switchback_model::rollback_order;
use switchback_schemas::{
    StepId,
    journal::{At, Event, RollbackScope, Way},
    plan::{ExpiresAt, FailureAction, RollbackStep},
};

use super::{in_flight::later, prepare::said};
use crate::machine::{Decision, Machine, Phase, fold::direction::scope_of};

/// Why a rollback of no steps is none.
const NOTHING: &str = "nothing was changed that could be undone";

impl Machine {
    /// Failures that nobody answered yet.
    pub(super) fn has_failures(&self) -> bool {
        self.state.hold.is_none() && self.unanswered().next().is_some()
    }

    /// What failed forward is answered once by rolling back.
    fn unanswered(&self) -> impl Iterator<Item = &At> {
        let back = self.state.back.is_some();
        self.state.failed.iter().filter(move |at| !back || at.way != Way::Forward)
    }

    /// Answers failures when no call is under way any more.
    pub(super) fn answer_failures(&mut self, now: Timestamp, out: &mut Decision) {
        if !self.has_failures() || self.calling() {
            return;
        }
        let failed: Vec<At> = self.unanswered().cloned().collect();
        // A node that vanished makes its recipe fail; that is no failure of the roll.
        let unsure =
            failed.iter().filter(|at| at.item.is_some() && !self.state.is_release(at)).find_map(|at| {
                let roll = At { item: None, ..at.clone() };
                let last = self.state.task(at).map(|task| task.last)?;
                (!self.looked_after(&roll, last) || self.is_missing(at)).then_some(roll)
            });
        if let Some(roll) = unsure {
            self.look_for(&roll, now, out);
            return;
        }
        let Some((at, action)) =
            failed.iter().map(|at| (at, self.action(at))).min_by_key(|(_, action)| *action)
        else {
            return;
        };
        let evidence = self.state.task(at).map(|task| task.evidence.clone()).unwrap_or_default();
        let mut what = said(&format!("{at} {}", how(self.state.phase(at))), &evidence);
        // What is only unknown is rolled back in no case.
        if self.state.phase(at) == Phase::Failed && self.lost_its_canary(at) {
            what.push_str(
                "; not rolled back: the nodes of the canary are gone, and a rollback needs new ones",
            );
        }
        if self.state.phase(at) == Phase::Stopped
            && let Some(run) = &self.state.run
        {
            let again = format!(
                "; restore that and `switchback retry --step {}`, or plan again with `switchback observe --continue {run}`",
                at.step
            );
            what.push_str(&again);
        }
        let held = |why: String| Event::Held { at: Some(at.clone()), why };
        let event = match (action, self.scope(action, self.undone_with(&at.step))) {
            (FailureAction::Hold, _) => held(what),
            (_, None) => held(format!("{what}; there is no savepoint to roll back to")),
            (_, Some(scope)) => match self.undoes(&scope, now) {
                Ok(true) => Event::TurnedToRollback { scope, why: what },
                Ok(false) => held(format!("{what}; not rolled back: {NOTHING}")),
                Err(obstacle) => held(format!("{what}; not rolled back: {obstacle}")),
            },
        };
        out.append.push(event);
    }

    /// What the plan fixed. Only a failure is answered by rolling back: what is unknown, in doubt or no longer as it was
    /// compiled holds, and so does everything on the rollback and when the run is closed.
    fn action(&self, at: &At) -> FailureAction {
        if at.way != Way::Forward || self.state.phase(at) != Phase::Failed {
            return FailureAction::Hold;
        }
        let Some(step) = self.index.plan.step(&at.step) else { return FailureAction::Hold };
        let roll = self.state.roll(&At::forward(&at.step)).and_then(|roll| roll.batch.as_ref());
        let canary = roll.is_some_and(|batch| batch.number == 0);
        if self.lost_its_canary(at) {
            return FailureAction::Hold;
        }
        // A failing canary takes back the canary, never the hop.
        let most = if canary { FailureAction::RollbackStep } else { FailureAction::RollbackHop };
        step.on_failure.action.min(most)
    }

    /// Whether a roll failed in its canary, and rolling that back would need new nodes: they may not come either.
    fn lost_its_canary(&self, at: &At) -> bool {
        let roll = At { item: None, ..at.clone() };
        let batch = self.state.roll(&roll).and_then(|roll| roll.batch.as_ref());
        let canary = batch.is_some_and(|batch| batch.number == 0);
        canary && at.way == Way::Forward && self.state.has_ended_nodes(&self.index, &roll)
    }

    /// The step from which on a step is undone: itself, or the first of those that are undone with it.
    fn undone_with<'a>(&'a self, step: &'a StepId) -> &'a StepId {
        let plan = &self.index.plan;
        let undoing = self.index.rollback_of(step).first().and_then(|id| plan.rollback_step(id));
        undoing.and_then(RollbackStep::place).unwrap_or(step)
    }

    fn scope(&self, action: FailureAction, step: &StepId) -> Option<RollbackScope> {
        match action {
            FailureAction::Hold => None,
            FailureAction::RollbackStep => Some(RollbackScope::Step(step.clone())),
            FailureAction::RollbackHop => {
                let hop = &self.index.plan.step(step)?.hop;
                let steps = &self.index.plan.steps;
                let outside = |number: usize| steps.get(number).is_none_or(|step| step.hop != *hop);
                let before = self.index.savepoints.all(outside);
                let reached = self.state.reached.iter().rev().find(|id| {
                    let number = self.index.savepoints.number(id);
                    number.and_then(|number| before.get(number)).copied().unwrap_or(false)
                });
                reached.cloned().map(RollbackScope::Savepoint)
            }
        }
    }

    /// Why a person cannot have a rollback now.
    pub fn obstacle(&self, scope: &RollbackScope, now: Timestamp) -> Option<String> {
        match self.undoes(scope, now) {
            Ok(false) if !self.gives_back(scope) => Some(NOTHING.to_owned()),
            Ok(_) => None,
            Err(obstacle) => Some(obstacle),
        }
    }

    /// Whether a rollback undoes anything, or why it cannot be taken now.
    fn undoes(&self, scope: &RollbackScope, now: Timestamp) -> Result<bool, String> {
        let Ok((to, numbers)) = scope_of(&self.index, scope) else {
            return Err("the plan has no such savepoint or step".to_owned());
        };
        if let RollbackScope::Savepoint(savepoint) = scope
            && !self.state.reached.contains(savepoint)
        {
            return Err(format!("savepoint {savepoint} was not reached"));
        }
        let steps: BTreeSet<StepId> = numbers.iter().filter_map(|n| self.index.id(*n)).cloned().collect();
        if let Some((left, since)) = self.state.removed(&self.index.plan, |step| steps.contains(step)) {
            return Err(format!("it needs {}, which was removed at {since}", left.what));
        }
        let goes_now = self.state.cleanup.is_some() && !self.state.is_over();
        if goes_now || self.state.is_closed() {
            return Err("what the run retained for rollback is deleted, or is being deleted".to_owned());
        }
        let started: BTreeSet<StepId> = self.state.started().intersection(&steps).cloned().collect();
        let way = rollback_order(&self.index.plan, &self.index.graph, &started, &to);
        if let Some(commit) = way.commits.first() {
            return Err(format!("{commit} cannot be undone"));
        }
        let alone = started.iter().find_map(|step| {
            let from = self.undone_with(step);
            (from != step && !steps.contains(from)).then_some((step, from))
        });
        if let Some((step, from)) = alone {
            return Err(format!("{step} is undone only together with {from}"));
        }
        match way.steps.iter().find_map(|back| self.expired(&back.step, now)) {
            Some(expired) => Err(expired),
            None => Ok(!way.steps.is_empty()),
        }
    }

    /// Whether the earlier run has the platform again at the end of such a rollback. A person may want that, even where nothing is
    /// undone; a failure is not answered by it.
    fn gives_back(&self, scope: &RollbackScope) -> bool {
        let plan = &self.index.plan;
        let start = plan.savepoints.first().map(|start| RollbackScope::Savepoint(start.id.clone()));
        plan.parent.is_some() && start.as_ref() == Some(scope)
    }

    /// Why one rollback step is not possible any more.
    fn expired(&self, step: &StepId, now: Timestamp) -> Option<String> {
        let undo = self.index.plan.rollback_step(step)?;
        let hop = undo.place().and_then(|place| self.index.plan.step(place)).map(|step| &step.hop);
        if let Some(why) = hop.and_then(|hop| self.state.lost.get(hop)) {
            return Some(format!("the rollback of {step} has expired: {why}"));
        }
        let task = undo.place().and_then(|place| self.state.task(&At::forward(place)));
        let is_expired = |at: &ExpiresAt| match at {
            ExpiresAt::Instant(instant) => *instant <= now,
            ExpiresAt::After(length) => {
                task.and_then(|task| task.applied).is_some_and(|applied| later(applied, *length) <= now)
            }
            ExpiresAt::Start(other) => self.state.is_started(other),
        };
        let expiry = undo.expires.iter().find(|expiry| is_expired(&expiry.at))?;
        Some(format!("the rollback of {step} has expired: {}", expiry.why))
    }
}

fn how(phase: Phase) -> &'static str {
    match phase {
        Phase::Stopped => "stopped, because the platform changed since the plan was made",
        Phase::Unproven => "cannot be verified, because the evidence cannot be read",
        Phase::Asked => "needs an operator to decide",
        _ => "failed",
    }
}
