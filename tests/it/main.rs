//! Pure integration tests: diagnostics, formats, tidy. Links neither a client nor a runtime.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests; their helpers are not marked as tests"
)]

mod circles;
mod codes;
mod components;
mod diagnostics;
mod formats;
mod named;
mod reader;
mod reliability;
mod seeds;
mod tidy;
mod words;
mod workspace;

use switchback_planner::{components::built_in, registry::Registry};

/// The components of this build.
fn registry() -> &'static Registry<'static> {
    built_in().expect("the catalog")
}
