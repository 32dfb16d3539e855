//! Runs a plan: machine, store, runtime and the ports that drivers implement.
//!
//! Nothing here knows a client of any platform. Drivers live in leaf crates and are joined in `executor/cli`.

pub mod env;
mod load;
pub mod machine;
pub mod ports;
pub mod report;
pub mod runs;
pub mod runtime;
pub mod store;
pub mod untrusted;
