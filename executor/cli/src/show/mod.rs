//! How runs look: progress while one is carried on, where one stands, its account.

pub(crate) mod account;
pub(crate) mod labels;
pub(crate) mod progress;
