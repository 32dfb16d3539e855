//! How long the joint path takes: generated catalogs that grow, the case that is to stay far below a second, and cases
//! without a path.
//!
//! `cargo bench -p switchback-planner --bench solver`. Figures are ratios against each other, not times to hold: machines
//! differ.

#![allow(clippy::expect_used, clippy::panic, reason = "a benchmark fails by panicking")]

use switchback_planner::solver::{
    conflict::conflict,
    order::order,
    problem::{Component, HopFact, Mask, Means, Problem, StateFact, Weight},
    reduce::reduce,
    search::{BUDGET, Outcome, solve},
};

fn main() {
    divan::main();
}

/// A hub that goes up minor by minor, and components around it that each support a band of its minors, with soft bands
/// inside of the hard ones. With `chained`, each component also needs the one before it not to be far ahead.
fn platform(components: usize, minors: usize, versions: usize, chained: bool) -> Problem {
    let all = |size: usize| Component { values: size, start: 0, goal: size - 1 };
    let mut problem = Problem { components: vec![all(minors + 1)], states: Vec::new(), hops: Vec::new() };
    for from in 0..=minors {
        problem.hops.push(HopFact {
            component: 0,
            from: Mask::of(minors + 1, |value| value == from),
            to: Mask::of(minors + 1, |value| value > from + 1),
            means: Means::Forbidden,
            fact: 0,
        });
    }
    for component in 1..components {
        problem.components.push(all(versions));
        for value in 0..versions {
            // The minor in the middle of what the version supports; components differ by some.
            let middle = (value * minors + component % 3) / (versions - 1);
            for (far, weight) in [(2, Weight::Hard), (1, Weight::Tested)] {
                problem.states.push(StateFact {
                    parts: vec![
                        (0, Mask::of(minors + 1, |minor| minor.abs_diff(middle.min(minors)) > far)),
                        (component, Mask::of(versions, |other| other == value)),
                    ],
                    weight,
                    group: component * 2 + far,
                    fact: component * 1_000 + value,
                });
            }
            if chained && component > 1 {
                problem.states.push(StateFact {
                    parts: vec![
                        (component - 1, Mask::of(versions, |other| other > value + versions / 2)),
                        (component, Mask::of(versions, |other| other == value)),
                    ],
                    weight: Weight::Hard,
                    group: 0,
                    fact: component * 1_000 + 500 + value,
                });
            }
        }
    }
    problem
}

fn found(problem: &Problem) -> usize {
    let reduced = reduce(problem).problem;
    match solve(&reduced, BUDGET).outcome {
        Outcome::Found { moves, .. } => order(&reduced, &moves).len(),
        other => panic!("{other:?}"),
    }
}

/// Ten components, six minors, forty versions each.
#[divan::bench(args = [false, true], sample_count = 5)]
fn ten_components_six_minors(bencher: divan::Bencher<'_, '_>, chained: bool) {
    let problem = platform(10, 6, 40, chained);
    bencher.bench(|| found(&problem));
}

#[divan::bench(args = [2, 4, 6, 8, 10], sample_count = 5)]
fn growing_by_components(bencher: divan::Bencher<'_, '_>, components: usize) {
    let problem = platform(components, 6, 20, false);
    bencher.bench(|| found(&problem));
}

#[divan::bench(args = [10, 20, 40], sample_count = 5)]
fn growing_by_versions(bencher: divan::Bencher<'_, '_>, versions: usize) {
    let problem = platform(6, 6, versions, false);
    bencher.bench(|| found(&problem));
}

/// One component cannot follow the hub: why, of all facts.
#[divan::bench(args = [4, 10], sample_count = 5)]
fn no_path_explained(bencher: divan::Bencher<'_, '_>, components: usize) {
    let mut problem = platform(components, 6, 20, false);
    if let Some(component) = problem.components.get_mut(1) {
        component.goal = 2;
    }
    bencher.bench(|| {
        let facts = conflict(&problem);
        assert!(!facts.is_empty(), "there is no path");
        facts.len()
    });
}
