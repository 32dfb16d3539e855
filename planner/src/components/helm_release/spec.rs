//! The kind `HelmReleaseUpgrade`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use switchback_schemas::{
    Version,
    manifest::{AcceptedDeletion, ChartSource, OnFailure, Requires},
    name::{Label, ObjectName},
    seconds::Length,
};

use crate::manifest::upgrade;

/// Moves a Helm release to another version of its chart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HelmReleaseUpgrade {
    /// The cluster.
    pub target: Label,
    /// The release.
    pub release: ObjectName,
    /// The chart's name; the release's own when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chart: Option<String>,
    /// Where the chart comes from.
    pub charts: ChartSource,
    /// The chart version to reach.
    pub to: Version,
    /// Values that change with the upgrade, by dotted path; a dot inside of a key is written `\.`. All other values stay as they are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, Value>,
    /// Objects of custom kinds that the upgrade may delete, because the new chart no longer holds their CRD, or them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deletes: Vec<AcceptedDeletion>,
    /// How long its workloads may take to become ready; 10 minutes when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Length>,
    /// What must come first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<Requires>,
    /// Verifications after it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verify: Vec<Label>,
    /// What follows a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
}

upgrade!(HelmReleaseUpgrade);
