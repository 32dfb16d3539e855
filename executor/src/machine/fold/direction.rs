//! The fold's larger moves: finishing, turning back and forward again, retrying.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use jiff::Timestamp;
use switchback_model::{rollback_order, schedule};
use switchback_schemas::{
    HopId, RunId, StepId,
    journal::{At, End, RollbackScope, Way},
    name::{Label, SavepointId},
    plan::{Plan, Savepoint},
};

use super::{
    Index, Phase, Reason, RunState,
    place::work_at,
    place_event::PlaceEvent,
    state::{Back, Hold, Task},
};

impl RunState {
    /// The task of a place, made if it has none.
    pub(in crate::machine) fn touch(&mut self, at: &At, now: Timestamp) -> &mut Task {
        let task = self.tasks.entry(at.clone()).or_insert_with(|| Task::new(now));
        task.last = now;
        task
    }

    /// Moves a place into a phase, and everything that follows from it.
    pub(in crate::machine) fn set(&mut self, index: &Index, at: &At, phase: Phase, now: Timestamp) {
        self.touch(at, now).phase = phase;
        keep(&mut self.open, at, phase.is_open());
        keep(&mut self.failed, at, phase.is_failed());
        if !phase.is_finished() {
            return;
        }
        match (&at.item, at.way) {
            (Some(_), _) if self.is_release(at) => {}
            (Some(item), _) => self.item_moved(index, at, &item.key, now),
            (None, Way::Forward) => self.finish(index, &at.step),
            (None, Way::Rollback) => self.finish_back(index, &at.step),
            (None, Way::Cleanup) => {}
        }
    }

    fn finish(&mut self, index: &Index, step: &StepId) {
        let Some(number) = index.graph.number(step) else { return };
        self.ready.remove(&(Reverse(rest(index, number)), number));
        for next in index.graph.dependants(number) {
            let Some(lacking) = self.lacking.get_mut(next) else { continue };
            *lacking = lacking.saturating_sub(1);
            if *lacking == 0 {
                self.ready.insert((Reverse(rest(index, next)), next));
            }
        }
        for savepoint in index.savepoints.added_by(number) {
            if let Some(missing) = self.missing.get_mut(*savepoint) {
                *missing = missing.saturating_sub(1);
                self.hold_from(index, *savepoint);
            }
        }
    }

    /// A savepoint of which nothing is missing that it adds holds if the one before it does, and may be what the next one lacked.
    fn hold_from(&mut self, index: &Index, first: usize) {
        for savepoint in (first..).take_while(|number| *number == first || index.savepoints.grows(*number)) {
            let before = savepoint.checked_sub(1).filter(|_| index.savepoints.grows(savepoint));
            let holds = |number| self.whole.get(number).copied().unwrap_or(false);
            let whole = self.missing.get(savepoint) == Some(&0) && before.is_none_or(holds);
            if !whole || holds(savepoint) {
                return;
            }
            if let Some(slot) = self.whole.get_mut(savepoint) {
                *slot = true;
            }
            self.holding.insert(savepoint);
        }
    }

    fn finish_back(&mut self, index: &Index, step: &StepId) {
        let undoes = index.plan.rollback_step(step).into_iter().flat_map(|rollback| &rollback.undoes);
        let done = |rollback: &StepId| is_done(&self.tasks, rollback);
        let undone = undoes.filter(|step| index.rollback_of(step).iter().all(done)).cloned();
        let undone: Vec<StepId> = undone.collect();
        self.undone.extend(undone);
        let Some(back) = &mut self.back else { return };
        back.ready.remove(&back.queued(step));
        for next in back.after.get(step).cloned().unwrap_or_default() {
            let Some(lacking) = back.lacking.get_mut(&next) else { continue };
            *lacking = lacking.saturating_sub(1);
            if *lacking == 0 && !is_done(&self.tasks, &next) {
                back.ready.insert(back.queued(&next));
            }
        }
    }

