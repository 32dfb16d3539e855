//! Versions to classes: values that follow each other and that no fact tells apart become one.

use super::problem::{Component, HopFact, Mask, Problem, StateFact};

/// A smaller problem, and for every component the value that each class stands for.
#[derive(Clone, Debug)]
pub struct Reduced {
    /// The problem over classes; every component starts at its first and ends at its last.
    pub problem: Problem,
    /// The values that classes stand for: the last of each, since later patches mend earlier ones.
    pub stand_for: Vec<Vec<usize>>,
}

/// Cuts components to what lies between start and goal, merges what no fact tells apart, and drops facts that say nothing
/// about what is left.
pub fn reduce(problem: &Problem) -> Reduced {
    let stand_for: Vec<Vec<usize>> =
        (0..problem.components.len()).map(|component| classes(problem, component)).collect();
    let mask = |component: usize, mask: &Mask| {
        let values = stand_for.get(component).map_or(&[][..], Vec::as_slice);
        Mask::of(values.len(), |class| values.get(class).is_some_and(|value| mask.has(*value)))
    };
    let component = |values: &Vec<usize>| Component {
        values: values.len(),
        start: 0,
        goal: values.len().saturating_sub(1),
    };
    let state = |fact: &StateFact| StateFact {
        parts: fact.parts.iter().map(|(component, values)| (*component, mask(*component, values))).collect(),
        ..fact.clone()
    };
    let hop = |fact: &HopFact| HopFact {
        from: mask(fact.component, &fact.from),
        to: mask(fact.component, &fact.to),
        ..fact.clone()
    };
    let states = problem.states.iter().map(state);
    let hops = problem.hops.iter().map(hop);
    let problem = Problem {
        components: stand_for.iter().map(component).collect(),
        states: states.filter(|fact| fact.parts.iter().all(|(_, mask)| !mask.is_empty())).collect(),
        hops: hops.filter(|fact| !fact.from.is_empty() && !fact.to.is_empty()).collect(),
    };
    Reduced { problem, stand_for }
}

/// The values that the classes of a component stand for, rising; start and goal stand for themselves.
fn classes(problem: &Problem, component: usize) -> Vec<usize> {
    let Some(Component { start, goal, .. }) = problem.components.get(component) else { return Vec::new() };
    let told_apart = |value: usize| -> Vec<bool> {
        let states = problem.states.iter().flat_map(|fact| &fact.parts);
        let states = states.filter(|(of, _)| *of == component).map(|(_, mask)| mask);
        let hops = problem.hops.iter().filter(|fact| fact.component == component);
        states.chain(hops.flat_map(|fact| [&fact.from, &fact.to])).map(|mask| mask.has(value)).collect()
    };
    let mut classes: Vec<usize> = vec![*start];
    let mut last: Option<Vec<bool>> = None;
    for value in start + 1..*goal {
        let signature = told_apart(value);
        if last.as_ref() == Some(&signature) {
            classes.pop();
        }
        classes.push(value);
        last = Some(signature);
    }
    if goal > start {
        classes.push(*goal);
    }
    classes
}
