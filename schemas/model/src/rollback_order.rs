//! The rollback: which rollback steps lead from where a run is to a savepoint, and in which order.

use std::collections::{BTreeMap, BTreeSet};

use switchback_schemas::{
    StepId,
    plan::{Plan, RollbackStep, Savepoint, Undo},
};

use crate::graph::Graph;

/// The rollback steps from a state of a run to a savepoint.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RollbackOrder {
    /// What is taken, in an order in which each step comes after what it needs.
    pub steps: Vec<OrderedRollback>,
    /// Started steps that cannot be undone. The way is blocked while there is one.
    pub commits: Vec<StepId>,
}

/// One rollback step of a rollback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderedRollback {
    /// The rollback step.
    pub step: StepId,
    /// Rollback steps of this way that must be done first.
    pub needs: BTreeSet<StepId>,
}

impl RollbackOrder {
    /// Whether every started step can be undone.
    pub fn is_open(&self) -> bool {
        self.commits.is_empty()
    }

    /// The rollback steps themselves, in order.
    pub fn rollback_steps<'plan>(&self, plan: &'plan Plan) -> impl Iterator<Item = &'plan RollbackStep> {
        self.steps.iter().filter_map(|back| plan.rollback_step(&back.step))
    }
}

/// The rollback steps of everything that was started and is not in the savepoint.
///
/// A rollback step is taken if one of the steps that it undoes was started and the first of them is outside of the savepoint. The
/// order is the reversed `needs` of those first steps, through steps of which nothing is taken, and `after`. Cost is linear in
/// the steps and edges outside of the savepoint.
pub fn rollback_order(
    plan: &Plan,
    graph: &Graph,
    started: &BTreeSet<StepId>,
    to: &Savepoint,
) -> RollbackOrder {
    let kept = graph.members(to);
    let started: BTreeSet<usize> =
        started.iter().filter_map(|id| graph.number(id)).filter(|number| !kept.contains(number)).collect();
    let outside: Vec<usize> = graph.order().iter().copied().filter(|number| !kept.contains(number)).collect();
    Rollbacks::of(plan, graph).among(&outside, &started)
}

/// The rollback steps of a plan by the steps whose place they take, for who asks hop by hop: each then costs what it has itself.
#[derive(Debug)]
pub struct Rollbacks<'plan> {
    plan: &'plan Plan,
    graph: &'plan Graph,
    /// By the number of the step.
    by_place: Vec<Vec<usize>>,
}

impl<'plan> Rollbacks<'plan> {
    /// Those of a plan.
    pub fn of(plan: &'plan Plan, graph: &'plan Graph) -> Self {
        let mut by_place = vec![Vec::new(); plan.steps.len()];
        for (number, rollback) in plan.rollback.iter().enumerate() {
            let place = rollback.place().and_then(|id| graph.number(id));
            if let Some(place) = place.and_then(|place| by_place.get_mut(place)) {
                place.push(number);
            }
        }
        Self { plan, graph, by_place }
    }

    /// The rollback steps of one hop, when all of it was started: the rollback from its end to where it began.
    pub fn of_hop(&self, hop: &[usize]) -> RollbackOrder {
        self.among(&self.graph.sorted(hop.iter().copied()), &hop.iter().copied().collect())
    }

    /// The rollback steps of what was started, among steps that come in topological order.
    fn among(&self, steps: &[usize], started: &BTreeSet<usize>) -> RollbackOrder {
        let (plan, graph) = (self.plan, self.graph);
        let taken = self.taken(steps, started);
        // For each step from last to first: the nearest rollback steps that come before those of what it needs.
        let mut ends: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        let mut needs: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for number in steps.iter().rev().copied() {
            let later = graph.dependants(number).filter_map(|dependant| ends.get(&dependant));
            let before: BTreeSet<usize> = later.flatten().copied().collect();
            let here = taken.places.get(&number).map(Vec::as_slice).unwrap_or_default();
            let after = |rollback: usize| taken.after.get(&rollback).into_iter().flatten().copied();
            for rollback in here.iter().copied() {
                let mut first: BTreeSet<usize> = after(rollback).collect();
                if !here.iter().any(|other| first.contains(other)) {
                    first.extend(before.iter().copied());
                }
                needs.insert(rollback, first);
            }
            let waited: BTreeSet<usize> = here.iter().copied().flat_map(after).collect();
            let last = here.iter().copied().filter(|rollback| !waited.contains(rollback));
            ends.insert(number, if here.is_empty() { before } else { last.collect() });
        }
        let is_commit = |step: &usize| {
            plan.steps.get(*step).is_some_and(|step| matches!(step.undo, Undo::Irreversible { .. }))
        };
        let commits = started.iter().filter(|step| is_commit(step)).filter_map(|n| plan.steps.get(*n));
        let id = |rollback: usize| plan.rollback.get(rollback).map(|step| step.id.clone());
        RollbackOrder { commits: commits.map(|step| step.id.clone()).collect(), steps: in_order(&needs, id) }
    }

    fn taken(&self, outside: &[usize], started: &BTreeSet<usize>) -> Taken {
        let mut places: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let mut numbers: BTreeMap<&StepId, usize> = BTreeMap::new();
        let is_started = |step: &StepId| self.graph.number(step).is_some_and(|step| started.contains(&step));
        for place in outside {
            for number in self.by_place.get(*place).into_iter().flatten() {
                let Some(rollback) = self.plan.rollback.get(*number) else { continue };
                if rollback.undoes.iter().any(is_started) {
                    places.entry(*place).or_default().push(*number);
                    numbers.insert(&rollback.id, *number);
                }
            }
        }
        let of = |number: usize| {
            let after = self.plan.rollback.get(number).into_iter().flat_map(|rollback| &rollback.after);
            (number, after.filter_map(|id| numbers.get(id).copied()).collect())
        };
        let after = numbers.values().copied().map(of).collect();
        Taken { places, after }
    }
}

/// Rollback steps that are taken, by number.
struct Taken {
    /// By the step whose place they take.
    places: BTreeMap<usize, Vec<usize>>,
    /// Which of them come before one, beyond the order of places.
    after: BTreeMap<usize, BTreeSet<usize>>,
}

/// Orders steps so that each comes after what it needs; ties go by the step's id. A circle cannot be ordered: `lint`
/// refuses plans whose rollback makes one, and its steps come last here so that none is lost.
fn in_order(
    needs: &BTreeMap<usize, BTreeSet<usize>>,
    id: impl Fn(usize) -> Option<StepId>,
) -> Vec<OrderedRollback> {
    let mut open: BTreeMap<usize, usize> =
        needs.iter().map(|(number, needs)| (*number, needs.len())).collect();
    let mut waiting: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (number, needs) in needs {
        for need in needs {
            waiting.entry(*need).or_default().push(*number);
        }
    }
    let mut ready: BTreeSet<usize> = open.iter().filter(|(_, left)| **left == 0).map(|(n, _)| *n).collect();
    let mut order = Vec::with_capacity(needs.len());
    while let Some(number) = ready.pop_first() {
        open.remove(&number);
        order.push(number);
        for next in waiting.remove(&number).unwrap_or_default() {
            if let Some(left) = open.get_mut(&next) {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    ready.insert(next);
                }
            }
        }
    }
    order.extend(open.into_keys());
    let back = |number: &usize| {
        let needs = needs.get(number)?.iter().filter_map(|need| id(*need)).collect();
        Some(OrderedRollback { step: id(*number)?, needs })
    };
    order.iter().filter_map(back).collect()
}
