//! The lock: what the target versions are, as `switchback resolve` read them.
//!
//! The planner has no network, so what it needs to know of charts stands here, each with where and when it was read.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Digest, Version,
    format::{self, Document, Format, ReadError},
    inventory::Plain,
    manifest::ChartSource,
    name::{Label, ObjectName},
    plan::{AwsResource, Chart},
};

/// What the targets are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lock {
    /// `switchback.lock/1.0`.
    pub format: Format,
    /// When resolving began.
    pub resolved_at: Timestamp,
    /// The observation against which charts were rendered.
    pub observation: Label,
    /// Digest of the manifests that asked.
    pub manifests: Digest,
    /// Charts, rendered for one release each; sorted by release and version.
    pub renders: Vec<Render>,
    /// Versions of EKS add-ons; sorted by target, add-on and minor.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addons: Vec<AddonVersions>,
}

/// What manifests ask to resolve: the planner writes it, the executor answers it with a lock. It holds no values but
/// those that change, so the release's own stay on the platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Asks {
    /// Digest of the manifests that ask.
    pub manifests: Digest,
    /// The observation that the lock is for.
    pub observation: Label,
    /// Charts, one for each release and version on the path.
    pub charts: Vec<Ask>,
    /// Add-ons of EKS, one for each add-on and minor on the path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addons: Vec<AskAddon>,
    /// What the targets of those add-ons are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub aws: BTreeMap<Label, AwsResource>,
    /// What of rendered objects the lock holds as it is.
    #[serde(default)]
    pub plain: Plain,
}

/// Versions of an add-on to look up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AskAddon {
    /// The cluster.
    pub target: Label,
    /// The add-on.
    pub addon: String,
    /// The minor.
    pub kubernetes: Version,
}

/// Versions of an add-on that work with a minor, as `DescribeAddonVersions` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AddonVersions {
    /// The cluster.
    pub target: Label,
    /// The add-on.
    pub addon: String,
    /// The minor.
    pub kubernetes: Version,
    /// The version that EKS takes when none is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// All that work, the newest first.
    pub versions: Vec<String>,
}

/// One chart to render.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ask {
    /// The release.
    pub release: ObjectName,
    /// The chart's name.
    pub chart: String,
    /// Where charts come from.
    pub source: ChartSource,
    /// The chart's version.
    pub version: Version,
    /// Values that change, as nested fields.
    pub set: Value,
    /// Directories of the chart that hold CRDs beside `crds/`, which neither its templates nor Helm apply: `files/crds/full`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub crd_directories: Vec<String>,
}

/// A chart, rendered for a release against the observed capabilities.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Render {
    /// The release.
    pub release: ObjectName,
    /// The chart.
    pub chart: Chart,
    /// The application's version, as the chart says.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub app_version: String,
    /// Values that change, as nested fields; `HelmUpgrade::set`.
    pub set: Value,
    /// Digest of all values given, after `set` was merged over the release's own, as compact sorted JSON.
    pub values: Digest,
    /// The objects, sorted by kind, namespace and name. Secrets, and what no component asks for of ConfigMaps and variables, are salted
    /// digests, and so are schemas of CRDs.
    pub objects: Vec<Value>,
    /// What its hooks run. A render cannot show what they do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<Hook>,
    /// Templates that call `lookup`: what it finds on the cluster, a render cannot show.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lookups: Vec<String>,
    /// CRDs of the chart's `crds/` directory, which Helm installs once and never upgrades or removes, and of the directories that were
    /// asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub crds: Vec<Value>,
    /// Images that its pods use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<String>,
    /// Two renders differed: it uses randomness, the clock or a lookup, and never counts as drift.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unstable: bool,
}

/// A hook of a chart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Hook {
    /// When it runs: `pre-upgrade`, `post-rollback`, ….
    pub events: Vec<String>,
    /// What it creates.
    pub object: Value,
}

impl Lock {
    /// Reads a lock's bytes.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ReadError> {
        format::read(bytes, Document::Lock, &[])
    }

    /// The bytes of the file.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Versions of an add-on for a minor.
    pub fn addon(&self, target: &Label, addon: &str, kubernetes: &Version) -> Option<&AddonVersions> {
        let same =
            |of: &&AddonVersions| of.target == *target && of.addon == addon && of.kubernetes == *kubernetes;
        self.addons.iter().find(same)
    }

    /// The render of a release in a version.
    pub fn render(&self, release: &ObjectName, version: &Version) -> Option<&Render> {
        self.renders.iter().find(|render| render.release == *release && render.chart.version == *version)
    }
}
