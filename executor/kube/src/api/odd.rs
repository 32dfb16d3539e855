//! Answers that are no evidence.

use switchback_executor::untrusted::text::line;

/// An answer that is no evidence, and why. Only this API can call one so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Odd(String);

impl Odd {
    pub(super) fn new(why: &str) -> Self {
        Self(line(why))
    }
}
