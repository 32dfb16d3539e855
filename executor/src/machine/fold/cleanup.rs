//! What a run that is over keeps for its rollbacks, and how it is removed.

use jiff::{SignedDuration, Timestamp};
use switchback_schemas::{
    StepId,
    journal::{At, End, Way},
    plan::{ApprovalScope, Plan, Retention},
};

use super::{Index, Phase, Reason, RunState, state::Cleanup};

/// What a run keeps, with the instant until which a rollback needs it.
pub fn standing<'plan>(plan: &'plan Plan, state: &RunState) -> Vec<(&'plan Retention, Timestamp)> {
    plan.retentions.iter().filter_map(|left| Some((left, needed_until(left, state)?))).collect()
}

fn needed_until(left: &Retention, state: &RunState) -> Option<Timestamp> {
    let (forward, back) = (At::forward(&left.step), At::rollback(&left.step));
    let undone = state.undone.contains(&left.step);
    let by = if left.by_undo { &back } else { &forward };
    let removed = state.phase(&At::cleanup(&left.step)).is_finished();
    let stands = state.phase(by) == Phase::Done && undone == left.by_undo && !removed;
    let done = state.task(by).filter(|_| stands)?.last;
    let keep = SignedDuration::from_secs(i64::try_from(left.keep.0).unwrap_or(i64::MAX));
    Some(done.checked_add(keep).unwrap_or(Timestamp::MAX))
}

impl RunState {
    /// Whether it is over with something that may be removed: at its targets, back at a savepoint, or continued by another run,
    /// whose claim keeps it from being closed until that one is over.
    pub fn may_clean_up(&self) -> bool {
        match &self.ended {
            Some((end, _)) => matches!(end, End::Complete | End::RolledBack) && self.superseded.is_none(),
            None => self.superseded.is_some(),
        }
    }

    pub(in crate::machine) fn turn_to_cleanup(
        &mut self,
        index: &Index,
        (steps, early): (&[StepId], &[StepId]),
        why: &str,
        now: Timestamp,
    ) -> Result<(), Reason> {
        let wrong = |what: String| Err(Reason::Other(what));
        let from = match (&self.cleanup, self.reopened) {
            (Some(closing), _) => closing.from,
            (None, Some(end)) => Some(end),
            (None, None) if self.superseded.is_some() => None,
            (None, None) => return wrong("cleanup comes after the end of a run".to_owned()),
        };
        let standing = standing(&index.plan, self);
        for step in steps {
            match standing.iter().find(|(left, _)| left.step == *step) {
                None => return wrong(format!("nothing of {step} is retained")),
                Some((_, until)) if *until > now && !early.contains(step) => {
                    return wrong(format!("what {step} left is needed until {until}"));
                }
                Some(_) => {}
            }
        }
        let approved = || self.approvals.iter().any(|given| given.scope == ApprovalScope::Cleanup {});
        if !early.is_empty() && !approved() {
            return wrong("a cleanup before its time has no approval".to_owned());
        }
        if from.is_none() {
            // What was under way or had failed when another run took over is looked at if this one ever returns.
            let closes = |at: &At| at.way == Way::Cleanup;
            self.open.retain(closes);
            self.failed.retain(closes);
        }
        let failed: Vec<At> = self.failed.iter().filter(|at| steps.contains(&at.step)).cloned().collect();
        for at in failed {
            self.again(index, &at, now);
        }
        self.hold = None;
        self.cleanup = Some(Cleanup { from, steps: steps.iter().cloned().collect(), why: why.to_owned() });
        Ok(())
    }

    /// Whether everything that is being removed is removed.
    pub(in crate::machine) fn is_cleaned_up(&self) -> bool {
        let gone = |step: &StepId| self.phase(&At::cleanup(step)).is_finished();
        self.cleanup.as_ref().is_some_and(|closing| closing.steps.iter().all(gone))
    }

    /// How a run ends that has closed, or has closed in part; `None` also where another run goes on from it.
    pub(in crate::machine) fn end_of_cleanup(&self, plan: &Plan) -> Option<End> {
        let closing = self.cleanup.as_ref().filter(|_| self.is_cleaned_up())?;
        if standing(plan, self).is_empty() { Some(End::CleanedUp) } else { closing.from }
    }

    /// What a rollback would need and has not any more: the retained resource, and since when it is gone or going.
    pub(in crate::machine) fn removed<'plan>(
        &self,
        plan: &'plan Plan,
        taken_back: impl Fn(&StepId) -> bool,
    ) -> Option<(&'plan Retention, Timestamp)> {
        plan.retentions.iter().filter(|left| !left.by_undo && taken_back(&left.step)).find_map(|left| {
            let task = self.task(&At::cleanup(&left.step))?;
            (task.phase.is_finished() || task.may_have_acted()).then_some((left, task.last))
        })
    }
}
