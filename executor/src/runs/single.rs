//! One step of a run that is over, taken back by itself: only where its rollback compares before it sets, and nothing that was started
//! because of the step stands any more.

use std::collections::BTreeSet;

use switchback_model::rollback_order;
use switchback_schemas::{
    StepId,
    plan::{Action, Disruption, Effect, KubeEffect, Work},
};

use crate::machine::Machine;

/// What the rollback of one step takes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Single {
    /// These rollback steps, now.
    Now(Vec<StepId>),
    /// These rollback steps come first.
    After(Vec<StepId>),
    /// More than comparing and setting: a person does it.
    ByHand,
}

/// What the rollback of a step takes; `None` where nothing of it is left. `cleared` are names of what was cleared already.
pub(super) fn of(machine: &Machine, step: &StepId, cleared: &[&str]) -> Option<Single> {
    let (plan, index) = (machine.plan(), machine.index());
    let resumed = plan.suspensions.iter().filter(|suspension| cleared.contains(&suspension.id.as_str()));
    let resumed: BTreeSet<&StepId> = resumed.map(|suspension| &suspension.suspend).collect();
    let mut started = machine.state().started();
    started.retain(|step| !cleared.contains(&step.as_str()) && !resumed.contains(step));
    if !started.contains(step) {
        return None;
    }
    let undoing = index.rollback_of(step);
    let compares = |id: &StepId| plan.rollback_step(id).is_some_and(|rollback| only_compares(&rollback.work));
    if undoing.is_empty() || !undoing.iter().all(compares) {
        return Some(Single::ByHand);
    }
    let start = plan.savepoints.first()?;
    let order = rollback_order(plan, &index.graph, &started, start);
    let own = order.steps.iter().filter(|back| undoing.contains(&back.step));
    let first: BTreeSet<StepId> = own.flat_map(|back| &back.needs).cloned().collect();
    let first: Vec<StepId> = first.into_iter().filter(|id| !undoing.contains(id)).collect();
    Some(if first.is_empty() { Single::Now(undoing.to_vec()) } else { Single::After(first) })
}

/// Whether work sets fields of one object if they are as the run left them, and disrupts nothing.
fn only_compares(work: &Work) -> bool {
    let compares = match &work.action {
        Action::Effect(Effect::Kube(KubeEffect::Patch(patch))) => !patch.only_if.is_empty(),
        Action::Effect(_) | Action::Roll(_) => false,
    };
    compares && work.disruption == Disruption::None
}
