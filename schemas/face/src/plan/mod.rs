//! How a plan looks: the dry-run that a reviewer reads, its ways back, its graph, and the difference of two plans.
//!
//! Views compute nothing: figures come from `switchback_model::summary`, ways back from `switchback_model::way_back`.

pub mod back;
pub mod diff;
pub mod dry_run;
pub mod explain;
pub mod graph;
pub mod markdown;
pub mod permissions;
mod words;
