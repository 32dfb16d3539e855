//! What is written is read back, or refused: journals bit by bit, stores operation by operation, runs crash by crash.

#![expect(unreachable_pub, reason = "a test binary has no outside")]

mod journal;
mod runs;
mod store;
