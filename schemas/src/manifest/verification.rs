//! The kinds `Verification` and `Waiver`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    codes::Code,
    name::{Label, ObjectName},
    plan::{Compare, EnvValue, Missing},
    seconds::Length,
};

/// Something to check, by evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Verification {
    /// What is checked.
    pub check: Check,
    /// How long it must hold without a break.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settle: Option<Length>,
    /// How long it may take to come true; 5 minutes when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Length>,
}

/// What is checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Check {
    /// A program ends with exit code 0. Integration tests are run like this.
    Command {
        /// Program and arguments; never a shell line.
        #[schemars(length(min = 1))]
        argv: Vec<String>,
        /// Environment beyond `PATH` and `HOME`.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        env: BTreeMap<String, EnvValue>,
        /// How long it may run.
        timeout: Length,
    },
    /// An HTTP request is answered as expected.
    Http {
        /// The address.
        url: String,
        /// The status that must come back.
        status: u16,
        /// A text that the body must hold.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        contains: Option<String>,
    },
    /// An instant PromQL query, against a threshold.
    Prometheus {
        /// The server's address.
        url: String,
        /// The query.
        query: String,
        /// How the value is compared.
        compare: Compare,
        /// The threshold, a quoted decimal number.
        #[schemars(regex(pattern = r"^-?[0-9]+(\.[0-9]+)?$"))]
        threshold: String,
        /// What no data means.
        missing: Missing,
    },
    /// So many pods with these labels are ready.
    Pods {
        /// The namespace.
        namespace: String,
        /// Their labels.
        match_labels: BTreeMap<String, String>,
        /// How many must be ready.
        ready: u64,
    },
    /// A Deployment is fully rolled out.
    Deployment(ObjectName),
    /// So many nodes of a pool are Ready and schedulable.
    Nodes {
        /// The pool.
        pool: Label,
        /// How many.
        ready: u64,
    },
}

/// One finding that somebody accepts, for a time, on evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Waiver {
    /// The finding's code.
    pub finding: Code,
    /// What it is about, as the finding names it: an object, a component, a pod.
    pub about: String,
    /// Why it may be accepted.
    pub evidence: String,
    /// Who accepts it.
    pub by: String,
    /// When it stops counting.
    pub expires: Timestamp,
}
