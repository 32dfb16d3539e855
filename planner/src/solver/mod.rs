//! The joint path: in which order components hop to their targets so that every state on the way holds. README.md explains
//! it.

pub mod answer;
pub mod ask;
mod back;
mod build;
pub mod conflict;
pub mod order;
pub mod problem;
pub mod reduce;
mod refuse;
mod remedy;
mod requests;
mod scope;
pub mod search;
mod spans;

use switchback_schemas::Diagnostic;

pub use answer::JointPath;
pub use ask::{Ask, Asked, Waived, ask};
pub use back::{Back, Closed};
pub use requests::{DocumentRequest, Request, Requests};
pub use search::BUDGET;

use crate::catalog::Catalog;

/// Finds the joint path, expanding so many states at most. The error says which facts contradict each other, or that the
/// search gave up.
pub fn path(catalog: &Catalog, ask: &Ask, budget: usize) -> Result<JointPath, Diagnostic> {
    let built = build::build(catalog, ask);
    let reduced = reduce::reduce(&built.problem);
    let search::Solution { outcome, expanded } = search::solve(&reduced.problem, budget);
    match outcome {
        search::Outcome::Found { moves, cost, cheapest } => {
            let found = answer::Found { catalog, ask, built: &built, reduced: &reduced, moves: &moves };
            Ok(JointPath { cheapest, ..found.path(cost, expanded) })
        }
        search::Outcome::None => Err(refuse::none(catalog, ask, &built)),
        search::Outcome::GaveUp => Err(refuse::gave_up(ask, expanded)),
    }
}
