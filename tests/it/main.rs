//! Pure integration tests: diagnostics, formats, tidy. Links neither a client nor a runtime.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests; their helpers are not marked as tests"
)]

mod circles;
mod diagnostics;
mod formats;
mod reader;
mod tidy;
