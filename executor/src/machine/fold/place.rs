//! What the plan says about a place of the journal: a step, a rollback step, a step of a roll's recipe on one node, or what takes that
//! back.

use switchback_schemas::{
    StepId,
    journal::{At, Way},
    name::Label,
    plan::{Plan, RecipeStep, Roll, RollbackStep, Step, Work},
};

use super::RunState;

/// What is done at a place; `None` when it is no place of the plan.
pub(in crate::machine) fn work_at<'plan>(
    plan: &'plan Plan,
    state: &RunState,
    at: &At,
) -> Option<&'plan Work> {
    let Some(item) = &at.item else { return work_of(plan, &at.step, at.way) };
    if item.let_go {
        return recipe_step(plan, &at.step, Way::Rollback, &item.recipe)?.undo.work();
    }
    // Rolling back, a node is either one that a rollback step's own roll moves, or one that the roll forward touched and left.
    let moved_back =
        || state.roll(&At::rollback(&at.step)).is_some_and(|roll| roll.moved.contains_key(&item.key));
    if at.way == Way::Rollback && !moved_back() {
        return recipe_step(plan, &at.step, Way::Forward, &item.recipe)?.undo.work();
    }
    Some(&recipe_step(plan, &at.step, at.way, &item.recipe)?.work)
}

/// What is done of a step, whichever way.
fn work_of<'plan>(plan: &'plan Plan, step: &StepId, way: Way) -> Option<&'plan Work> {
    match way {
        Way::Forward => Some(&plan.step(step)?.work),
        Way::Rollback => Some(&plan.rollback_step(step)?.work),
        Way::Cleanup => Some(&plan.retentions.iter().find(|left| left.step == *step)?.removal),
    }
}

/// The roll of a step, or of a rollback step.
pub(in crate::machine) fn roll_of<'plan>(plan: &'plan Plan, step: &StepId, way: Way) -> Option<&'plan Roll> {
    work_of(plan, step, way)?.roll()
}

fn recipe_step<'plan>(plan: &'plan Plan, step: &StepId, way: Way, name: &Label) -> Option<&'plan RecipeStep> {
    roll_of(plan, step, way)?.recipe.iter().find(|part| part.name == *name)
}

/// The step whose hop and target a place has: a rollback step has those of the first step that it undoes.
pub fn step_of<'plan>(plan: &'plan Plan, at: &At) -> Option<&'plan Step> {
    let undone = || plan.rollback_step(&at.step).and_then(RollbackStep::place);
    match at.way {
        Way::Rollback => plan.step(undone().unwrap_or(&at.step)),
        Way::Forward | Way::Cleanup => plan.step(&at.step),
    }
}

/// Gates that a place waits for: a step forward has its own.
pub(in crate::machine) fn gates_of<'plan>(plan: &'plan Plan, at: &At) -> &'plan [Label] {
    let forward = at.way == Way::Forward && at.item.is_none();
    plan.step(&at.step).filter(|_| forward).map(|step| step.gates.as_slice()).unwrap_or_default()
}
