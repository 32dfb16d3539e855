//! One walk over a plan, for everybody who has to see all of it: work, effects, conditions, and the captures that they use.

use std::convert::Infallible;

use super::{Action, Arguments, Condition, Effect, NodeUndo, Operand, Plan, Roll, Target, Work};
use crate::StepId;

impl Plan {
    /// All work, with the step that it belongs to: of steps, of rollback steps, and of the removal of what is kept. What rolls
    /// hold is inside of their work.
    pub fn works(&self) -> impl Iterator<Item = (&StepId, &Work)> {
        let steps = self.steps.iter().map(|step| (&step.id, &step.work));
        let rollback = self.rollback.iter().map(|step| (&step.id, &step.work));
        steps.chain(rollback).chain(self.retentions.iter().map(|left| (&left.step, &left.removal)))
    }
}

impl NodeUndo {
    /// What is done to undo it, if something is.
    pub fn work(&self) -> Option<&Work> {
        match self {
            Self::Rollback(work) => Some(work),
            Self::Unneeded { .. } | Self::Irreversible { .. } => None,
        }
    }
}

impl Roll {
    /// What is done to its nodes: the work of its recipe, and of the recipe's undo.
    pub fn works(&self) -> impl Iterator<Item = &Work> {
        self.recipe.iter().flat_map(|part| std::iter::once(&part.work).chain(part.undo.work()))
    }
}

impl Work {
    /// The work itself, and what it does to nodes.
    pub fn all(&self) -> Vec<&Self> {
        let inside = self.roll().into_iter().flat_map(Roll::works).flat_map(Self::all);
        std::iter::once(self).chain(inside).collect()
    }

    /// Every effect that it can call.
    pub fn effects(&self) -> Vec<&Effect> {
        let own = self.all().into_iter().filter_map(|work| match &work.action {
            Action::Effect(effect) => Some(effect),
            Action::Roll(_) => None,
        });
        own.collect()
    }

    /// Whether nothing is changed by it.
    pub fn only_looks(&self) -> bool {
        self.effects().into_iter().all(Effect::only_looks)
    }

    /// Every condition that is asked for it, as a whole; see [`Condition::leaves`].
    pub fn conditions(&self) -> Vec<&Condition> {
        let mut conditions = Vec::new();
        for work in self.all() {
            conditions.extend(work.reads.iter().map(|read| &read.condition));
            conditions.extend(&work.done_when);
            conditions.extend(work.verify.iter().map(|verify| &verify.condition));
            match &work.action {
                Action::Effect(Effect::Wait(wait)) => conditions.push(&wait.until),
                Action::Effect(_) => {}
                Action::Roll(roll) => {
                    let canary = roll.canary.iter().flat_map(|canary| &canary.verify);
                    conditions.extend(roll.verify.iter().chain(canary).map(|verify| &verify.condition));
                }
            }
        }
        conditions
    }

    /// Captures that its effects and conditions use: the step that makes each, and its name.
    pub fn captures_used(&self) -> Vec<(StepId, String)> {
        let of_effects = self.effects().into_iter().flat_map(Effect::captures_used);
        of_effects.chain(self.conditions().into_iter().flat_map(Condition::captures_used)).collect()
    }

    /// Turns the arguments of everything that it does and asks into others.
    pub fn turn<A: Arguments<Value = Operand, Object = Target>>(
        &mut self,
        by: &mut A,
    ) -> Result<(), A::Error> {
        let reads = self.reads.iter_mut().map(|read| &mut read.condition);
        let verify = self.verify.iter_mut().map(|verify| &mut verify.condition);
        let mut conditions: Vec<&mut Condition> = reads.chain(&mut self.done_when).chain(verify).collect();
        match &mut self.action {
            Action::Effect(effect) => *effect = effect.map(by)?,
            Action::Roll(roll) => {
                let canary = roll.canary.iter_mut().flat_map(|canary| &mut canary.verify);
                conditions.extend(roll.verify.iter_mut().chain(canary).map(|verify| &mut verify.condition));
                for part in &mut roll.recipe {
                    part.work.turn(by)?;
                    if let NodeUndo::Rollback(work) = &mut part.undo {
                        work.turn(by)?;
                    }
                }
            }
        }
        for condition in conditions {
            *condition = condition.map(by)?;
        }
        Ok(())
    }
}

impl Effect {
    /// Captures that it uses: the step that makes each, and its name.
    pub fn captures_used(&self) -> Vec<(StepId, String)> {
        let mut used = Used(Vec::new());
        let Ok(_) = self.map(&mut used);
        used.0
    }
}

impl Condition {
    /// Captures that it uses: the step that makes each, and its name.
    pub fn captures_used(&self) -> Vec<(StepId, String)> {
        let mut used = Used(Vec::new());
        let Ok(_) = self.map(&mut used);
        used.0
    }
}

/// Captures that were met.
struct Used(Vec<(StepId, String)>);

impl Arguments for Used {
    type Value = ();
    type Object = ();
    type Error = Infallible;

    fn value(&mut self, operand: &Operand) -> Result<(), Infallible> {
        if let Operand::Captured { step, name } = operand {
            self.0.push((step.clone(), name.clone()));
        }
        Ok(())
    }

    fn object(&mut self, _: &Target) -> Result<(), Infallible> {
        Ok(())
    }
}
