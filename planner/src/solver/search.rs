//! Best-first search for the cheapest sequence of hops, one component at a time.
//!
//! A* over packed states. The heuristic is the sum over scopes (see `scope.rs`), which is consistent, so a state is expanded
//! once and the first goal is the cheapest. Where the components hang on one hub, as they hang on Kubernetes, it is exact
//! and the search walks straight to the goal.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, hash_map::Entry},
};

use super::{
    problem::{Cost, Move, Problem},
    scope::{self, Hops, Scope},
};

/// States that are expanded unless the caller says otherwise: some seconds.
pub const BUDGET: usize = 100_000;

/// How a search ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A sequence.
    Found {
        /// Its hops.
        moves: Vec<Move>,
        /// What it costs.
        cost: Cost,
        /// Whether it is known that none is cheaper; otherwise the budget was used up before that could be said.
        cheapest: bool,
    },
    /// There is none.
    None,
    /// Not known: the budget was used up, or the problem does not fit into the tables.
    GaveUp,
}

/// The outcome and what it took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Solution {
    /// The outcome.
    pub outcome: Outcome,
    /// States that were expanded.
    pub expanded: usize,
}

/// Solves a problem, part by part. For each part so many states at most are expanded for the cheapest path, and, if they do not
/// suffice, as many again for any path.
pub fn solve(problem: &Problem, budget: usize) -> Solution {
    let hops = scope::hops(problem);
    let Ok(scopes) = Scope::all(problem, &hops) else {
        return Solution { outcome: Outcome::GaveUp, expanded: 0 };
    };
    let start = |component: usize| problem.components.get(component).map_or(0, |c| c.start);
    // A scope without a way decides it, whatever the others say.
    if scopes.iter().any(|scope| scope.ahead(scope.position(start)).is_none()) {
        return Solution { outcome: Outcome::None, expanded: 0 };
    }
    let mut moves = Vec::new();
    let mut cost = Cost::default();
    let mut expanded = 0;
    let mut gave_up = false;
    let mut cheapest = true;
    for part in parts(problem, &scopes) {
        let Some(search) = Search::new(problem, &hops, &scopes, part) else {
            gave_up = true;
            continue;
        };
        let found = search.run(budget, Aim::Cheapest, &mut expanded).or_else(|()| {
            cheapest = false;
            search.run(budget, Aim::Any, &mut expanded)
        });
        match found {
            Ok(Some((part, packed))) => {
                let of = Cost::unpack(packed);
                cost = Cost {
                    outside: cost.outside + of.outside,
                    unknown: cost.unknown + of.unknown,
                    hops: cost.hops + of.hops,
                    disruption: cost.disruption + of.disruption,
                };
                moves.extend(part);
            }
            Ok(None) => return Solution { outcome: Outcome::None, expanded },
            // Another part may still have no way at all, which is the better answer.
            Err(()) => gave_up = true,
        }
    }
    let outcome = if gave_up { Outcome::GaveUp } else { Outcome::Found { moves, cost, cheapest } };
    Solution { outcome, expanded }
}

/// What a search is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aim {
    /// The cheapest path.
    Cheapest,
    /// Any path, soon: what is still to be paid counts, and not what was paid.
    Any,
}

/// Components that move, grouped by the facts that bind them together.
fn parts(problem: &Problem, scopes: &[Scope]) -> Vec<Vec<usize>> {
    let moving = |component: &usize| problem.components.get(*component).is_some_and(|c| c.goal > c.start);
    let mut parts: Vec<Vec<usize>> = Vec::new();
    for scope in scopes {
        let mut together: Vec<usize> = scope.components.iter().copied().filter(moving).collect();
        if together.is_empty() {
            continue;
        }
        parts.retain(|part| {
            let shared = part.iter().any(|component| together.contains(component));
            if shared {
                together.extend(part);
            }
            !shared
        });
        together.sort_unstable();
        together.dedup();
        parts.push(together);
    }
    parts.sort();
    parts
}

/// A component of a part: its number, and what one of its values weighs in a packed state.
struct Digit {
    component: usize,
    stride: u64,
    values: u64,
    start: usize,
    goal: usize,
}

struct Search<'a> {
    hops: &'a Hops,
    digits: Vec<Digit>,
    /// Scopes of this part.
    scopes: Vec<&'a Scope>,
    /// For each digit, its scopes.
    touched: Vec<Vec<usize>>,
    problem: &'a Problem,
}

/// Where a state was reached from, and for how much.
struct Reached {
    cost: u64,
    by: Option<(u64, usize)>,
    done: bool,
}

/// Hops and packed cost.
type Way = (Vec<Move>, u64);

