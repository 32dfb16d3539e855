//! Checks a plan against its own rules, independently of the code that built it.
//!
//! The planner runs it over every plan before writing it, `switchback lint` over any plan, and the executor before
//! taking a claim. A finding means that somebody's code is wrong, or that the file was changed by hand.

use std::collections::{BTreeMap, BTreeSet};

use switchback_schemas::{
    Diagnostic, StepId, codes,
    name::Label,
    plan::{
        Action, ApprovalScope, Effect, ExpiresAt, GateKind, Leftover, NodeUndo, OpenedBy, Plan, RetryClass,
        Roll, RollbackStep, Stale, Step, Undo, Work,
    },
};

use crate::{
    digests::digests,
    graph::{Graph, GraphError, Reach},
    way_back::way_back,
};

/// A plan holds up to so many steps; beyond that it is to be split into stages.
pub const MAX_STEPS: usize = 10_000;

/// Everything that is wrong with a plan.
pub fn lint(plan: &Plan) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    if plan.steps.len() > MAX_STEPS {
        findings.push(
            Diagnostic::error(codes::PLAN_TOO_LARGE, format!("the plan has {} steps", plan.steps.len()))
                .help(format!("a plan holds up to {MAX_STEPS} steps; split the upgrade into stages")),
        );
    }
    let mut say = |text: String| findings.push(Diagnostic::error(codes::PLAN_LINT, text));
    order_of_ids(plan, &mut say);
    references(plan, &mut say);
    features(plan, &mut say);
    single_effects(plan, &mut say);
    digests_match(plan, &mut say);
    match Graph::of(plan) {
        Ok(graph) => {
            let reach = graph.reach();
            captures(plan, &graph, &reach, &mut say);
            old_nodes(plan, &graph, &reach, &mut say);
            brackets(plan, &graph, &reach, &mut say);
            undos(plan, &graph, &reach, &mut say);
            ways_back(plan, &graph, &reach, &mut say);
        }
        Err(error @ GraphError::Cycle(_)) => {
            findings.push(Diagnostic::error(codes::PATH_CYCLE, error.to_string()));
        }
        Err(error) => say(error.to_string()),
    }
    findings
}

fn order_of_ids(plan: &Plan, say: &mut impl FnMut(String)) {
    for pair in plan.steps.windows(2) {
        if let [one, two] = pair
            && one.id >= two.id
        {
            say(format!("steps are not sorted by id: {} stands before {}", one.id, two.id));
        }
    }
}

fn references(plan: &Plan, say: &mut impl FnMut(String)) {
    let hops: BTreeSet<_> = plan.hops.iter().map(|hop| &hop.id).collect();
    let ids: BTreeSet<_> = plan.steps.iter().map(|step| &step.id).collect();
    let pools: BTreeSet<_> = plan.pools.iter().map(|pool| &pool.name).collect();
    let mut known = |what: &str, id: &StepId| {
        if !ids.contains(id) {
            say(format!("{what} names step {id}, which is not in the plan"));
        }
    };
    for savepoint in &plan.savepoints {
        savepoint.frontier.iter().for_each(|id| known(&format!("savepoint {}", savepoint.id), id));
    }
    for closing in plan.parent.iter().flat_map(|parent| &parent.closes) {
        known(&format!("the end of the way back of {}", closing.hop), &closing.at);
    }
    for line in &plan.lines {
        known(&format!("line {}", line.id), &line.step);
    }
    for left in &plan.leftovers {
        known(&left.what, &left.step);
    }
    for bracket in &plan.brackets {
        known(&format!("bracket {}", bracket.id), &bracket.open);
        known(&format!("bracket {}", bracket.id), &bracket.close);
    }
    let mut left_by = BTreeSet::new();
    for left in plan.leftovers.iter().filter(|left| !left_by.insert(&left.step)) {
        say(format!("{} leaves more than one thing, {} among them", left.step, left.what));
    }
    for step in &plan.steps {
        if !hops.contains(&step.hop) {
            say(format!("{} belongs to hop {}, which is not in the plan", step.id, step.hop));
        }
        if !plan.platform.targets.contains_key(&step.target) {
            say(format!("{} acts on target {}, which the platform does not have", step.id, step.target));
        }
        for gate in step.gates.iter().filter(|gate| plan.gate(gate).is_none()) {
            say(format!("{} waits for gate {gate}, which is not in the plan", step.id));
        }
    }
    for (id, roll) in plan.works().filter_map(|(id, work)| Some((id, work.roll()?))) {
        if !pools.contains(&roll.pool) {
            say(format!("{id} rolls pool {}, which is not in the plan", roll.pool));
        }
        recipe(id, roll, say);
    }
    let savepoints: BTreeSet<_> = plan.savepoints.iter().map(|savepoint| &savepoint.id).collect();
    for hop in &plan.hops {
        if !savepoints.contains(&hop.savepoint) {
            say(format!("hop {} ends in savepoint {}, which is not in the plan", hop.id, hop.savepoint));
        }
    }
}

