//! De-ordering: from the sequence that was found to the order that has to hold.
//!
//! A value of a component lasts from the begin of the hop into it to the end of the hop out of it, so that a hop in progress
//! counts as both its values. Two values can be there together unless the order ends one before the other begins. Every
//! combination that breaks a fact, and that the sequence does not pass through itself, has to be kept apart so; the edge
//! that does it has that fact as its reason. What is not kept apart by any fact may run side by side, and every
//! interleaving of what is left is as good as the sequence, up and down.

use super::problem::{Mask, Move, Problem, StateFact, Weight};

/// Why one hop comes after another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The earlier hop, by its position in the sequence.
    pub before: usize,
    /// The later hop.
    pub after: usize,
    /// Facts that some interleaving without this edge would break; empty for hops of one component.
    pub facts: Vec<usize>,
}

/// A component on its way: values in their order, and the hops between them by position in the sequence.
struct Chain {
    component: usize,
    values: Vec<usize>,
    hops: Vec<usize>,
}

/// Values of a chain that follow each other, by number: the first and the last.
type Run = (usize, usize);

impl Chain {
    /// Positions of the hops into and out of a run of values.
    fn around(&self, (first, last): Run) -> (Option<usize>, Option<usize>) {
        (first.checked_sub(1).and_then(|hop| self.hops.get(hop)).copied(), self.hops.get(last).copied())
    }

    /// The values of a mask, each by itself or, merged, those that follow each other as one.
    fn runs(&self, mask: &Mask, merged: bool) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        let values = self.values.iter().enumerate().filter(|(_, value)| mask.has(**value));
        for (number, _) in values {
            match runs.last_mut() {
                Some((_, last)) if merged && *last + 1 == number => *last = number,
                _ => runs.push((number, number)),
            }
        }
        runs
    }

    fn covered(&self, mask: &Mask) -> bool {
        self.values.iter().all(|value| mask.has(*value))
    }
}

/// The order that has to hold among the hops of a sequence, without edges that follow from others.
pub fn order(problem: &Problem, moves: &[Move]) -> Vec<Edge> {
    let chains = chains(problem, moves);
    let mut edges: Vec<Edge> = Vec::new();
    for chain in &chains {
        for pair in chain.hops.windows(2) {
            if let [before, after] = pair {
                edges.push(Edge { before: *before, after: *after, facts: Vec::new() });
            }
        }
    }
    for fact in &problem.states {
        let of = |component: &usize| chains.iter().find(|chain| chain.component == *component);
        let Some(bound) = fact.parts.iter().map(|(component, _)| of(component)).collect::<Option<Vec<_>>>()
        else {
            continue;
        };
        let tuples: Vec<Vec<Run>> = bound
            .iter()
            .zip(&fact.parts)
            .enumerate()
            .map(|(part, (chain, (_, mask)))| chain.runs(mask, alone(problem, fact, &bound, part)))
            .collect();
        for tuple in product(&tuples) {
            if let Some((before, after)) = apart(&bound, &tuple, &edges) {
                match edges.iter_mut().find(|edge| (edge.before, edge.after) == (before, after)) {
                    Some(edge) if edge.facts.contains(&fact.fact) => {}
                    // Hops of one component need no fact.
                    Some(edge) if edge.facts.is_empty() => {}
                    Some(edge) => edge.facts.push(fact.fact),
                    None => edges.push(Edge { before, after, facts: vec![fact.fact] }),
                }
            }
        }
    }
    let mut edges = reduced(edges, moves.len());
    edges.sort_by_key(|edge| (edge.after, edge.before));
    edges
}

/// Whether a fact of which nothing is known is about one of its components only, whatever the values of the others. Then
/// its hops among such values cost the same wherever they stand, and only which hops of others fall among them counts.
fn alone(problem: &Problem, fact: &StateFact, bound: &[&Chain], part: usize) -> bool {
    let covered = |(number, (chain, (_, mask))): (usize, (&&Chain, &(usize, Mask)))| {
        number == part || chain.covered(mask)
    };
    let same = |other: &&StateFact| (other.weight, other.group) == (fact.weight, fact.group);
    fact.weight == Weight::Unknown
        && bound.iter().zip(&fact.parts).enumerate().all(covered)
        && problem.states.iter().filter(same).count() == 1
}

fn chains(problem: &Problem, moves: &[Move]) -> Vec<Chain> {
    let start = |(component, of): (usize, &super::problem::Component)| Chain {
        component,
        values: vec![of.start],
        hops: Vec::new(),
    };
    let mut chains: Vec<Chain> = problem.components.iter().enumerate().map(start).collect();
    for (position, hop) in moves.iter().enumerate() {
        if let Some(chain) = chains.get_mut(hop.component) {
            chain.values.push(hop.to);
            chain.hops.push(position);
        }
    }
    chains
}

/// All ways to take one item of each list.
fn product(lists: &[Vec<Run>]) -> Vec<Vec<Run>> {
    lists.iter().fold(vec![Vec::new()], |tuples, list| {
        let longer = |tuple: &Vec<Run>| -> Vec<Vec<Run>> {
            list.iter().map(|item| tuple.iter().copied().chain([*item]).collect()).collect()
        };
        tuples.iter().flat_map(longer).collect()
    })
}

/// The edge that keeps the values of a tuple apart in the sequence; `None` when the sequence passes through it.
fn apart(chains: &[&Chain], tuple: &[Run], edges: &[Edge]) -> Option<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    let around: Vec<_> = chains.iter().zip(tuple).map(|(chain, run)| chain.around(*run)).collect();
    for (one, (_, leave)) in around.iter().enumerate() {
        for (other, (enter, _)) in around.iter().enumerate() {
            // One is left before the other is entered.
            if let (Some(leave), Some(enter)) = (leave, enter)
                && one != other
                && leave < enter
            {
                found.push((*leave, *enter));
            }
        }
    }
    // Of three components any two that are apart will do: those that are apart already, then the nearest.
    let known = found.iter().find(|pair| edges.iter().any(|edge| (edge.before, edge.after) == **pair));
    known.or_else(|| found.iter().min_by_key(|(leave, enter)| enter - leave)).copied()
}

/// Takes away edges that follow from others. Positions are a topological order.
fn reduced(edges: Vec<Edge>, hops: usize) -> Vec<Edge> {
    let mut after: Vec<Vec<usize>> = vec![Vec::new(); hops];
    for edge in &edges {
        if let Some(list) = after.get_mut(edge.before) {
            list.push(edge.after);
        }
    }
    // Everything that comes after each hop.
    let mut reach: Vec<Vec<bool>> = vec![vec![false; hops]; hops];
    for hop in (0..hops).rev() {
        let mut own = vec![false; hops];
        for next in after.get(hop).into_iter().flatten() {
            let beyond = reach.get(*next).into_iter().flatten();
            for (seen, beyond) in own.iter_mut().zip(beyond) {
                *seen |= *beyond;
            }
            if let Some(seen) = own.get_mut(*next) {
                *seen = true;
            }
        }
        if let Some(row) = reach.get_mut(hop) {
            *row = own;
        }
    }
    let reaches =
        |from: usize, to: usize| reach.get(from).and_then(|row| row.get(to)).copied().unwrap_or(false);
    let follows = |edge: &Edge| {
        let next = after.get(edge.before).into_iter().flatten();
        next.copied().any(|between| between != edge.after && reaches(between, edge.after))
    };
    let keep: Vec<bool> = edges.iter().map(|edge| !follows(edge)).collect();
    edges.into_iter().zip(keep).filter(|(_, keep)| *keep).map(|(edge, _)| edge).collect()
}