impl<'a> Search<'a> {
    fn new(problem: &'a Problem, hops: &'a Hops, scopes: &'a [Scope], part: Vec<usize>) -> Option<Self> {
        let mut stride = 1_u64;
        let mut digits = Vec::new();
        for component in part {
            let of = problem.components.get(component)?;
            let values = u64::try_from(of.values).ok()?;
            digits.push(Digit { component, stride, values, start: of.start, goal: of.goal });
            stride = stride.checked_mul(values)?;
        }
        let in_part = |scope: &&Scope| {
            scope.components.iter().any(|component| digits.iter().any(|digit| digit.component == *component))
        };
        let scopes: Vec<&Scope> = scopes.iter().filter(in_part).collect();
        let scopes_of = |digit: &Digit| {
            let of =
                scopes.iter().enumerate().filter(|(_, scope)| scope.components.contains(&digit.component));
            of.map(|(number, _)| number).collect()
        };
        let touched = digits.iter().map(scopes_of).collect();
        Some(Self { hops, digits, scopes, touched, problem })
    }

    fn pack(&self, value: impl Fn(&Digit) -> usize) -> u64 {
        self.digits.iter().map(|digit| value(digit) as u64 * digit.stride).sum()
    }

    /// Values of all components in a packed state; those outside of this part stay where they start.
    fn unpack(&self, state: u64, values: &mut [usize]) {
        for digit in &self.digits {
            if let Some(value) = values.get_mut(digit.component) {
                *value = usize::try_from(state / digit.stride % digit.values).unwrap_or_default();
            }
        }
    }

    /// What is at least still to be paid.
    fn ahead(&self, positions: &[usize]) -> Option<u64> {
        self.scopes.iter().zip(positions).try_fold(0, |sum, (scope, at)| Some(sum + scope.ahead(*at)?))
    }

    fn run(&self, budget: usize, aim: Aim, expanded: &mut usize) -> Result<Option<Way>, ()> {
        let mut values: Vec<usize> = self.problem.components.iter().map(|c| c.start).collect();
        let positions = |values: &[usize]| -> Vec<usize> {
            let at = |component: usize| values.get(component).copied().unwrap_or_default();
            self.scopes.iter().map(|scope| scope.position(at)).collect()
        };
        let (start, goal) = (self.pack(|digit| digit.start), self.pack(|digit| digit.goal));
        let Some(estimate) = self.ahead(&positions(&values)) else { return Ok(None) };
        let mut reached: HashMap<u64, Reached> = HashMap::new();
        reached.insert(start, Reached { cost: 0, by: None, done: false });
        // Of equal estimates the one that is furthest on, then the one of later versions.
        let mut queue = BinaryHeap::from([(Reverse(estimate), 0_u64, start)]);
        let mut spent = 0;
        while let Some((_, cost, state)) = queue.pop() {
            match reached.get_mut(&state) {
                Some(here) if !here.done && here.cost == cost => here.done = true,
                _ => continue,
            }
            if state == goal {
                return Ok(Some((self.way(&reached, goal), cost)));
            }
            spent += 1;
            *expanded += 1;
            if spent > budget {
                return Err(());
            }
            self.unpack(state, &mut values);
            let here = positions(&values);
            let mut there = here.clone();
            for (digit, touched) in self.digits.iter().zip(&self.touched) {
                let from = values.get(digit.component).copied().unwrap_or_default();
                let targets = self.hops.get(digit.component).and_then(|hops| hops.get(from));
                for (to, disturbs) in targets.into_iter().flatten() {
                    let at = |component: usize| match component == digit.component {
                        true => *to,
                        false => values.get(component).copied().unwrap_or_default(),
                    };
                    let mut hop = Cost { hops: 1, disruption: u64::from(*disturbs), ..Cost::default() };
                    for number in touched {
                        if let (Some(scope), Some(before), Some(after)) =
                            (self.scopes.get(*number), here.get(*number), there.get_mut(*number))
                        {
                            *after = scope.position(at);
                            let soft = scope.soft(*before, *after);
                            hop.outside += soft.outside;
                            hop.unknown += soft.unknown;
                        }
                    }
                    if let Some(estimate) = self.ahead(&there) {
                        let next = state + (*to - from) as u64 * digit.stride;
                        let cost = cost + hop.pack();
                        let by = Some((state, digit.component));
                        let better = match reached.entry(next) {
                            Entry::Vacant(free) => {
                                free.insert(Reached { cost, by, done: false });
                                true
                            }
                            Entry::Occupied(mut known) if cost < known.get().cost => {
                                known.insert(Reached { cost, by, done: false });
                                true
                            }
                            Entry::Occupied(_) => false,
                        };
                        if better {
                            let paid = if aim == Aim::Cheapest { cost } else { 0 };
                            queue.push((Reverse(paid + estimate), cost, next));
                        }
                    }
                }
                for number in touched {
                    if let (Some(before), Some(after)) = (here.get(*number), there.get_mut(*number)) {
                        *after = *before;
                    }
                }
            }
        }
        Ok(None)
    }

    fn way(&self, reached: &HashMap<u64, Reached>, goal: u64) -> Vec<Move> {
        let mut moves = Vec::new();
        let mut after = goal;
        let value = |state: u64, component: usize| {
            let digit = self.digits.iter().find(|digit| digit.component == component);
            digit.map_or(0, |digit| usize::try_from(state / digit.stride % digit.values).unwrap_or_default())
        };
        while let Some((before, component)) = reached.get(&after).and_then(|reached| reached.by) {
            moves.push(Move { component, from: value(before, component), to: value(after, component) });
            after = before;
        }
        moves.reverse();
        moves
    }
}
