//! The kind `KserveUpgrade`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use switchback_schemas::{
    Version,
    manifest::{AcceptedDeletion, ChartSource, InferenceProtocol, OnFailure, Requires},
    name::{Label, ObjectName},
};

use crate::manifest::upgrade;

/// Moves KServe: its CRDs, its runtimes and its controllers, and the words of deployment modes where they changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KserveUpgrade {
    /// The cluster.
    pub target: Label,
    /// The version to reach.
    pub to: Version,
    /// The release of the controller: chart `kserve` below 0.17, `kserve-resources` from there on.
    pub release: ObjectName,
    /// The release of the CRDs: chart `kserve-crd` or `kserve-crd-minimal`.
    pub crd_release: ObjectName,
    /// Releases of KServe's other charts: those of LocalModels, of LLMInferenceServices and of the runtimes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more_releases: Vec<ObjectName>,
    /// Releases that are installed in the hop over the split of the charts at 0.17, with the chart of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub new_releases: Vec<NewRelease>,
    /// Where the charts come from.
    pub charts: ChartSource,
    /// Values of the controller's release that change with the upgrade, by dotted path; all other values stay as they are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, Value>,
    /// Objects of custom kinds that the upgrade may delete.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deletes: Vec<AcceptedDeletion>,
    /// Models that are asked after the upgrade whether they serve. The first is the canary: it is asked as soon as the new controller acts,
    /// before the others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<ServedModel>,
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

/// A release that comes with the split of the charts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewRelease {
    /// The release.
    pub release: ObjectName,
    /// Its chart, such as `kserve-localmodel-crd` or `kserve-runtime-configs`.
    pub chart: String,
    /// Values that it is given, by dotted path. What its chart needs to hold what moves to it is given without being named.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, Value>,
}

/// A model that is asked whether it serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServedModel {
    /// Where its server is asked, such as `http://iris-predictor.ml.svc`.
    pub url: String,
    /// Its name on that server.
    pub name: String,
    /// How it is asked.
    pub protocol: InferenceProtocol,
    /// A request that it has to answer, as of the check `inference` of a Verification; without one it is asked whether it is loaded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub input: Vec<Value>,
}

upgrade!(KserveUpgrade);
