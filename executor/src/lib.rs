//! Runs a plan: machine, store, runtime and the ports that drivers implement.
//!
//! Nothing here knows a client of any platform. Drivers live in leaf crates and are joined in `executor/cli`.

pub mod env;
pub mod foreign;
pub mod handover;
pub mod janitor;
mod known;
pub mod machine;
pub mod ops;
pub mod ports;
pub mod reclaim;
pub mod report;
pub mod runtime;
pub mod store;
