//! The machine against a world that effects really change.

#![expect(unreachable_pub, reason = "a test binary has no outside")]

mod drive;
mod gates;
mod plans;
mod random;
mod rolls;
mod steps;
mod ways;
mod world;
