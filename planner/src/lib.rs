//! Compiles manifests, inventory and lock to a plan; a pure function of files.
//!
//! ```text
//! files -> source (spanned tree) -> manifest (checked, typed) -> components (hops) -> path (order)
//!       -> lower (steps, rollbacks, suspensions, gates) -> compile (plan)
//! ```
//!
//! Nothing here reads a clock, the network or the environment: same inputs, same bytes out.

pub mod carried;
pub mod catalog;
pub mod compile;
pub mod component;
pub mod components;
pub mod context;
mod evidence;
pub mod findings;
pub mod fleet;
pub mod hop;
pub mod image;
pub mod index;
pub mod lower;
pub mod manifest;
pub mod objects;
pub mod owner;
pub mod path;
pub mod predicted;
pub mod registry;
pub mod sections;
pub mod solver;
pub mod source;
pub mod verification;
