//! What was accepted, for oracles.

use serde::Serialize;
use serde_json::Value;

/// One accepted effect of a caller. Dry-runs and refusals are not effects.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LogEntry {
    /// Its place.
    pub seq: usize,
    /// The instant.
    pub at: String,
    /// HTTP method, `PROGRAM`, or `AWS`.
    pub verb: String,
    /// Path without the query, or the argv; of AWS the operation and what it changed.
    pub path: String,
    /// `fieldManager`, where one was given; of AWS the caller's ARN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manager: Option<String>,
    /// The status that was answered (or would have been, had the answer not been lost).
    pub status: u16,
    /// What AWS was sent with it: the body, or the fields of a form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Value>,
    /// The latest resourceVersion before it. What it changed lies between the two in [`World::since`](super::World::since).
    pub before: u64,
    /// The latest resourceVersion after it.
    pub resource_version: u64,
}
