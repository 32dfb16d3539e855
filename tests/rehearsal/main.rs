//! The executor's library, its real drivers and the twin in one process: a run can be stopped between any two of its records,
//! the world looked at there, and everything gone on with from a copy of both.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests; their helpers are not marked as tests"
)]

mod back;
mod continued;
mod faults;
mod interleavings;
mod refit;
mod support;
mod watched;
