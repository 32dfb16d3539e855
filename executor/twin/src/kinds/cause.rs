//! What is wrong with a field, in the words of a real API server.

use serde_json::{Value, json};

/// One line of a 422.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cause {
    /// Such as `FieldValueInvalid`.
    pub reason: &'static str,
    /// The text.
    pub message: String,
    /// Such as `spec.size`.
    pub field: String,
}

impl Cause {
    /// A cause.
    pub(crate) fn new(reason: &'static str, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), field: field.into() }
    }

    /// As it is put into the details of a refusal.
    pub(crate) fn to_json(&self) -> Value {
        json!({"reason": self.reason, "message": self.message, "field": self.field})
    }
}
