//! How each step is undone, and who has to say yes before that ends.

use std::collections::BTreeSet;

use switchback_schemas::{
    StepId,
    name::Label,
    plan::{
        Action, ApprovalScope, Effect, ExpiresAt, GateKind, KubeEffect, NodeUndo, Plan, RollbackStep, Step,
        Undo, Work,
    },
};

use crate::{
    graph::{Graph, Reach},
    rollback_order::rollback_order,
};

/// A step says that it is rolled back exactly if a rollback step names it, and no effect that changes something needs no undo.
pub(super) fn undos(plan: &Plan, graph: &Graph, reach: &Reach, say: &mut impl FnMut(String)) {
    for pair in plan.rollback.windows(2) {
        if let [one, two] = pair
            && one.id >= two.id
        {
            say(format!("rollback steps are not sorted by id: {} stands before {}", one.id, two.id));
        }
    }
    let named: BTreeSet<&StepId> = plan.rollback.iter().flat_map(|step| &step.undoes).collect();
    let retained: BTreeSet<&StepId> =
        plan.retentions.iter().filter(|left| !left.by_undo).map(|left| &left.step).collect();
    for step in &plan.steps {
        let id = &step.id;
        match (&step.undo, named.contains(id)) {
            (Undo::Rollback {}, false) => {
                say(format!("{id} says that it is rolled back, and no rollback step names it"));
            }
            (Undo::Unneeded { .. } | Undo::Irreversible { .. }, true) => {
                say(format!("a rollback step names {id}, which does not say that it is rolled back"));
            }
            // What a roll does to nodes, its recipe says how that is undone.
            (Undo::Unneeded { .. }, false)
                if !step.work.only_looks()
                    && !retained.contains(id)
                    && step.work.roll().is_none()
                    && !gone_anyway(plan, graph, reach, step) =>
            {
                say(format!("{id} changes something and says that there is nothing to undo"));
            }
            _ => {}
        }
        for part in step.work.roll().into_iter().flat_map(|roll| &roll.recipe) {
            if matches!(part.undo, NodeUndo::Unneeded { .. }) && !part.work.only_looks() {
                say(format!("{id}: {} changes something and says that there is nothing to undo", part.name));
            }
        }
    }
    for rollback in &plan.rollback {
        of_rollback(plan, graph, reach, rollback, say);
    }
}

/// Whether a step only deletes what every rollback past it deletes, too: what a step before it had made.
fn gone_anyway(plan: &Plan, graph: &Graph, reach: &Reach, step: &Step) -> bool {
    let deleted = |work: &Work| match &work.action {
        Action::Effect(Effect::Kube(KubeEffect::Delete(delete))) => Some(delete.object.clone()),
        _ => None,
    };
    let before = |rollback: &RollbackStep| {
        let place = rollback.place().and_then(|place| graph.number(place));
        place.zip(graph.number(&step.id)).is_some_and(|(place, number)| reach.before(place, number))
    };
    deleted(&step.work).is_some_and(|object| {
        plan.rollback.iter().any(|back| deleted(&back.work).as_ref() == Some(&object) && before(back))
    })
}

fn of_rollback(
    plan: &Plan,
    graph: &Graph,
    reach: &Reach,
    rollback: &RollbackStep,
    say: &mut impl FnMut(String),
) {
    let id = &rollback.id;
    let Some(place) = rollback.place().and_then(|place| graph.number(place)) else {
        say(format!("rollback step {id} undoes no step of the plan"));
        return;
    };
    // Its name is where it stands in a rollback, so it must not be that of a step elsewhere.
    if plan.step(id).is_some() && rollback.place() != Some(id) {
        say(format!("rollback step {id} is called like a step whose place it does not take"));
    }
    let hop = |step: &StepId| plan.step(step).map(|step| &step.hop);
    for step in rollback.undoes.iter().skip(1) {
        let after = graph.number(step).is_some_and(|number| reach.before(place, number));
        if !after || hop(step) != rollback.place().and_then(hop) {
            say(format!(
                "rollback step {id} undoes {step}, which does not come after the first that it undoes, in its hop"
            ));
        }
    }
    for after in rollback.after.iter().filter(|after| plan.rollback_step(after).is_none()) {
        say(format!("rollback step {id} comes after {after}, which is no rollback step of the plan"));
    }
    if let Some(lifts) = &rollback.lifted_by {
        let lifting = plan.rollback_step(lifts);
        if lifting.is_none_or(|lifting| lifting.undoes != rollback.undoes) {
            say(format!(
                "rollback step {id} suspends what {lifts} lifts, and one can be taken without the other"
            ));
        }
    }
}

pub(super) fn ways_back(plan: &Plan, graph: &Graph, reach: &Reach, say: &mut impl FnMut(String)) {
    let Some(start) = plan.initial_savepoint() else {
        say("the plan has no savepoint for the state before it, which is the first one and empty".to_owned());
        return;
    };
    let all: BTreeSet<StepId> = plan.steps.iter().map(|step| step.id.clone()).collect();
    let way = rollback_order(plan, graph, &all, start);
    let mut seen = BTreeSet::new();
    for back in &way.steps {
        if let Some(need) = back.needs.iter().find(|need| !seen.contains(*need)) {
            say(format!("dependency cycle of rollback steps: {} and {need}", back.step));
        }
        seen.insert(&back.step);
    }
    for step in plan.steps.iter().filter(|step| matches!(step.undo, Undo::Irreversible { .. })) {
        crossing(plan, graph, reach, &step.id, say);
    }
    for expiry in plan.rollback.iter().flat_map(|step| &step.expires) {
        if let ExpiresAt::Start(closer) = &expiry.at
            && graph.number(closer).is_some()
        {
            crossing(plan, graph, reach, closer, say);
        }
    }
}

/// A step after which a rollback is gone waits for an approval that names its line: the one that it crosses, or one that a step
/// before it crossed.
fn crossing(plan: &Plan, graph: &Graph, reach: &Reach, step: &StepId, say: &mut impl FnMut(String)) {
    let number = graph.number(step);
    let before = |other: &StepId| match (graph.number(other), number) {
        (Some(other), Some(number)) => reach.before(other, number),
        _ => false,
    };
    let drawn = |id: &Label| {
        plan.points.iter().any(|line| line.id == *id && (line.step == *step || before(&line.step)))
    };
    let asked = plan.step(step).is_some_and(|step| {
        step.gates.iter().filter_map(|gate| plan.gate(gate)).any(|gate| match &gate.kind {
            GateKind::Approval(ApprovalScope::Point(id)) => drawn(id),
            _ => false,
        })
    });
    if !asked {
        say(format!("{step} ends a rollback without a point of no return that needs an approval"));
    }
}
