//! Pure functions over the documents that planner, executor and views all need.
//!
//! The rollback is computed here and nowhere else: planner (checks, dry-run), views and the machine call the same
//! function with other arguments.

pub mod bind;
pub mod decide;
pub mod diff;
pub mod digests;
pub mod forecast;
pub mod graph;
pub mod group;
pub mod journal;
pub mod learn;
pub mod lint;
pub mod permissions;
pub mod rollback_order;
pub mod rollback_plan;
pub mod schedule;
pub mod secret;
pub mod service;
pub mod summary;
pub mod trust;
pub mod windows;
pub mod work;

pub use diff::{Aspect, HopDiff, PlanDiff, StepDiff, diff};
pub use graph::{Graph, GraphError};
pub use rollback_order::{OrderedRollback, RollbackOrder, rollback_order};

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod times;
#[cfg(test)]
mod undo_tests;
