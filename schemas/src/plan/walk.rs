//! One walk over a plan, for everybody who has to see all of it: work, effects, conditions, and the captures that they use.

use std::convert::Infallible;

use super::{
    Action, Condition, Effect, FieldTest, NodeUndo, NodegroupSize, Operand, Plan, Roll, Target, Test, Work,
};
use crate::StepId;

/// Arguments that only the run knows, wherever they stand in an effect or a condition.
pub trait Arguments {
    /// Why the walk ended early.
    type Error;

    /// An operand.
    fn operand(&mut self, operand: &mut Operand) -> Result<(), Self::Error>;

    /// A target.
    fn target(&mut self, target: &mut Target) -> Result<(), Self::Error> {
        let _ = target;
        Ok(())
    }

    /// A capture that is used whole: the step and the name.
    fn restored(&mut self, step: &mut StepId, name: &mut String) -> Result<(), Self::Error> {
        let _ = (step, name);
        Ok(())
    }
}

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
        let mut used = Used(Vec::new());
        for effect in self.effects() {
            let Ok(()) = effect.clone().visit(&mut used);
        }
        for condition in self.conditions() {
            let Ok(()) = condition.clone().visit(&mut used);
        }
        used.0
    }

    /// Visits the arguments of everything that it does and asks.
    pub fn visit<A: Arguments>(&mut self, arguments: &mut A) -> Result<(), A::Error> {
        let reads = self.reads.iter_mut().map(|read| &mut read.condition);
        let verify = self.verify.iter_mut().map(|verify| &mut verify.condition);
        reads.chain(&mut self.done_when).chain(verify).try_for_each(|one| one.visit(arguments))?;
        match &mut self.action {
            Action::Effect(effect) => effect.visit(arguments),
            Action::Roll(roll) => {
                let canary = roll.canary.iter_mut().flat_map(|canary| &mut canary.verify);
                let verify = roll.verify.iter_mut().chain(canary).map(|verify| &mut verify.condition);
                verify.into_iter().try_for_each(|one| one.visit(arguments))?;
                for part in &mut roll.recipe {
                    part.work.visit(arguments)?;
                    if let NodeUndo::Rollback(work) = &mut part.undo {
                        work.visit(arguments)?;
                    }
                }
                Ok(())
            }
        }
    }
}

impl Effect {
    /// Whether nothing is left of it on the platform. The list is closed: what is not in it has to be undone.
    pub fn only_looks(&self) -> bool {
        match self {
            // What a notification told somebody cannot be taken back, and is no part of the platform. A proof makes an instance
            // of its own and does not end before that is gone.
            Self::Wait(_) | Self::Notify(_) | Self::RdsProveSnapshot(_) => true,
            Self::KubeApply(_)
            | Self::KubePatch(_)
            | Self::KubeRestore(_)
            | Self::KubeDelete(_)
            | Self::MigrateStorage(_)
            | Self::NodeCordon(_)
            | Self::NodeDrain(_)
            | Self::HelmUpgrade(_)
            | Self::HelmRollback(_)
            | Self::EksUpdateCluster(_)
            | Self::EksUpdateAddon(_)
            | Self::EksUpdateNodegroup(_)
            | Self::EksCreateNodegroup(_)
            | Self::EksScaleNodegroup(_)
            | Self::EksDeleteNodegroup(_)
            | Self::NodeTerminate(_)
            | Self::RdsSnapshot(_)
            | Self::RdsRestore(_)
            | Self::RdsDeleteSnapshot(_)
            | Self::RdsDeleteInstance(_)
            | Self::Command(_) => false,
        }
    }

