//! Platforms that grow, for benchmarks and for bounds on what the search expands.

use switchback_planner::solver::problem::{Component, HopFact, Mask, Means, Problem, StateFact, Weight};

/// A hub that goes up minor by minor, and components around it that each support a band of its minors, with soft bands
/// inside of the hard ones. With `chained`, each component also needs the one before it not to be far ahead.
pub(crate) fn platform(components: usize, minors: usize, versions: usize, chained: bool) -> Problem {
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
