//! The savepoints of a plan by number: each as what it holds beyond the one before it. As a rule each holds all of that, so that
//! all of them together are as large as the plan, and not as large as its square.

use std::collections::{BTreeMap, BTreeSet};

use switchback_model::Graph;
use switchback_schemas::{name::SavepointId, plan::Plan};

/// The savepoints of a plan.
#[derive(Debug, Default)]
pub struct Savepoints {
    numbers: BTreeMap<SavepointId, usize>,
    parts: Vec<Part>,
    /// For each step, the savepoints that add it.
    added_by: Vec<Vec<usize>>,
}

/// What one savepoint holds.
#[derive(Debug, Default)]
struct Part {
    /// Whether it holds everything that the one before it holds.
    grows: bool,
    /// The other steps that it holds.
    adds: Vec<usize>,
}

impl Savepoints {
    /// Numbers the savepoints of a plan. Linear in steps and needs where each holds what the one before it holds.
    pub fn of(plan: &Plan, graph: &Graph) -> Self {
        let mut savepoints = Self { added_by: vec![Vec::new(); plan.steps.len()], ..Self::default() };
        let mut inside = vec![false; plan.steps.len()];
        // Steps of the savepoint before that nothing of it needs: what holds them holds all of it.
        let mut last: BTreeSet<usize> = BTreeSet::new();
        for (number, savepoint) in plan.savepoints.iter().enumerate() {
            savepoints.numbers.entry(savepoint.id.clone()).or_insert(number);
            let frontier: Vec<usize> = savepoint.frontier.iter().filter_map(|id| graph.number(id)).collect();
            let mut adds = enter(graph, &frontier, &mut inside, &mut last);
            let grows = last.is_empty();
            if !grows {
                inside.fill(false);
                adds = enter(graph, &frontier, &mut inside, &mut last);
            }
            let is_in = |number: usize| inside.get(number).copied().unwrap_or(false);
            last = frontier.into_iter().filter(|step| !graph.dependants(*step).any(is_in)).collect();
            for step in &adds {
                if let Some(added_by) = savepoints.added_by.get_mut(*step) {
                    added_by.push(number);
                }
            }
            savepoints.parts.push(Part { grows, adds });
        }
        savepoints
    }

    /// The number of a savepoint.
    pub fn number(&self, id: &SavepointId) -> Option<usize> {
        self.numbers.get(id).copied()
    }

    /// Whether a savepoint holds everything that the one before it holds.
    pub fn grows(&self, number: usize) -> bool {
        self.parts.get(number).is_some_and(|part| part.grows)
    }

    /// For each savepoint, the steps that the one before it does not hold, or all where it does not hold all of that.
    pub fn added(&self) -> impl Iterator<Item = &[usize]> {
        self.parts.iter().map(|part| part.adds.as_slice())
    }

    /// The savepoints that add a step.
    pub fn added_by(&self, step: usize) -> &[usize] {
        self.added_by.get(step).map(Vec::as_slice).unwrap_or_default()
    }

    /// The steps of a savepoint.
    pub fn members(&self, number: usize) -> impl Iterator<Item = usize> {
        let before = |number: &usize| number.checked_sub(1).filter(|_| self.grows(*number));
        let parts = std::iter::successors(Some(number), before);
        parts.filter_map(|number| self.parts.get(number)).flat_map(|part| part.adds.iter().copied())
    }

    /// For each savepoint, whether a predicate is true of all that it adds and of what it holds besides.
    pub fn all(&self, holds: impl Fn(usize) -> bool) -> Vec<bool> {
        let mut before = true;
        let one = |part: &Part| {
            before = (before || !part.grows) && part.adds.iter().all(|step| holds(*step));
            before
        };
        self.parts.iter().map(one).collect()
    }
}

/// Enters steps and what they need, up to what is inside already. `met` loses those that were come upon; what is new is returned.
fn enter(graph: &Graph, from: &[usize], inside: &mut [bool], met: &mut BTreeSet<usize>) -> Vec<usize> {
    let (mut open, mut entered) = (from.to_vec(), Vec::new());
    while let Some(step) = open.pop() {
        met.remove(&step);
        if let Some(inside) = inside.get_mut(step).filter(|inside| !**inside) {
            *inside = true;
            entered.push(step);
            open.extend(graph.needs(step));
        }
    }
    entered
}