/// A recipe names each step once, and each step needs earlier ones only, so it cannot hold a circle.
fn recipe(id: &StepId, roll: &Roll, say: &mut impl FnMut(String)) {
    let mut seen: BTreeSet<&Label> = BTreeSet::new();
    for part in &roll.recipe {
        for need in part.needs.iter().filter(|need| !seen.contains(need)) {
            say(format!("{id}: recipe step {} needs {need}, which does not come before it", part.name));
        }
        if !seen.insert(&part.name) {
            say(format!("{id}: two recipe steps are called {}", part.name));
        }
    }
    if roll.recipe.is_empty() || roll.max_passes == 0 {
        say(format!("{id}: a roll needs a recipe and at least one pass"));
    }
}

fn features(plan: &Plan, say: &mut impl FnMut(String)) {
    let mut used: BTreeSet<String> = used_features(plan.works().map(|(_, work)| work), &plan.leftovers);
    if plan.parent.is_some() {
        used.insert("continue".to_owned());
    }
    for feature in used.difference(&plan.features) {
        say(format!("the plan uses {feature} without listing it among its features"));
    }
}

/// The features that work uses, that of leftovers among it.
pub fn used_features<'plan>(
    works: impl IntoIterator<Item = &'plan Work>,
    leftovers: &[Leftover],
) -> BTreeSet<String> {
    let works: Vec<&Work> = works.into_iter().collect();
    let mut used: BTreeSet<String> =
        works.iter().flat_map(|work| work.effects()).map(|effect| effect.kind().to_owned()).collect();
    if works.iter().any(|work| work.roll().is_some()) {
        used.insert("roll".to_owned());
    }
    if !leftovers.is_empty() {
        used.insert("close".to_owned());
    }
    used
}

fn digests_match(plan: &Plan, say: &mut impl FnMut(String)) {
    match digests(plan) {
        Ok(digests) if digests == plan.digests => {}
        Ok(_) => say("the plan's digests are not those of its content".to_owned()),
        Err(error) => say(format!("the plan's digests cannot be computed: {error}")),
    }
}

