//! How long things take: critical paths over estimates.

use std::collections::{BTreeMap, BTreeSet};

use switchback_schemas::{Seconds, StepId, plan::Plan};

use crate::{graph::Graph, rollback_order::RollbackOrder};

/// The expected length of the longest chain through some steps, which come in topological order.
pub fn critical_path(plan: &Plan, graph: &Graph, steps: &[usize]) -> Seconds {
    let mut ends: BTreeMap<usize, Seconds> = BTreeMap::new();
    let mut longest = Seconds(0);
    for number in steps.iter().copied() {
        let Some(step) = plan.steps.get(number) else { continue };
        let start = graph.needs(number).filter_map(|need| ends.get(&need)).max().copied().unwrap_or_default();
        let end = start + step.work.estimate.expected;
        longest = longest.max(end);
        ends.insert(number, end);
    }
    longest
}

/// How long each step and the longest chain after it take: what a ready queue is ordered by.
pub fn remaining(plan: &Plan, graph: &Graph) -> Vec<Seconds> {
    let mut rest = vec![Seconds(0); plan.steps.len()];
    for number in graph.order().iter().rev().copied() {
        let after =
            graph.dependants(number).filter_map(|next| rest.get(next)).max().copied().unwrap_or_default();
        let own = plan.steps.get(number).map_or(Seconds(0), |step| step.work.estimate.expected);
        if let Some(slot) = rest.get_mut(number) {
            *slot = own + after;
        }
    }
    rest
}

/// The longest chain: each step needs the one before it, and no other chain is expected to take longer.
pub fn longest_chain(plan: &Plan, graph: &Graph) -> Vec<StepId> {
    let rest = remaining(plan, graph);
    // Of equals the first in the plan's order.
    let longest = |steps: &mut dyn Iterator<Item = usize>| {
        steps.max_by_key(|number| (rest.get(*number).copied(), std::cmp::Reverse(*number)))
    };
    let mut next = longest(&mut (0..plan.steps.len()).filter(|number| graph.needs(*number).next().is_none()));
    let mut chain = Vec::new();
    while let Some(number) = next {
        chain.extend(plan.steps.get(number).map(|step| step.id.clone()));
        next = longest(&mut graph.dependants(number));
    }
    chain
}

/// The expected length of a rollback: its own critical path.
pub fn takes(plan: &Plan, way: &RollbackOrder) -> Seconds {
    let mut ends: BTreeMap<&StepId, Seconds> = BTreeMap::new();
    for back in &way.steps {
        let start = back.needs.iter().filter_map(|need| ends.get(need)).max().copied().unwrap_or_default();
        let own = plan.rollback_step(&back.step).map_or(Seconds(0), |step| step.work.estimate.expected);
        ends.insert(&back.step, start + own);
    }
    ends.into_values().max().unwrap_or_default()
}

/// How long each rollback step of a rollback and the longest chain after it take: what a ready queue is ordered by.
pub fn remaining_back(plan: &Plan, way: &RollbackOrder) -> BTreeMap<StepId, Seconds> {
    // What each has to wait for after it, then, with its own length, what it and the rest take.
    let mut rest: BTreeMap<StepId, Seconds> = BTreeMap::new();
    for back in way.steps.iter().rev() {
        let own = plan.rollback_step(&back.step).map_or(Seconds(0), |step| step.work.estimate.expected);
        let after = rest.get(&back.step).copied().unwrap_or_default();
        let all = own + after;
        rest.insert(back.step.clone(), all);
        for need in &back.needs {
            let slot = rest.entry(need.clone()).or_default();
            *slot = (*slot).max(all);
        }
    }
    rest
}

/// Everything that may have been started when a step fails: what it needs, itself, and whatever does not depend on it.
pub fn started_when_failing(graph: &Graph, plan: &Plan, step: &StepId) -> BTreeSet<StepId> {
    let Some(number) = graph.number(step) else { return BTreeSet::new() };
    let after = graph.descendants(number);
    let may = plan.steps.iter().enumerate().filter(|(number, _)| !after.contains(number));
    may.map(|(_, step)| step.id.clone()).collect()
}