    /// Counts what is lacking everywhere, from the phases.
    pub(in crate::machine) fn recount(&mut self, index: &Index) {
        let done: Vec<bool> =
            index.plan.steps.iter().map(|step| self.phase(&At::forward(&step.id)).is_finished()).collect();
        let is_done = |number: usize| done.get(number).copied().unwrap_or(false);
        self.lacking = (0..done.len())
            .map(|number| index.graph.needs(number).filter(|need| !is_done(*need)).count())
            .collect();
        self.missing = index
            .savepoints
            .added()
            .map(|steps| steps.iter().filter(|step| !is_done(**step)).count())
            .collect();
        self.whole = index.savepoints.all(is_done);
        let reached: BTreeSet<&SavepointId> = self.reached.iter().collect();
        let whole = index.plan.savepoints.iter().zip(&self.whole).enumerate();
        let holding = whole
            .filter(|(_, (savepoint, whole))| **whole && !reached.contains(&savepoint.id))
            .map(|(number, _)| number);
        self.holding = holding.collect();
        let open =
            self.lacking.iter().enumerate().filter(|(number, lacking)| **lacking == 0 && !is_done(*number));
        self.ready = open.map(|(number, _)| (Reverse(rest(index, number)), number)).collect();
    }

    pub(in crate::machine) fn reach(&mut self, index: &Index, savepoint: &SavepointId) -> Result<(), Reason> {
        let number = index.savepoints.number(savepoint);
        let holds = number.is_some_and(|number| self.back.is_none() && self.holding.remove(&number));
        if !holds {
            return Err(Reason::Other(format!("savepoint {savepoint} is not reached")));
        }
        self.reached.push(savepoint.clone());
        Ok(())
    }

    pub(in crate::machine) fn turn_back(
        &mut self,
        index: &Index,
        scope: &RollbackScope,
        why: &str,
        now: Timestamp,
    ) -> Result<(), Reason> {
        if self.cleanup.is_some() {
            return Err(Reason::Other("the run deletes what its rollbacks need".to_owned()));
        }
        let (to, numbers) = scope_of(index, scope)?;
        if matches!(scope, RollbackScope::Savepoint(savepoint) if !self.reached.contains(savepoint)) {
            return Err(Reason::Other(format!("the run rolls back to {scope:?}, which it never reached")));
        }
        let steps: BTreeSet<StepId> = numbers.iter().filter_map(|n| index.id(*n)).cloned().collect();
        let started = self.started().intersection(&steps).cloned().collect();
        let way = rollback_order(&index.plan, &index.graph, &started, &to);
        let rest = schedule::remaining_back(&index.plan, &way);
        let needs: BTreeMap<StepId, BTreeSet<StepId>> =
            way.steps.into_iter().map(|back| (back.step, back.needs)).collect();
        let mut after: BTreeMap<StepId, Vec<StepId>> = BTreeMap::new();
        for (step, need) in needs.iter().flat_map(|(step, needs)| needs.iter().map(move |need| (step, need)))
        {
            after.entry(need.clone()).or_default().push(step.clone());
        }
        // Of several that undo one step, some may be done already.
        let done = |step: &StepId| is_done(&self.tasks, step);
        let lacking: BTreeMap<StepId, usize> = needs
            .iter()
            .map(|(step, needs)| (step.clone(), needs.iter().filter(|need| !done(need)).count()))
            .collect();
        let (scope, why) = (scope.clone(), why.to_owned());
        let mut back = Back { scope, why, needs, rest, after, lacking, ready: BTreeSet::new(), steps };
        let first = back.lacking.iter().filter(|(step, lacking)| **lacking == 0 && !done(step));
        back.ready = first.map(|(step, _)| back.queued(step)).collect();
        let kept = index.savepoints.all(|number| !numbers.contains(&number));
        let kept = |savepoint: &SavepointId| {
            let number = index.savepoints.number(savepoint);
            number.and_then(|number| kept.get(number)).copied().unwrap_or(false)
        };
        self.reached.retain(kept);
        self.take_up_all_released(|roll| roll.way == Way::Rollback || !back.steps.contains(&roll.step));
        // Failures forward are answered by rolling back; a failed undo is tried again.
        for at in std::mem::take(&mut self.failed) {
            match at.way {
                Way::Rollback if back.needs.contains_key(&at.step) => self.again(index, &at, now),
                _ => self.touch(&at, now).left = true,
            }
        }
        self.hold = None;
        self.reopened = None;
        self.back = Some(back);
        Ok(())
    }

