//! Scopes: small groups of components that facts bind together, each as a table of all its states.
//!
//! What a hop costs outside of what is tested or known adds up over scopes, and a hop itself is counted in one scope of its
//! component only. The cheapest way to the goal inside of one scope, other components left aside, is therefore never more
//! than what the whole path costs there, and the sum over scopes is a consistent heuristic.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::problem::{Cost, Problem, Weight};

/// States that one scope may have.
const STATES: usize = 1 << 20;
/// Groups of soft facts that one scope may have.
const GROUPS: usize = 32;

/// What holds in one state of a scope.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cell {
    /// A hard fact is broken.
    pub(super) broken: bool,
    /// Groups of tested facts that are broken, as bits.
    outside: u32,
    /// Groups of unknown facts that are broken, as bits.
    unknown: u32,
}

impl Cell {
    /// Whether any fact is broken.
    pub(super) fn any(self) -> bool {
        self.broken || self.outside != 0 || self.unknown != 0
    }
}

/// A group of components that facts bind together.
#[derive(Debug)]
pub(super) struct Scope {
    /// Its components, rising.
    pub(super) components: Vec<usize>,
    /// Values of each.
    sizes: Vec<usize>,
    /// For each component, whether its hops are counted here.
    owned: Vec<bool>,
    pub(super) cells: Vec<Cell>,
    /// Packed cost of the cheapest way from each state to the goal inside of the scope; `None` when there is none.
    ahead: Vec<Option<u64>>,
}

/// Why a problem has no tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLarge;

/// Hops of each component: from each value to which, and what they disturb.
pub(super) type Hops = Vec<Vec<Vec<(usize, u16)>>>;

pub(super) fn hops(problem: &Problem) -> Hops {
    let of = |(number, component): (usize, &super::problem::Component)| {
        let from = |from: usize| {
            let to = (from + 1..component.values).filter(|to| *to <= component.goal);
            to.filter_map(|to| Some((to, problem.hop(number, from, to)?))).collect()
        };
        (0..component.values).map(from).collect()
    };
    problem.components.iter().enumerate().map(of).collect()
}

impl Scope {
    /// The scopes of a problem: one for each set of components that some fact names, and one for each other component.
    pub(super) fn all(problem: &Problem, hops: &Hops) -> Result<Vec<Self>, TooLarge> {
        let mut sets: Vec<Vec<usize>> = problem
            .states
            .iter()
            .map(|fact| fact.parts.iter().map(|(component, _)| *component).collect())
            .collect();
        sets.sort();
        sets.dedup();
        for component in 0..problem.components.len() {
            if !sets.iter().any(|set| set.contains(&component)) {
                sets.push(vec![component]);
            }
        }
        let mut scopes: Vec<Self> =
            sets.into_iter().map(|set| Self::new(problem, set)).collect::<Result<_, _>>()?;
        // A component's hops are counted where most states are refused: there detours show.
        for component in 0..problem.components.len() {
            let refused = |scope: &Self| scope.cells.iter().filter(|cell| cell.any()).count();
            let owner = scopes
                .iter_mut()
                .filter(|scope| scope.components.contains(&component))
                .max_by_key(|scope| refused(scope));
            if let Some(scope) = owner
                && let Some(at) = scope.components.iter().position(|other| *other == component)
                && let Some(owned) = scope.owned.get_mut(at)
            {
                *owned = true;
            }
        }
        for scope in &mut scopes {
            scope.look_ahead(problem, hops);
        }
        Ok(scopes)
    }

