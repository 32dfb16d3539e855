//! The way back: which undo steps lead from where a run is to a savepoint, and in which order.

use std::collections::{BTreeMap, BTreeSet};

use switchback_schemas::{
    StepId,
    plan::{Plan, Savepoint, Undo, UndoStep},
};

use crate::graph::Graph;

/// The undo steps from a state of a run to a savepoint.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WayBack {
    /// What is undone, in an order in which each step comes after what its undo needs.
    pub steps: Vec<BackStep>,
    /// Started steps that cannot be undone. The way is blocked while there is one.
    pub commits: Vec<StepId>,
}

/// One undo step of a way back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackStep {
    /// The step that is undone.
    pub step: StepId,
    /// Steps of this way whose undo must be done first.
    pub needs: BTreeSet<StepId>,
}

impl WayBack {
    /// Whether every started step can be undone.
    pub fn is_open(&self) -> bool {
        self.commits.is_empty()
    }

    /// The undo steps themselves, in order.
    pub fn undo_steps<'plan>(&self, plan: &'plan Plan) -> Vec<(&'plan StepId, &'plan UndoStep)> {
        let find = |back: &BackStep| {
            let step = plan.step(&back.step)?;
            match &step.undo {
                Undo::Step(undo) => Some((&step.id, &**undo)),
                Undo::ReadOnly { .. } | Undo::CoveredBy { .. } | Undo::Commit { .. } => None,
            }
        };
        self.steps.iter().filter_map(find).collect()
    }
}

/// The undo steps of everything that was started and is not in the savepoint.
///
/// The order is the reversed `needs`, through steps that have no undo of their own.
/// Cost is linear in the steps and edges outside of the savepoint.
pub fn way_back(plan: &Plan, graph: &Graph, started: &BTreeSet<StepId>, to: &Savepoint) -> WayBack {
    let kept = graph.members(to);
    let started: BTreeSet<usize> =
        started.iter().filter_map(|id| graph.number(id)).filter(|number| !kept.contains(number)).collect();
    let outside: Vec<usize> = graph.order().iter().copied().filter(|number| !kept.contains(number)).collect();
    among(plan, graph, &outside, &started)
}

/// The undo steps of one hop, when all of it was started: the way back from its end to where it began.
pub fn of_hop(plan: &Plan, graph: &Graph, hop: &[usize]) -> WayBack {
    among(plan, graph, &graph.sorted(hop.iter().copied()), &hop.iter().copied().collect())
}

/// The undo steps of what was started, among steps that come in topological order.
fn among(plan: &Plan, graph: &Graph, steps: &[usize], started: &BTreeSet<usize>) -> WayBack {
    let undo = |number: usize| plan.steps.get(number).map(|step| &step.undo);
    let undoable = |number: usize| matches!(undo(number), Some(Undo::Step(_)));
    let id = |number: usize| plan.steps.get(number).map(|step| step.id.clone());

    // For each step from last to first: the nearest started dependants that are undone before it.
    let mut before: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for number in steps.iter().rev().copied() {
        let mut first = BTreeSet::new();
        for dependant in graph.dependants(number) {
            if started.contains(&dependant) && undoable(dependant) {
                first.insert(dependant);
            } else if let Some(through) = before.get(&dependant) {
                first.extend(through.iter().copied());
            }
        }
        before.insert(number, first);
    }

    let mut needs: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for number in started.iter().copied().filter(|number| undoable(*number)) {
        needs.insert(number, before.remove(&number).unwrap_or_default());
    }

    let commits = started
        .iter()
        .filter(|number| matches!(undo(**number), Some(Undo::Commit { .. })))
        .filter_map(|n| id(*n));
    WayBack { commits: commits.collect(), steps: in_order(&needs, id) }
}

/// Orders steps so that each comes after what it needs; ties go by the step's id. A circle cannot be ordered: `lint`
/// refuses plans whose undo edges make one, and its steps come last here so that none is lost.
fn in_order(needs: &BTreeMap<usize, BTreeSet<usize>>, id: impl Fn(usize) -> Option<StepId>) -> Vec<BackStep> {
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
        Some(BackStep { step: id(*number)?, needs })
    };
    order.iter().filter_map(back).collect()
}
