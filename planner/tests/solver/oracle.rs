//! The solver against an oracle that tries everything: it shares no code with it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;
use switchback_planner::solver::{
    conflict::conflict,
    order::{Edge, order},
    problem::{Cost, Means, Move, Problem, StateFact, Weight},
    reduce::reduce,
    search::{Outcome, solve},
};

use crate::generate::problem;

const BUDGET: usize = 100_000;

type State = Vec<usize>;

fn breaks(fact: &StateFact, state: &[usize]) -> bool {
    fact.parts.iter().all(|(component, mask)| mask.has(state[*component]))
}

fn broken(problem: &Problem, state: &[usize]) -> bool {
    problem.states.iter().any(|fact| fact.weight == Weight::Hard && breaks(fact, state))
}

/// What one hop costs: groups of soft facts about its component that are broken before or after it.
fn price(problem: &Problem, before: &[usize], hop: Move) -> Cost {
    let mut after = before.to_vec();
    after[hop.component] = hop.to;
    let groups = |weight: Weight| -> u64 {
        let about = |fact: &&StateFact| {
            fact.weight == weight
                && fact.parts.iter().any(|(component, _)| *component == hop.component)
                && (breaks(fact, before) || breaks(fact, &after))
        };
        problem.states.iter().filter(about).map(|fact| fact.group).collect::<BTreeSet<_>>().len() as u64
    };
    let disturbs = problem.hops.iter().filter_map(|fact| match fact.means {
        Means::Disturbs(much)
            if fact.component == hop.component && fact.from.has(hop.from) && fact.to.has(hop.to) =>
        {
            Some(u64::from(much))
        }
        _ => None,
    });
    Cost {
        outside: groups(Weight::Tested),
        unknown: groups(Weight::Unknown),
        hops: 1,
        disruption: disturbs.max().unwrap_or(0),
    }
}

fn add(a: Cost, b: Cost) -> Cost {
    Cost {
        outside: a.outside + b.outside,
        unknown: a.unknown + b.unknown,
        hops: a.hops + b.hops,
        disruption: a.disruption + b.disruption,
    }
}

fn forbidden(problem: &Problem, hop: Move) -> bool {
    problem.hops.iter().any(|fact| {
        fact.means == Means::Forbidden
            && fact.component == hop.component
            && fact.from.has(hop.from)
            && fact.to.has(hop.to)
    })
}

/// The least cost of every state, by relaxing until nothing changes.
fn cheapest(problem: &Problem) -> Option<Cost> {
    let start: State = problem.components.iter().map(|component| component.start).collect();
    let goal: State = problem.components.iter().map(|component| component.goal).collect();
    if broken(problem, &start) {
        return None;
    }
    let mut best: BTreeMap<State, Cost> = BTreeMap::from([(start.clone(), Cost::default())]);
    let mut queue = VecDeque::from([start]);
    while let Some(state) = queue.pop_front() {
        let cost = best[&state];
        for (component, of) in problem.components.iter().enumerate() {
            for to in state[component] + 1..=of.goal {
                let hop = Move { component, from: state[component], to };
                let mut next = state.clone();
                next[component] = to;
                if forbidden(problem, hop) || broken(problem, &next) {
                    continue;
                }
                let cost = add(cost, price(problem, &state, hop));
                if best.get(&next).is_none_or(|known| cost < *known) {
                    best.insert(next.clone(), cost);
                    queue.push_back(next);
                }
            }
        }
    }
    best.get(&goal).copied()
}

/// Every set of hops that may be done when nothing is in progress.
fn down_sets(hops: usize, edges: &[Edge]) -> Vec<BTreeSet<usize>> {
    let all = 0..1_usize << hops;
    let sets = all.map(|bits| (0..hops).filter(|hop| bits >> hop & 1 == 1).collect::<BTreeSet<_>>());
    sets.filter(|set| edges.iter().all(|edge| !set.contains(&edge.after) || set.contains(&edge.before)))
        .collect()
}

fn state_after(problem: &Problem, moves: &[Move], done: &BTreeSet<usize>) -> State {
    let mut state: State = problem.components.iter().map(|component| component.start).collect();
    for hop in done {
        let value = &mut state[moves[*hop].component];
        *value = (*value).max(moves[*hop].to);
    }
    state
}

/// Every state that a set of hops in progress, each as both its values, can be seen as.
fn seen_as(state: &State, moves: &[Move], running: &[usize]) -> Vec<State> {
    let all = 0..1_usize << running.len();
    let one = |bits: usize| {
        let mut state = state.clone();
        for (number, hop) in running.iter().enumerate() {
            state[moves[*hop].component] =
                if bits >> number & 1 == 1 { moves[*hop].to } else { moves[*hop].from };
        }
        state
    };
    all.map(one).collect()
}

/// States that the sequence itself passes through.
fn passed(problem: &Problem, moves: &[Move]) -> Vec<State> {
    let done = |count: usize| (0..count).collect::<BTreeSet<_>>();
    (0..=moves.len()).map(|count| state_after(problem, moves, &done(count))).collect()
}

