//! Rollback steps as steps, and what undoes them.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
};

use switchback_schemas::{
    HopId, StepId,
    name::Label,
    plan::{
        Arguments, FailureAction, FailurePolicy, Need, Operand, Plan, PointOfNoReturn, Read, ReadBasis,
        RollbackStep, Stale, Step, Target, Undo, UndoKind, Work,
    },
};

use super::NoPlan;
use crate::rollback_order::RollbackOrder;

/// A rollback that is being written down.
pub(super) struct Back<'a> {
    pub(super) plan: &'a Plan,
    pub(super) way: &'a RollbackOrder,
    /// New ids, by those of the rollback steps.
    pub(super) ids: BTreeMap<&'a StepId, StepId>,
    /// New hops, by those that are undone.
    pub(super) hops: BTreeMap<&'a HopId, HopId>,
    by_step: BTreeMap<&'a StepId, Vec<&'a RollbackStep>>,
}

/// A rollback step as a step, with what undoes that.
pub(super) struct Turned {
    pub(super) step: Step,
    pub(super) again: Option<RollbackStep>,
    pub(super) line: Option<PointOfNoReturn>,
}

impl<'a> Back<'a> {
    pub(super) fn new(plan: &'a Plan, way: &'a RollbackOrder) -> Self {
        let steps = || way.rollback_steps(plan).filter_map(|step| Some((step, plan.step(step.place()?)?)));
        let undone: BTreeSet<&HopId> = steps().map(|(_, place)| &place.hop).collect();
        let hops = plan.hops.iter().filter(|hop| undone.contains(&hop.id));
        let hops: BTreeMap<&HopId, HopId> =
            hops.map(|hop| (&hop.id, hop.id.rolled_back_to(hop.from.as_ref()))).collect();
        let id = |(step, place): (&'a RollbackStep, &'a Step)| {
            Some((&step.id, hops.get(&place.hop)?.step(place.hop.part(&step.id)?)))
        };
        Self { plan, way, ids: steps().filter_map(id).collect(), by_step: plan.rollback_by_step(), hops }
    }

    /// The hop of a rollback step.
    pub(super) fn hop_of(&self, rollback: &StepId) -> Option<&'a HopId> {
        Some(&self.plan.step(self.plan.rollback_step(rollback)?.place()?)?.hop)
    }

    /// A rollback step as a step, and the line that it crosses where going forward again is not the same as it was.
    pub(super) fn step(&self, rollback: &StepId, needs: &BTreeSet<StepId>) -> Result<Option<Turned>, NoPlan> {
        let found = self.plan.rollback_step(rollback).zip(self.ids.get(rollback));
        let Some((undo, id)) = found else { return Ok(None) };
        let Some(old) = undo.place().and_then(|place| self.plan.step(place)) else { return Ok(None) };
        if let Some(Stale::BornBefore(_)) = undo.work.roll().map(|roll| &roll.stale) {
            return Err(NoPlan::Roll(rollback.clone()));
        }
        let need = |need: &StepId| {
            let why = format!("it is undone before {rollback}, as it came after it");
            Some(Need { step: self.ids.get(need)?.clone(), why, source: None })
        };
        let (undo_again, again, line) = match self.again(undo) {
            _ if undo.work.only_looks() => (Undo::Unneeded { why: "it only reads".to_owned() }, None, None),
            Ok(work) => (Undo::Rollback {}, Some(RollbackStep::inverse(id.clone(), work)), None),
            Err(why) => {
                let name = Label::sanitized(&id.as_str().replace(['/', '@', '.', ':'], "-"));
                let recovery = "make a new plan forward, from what is there then".to_owned();
                let line = PointOfNoReturn {
                    id: name,
                    step: id.clone(),
                    ends: format!(
                        "the way forward again past {rollback} (it cannot be repeated as it was: {why})"
                    ),
                    recovery: recovery.clone(),
                };
                (Undo::Irreversible { why, recovery }, None, Some(line))
            }
        };
        // What an earlier step left is what is there now.
        let observed = |read: &Read| Read { basis: ReadBasis::Observed {}, ..read.clone() };
        let step = Step {
            id: id.clone(),
            hop: self.hops.get(&old.hop).cloned().unwrap_or_else(|| old.hop.clone()),
            target: old.target.clone(),
            work: Work { reads: undo.work.reads.iter().map(observed).collect(), ..undo.work.clone() },
            needs: needs.iter().filter_map(need).collect(),
            undo: undo_again,
            tier: old.tier,
            on_failure: FailurePolicy {
                action: FailureAction::Hold,
                why: "an operator decides about a rollback that fails".to_owned(),
            },
            gates: Vec::new(),
            changes: Vec::new(),
        };
        Ok(Some(own_captures(Turned { step, again, line }, undo)))
    }

    /// Going forward again, or why that would not be what it was.
    pub(super) fn again(&self, undo: &RollbackStep) -> Result<Work, String> {
        let Some(old) = undo.place().and_then(|place| self.plan.step(place)) else {
            return Err("what it undoes is not in the plan".to_owned());
        };
        if let Some(with) = undo.undoes.get(1) {
            return Err(format!("{with} is undone with it"));
        }
        if self.by_step.get(&old.id).is_some_and(|undoing| undoing.len() > 1) {
            return Err(format!("{} is undone by more than one step", old.id));
        }
        if !undo.loses.is_empty() || undo.kind == UndoKind::RestoreOnly {
            let what = if undo.loses.is_empty() {
                "what was written since".to_owned()
            } else {
                undo.loses.join(", ")
            };
            return Err(format!("it loses {what}"));
        }
        if self.plan.points.iter().any(|line| line.step == old.id) {
            return Err("going forward again would pass a point of no return".to_owned());
        }
        if old.work.roll().is_some() || undo.work.roll().is_some() {
            return Err("nodes that moved back are moved forward by a new plan only".to_owned());
        }
        if old.work.done_when.is_none() {
            return Err("nothing verifies whether it was done again".to_owned());
        }
        Ok(Work {
            title: format!("{} again", old.work.title),
            reads: Vec::new(),
            captures: Vec::new(),
            ..old.work.clone()
        })
    }
}

/// What a rollback step captures itself is captured by the new step.
fn own_captures(mut turned: Turned, undo: &RollbackStep) -> Turned {
    let names = undo.work.captures.iter().map(|capture| capture.name.as_str()).collect();
    let mut own = Own { from: &undo.id, to: turned.step.id.clone(), names };
    let Ok(()) = turned.step.work.turn(&mut own);
    if let Some(again) = &mut turned.again {
        let Ok(()) = again.work.turn(&mut own);
    }
    turned
}

/// Captures of these names that one step made are those of another.
struct Own<'plan> {
    from: &'plan StepId,
    to: StepId,
    names: BTreeSet<&'plan str>,
}

impl Arguments for Own<'_> {
    type Value = Operand;
    type Object = Target;
    type Error = Infallible;

    fn value(&mut self, operand: &Operand) -> Result<Operand, Infallible> {
        Ok(match operand {
            Operand::Captured { step, name } if step == self.from && self.names.contains(name.as_str()) => {
                Operand::Captured { step: self.to.clone(), name: name.clone() }
            }
            other => other.clone(),
        })
    }

    fn object(&mut self, target: &Target) -> Result<Target, Infallible> {
        Ok(target.clone())
    }
}