    pub(in crate::machine) fn turn_forward(&mut self, index: &Index) -> Result<(), Reason> {
        if let Some(back) = &self.back {
            if !back.ready.is_empty() || matches!(back.scope, RollbackScope::Savepoint(_)) {
                return Err(Reason::Other("the rollback is not at its end".to_owned()));
            }
            let steps = back.steps.clone();
            let held_over =
                back.needs.keys().filter(|id| self.phase(&At::rollback(id)) == Phase::LeftSuspended);
            let held_over = held_over.filter_map(|id| index.plan.rollback_step(id));
            let open: Vec<At> = held_over.flat_map(|rollback| &rollback.undoes).map(At::forward).collect();
            self.rolls.retain(|at, _| !back.has(at));
            for (at, task) in self.tasks.iter_mut().filter(|(at, _)| back.has(at)) {
                task.next_round();
                self.open.remove(at);
                self.failed.remove(at);
            }
            self.back = None;
            self.held_over.clear();
            self.undone.retain(|step| !steps.contains(step));
            self.doubt(open);
            self.recount(index);
        }
        for at in std::mem::take(&mut self.failed) {
            if let Some(task) = self.tasks.get_mut(&at) {
                task.left = true;
            }
        }
        self.take_up_all_released(|_| true);
        self.hold = None;
        Ok(())
    }

    /// Another run goes on from here. What was under way is accounted for by that run, or by this one when it returns.
    pub(in crate::machine) fn hand_over(&mut self, by: &RunId) {
        self.superseded = Some(by.clone());
        self.claimed = false;
        self.cleanup = None;
    }

    /// The run that went on from here is back where it began. A person says how this one goes on.
    pub(in crate::machine) fn take_back(
        &mut self,
        from: &RunId,
        lost: &BTreeMap<HopId, String>,
    ) -> Result<(), Reason> {
        if self.superseded.as_ref() != Some(from) {
            return Err(Reason::Other(format!("run {from} did not take over")));
        }
        self.superseded = None;
        self.lost.extend(lost.clone());
        let places = |which: fn(&Task) -> bool| {
            let tasks = self.tasks.iter().filter(|(_, task)| which(task));
            tasks.map(|(at, _)| at.clone()).collect()
        };
        (self.open, self.failed) =
            (places(|task| task.phase.is_open()), places(|task| task.phase.is_failed() && !task.left));
        let why = format!("run {from}, which had taken over, rolled back to its start");
        self.hold = Some(Hold { at: None, why });
        Ok(())
    }

    /// Whether every step is done.
    pub(in crate::machine) fn all_done(&self) -> bool {
        self.ready.is_empty() && self.lacking.iter().all(|lacking| *lacking == 0)
    }

    /// Whether the run may end like that.
    pub(in crate::machine) fn may_end(&self, plan: &Plan, end: End) -> Result<(), Reason> {
        let back = self.back.as_ref().filter(|back| matches!(back.scope, RollbackScope::Savepoint(_)));
        let all_back = back
            .is_some_and(|back| back.needs.keys().all(|step| self.phase(&At::rollback(step)).is_finished()));
        let fits = match end {
            End::Abandoned => true,
            end if self.cleanup.is_some() => self.end_of_cleanup(plan) == Some(end),
            End::Complete => self.is_whole(plan),
            End::RolledBack => all_back && self.held_over.is_empty(),
            End::RolledBackSuspended => all_back && !self.held_over.is_empty(),
            End::CleanedUp => false,
        };
        match fits {
            true => Ok(()),
            false => Err(Reason::Other(format!("the run is not {end:?}"))),
        }
    }

