//! How much the search expands; counts of states, since times differ between machines.

use switchback_planner::solver::{
    problem::{Problem, Weight},
    reduce::reduce,
    search::{Outcome, Solution, solve},
};

use crate::growth::platform;

#[test]
fn around_one_hub_the_search_walks_straight_to_the_goal() {
    for (components, chained) in [(2, false), (6, false), (10, false), (10, true)] {
        let problem = reduce(&platform(components, 6, 20, chained)).problem;
        let Solution { outcome: Outcome::Found { moves, cheapest, .. }, expanded } = solve(&problem, 1_000)
        else {
            panic!("no path for {components}");
        };
        assert!(cheapest);
        assert_eq!(expanded, moves.len(), "{components} components");
    }
}

/// Hard facts hold in every state of a sequence.
fn holds(problem: &Problem, moves: &[switchback_planner::solver::problem::Move]) -> bool {
    let mut state: Vec<usize> = problem.components.iter().map(|component| component.start).collect();
    moves.iter().all(|hop| {
        assert_eq!(state[hop.component], hop.from);
        state[hop.component] = hop.to;
        let mut hard = problem.states.iter().filter(|fact| fact.weight == Weight::Hard);
        hard.all(|fact| !fact.parts.iter().all(|(component, mask)| mask.has(state[*component])))
    }) && problem.components.iter().zip(&state).all(|(component, value)| component.goal == *value)
}

#[test]
fn where_the_cheapest_path_is_out_of_reach_a_path_is_found_and_not_called_the_cheapest() {
    let problem = reduce(&platform(10, 6, 40, true)).problem;
    let solution = solve(&problem, 500);
    let Outcome::Found { moves, cheapest, .. } = solution.outcome else { panic!("{solution:?}") };
    assert!(!cheapest);
    assert!(holds(&problem, &moves));
}
