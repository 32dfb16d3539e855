//! What a run leaves behind, by name.

use switchback_schemas::{
    journal::{At, Way},
    plan::{Plan, Undo, Work},
};

use super::{Phase, RunState, brackets, place::work_at};

/// What is left behind, by name: brackets, doubts, failures, nodes that were touched, and, unless everything is done or
/// undone, each step that was neither. Where another run took over, that one accounts for everything but what is removed.
pub fn residue(plan: &Plan, state: &RunState) -> Vec<String> {
    let mut left = Vec::new();
    let theirs = |at: &At| state.superseded.is_some() && at.way != Way::Close;
    for bracket in brackets::open(plan, state) {
        let why = state.held_over.get(&bracket.id).map_or("", String::as_str);
        left.push(format!(
            "bracket {} is open ({}){}{why}; {} closes it by: {}",
            bracket.id,
            bracket.title,
            if why.is_empty() { "" } else { ": " },
            bracket.owner,
            bracket.closing_command
        ));
    }
    let complete = state.back.is_none() && state.all_done();
    let kept = |step: &switchback_schemas::StepId| {
        let saved = state.back.as_ref().is_some_and(|back| !back.steps.contains(step));
        complete || saved
    };
    for (at, task) in &state.tasks {
        let undone = at.way == Way::Forward && state.undone.contains(&at.step);
        // What needs no undo is retained where it is more than a look, and listed with the leftovers.
        let retained = at.way == Way::Forward
            && at.item.is_none()
            && plan.step(&at.step).is_some_and(|step| matches!(step.undo, Undo::Unneeded { .. }));
        let no_residue = retained || work_at(plan, state, at).is_some_and(Work::only_looks);
        let what = match task.phase {
            _ if theirs(at) => continue,
            _ if task.phase == Phase::HeldOver || undone => continue,
            Phase::InDoubt | Phase::Asked | Phase::Called if !no_residue => "may or may not have happened",
            Phase::Failed | Phase::Unproven if task.touched && !no_residue => {
                "failed and may have changed something"
            }
            Phase::Stopped if at.way == Way::Back => "was not undone",
            Phase::Failed | Phase::Again | Phase::Blocked if at.way == Way::Close => {
                "did not come to its end"
            }
            Phase::Done | Phase::Applied | Phase::Blocked | Phase::Rolling
                if at.way == Way::Forward && at.item.is_none() && !kept(&at.step) && !retained =>
            {
                "was done and is not undone"
            }
            Phase::Blocked if at.way == Way::Forward && at.item.is_some() && !kept(&at.step) => "was begun",
            _ => continue,
        };
        left.push(format!("{at} {what}"));
    }
    for (roll, item) in state.touched_nodes(plan).into_iter().filter(|(roll, _)| !theirs(roll)) {
        left.push(format!("node {} was begun by {roll}, and is neither replaced nor let go", item.name));
    }
    left
}
