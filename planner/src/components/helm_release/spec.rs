//! The kind `HelmReleaseUpgrade`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use switchback_schemas::{
    Version,
    manifest::{AcceptedDeletion, ChartSource, OnFailure, Requires},
    name::{Label, ObjectName, ObjectRef},
    seconds::Length,
};

use crate::manifest::upgrade;

/// Moves a Helm release to another version of its chart, or installs it.
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
    /// The name of the chart that the release has now, where `chart` is another one: a chart that was renamed, or split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former_chart: Option<String>,
    /// Whether it is installed where it is not there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub install: bool,
    /// Other releases whose objects it takes over, as they are, where its chart holds them. They are moved in the same plan to a chart that
    /// no longer does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adopts: Vec<ObjectName>,
    /// Whether it takes over CRDs of its chart that are there and that no release holds, as Helm leaves those of a `crds/` directory.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adopt_loose: bool,
    /// Other releases whose objects it takes over, as they are, and that helm no longer knows afterwards. They are not uninstalled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaces: Vec<Replaced>,
    /// Where the chart comes from.
    pub charts: ChartSource,
    /// Chart versions on the way, rising.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub through: Vec<Version>,
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

/// A release that another one replaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Replaced {
    /// The release.
    pub release: ObjectName,
    /// Objects of it that no release holds afterwards.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stays: Vec<ObjectRef>,
}

upgrade!(HelmReleaseUpgrade);
