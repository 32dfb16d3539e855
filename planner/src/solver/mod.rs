//! The joint path: in which order components hop to their targets so that every state on the way holds. README.md explains
//! it.

mod back;
mod build;
pub mod conflict;
mod explain;
mod found;
pub mod input;
pub mod order;
pub mod problem;
pub mod reduce;
mod remedy;
mod requests;
pub mod result;
mod scope;
pub mod search;
mod spans;

use switchback_schemas::Diagnostic;

pub use back::{Back, Closed};
pub use found::Reason;
pub use input::{Ask, Asked, Waived, ask};
pub use requests::{DocumentRequest, Request, Requests};
pub use result::JointPath;
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
            let found = found::Found { catalog, ask, built: &built, reduced: &reduced, moves: &moves };
            Ok(JointPath { cheapest, ..found.path(cost, expanded) })
        }
        search::Outcome::None => Err(explain::none(catalog, ask, &built)),
        search::Outcome::GaveUp => Err(explain::gave_up(ask, expanded)),
    }
}
