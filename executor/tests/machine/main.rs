//! The machine against a world that effects really change.

#![expect(unreachable_pub, reason = "a test binary has no outside")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test fails by panicking, and shows what led there"
)]

mod census;
mod closing;
mod drive;
mod evidence;
mod forecasts;
mod gates;
mod makespan;
mod plans;
mod random;
mod rolls;
mod savepoints;
mod steps;
mod suspensions;
mod ways;
mod world;
