//! The documents that cross a wall, as types.
//!
//! Manifests, inventory, lock, plan, journal, events and report are what people review, what a run is
//! bound to and what must still be readable next year, so they live in one crate without any logic
//! beyond parsing their own newtypes and taking digests. What both sides compute from them is in
//! `switchback-model`; how they look is in `switchback-face`.
//!
//! Rules that hold for every document:
//!
//! - it begins with `format: switchback.<kind>/MAJOR.MINOR` and, where it can name optional parts, the
//!   list of features it uses ([`mod@format`]);
//! - unknown fields are refused, never dropped;
//! - no floats: durations are whole seconds, ratios are decimal strings, versions are strings.

pub mod codes;
pub mod diagnostic;
pub mod digest;
pub mod estimates;
pub mod event;
pub mod format;
pub mod hop;
pub mod inventory;
pub mod journal;
pub mod lock;
pub mod manifest;
pub mod name;
pub mod plan;
mod pretty;
pub mod published;
pub mod report;
pub mod seconds;
pub mod trust;
pub mod version;

pub use diagnostic::{Diagnostic, Label, Severity};
pub use digest::Digest;
pub use hop::HopId;
pub use name::{ComponentName, ItemKey, RunId, StepId};
pub use seconds::Seconds;
pub use version::Version;
