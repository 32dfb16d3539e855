//! Checks a plan against its own rules, independently of the code that built it.
//!
//! The planner runs it over every plan before writing it, `switchback lint` over any plan, and the executor before
//! taking a claim. A finding means that somebody's code is wrong, or that the file was changed by hand.

mod order;
mod references;
mod rollback;

use std::collections::BTreeSet;

use switchback_schemas::{
    Diagnostic, codes,
    plan::{Plan, Retention, RetryClass, Roll, Work},
};

use crate::{
    digests::digests,
    graph::{Graph, GraphError},
};

/// A plan holds up to so many steps; beyond that it is to be split into stages.
pub const MAX_STEPS: usize = 10_000;

/// A plan is not mended by hand: its digests are of what the planner wrote.
const AGAIN: &str = "do not apply it; make it again with `switchback plan`";

/// A plan that is larger than plans are, as what was counted says.
pub fn too_large(counted: &str) -> Diagnostic {
    Diagnostic::error(codes::PLAN_TOO_LARGE, format!("the plan has {counted}"))
        .help(format!("a plan holds up to {MAX_STEPS} steps; split the upgrade into stages"))
}

/// Everything that is wrong with a plan.
pub fn lint(plan: &Plan) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    if plan.steps.len() > MAX_STEPS {
        findings.push(too_large(&format!("{} steps", plan.steps.len())));
    }
    let mut say = |text: String| findings.push(Diagnostic::error(codes::PLAN_LINT, text).help(AGAIN));
    references::order_of_ids(plan, &mut say);
    references::references(plan, &mut say);
    references::makes_once(plan, &mut say);
    features(plan, &mut say);
    single_effects(plan, &mut say);
    digests_match(plan, &mut say);
    match Graph::of(plan) {
        Ok(graph) => {
            let reach = graph.reach();
            order::captures(plan, &graph, &reach, &mut say);
            order::old_nodes(plan, &graph, &reach, &mut say);
            order::suspensions(plan, &graph, &reach, &mut say);
            rollback::undos(plan, &graph, &reach, &mut say);
            rollback::ways_back(plan, &graph, &reach, &mut say);
        }
        Err(error @ GraphError::Cycle(_)) => {
            findings.push(Diagnostic::error(codes::PATH_CYCLE, error.to_string()).help(AGAIN));
        }
        Err(error) => say(error.to_string()),
    }
    findings
}

fn features(plan: &Plan, say: &mut impl FnMut(String)) {
    let mut used: BTreeSet<String> = used_features(plan.works().map(|(_, work)| work), &plan.retentions);
    if plan.parent.is_some() {
        used.insert("continue".to_owned());
    }
    for feature in used.difference(&plan.features) {
        say(format!("the plan uses {feature} without listing it among its features"));
    }
}

/// The features that work uses, that of retained resources among it.
pub fn used_features<'plan>(
    works: impl IntoIterator<Item = &'plan Work>,
    retentions: &[Retention],
) -> BTreeSet<String> {
    let works: Vec<&Work> = works.into_iter().collect();
    let mut used: BTreeSet<String> =
        works.iter().flat_map(|work| work.effects()).map(|effect| effect.kind().clone()).collect();
    if works.iter().any(|work| work.roll().is_some()) {
        used.insert("roll".to_owned());
    }
    if !retentions.is_empty() {
        used.insert("cleanup".to_owned());
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

/// Only a step and a rollback step can be a roll. What removes a retained resource is repeated, and looked at first.
fn single_effects(plan: &Plan, say: &mut impl FnMut(String)) {
    for (id, work) in plan.works() {
        let inside = work.roll().into_iter().flat_map(Roll::works);
        for rolled in inside.filter(|inside| inside.roll().is_some()) {
            say(format!("{id}: {} rolls over nodes inside of a roll", rolled.title));
        }
    }
    for left in &plan.retentions {
        let work = &left.removal;
        if work.roll().is_some() || work.done_when.is_none() || work.retry != RetryClass::Idempotent {
            say(format!("{} is not deleted by one effect that can be repeated and verified", left.what));
        }
    }
}
