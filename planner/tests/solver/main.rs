//! The joint path: against a brute-force oracle, on the catalog, and where there is none.

#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod asked;
mod bounds;
mod generate;
mod growth;
mod interleavings;
mod joint;
mod oracle;
mod platform;
mod refused;
mod states;
mod synthetic;
#[path = "../compile/world.rs"]
#[allow(dead_code, reason = "the cases of the compiler use more of it")]
mod world;
