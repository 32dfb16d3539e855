//! Compiles manifests, inventory and lock to a plan; a pure function of files.

pub mod manifest;
pub mod source;