    /// Visits its arguments.
    pub fn visit<A: Arguments>(&mut self, arguments: &mut A) -> Result<(), A::Error> {
        match self {
            Self::KubePatch(patch) => {
                arguments.target(&mut patch.object)?;
                tests(&mut patch.only_if, arguments)?;
                patch.set.iter_mut().try_for_each(|field| arguments.operand(&mut field.to))
            }
            Self::KubeRestore(restore) => arguments.restored(&mut restore.step, &mut restore.name),
            Self::KubeDelete(delete) => arguments.target(&mut delete.object),
            Self::NodeCordon(cordon) => arguments.target(&mut cordon.node),
            Self::NodeDrain(drain) => arguments.target(&mut drain.node),
            Self::NodeTerminate(terminate) => arguments.target(&mut terminate.node),
            Self::HelmRollback(rollback) => arguments.operand(&mut rollback.to),
            Self::Wait(wait) => wait.until.visit(arguments),
            Self::EksUpdateAddon(update) => arguments.operand(&mut update.version),
            Self::EksUpdateNodegroup(update) => {
                update.release.iter_mut().try_for_each(|release| arguments.operand(release))
            }
            Self::EksCreateNodegroup(create) => size(&mut create.size, arguments),
            Self::EksScaleNodegroup(scale) => size(&mut scale.size, arguments),
            Self::RdsProveSnapshot(prove) => arguments.operand(&mut prove.instance),
            Self::RdsRestore(restore) => arguments.operand(&mut restore.instance),
            Self::KubeApply(_)
            | Self::MigrateStorage(_)
            | Self::HelmUpgrade(_)
            | Self::EksUpdateCluster(_)
            | Self::EksDeleteNodegroup(_)
            | Self::RdsSnapshot(_)
            | Self::RdsDeleteSnapshot(_)
            | Self::RdsDeleteInstance(_)
            | Self::Command(_)
            | Self::Notify(_) => Ok(()),
        }
    }
}

impl Condition {
    /// What it asks for one by one: itself, or what its parts ask for.
    pub fn leaves(&self) -> Vec<&Self> {
        match self {
            Self::All { of } | Self::Any { of } => of.iter().flat_map(Self::leaves).collect(),
            leaf => vec![leaf],
        }
    }

    /// Visits its arguments.
    pub fn visit<A: Arguments>(&mut self, arguments: &mut A) -> Result<(), A::Error> {
        match self {
            Self::All { of } | Self::Any { of } => of.iter_mut().try_for_each(|one| one.visit(arguments)),
            Self::Field { object, is, .. } => {
                arguments.target(object)?;
                test(is, arguments)
            }
            Self::Count { each, .. } => tests(each, arguments),
            Self::Rollout { object } => arguments.target(object),
            Self::Release { revision, .. } => {
                revision.iter_mut().try_for_each(|revision| arguments.operand(revision))
            }
            Self::Drained { node } => arguments.target(node),
            Self::Cloud { is, .. } => test(is, arguments),
            Self::ConversionReady { .. }
            | Self::Insights { .. }
            | Self::FreeAddresses { .. }
            | Self::StoredAs { .. }
            | Self::NodesReady { .. }
            | Self::Http { .. }
            | Self::Prometheus { .. }
            | Self::Command(_) => Ok(()),
        }
    }
}

fn size<A: Arguments>(size: &mut NodegroupSize, arguments: &mut A) -> Result<(), A::Error> {
    [&mut size.min, &mut size.desired, &mut size.max].into_iter().try_for_each(|n| arguments.operand(n))
}

fn tests<A: Arguments>(tests: &mut [FieldTest], arguments: &mut A) -> Result<(), A::Error> {
    tests.iter_mut().try_for_each(|one| test(&mut one.is, arguments))
}

fn test<A: Arguments>(test: &mut Test, arguments: &mut A) -> Result<(), A::Error> {
    match test {
        Test::Equals(operand) | Test::Differs(operand) => arguments.operand(operand),
        Test::Present {}
        | Test::Absent {}
        | Test::OneOf(_)
        | Test::Contains(_)
        | Test::AtLeast(_)
        | Test::VersionAtLeast(_)
        | Test::VersionBelow(_) => Ok(()),
    }
}

/// Captures that were met.
struct Used(Vec<(StepId, String)>);

impl Arguments for Used {
    type Error = Infallible;

    fn operand(&mut self, operand: &mut Operand) -> Result<(), Infallible> {
        if let Operand::Captured { step, name } = operand {
            self.0.push((step.clone(), name.clone()));
        }
        Ok(())
    }

    fn restored(&mut self, step: &mut StepId, name: &mut String) -> Result<(), Infallible> {
        self.0.push((step.clone(), name.clone()));
        Ok(())
    }
}
