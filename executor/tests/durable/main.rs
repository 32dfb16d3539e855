//! What is written is read back, or refused: journals bit by bit, stores operation by operation, runs crash by crash.

#![expect(unreachable_pub, reason = "a test binary has no outside")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test fails by panicking, and shows what led there"
)]

mod runs;
mod store;
