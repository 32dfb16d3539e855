//! Checks a plan against its own rules, independently of the code that built it.
//!
//! The planner runs it over every plan before writing it, `switchback lint` over any plan, and the executor before
//! taking a claim. A finding means that somebody's code is wrong, or that the file was changed by hand.

use std::collections::{BTreeMap, BTreeSet};

use switchback_schemas::{
    Diagnostic, StepId, codes,
    name::Label,
    plan::{ApprovalScope, ClosingAt, GateKind, Leftover, Plan, RetryClass, Roll, Stale, Step, Undo, Work},
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
        for roll in rolls(step) {
            if !pools.contains(&roll.pool) {
                say(format!("{} rolls pool {}, which is not in the plan", step.id, roll.pool));
            }
            recipe(step, roll, say);
        }
    }
    let savepoints: BTreeSet<_> = plan.savepoints.iter().map(|savepoint| &savepoint.id).collect();
    for hop in &plan.hops {
        if !savepoints.contains(&hop.savepoint) {
            say(format!("hop {} ends in savepoint {}, which is not in the plan", hop.id, hop.savepoint));
        }
    }
}

fn rolls(step: &Step) -> impl Iterator<Item = &Roll> {
    step.works().filter_map(Work::roll)
}

/// A recipe names each step once, and each step needs earlier ones only, so it cannot hold a circle.
fn recipe(step: &Step, roll: &Roll, say: &mut impl FnMut(String)) {
    let mut seen: BTreeSet<&Label> = BTreeSet::new();
    for part in &roll.recipe {
        for need in part.needs.iter().filter(|need| !seen.contains(need)) {
            say(format!(
                "{}: recipe step {} needs {need}, which does not come before it",
                step.id, part.name
            ));
        }
        if !seen.insert(&part.name) {
            say(format!("{}: two recipe steps are called {}", step.id, part.name));
        }
    }
    if roll.recipe.is_empty() || roll.max_passes == 0 {
        say(format!("{}: a roll needs a recipe and at least one pass", step.id));
    }
}

fn features(plan: &Plan, say: &mut impl FnMut(String)) {
    let mut used: BTreeSet<String> = used_features(&plan.steps, &plan.leftovers);
    if plan.parent.is_some() {
        used.insert("continue".to_owned());
    }
    for feature in used.difference(&plan.features) {
        say(format!("the plan uses {feature} without listing it among its features"));
    }
}

/// The features that steps use, and the removal of what they leave.
pub fn used_features(steps: &[Step], leftovers: &[Leftover]) -> BTreeSet<String> {
    let works: Vec<&Work> =
        steps.iter().flat_map(Step::works).chain(leftovers.iter().map(|left| &left.removal)).collect();
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

/// A capture that is used was made by the same step, or by one that comes before it.
fn captures(plan: &Plan, graph: &Graph, reach: &Reach, say: &mut impl FnMut(String)) {
    let made: BTreeMap<&StepId, BTreeSet<&str>> = plan
        .steps
        .iter()
        .map(|step| (&step.id, step.work.captures.iter().map(|capture| capture.name.as_str()).collect()))
        .collect();
    for (number, step) in plan.steps.iter().enumerate() {
        for (from, name) in uses(step) {
            // A step of an earlier plan of the same operation is not in this one.
            if plan.parent.is_some() && !made.contains_key(&from) {
                continue;
            }
            let there = made.get(&from).is_some_and(|names| names.contains(name.as_str()));
            let before = graph.number(&from).is_some_and(|from| from == number || reach.before(from, number));
            if !there {
                say(format!("{} uses capture {name:?} of {from}, which does not capture it", step.id));
            } else if !before {
                say(format!("{} uses capture {name:?} of {from}, which does not come before it", step.id));
            }
        }
    }
}

/// What tells old nodes from new ones was applied when the nodes are looked at.
fn old_nodes(plan: &Plan, graph: &Graph, reach: &Reach, say: &mut impl FnMut(String)) {
    for (number, step) in plan.steps.iter().enumerate() {
        for roll in rolls(step) {
            let Stale::BornBefore(since) = &roll.stale else { continue };
            let before = match graph.number(since) {
                Some(since) => reach.before(since, number),
                // A step of an earlier plan of the same operation is not in this one.
                None => plan.parent.is_some(),
            };
            if !before {
                say(format!("{} moves nodes older than {since}, which does not come before it", step.id));
            }
        }
    }
}

/// Captures that a step and its undo use.
pub(crate) fn uses(step: &Step) -> Vec<(StepId, String)> {
    step.works().flat_map(Work::captures_used).collect()
}

/// Only a step and its undo can be a roll. What removes a leftover is repeated, and looked at first.
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
        // What an earlier run of the operation opened is only looked at, and that run's way back closes it.
        let found_open = |id: &StepId| plan.parent.is_some() && *id == bracket.open;
        for id in [&bracket.open, &bracket.close] {
            let undo = plan.step(id).map(|step| &step.undo);
            let goes_back = matches!(undo, Some(Undo::Step(_)))
                || matches!(undo, Some(Undo::ReadOnly { .. })) && found_open(id);
            if !goes_back {
                say(format!(
                    "bracket {}: {id} has no undo, so going back would leave it half open",
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
            say(format!("undo steps wait for each other in a circle: {} and {need}", back.step));
        }
        seen.insert(&back.step);
    }
    for (number, step) in plan.steps.iter().enumerate() {
        if matches!(step.undo, Undo::Commit { .. }) {
            crossing(plan, graph, reach, &step.id, say);
        }
        if let Undo::CoveredBy { step: by, .. } = &step.undo {
            let undone = plan.step(by).is_some_and(|by| matches!(by.undo, Undo::Step(_)));
            let before = graph.number(by).is_some_and(|by| reach.before(by, number));
            if !undone || !before {
                say(format!(
                    "{} relies on the undo of {by}, which does not come before it or has none",
                    step.id
                ));
            }
        }
        let Undo::Step(undo) = &step.undo else { continue };
        for closing in &undo.closes {
            if let ClosingAt::Start(closer) = &closing.at
                && graph.number(closer).is_some()
            {
                crossing(plan, graph, reach, closer, say);
            }
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
