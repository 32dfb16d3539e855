//! MLflow's database for real: the command lines of our Jobs, an older and a newer release, and the rollback, on a
//! PostgreSQL of its own. See README.md; `tests/database/setup -- tests/database/suite` runs it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may"
)]

mod check;
mod killed;
mod road;
mod start;
mod stop;
mod support;