/// Whether a fact about what is tested is broken by values that the sequence has together nowhere. Where nothing is known
/// only the cost counts.
fn newly_broken(problem: &Problem, passed: &[State], state: &State) -> bool {
    let tested = problem.states.iter().filter(|fact| fact.weight != Weight::Unknown);
    tested.filter(|fact| breaks(fact, state)).any(|fact| {
        let same =
            |other: &&State| fact.parts.iter().all(|(component, _)| other[*component] == state[*component]);
        passed.iter().find(same).is_none()
    })
}

fn check_interleavings(problem: &Problem, moves: &[Move], edges: &[Edge], cost: Cost) {
    let passed = passed(problem, moves);
    let sets = down_sets(moves.len(), edges);
    for done in &sets {
        let state = state_after(problem, moves, done);
        // Up: hops that may start. All of them at once, since fewer are seen as less.
        let free = (0..moves.len())
            .filter(|hop| !done.contains(hop))
            .filter(|hop| edges.iter().all(|edge| edge.after != *hop || done.contains(&edge.before)));
        // Down: hops that may be undone. What comes after them is not done any more.
        let undone = done
            .iter()
            .copied()
            .filter(|hop| edges.iter().all(|edge| edge.before != *hop || !done.contains(&edge.after)));
        for running in [free.collect::<Vec<_>>(), undone.collect()] {
            for seen in seen_as(&state, moves, &running) {
                assert!(!broken(problem, &seen), "{seen:?} while {running:?} run after {done:?}");
                assert!(!newly_broken(problem, &passed, &seen), "{seen:?} is worse than the sequence");
            }
        }
    }
    // Every linear extension costs no more: dearest way through the lattice of sets.
    let mut dearest: BTreeMap<&BTreeSet<usize>, Cost> = BTreeMap::new();
    let mut by_size: Vec<&BTreeSet<usize>> = sets.iter().collect();
    by_size.sort_by_key(|set| set.len());
    for set in by_size {
        let before = set.iter().filter_map(|hop| {
            let mut smaller = set.clone();
            smaller.remove(hop);
            let (key, known) = dearest.get_key_value(&smaller)?;
            let state = state_after(problem, moves, key);
            assert!(!forbidden(problem, moves[*hop]));
            assert!(state[moves[*hop].component] == moves[*hop].from);
            Some(add(*known, price(problem, &state, moves[*hop])))
        });
        let worst = before.max().unwrap_or_default();
        dearest.insert(set, worst);
    }
    let all: BTreeSet<usize> = (0..moves.len()).collect();
    assert!(dearest[&all] <= cost, "an interleaving costs {:?}, the sequence {cost:?}", dearest[&all]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_path_is_found_if_there_is_one_and_is_the_cheapest(problem in problem()) {
        let reduced = reduce(&problem);
        let whole = solve(&problem, BUDGET).outcome;
        let small = solve(&reduced.problem, BUDGET).outcome;
        match (cheapest(&problem), whole, small) {
            (None, Outcome::None, Outcome::None) => {}
            (Some(best), Outcome::Found { cost, moves, cheapest }, Outcome::Found { cost: reduced_cost, .. }) => {
                prop_assert!(cheapest);
                prop_assert_eq!(cost, best);
                prop_assert_eq!(reduced_cost, best);
                prop_assert_eq!(moves.len() as u64, best.hops);
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn every_interleaving_of_what_is_left_of_the_order_holds_up_and_down(problem in problem()) {
        let problem = reduce(&problem).problem;
        if let Outcome::Found { moves, cost, .. } = solve(&problem, BUDGET).outcome {
            let edges = order(&problem, &moves);
            check_interleavings(&problem, &moves, &edges, cost);
            for edge in &edges {
                prop_assert!(edge.before < edge.after);
                prop_assert_eq!(edge.facts.is_empty(), moves[edge.before].component == moves[edge.after].component);
            }
        }
    }

    #[test]
    fn a_conflict_contradicts_itself_and_nothing_less_does(problem in problem()) {
        let facts = conflict(&problem);
        if cheapest(&problem).is_some() {
            prop_assert!(facts.is_empty());
        } else {
            prop_assert!(!facts.is_empty());
            prop_assert!(cheapest(&problem.only(&facts)).is_none());
            for fact in &facts {
                let less: Vec<usize> = facts.iter().copied().filter(|other| other != fact).collect();
                prop_assert!(cheapest(&problem.only(&less)).is_some(), "{} is not needed", fact);
            }
        }
    }
}

#[test]
fn a_used_up_budget_is_said_and_not_taken_for_no_path() {
    use switchback_planner::solver::problem::Component;
    let components = vec![Component { values: 3, start: 0, goal: 2 }; 3];
    let problem = Problem { components, ..Problem::default() };
    assert_eq!(solve(&problem, 0).outcome, Outcome::GaveUp);
    assert!(matches!(solve(&problem, 100).outcome, Outcome::Found { .. }));
}
