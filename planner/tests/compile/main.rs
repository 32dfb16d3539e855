//! Cases of the compiler: manifests, inventory and lock in, plan or diagnostics out.

#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod joint;
mod karpenter;
mod refusals;
mod world;
