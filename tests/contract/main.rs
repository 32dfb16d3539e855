//! Behaviours that drivers lean on. Each is one body, a *row*, run on the twin and on a real API
//! server. The table of rows is README.md; `UPDATE=1` rewrites it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::similar_names,
    clippy::needless_pass_by_value,
    reason = "a test may"
)]

mod charts;
mod readme;
mod row;
mod rows;
mod server;
