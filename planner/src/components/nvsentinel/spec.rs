//! The kind `NvsentinelUpgrade`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use switchback_schemas::{
    Version,
    manifest::{ChartSource, OnFailure, Requires},
    name::{Label, ObjectName},
};

use crate::manifest::upgrade;

/// Moves NVSentinel: its CRDs and its chart, on the database that it has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NvsentinelUpgrade {
    /// The cluster.
    pub target: Label,
    /// The version to reach.
    pub to: Version,
    /// The release of the chart `nvsentinel`.
    pub release: ObjectName,
    /// Where the chart comes from.
    pub charts: ChartSource,
    /// Values that change with the upgrade, by dotted path; all other values stay as they are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, Value>,
    /// What must come first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<Requires>,
    /// Verifications after the upgrade.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verify: Vec<Label>,
    /// What follows a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
}

upgrade!(NvsentinelUpgrade);
