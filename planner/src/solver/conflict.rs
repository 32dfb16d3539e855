//! Why there is no path: facts of which none can be left out, and how far each component gets.
//!
//! `QuickXplain` (Junker, AAAI 2004): halves of the facts are taken and left until what is left contradicts itself and nothing
//! less does. It asks for some dozens of searches, each without soft facts.

use super::{
    problem::Problem,
    reduce::reduce,
    search::{Outcome, solve},
};

/// States that one of the searches may expand.
const BUDGET: usize = 100_000;

/// Hard facts that contradict each other with the goals: without any one of them there is a path. Empty when the goals cannot
/// be reached even without facts, or when a search gave up on all of them.
pub fn conflict(problem: &Problem) -> Vec<usize> {
    let facts = problem.hard_facts();
    if contradict(problem, &facts) { narrow(problem, &[], false, &facts) } else { Vec::new() }
}

fn contradict(problem: &Problem, facts: &[usize]) -> bool {
    solve(&reduce(&problem.only(facts)).problem, BUDGET).outcome == Outcome::None
}

/// The facts of `among` that, together with `taken`, contradict each other. `grown` is whether `taken` has just grown.
fn narrow(problem: &Problem, taken: &[usize], grown: bool, among: &[usize]) -> Vec<usize> {
    if grown && contradict(problem, taken) {
        return Vec::new();
    }
    if among.len() <= 1 {
        return among.to_vec();
    }
    let (first, second) = among.split_at(among.len() / 2);
    let with = |more: &[usize]| [taken, more].concat();
    let of_second = narrow(problem, &with(first), !first.is_empty(), second);
    let of_first = narrow(problem, &with(&of_second), !of_second.is_empty(), first);
    [of_first, of_second].concat()
}

/// Where the other components are while one goes as far as it can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// They reach their goals.
    Reach,
    /// They stay where they start.
    Stay,
}

/// The furthest value that a component reaches; `None` when there is none, not even where it is now.
pub fn furthest(problem: &Problem, component: usize, others: Others) -> Option<usize> {
    let of = problem.components.get(component)?;
    (of.start..=of.goal).rev().find(|goal| {
        let mut nearer = problem.only(&problem.hard_facts());
        for (number, other) in nearer.components.iter_mut().enumerate() {
            if number == component {
                other.goal = *goal;
            } else if others == Others::Stay {
                other.goal = other.start;
            }
        }
        matches!(solve(&reduce(&nearer).problem, BUDGET).outcome, Outcome::Found { .. })
    })
}
