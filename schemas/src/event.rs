//! Events: what a running executor tells a view. They are derived from journal records and from waiting; nothing
//! depends on them.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::journal::{At, Record, WaitsFor};

/// One line of the event stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum RunEvent {
    /// A record became durable.
    Recorded {
        /// The record.
        record: Box<Record>,
    },
    /// A step waits; said again only when what it waits for changes.
    Waiting {
        /// When.
        at: Timestamp,
        /// The step.
        step: At,
        /// What it waits for.
        waits_for: Vec<WaitsFor>,
    },
}
