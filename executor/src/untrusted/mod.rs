//! What comes from outside: text of other programs and people, and objects that other programs render.
//!
//! Leaf crates pass everything foreign through here where they read it, so that nothing behind them has to.

pub mod fields;
pub mod manifest;
pub mod text;
