//! Conditions that are asked over HTTP.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Asked over HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum WebCondition {
    /// An HTTP request is answered as expected.
    Http {
        /// The address. `http` or `https`; never a metadata address.
        url: String,
        /// The status that must come back.
        status: u16,
        /// A text that the body must hold.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        contains: Option<String>,
    },
    /// The value of an instant PromQL query.
    Prometheus {
        /// The server.
        url: String,
        /// The query.
        query: String,
        /// How the value is compared.
        compare: Compare,
        /// The threshold, a decimal number as text.
        threshold: String,
        /// What no data means.
        missing: Missing,
    },
}

/// How a number is compared with a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Compare {
    /// At most the threshold.
    AtMost,
    /// At least the threshold.
    AtLeast,
    /// Below the threshold.
    Below,
    /// Above the threshold.
    Above,
}

/// What it means that a query has no data. Missing is never healthy by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Missing {
    /// Unknown: the step holds.
    Unknown,
    /// The check fails.
    Fail,
    /// The check passes, because no data is what health looks like here (an error counter).
    Pass,
}