/// A capture that is used was made by the same step, or by one that comes before it. A rollback step can use those of every step
/// that it undoes or that comes before the first of those, and its own.
fn captures(plan: &Plan, graph: &Graph, reach: &Reach, say: &mut impl FnMut(String)) {
    let steps = plan.steps.iter().map(|step| (&step.id, &step.id, &step.work));
    let rollback = plan.rollback.iter().filter_map(|step| Some((&step.id, step.place()?, &step.work)));
    let mut made: BTreeMap<&StepId, BTreeSet<&str>> = BTreeMap::new();
    for (id, _, work) in steps.clone().chain(rollback.clone()) {
        made.entry(id).or_default().extend(work.captures.iter().map(|capture| capture.name.as_str()));
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
fn old_nodes(plan: &Plan, graph: &Graph, reach: &Reach, say: &mut impl FnMut(String)) {
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

/// Only a step and a rollback step can be a roll. What removes a leftover is repeated, and looked at first.
fn single_effects(plan: &Plan, say: &mut impl FnMut(String)) {
    for (id, work) in plan.works() {
        let inside = work.roll().into_iter().flat_map(Roll::works);
        for rolled in inside.filter(|inside| inside.roll().is_some()) {
            say(format!("{id}: {} rolls over nodes inside of a roll", rolled.title));
        }
    }
    for left in &plan.leftovers {
        let work = &left.removal;
        if work.roll().is_some() || work.done_when.is_none() || work.retry != RetryClass::Idempotent {
            say(format!("{} is not removed by one effect that can be repeated and looked at", left.what));
        }
    }
}

fn brackets(plan: &Plan, graph: &Graph, reach: &Reach, say: &mut impl FnMut(String)) {
    for bracket in &plan.brackets {
        let (Some(open), Some(close)) = (graph.number(&bracket.open), graph.number(&bracket.close)) else {
            continue;
        };
        if !reach.before(open, close) {
            say(format!("bracket {} closes without waiting for its opening step", bracket.id));
        }
        // What an earlier run of the operation opened is only looked at, and that run's rollback closes it.
        let found_open = bracket.opened_by == OpenedBy::EarlierRun;
        if found_open && plan.parent.is_none() {
            say(format!("bracket {} was opened by an earlier run, and the plan continues none", bracket.id));
        }
        for id in [&bracket.open, &bracket.close] {
            let goes_back = plan.step(id).is_some_and(|step| step.undo == Undo::Rollback {});
            let only_found = found_open && *id == bracket.open;
            if !(goes_back || only_found) {
                say(format!(
                    "bracket {}: {id} has no rollback, so going back would leave it half open",
                    bracket.id
                ));
            }
        }
    }
}

fn ways_back(plan: &Plan, graph: &Graph, reach: &Reach, say: &mut impl FnMut(String)) {
    let Some(start) = plan.savepoints.first() else {
        say("the plan has no savepoint for the state before it".to_owned());
        return;
    };
    if !start.frontier.is_empty() {
        say(format!("the first savepoint, {}, is not the state before the run", start.id));
    }
    let all: BTreeSet<StepId> = plan.steps.iter().map(|step| step.id.clone()).collect();
    let way = way_back(plan, graph, &all, start);
    let mut seen = BTreeSet::new();
    for back in &way.steps {
        if let Some(need) = back.needs.iter().find(|need| !seen.contains(*need)) {
            say(format!("rollback steps wait for each other in a circle: {} and {need}", back.step));
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

/// A step says that it is rolled back exactly if a rollback step names it, and no effect that changes something needs no undo.
fn undos(plan: &Plan, graph: &Graph, reach: &Reach, say: &mut impl FnMut(String)) {
    for pair in plan.rollback.windows(2) {
        if let [one, two] = pair
            && one.id >= two.id
        {
            say(format!("rollback steps are not sorted by id: {} stands before {}", one.id, two.id));
        }
    }
    let named: BTreeSet<&StepId> = plan.rollback.iter().flat_map(|step| &step.undoes).collect();
    let retained: BTreeSet<&StepId> =
        plan.leftovers.iter().filter(|left| !left.by_undo).map(|left| &left.step).collect();
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
        Action::Effect(Effect::KubeDelete(delete)) => Some(delete.object.clone()),
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

/// A step after which a way back is gone waits for an approval that names its line: the one that it crosses, or one that a step
/// before it crossed.
fn crossing(plan: &Plan, graph: &Graph, reach: &Reach, step: &StepId, say: &mut impl FnMut(String)) {
    let number = graph.number(step);
    let before = |other: &StepId| match (graph.number(other), number) {
        (Some(other), Some(number)) => reach.before(other, number),
        _ => false,
    };
    let drawn = |id: &Label| {
        plan.lines.iter().any(|line| line.id == *id && (line.step == *step || before(&line.step)))
    };
    let asked = plan.step(step).is_some_and(|step| {
        step.gates.iter().filter_map(|gate| plan.gate(gate)).any(|gate| match &gate.kind {
            GateKind::Approval(ApprovalScope::Line(id)) => drawn(id),
            _ => false,
        })
    });
    if !asked {
        say(format!("{step} ends a way back without a line of no return that somebody has to approve"));
    }
}
