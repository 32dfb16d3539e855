//! How long the joint path takes: generated catalogs that grow, the case that is to stay far below a second, and cases
//! without a path.
//!
//! `cargo bench -p switchback-planner --bench solver`. Figures are ratios against each other, not times to hold: machines
//! differ.

#![allow(clippy::expect_used, clippy::panic, reason = "a benchmark fails by panicking")]

#[path = "../tests/solver/growth.rs"]
mod growth;

use growth::platform;
use switchback_planner::solver::{
    conflict::conflict,
    order::order,
    problem::Problem,
    reduce::reduce,
    search::{BUDGET, Outcome, solve},
};

fn main() {
    divan::main();
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
