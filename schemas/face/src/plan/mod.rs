//! How a plan looks: the dry-run that a reviewer reads, its rollbacks, its graph, and the difference of two plans.
//!
//! Views compute nothing: figures come from `switchback_model::summary`, rollbacks from `switchback_model::rollback_order`.

pub mod by_hand;
pub mod diff;
pub mod dry_run;
pub mod explain;
mod glance;
pub mod graph;
mod labels;
pub mod markdown;
pub mod permissions;
pub mod rollback;
mod standing;
mod steps;