    pub(in crate::machine) fn retry(&mut self, index: &Index, at: &At, now: Timestamp) -> Result<(), Reason> {
        if work_at(&index.plan, self, at).is_none() {
            return Err(Reason::NoSuchPlace(at.clone()));
        }
        let phase = self.phase(at);
        if !PlaceEvent::Retry.phases().contains(&phase) {
            return Err(Reason::Phase { at: at.clone(), phase, event: PlaceEvent::Retry });
        }
        // A retry of another step of the same node may have taken the whole node up already.
        if phase.is_failed() {
            self.again(index, at, now);
        }
        let way = if self.back.is_none() { Way::Forward } else { Way::Rollback };
        self.take_up_all_released(|roll| roll.way == way);
        self.hold = None;
        Ok(())
    }

    fn take_up_all_released(&mut self, which: impl Fn(&At) -> bool) {
        let rolls: Vec<At> = self.rolls.keys().filter(|roll| which(roll)).cloned().collect();
        for roll in &rolls {
            self.take_up_released(roll);
        }
    }

    /// Gives a failed place another chance, from where it failed.
    pub(in crate::machine) fn again(&mut self, index: &Index, at: &At, now: Timestamp) {
        let rolling = self.rolls.contains_key(at);
        let task = self.touch(at, now);
        task.counts_anew();
        task.left = false;
        let phase = match task.phase {
            Phase::Failed | Phase::Unproven | Phase::Stopped if rolling && task.applied.is_none() => {
                Phase::Rolling
            }
            Phase::Failed | Phase::Unproven if task.applied.is_some() => Phase::Applied,
            Phase::Stopped => Phase::New,
            _ => Phase::Again,
        };
        if phase == Phase::Applied {
            // Verification has its time again.
            task.applied = Some(now);
        }
        if phase == Phase::Rolling {
            self.resume_roll(at, now);
        }
        self.set(index, at, phase, now);
    }

    pub(in crate::machine) fn hold_over(
        &mut self,
        index: &Index,
        suspension: &Label,
        why: &str,
        now: Timestamp,
    ) -> Result<(), Reason> {
        let known = index.plan.suspensions.iter().find(|known| known.id == *suspension);
        let closing =
            known.into_iter().flat_map(|suspension| index.rollback_of(&suspension.suspend)).map(At::rollback);
        let at = closing.into_iter().find(|at| self.phase(at) == Phase::New && self.back.is_some());
        let at = at.ok_or_else(|| Reason::Other(format!("suspension {suspension} is not being resumed")))?;
        self.held_over.insert(suspension.clone(), why.to_owned());
        self.set(index, &at, Phase::LeftSuspended, now);
        Ok(())
    }
}

/// Where a scope rolls back to, and the numbers of the steps that it takes back.
pub(in crate::machine) fn scope_of(
    index: &Index,
    scope: &RollbackScope,
) -> Result<(Savepoint, BTreeSet<usize>), Reason> {
    let unknown = || Reason::Other(format!("the plan has no {scope:?} to roll back to"));
    match scope {
        RollbackScope::Savepoint(id) => {
            let number = index.savepoints.number(id).ok_or_else(unknown)?;
            let to = index.plan.savepoints.get(number).ok_or_else(unknown)?;
            let mut steps: BTreeSet<usize> = (0..index.plan.steps.len()).collect();
            for kept in index.savepoints.members(number) {
                steps.remove(&kept);
            }
            Ok((to.clone(), steps))
        }
        RollbackScope::Step(step) => {
            let number = index.graph.number(step).ok_or_else(unknown)?;
            let mut steps = index.graph.descendants(number);
            steps.insert(number);
            let nothing = SavepointId::new("start").map_err(|_| unknown())?;
            Ok((Savepoint { id: nothing, title: String::new(), frontier: Vec::new() }, steps))
        }
    }
}

fn is_done(tasks: &BTreeMap<At, Task>, rollback: &StepId) -> bool {
    tasks.get(&At::rollback(rollback)).is_some_and(|task| task.phase.is_finished())
}

fn rest(index: &Index, number: usize) -> switchback_schemas::Seconds {
    index.remaining.get(number).copied().unwrap_or_default()
}

fn keep(set: &mut BTreeSet<At>, at: &At, is_in: bool) {
    if is_in {
        set.insert(at.clone());
    } else {
        set.remove(at);
    }
}
