//! What a run leaves behind, by name.

use switchback_schemas::{
    journal::{At, Residue, Unfinished, Way},
    plan::{Plan, Undo, Work},
};

use super::{Phase, RunState, place::work_at, suspensions};

/// What is left behind: suspensions, doubts, failures, nodes that were touched, and, unless everything is done or
/// undone, each step that was neither. Where another run took over, that one accounts for everything but what is removed.
pub fn residue(plan: &Plan, state: &RunState) -> Vec<Residue> {
    let mut left = Vec::new();
    let theirs = |at: &At| state.superseded.is_some() && at.way != Way::Cleanup;
    for suspension in suspensions::open(plan, state) {
        left.push(Residue::Suspended {
            id: suspension.id.clone(),
            title: suspension.title.clone(),
            why: state.held_over.get(&suspension.id).cloned(),
            owner: suspension.owner.clone(),
            command: suspension.resume_command.clone(),
        });
    }
    let complete = state.back.is_none() && state.all_done();
    let kept = |step: &switchback_schemas::StepId| {
        let saved = state.back.as_ref().is_some_and(|back| !back.steps.contains(step));
        complete || saved
    };
    for (at, task) in &state.tasks {
        let undone = at.way == Way::Forward && state.undone.contains(&at.step);
        // What needs no undo is retained where it is more than a look, and listed with the retained resources.
        let retained = at.way == Way::Forward
            && at.item.is_none()
            && plan.step(&at.step).is_some_and(|step| matches!(step.undo, Undo::Unneeded { .. }));
        let no_residue = retained || work_at(plan, state, at).is_some_and(Work::only_looks);
        let what = match task.phase {
            _ if theirs(at) => continue,
            _ if task.phase == Phase::LeftSuspended || undone => continue,
            Phase::InDoubt | Phase::Asked | Phase::Called if !no_residue => Unfinished::InDoubt,
            Phase::Failed | Phase::Unproven if task.touched && !no_residue => Unfinished::FailedInPart,
            Phase::Stopped if at.way == Way::Rollback => Unfinished::NotUndone,
            Phase::Failed | Phase::Again | Phase::Blocked if at.way == Way::Cleanup => Unfinished::NotRemoved,
            Phase::Done | Phase::Applied | Phase::Blocked | Phase::Rolling
                if at.way == Way::Forward && at.item.is_none() && !kept(&at.step) && !retained =>
            {
                Unfinished::Done
            }
            Phase::Blocked if at.way == Way::Forward && at.item.is_some() && !kept(&at.step) => {
                Unfinished::Begun
            }
            _ => continue,
        };
        left.push(Residue::Work { at: at.clone(), left: what });
    }
    for (roll, item) in state.touched_nodes(plan).into_iter().filter(|(roll, _)| !theirs(roll)) {
        left.push(Residue::Node { node: item.name.clone(), roll: roll.clone() });
    }
    left
}