    fn new(problem: &Problem, components: Vec<usize>) -> Result<Self, TooLarge> {
        let size = |component: &usize| problem.components.get(*component).map_or(1, |c| c.values);
        let sizes: Vec<usize> = components.iter().map(size).collect();
        let states = sizes.iter().try_fold(1_usize, |product, size| product.checked_mul(*size));
        let states = states.filter(|states| *states <= STATES).ok_or(TooLarge)?;
        let mut cells = vec![Cell::default(); states];
        let within = |fact: &&super::problem::StateFact| {
            fact.parts.iter().map(|(component, _)| component).eq(components.iter())
        };
        let mut groups: Vec<usize> = Vec::new();
        for fact in problem.states.iter().filter(within) {
            let group = match fact.weight {
                Weight::Hard => 0,
                _ => groups.iter().position(|group| *group == fact.group).unwrap_or_else(|| {
                    groups.push(fact.group);
                    groups.len() - 1
                }),
            };
            if group >= GROUPS {
                return Err(TooLarge);
            }
            for (state, cell) in cells.iter_mut().enumerate() {
                let mut rest = state;
                let broken = fact.parts.iter().zip(&sizes).all(|((_, mask), size)| {
                    let value = rest % size;
                    rest /= size;
                    mask.has(value)
                });
                if broken {
                    match fact.weight {
                        Weight::Hard => cell.broken = true,
                        Weight::Tested => cell.outside |= 1 << group,
                        Weight::Unknown => cell.unknown |= 1 << group,
                    }
                }
            }
        }
        let owned = vec![false; components.len()];
        Ok(Self { components, sizes, owned, cells, ahead: Vec::new() })
    }

    /// The position of a state, from the values of all components.
    pub(super) fn position(&self, value: impl Fn(usize) -> usize) -> usize {
        let parts = self.components.iter().zip(&self.sizes);
        parts.rev().fold(0, |position, (component, size)| position * size + value(*component))
    }

    pub(super) fn cell(&self, position: usize) -> Cell {
        self.cells.get(position).copied().unwrap_or(Cell { broken: true, ..Cell::default() })
    }

    /// Packed cost of the cheapest way to the goal from a state.
    pub(super) fn ahead(&self, position: usize) -> Option<u64> {
        self.ahead.get(position).copied().flatten()
    }

    /// What a hop between two states costs here, without the hop itself.
    pub(super) fn soft(&self, from: usize, to: usize) -> Cost {
        let (a, b) = (self.cell(from), self.cell(to));
        Cost {
            outside: u64::from((a.outside | b.outside).count_ones()),
            unknown: u64::from((a.unknown | b.unknown).count_ones()),
            ..Cost::default()
        }
    }

    /// Fills `ahead`, backwards from the goal.
    fn look_ahead(&mut self, problem: &Problem, hops: &Hops) {
        // Hops into each value.
        let into = |component: usize| -> Vec<Vec<(usize, u16)>> {
            let from = hops.get(component).map_or(&[][..], Vec::as_slice);
            let mut into = vec![Vec::new(); from.len()];
            for (value, targets) in from.iter().enumerate() {
                for (to, disturbs) in targets {
                    if let Some(list) = into.get_mut(*to) {
                        list.push((value, *disturbs));
                    }
                }
            }
            into
        };
        let into: Vec<Vec<Vec<(usize, u16)>>> = self.components.iter().map(|c| into(*c)).collect();
        let goal = self.position(|c| problem.components.get(c).map_or(0, |component| component.goal));
        let mut ahead: Vec<Option<u64>> = vec![None; self.cells.len()];
        let mut queue = BinaryHeap::new();
        if !self.cell(goal).broken {
            queue.push(Reverse((0_u64, goal)));
        }
        while let Some(Reverse((cost, state))) = queue.pop() {
            match ahead.get_mut(state) {
                Some(slot @ None) => *slot = Some(cost),
                _ => continue,
            }
            let mut stride = 1;
            for ((into, size), owned) in into.iter().zip(&self.sizes).zip(&self.owned) {
                let value = state / stride % size;
                for (from, disturbs) in into.get(value).into_iter().flatten() {
                    let before = state - (value - from) * stride;
                    if self.cell(before).broken || ahead.get(before).is_some_and(Option::is_some) {
                        continue;
                    }
                    let counted = u64::from(*owned);
                    let hop = Cost {
                        hops: counted,
                        disruption: counted * u64::from(*disturbs),
                        ..self.soft(before, state)
                    };
                    queue.push(Reverse((cost + hop.pack(), before)));
                }
                stride *= size;
            }
        }
        self.ahead = ahead;
    }
}
