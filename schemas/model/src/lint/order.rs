//! What one step makes, another one that uses it waits for.

use std::collections::{BTreeMap, BTreeSet};

use switchback_schemas::{
    StepId,
    plan::{Plan, Stale, SuspendedBy, Undo},
};

use crate::graph::{Graph, Reach};

/// A capture that is used was made by the same step, or by one that comes before it. A rollback step can use those of every step
/// that it undoes or that comes before the first of those, and its own.
pub(super) fn captures(plan: &Plan, graph: &Graph, reach: &Reach, say: &mut impl FnMut(String)) {
    let steps = plan.steps.iter().map(|step| (&step.id, &step.id, &step.work));
    let rollback = plan.rollback.iter().filter_map(|step| Some((&step.id, step.place()?, &step.work)));
    let mut made: BTreeMap<&StepId, BTreeSet<&str>> = BTreeMap::new();
    for (id, _, work) in steps.clone().chain(rollback.clone()) {
        // What a recipe captures on a node stands under its roll.
        let captures = work.all().into_iter().flat_map(|work| &work.captures);
        made.entry(id).or_default().extend(captures.map(|capture| capture.name.as_str()));
    }
    for (id, place, work) in steps.chain(rollback) {
        let number = graph.number(place);
        for (from, name) in work.captures_used() {
            // A step of an earlier plan of the same operation is not in this one.
            if plan.parent.is_some() && !made.contains_key(&from) {
                continue;
            }
            let there = made.get(&from).is_some_and(|names| names.contains(name.as_str()));
            let before = from == *id
                || from == *place
                || graph.number(&from).zip(number).is_some_and(|(from, number)| reach.before(from, number));
            if !there {
                say(format!("{id} uses capture {name:?} of {from}, which does not capture it"));
            } else if !before {
                say(format!("{id} uses capture {name:?} of {from}, which does not come before it"));
            }
        }
    }
}

/// What tells old nodes from new ones was applied when the nodes are looked at.
pub(super) fn old_nodes(plan: &Plan, graph: &Graph, reach: &Reach, say: &mut impl FnMut(String)) {
    let steps = plan.steps.iter().map(|step| (&step.id, &step.id, &step.work));
    let rollback = plan.rollback.iter().filter_map(|step| Some((&step.id, step.place()?, &step.work)));
    for (id, place, work) in steps.chain(rollback) {
        let Some(Stale::BornBefore(since)) = work.roll().map(|roll| &roll.stale) else { continue };
        let before = match graph.number(since) {
            Some(since) => graph.number(place).is_some_and(|place| reach.before(since, place)),
            // A step of an earlier plan of the same operation is not in this one.
            None => plan.parent.is_some(),
        };
        if !before {
            say(format!("{id} moves nodes older than {since}, which does not come before it"));
        }
    }
}

pub(super) fn suspensions(plan: &Plan, graph: &Graph, reach: &Reach, say: &mut impl FnMut(String)) {
    for suspension in &plan.suspensions {
        let (Some(open), Some(close)) = (graph.number(&suspension.suspend), graph.number(&suspension.resume))
        else {
            continue;
        };
        if !reach.before(open, close) {
            say(format!(
                "suspension {} is resumed without waiting for the step that suspends",
                suspension.id
            ));
        }
        // What an earlier run of the operation opened is only looked at, and that run's rollback closes it.
        let found_open = suspension.suspended_by == SuspendedBy::EarlierRun;
        if found_open && plan.parent.is_none() {
            say(format!("suspension {} is of an earlier run, and the plan continues none", suspension.id));
        }
        for id in [&suspension.suspend, &suspension.resume] {
            let goes_back = plan.step(id).is_some_and(|step| step.undo == Undo::Rollback {});
            let only_found = found_open && *id == suspension.suspend;
            if !(goes_back || only_found) {
                say(format!(
                    "suspension {}: {id} has no rollback, so a rollback would leave it half undone",
                    suspension.id
                ));
            }
        }
    }
}
