//! The life of a run, from its start to what is cleaned up after it: what a command line does.
//!
//! `start` carries runs on, `commands` takes what operators ask of them, `abandon` ends one, `handover` joins the runs of one operation,
//! `recover` takes back what dead processes hold, `cleanup` what a run left on the platform, `status` only looks.

mod abandon;
mod cleanup;
mod commands;
mod handle;
mod handover;
mod recover;
mod single;
mod start;
mod status;

pub use crate::load::plan;
pub use abandon::{Abandoned, abandon};
pub use cleanup::clear;
pub use commands::{approve, request};
pub use handle::RunHandle;
pub use handover::{carry_over, returned_to};
pub use recover::{Reclaimed, release_claim, release_lease, release_platform_claim};
pub use start::{apply, resume, run_id};
pub use status::{
    Due, approved, awaited, captured, due, is_over, left_behind, list, rests_as_requested, rollback_targets,
    status, trust,
};
