//! Small problems by chance.

use proptest::{collection::vec, prelude::*};
use switchback_planner::solver::problem::{Component, HopFact, Mask, Means, Problem, StateFact, Weight};

fn mask(values: usize) -> impl Strategy<Value = Mask> {
    let some = vec(any::<bool>(), values).prop_map(move |bits| Mask::of(values, |value| bits[value]));
    // Facts of which one component decides alone are common in a catalog.
    prop_oneof![3 => some, 1 => Just(Mask::of(values, |_| true))]
}

fn weight() -> impl Strategy<Value = Weight> {
    prop_oneof![4 => Just(Weight::Hard), 2 => Just(Weight::Tested), 1 => Just(Weight::Unknown)]
}

/// A fact over two or three components.
fn state(sizes: Vec<usize>, fact: usize) -> impl Strategy<Value = StateFact> {
    let components = sizes.len();
    let bound = proptest::sample::subsequence((0..components).collect::<Vec<_>>(), 2..=components.min(3));
    (bound, weight(), 0_usize..2).prop_flat_map(move |(bound, weight, group)| {
        let masks: Vec<_> = bound.iter().map(|component| mask(sizes[*component]).boxed()).collect();
        // A group has one weight and one set of components.
        let group = group * 1_000 + bound.iter().fold(weight as usize, |key, component| key * 5 + component);
        masks.prop_map(move |masks| StateFact {
            parts: bound.iter().copied().zip(masks).collect(),
            weight,
            group,
            fact,
        })
    })
}

fn hop(sizes: Vec<usize>, fact: usize) -> impl Strategy<Value = HopFact> {
    let means = prop_oneof![Just(Means::Forbidden), (1_u16..4).prop_map(Means::Disturbs)];
    (0..sizes.len(), means).prop_flat_map(move |(component, means)| {
        let values = sizes[component];
        (mask(values), mask(values)).prop_map(move |(from, to)| HopFact { component, from, to, means, fact })
    })
}

/// Up to four components of up to four values.
pub(crate) fn problem() -> impl Strategy<Value = Problem> {
    (vec(2_usize..=4, 2..=4), 0_usize..7, 0_usize..4).prop_flat_map(|(sizes, states, hops)| {
        let ends: Vec<_> = sizes
            .iter()
            .map(|size| {
                let size = *size;
                (0..2_usize.min(size), size - 2..size).prop_map(move |(start, goal)| Component {
                    values: size,
                    start,
                    goal: goal.max(start),
                })
            })
            .collect();
        let states: Vec<_> = (0..states).map(|fact| state(sizes.clone(), fact).boxed()).collect();
        let hops: Vec<_> = (0..hops).map(|fact| hop(sizes.clone(), 100 + fact).boxed()).collect();
        (ends, states, hops).prop_map(|(components, states, hops)| Problem { components, states, hops })
    })
}
