//! EKS: the calendar of versions, add-on versions, clusters.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

mod nodegroup;
mod status;

pub use nodegroup::{
    Drain, Instance, InstanceState, Nodegroup, Roll, Scaling, Taint, Template, UpdateConfig,
};
pub(crate) use status::ClusterStatus;
pub use status::{
    AddonStatus, InsightCategory, InsightStatus, NodegroupStatus, SupportType, UpdateStatus, UpdateType,
};

/// EKS.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Eks {
    /// Minors that EKS offers or has offered, such as `1.33`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub versions: BTreeMap<String, Minor>,
    /// Add-ons: versions, newest first.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub addons: BTreeMap<String, Vec<AddonVersion>>,
    /// Clusters by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub clusters: BTreeMap<String, Cluster>,
    /// Whether insights with errors refuse an upgrade too (they always refuse a rollback).
    pub enforce_insights: bool,
    /// Whether `UpdateNodegroupVersion` takes a lower version: AWS's own texts disagree.
    pub nodegroup_rollback: bool,
}

/// A minor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Minor {
    /// Its patch version, such as `1.33.5`.
    pub patch: String,
    /// Its platform version, such as `eks.20`.
    pub platform: String,
    /// Date of its AMI release, `YYYYMMDD`.
    pub ami: String,
    /// The day of its release.
    pub released: Date,
    /// Last day of standard support.
    pub standard_until: Date,
    /// Last day of extended support.
    pub extended_until: Date,
    /// Whether new clusters get it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub default: bool,
    /// Drivers that NVIDIA images hold, by release: `1.33.5-20261112: 580.105.08`. Nodes of others do not say which they have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub drivers: BTreeMap<String, String>,
}

/// A version of an add-on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct AddonVersion {
    /// Such as `v1.20.1-eksbuild.3`.
    pub version: String,
    /// Minors that it runs on.
    pub minors: Vec<String>,
    /// Minors whose default it is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub default_for: Vec<String>,
}

/// A cluster.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Cluster {
    /// Whose it is; the cloud's account where it is left out.
    pub account: String,
    /// Where it is; the cloud's region where it is left out.
    pub region: String,
    /// Its minor.
    pub version: String,
    /// Its platform version; that of the minor where it is left out.
    pub platform: String,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// Its upgrade policy; `EXTENDED` where it is left out.
    pub support: SupportType,
    /// Ids of its subnets.
    pub subnets: Vec<String>,
    /// Its VPC.
    pub vpc: String,
    /// Whether EKS Auto Mode manages its nodes.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub auto_mode: bool,
    /// Names of its Fargate profiles.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fargate_profiles: Vec<String>,
    /// Who may use its API server: ARNs of users and roles. Everybody of its account where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub access: Vec<String>,
    /// Tags.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Managed node groups by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub nodegroups: BTreeMap<String, Nodegroup>,
    /// Add-ons by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub addons: BTreeMap<String, Addon>,
    /// Calls to APIs that go away, which EKS finds in its audit log.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deprecated_use: Vec<DeprecatedUse>,
    /// Insights that stay as they are written; others are worked out at every refresh.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub insights: Vec<Insight>,
    /// The last upgrade in place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upgraded: Option<Upgrade>,
    /// Of a running world: what the last refresh found.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub found: Vec<Insight>,
    /// Of a running world: the last refresh that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh: Option<Refresh>,
    /// Of a running world: updates in the order in which they came.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub updates: Vec<Update>,
    /// Of a running world: node groups that went, with the token that made them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tokens: BTreeMap<String, String>,
}

/// An add-on of a cluster.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Addon {
    /// Its version.
    pub version: String,
    /// Its status; `ACTIVE` where it is left out.
    pub status: AddonStatus,
    /// The workload that it installs, such as `daemonsets/aws-node` in `kube-system`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub workload: String,
    /// Repository of the image of its first container; its version is the tag.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub image: String,
    /// Fields that somebody else set: `NONE` fails on them, `OVERWRITE` resets them, `PRESERVE` keeps them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<String>,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub issues: Vec<ErrorDetail>,
    /// Role of its service account.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub role: String,
    /// Configuration values.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub configuration: String,
    /// Of a running world: when it was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modified: Option<Timestamp>,
}

/// Calls to an API that goes away. They count for thirty days.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct DeprecatedUse {
    /// Such as `/apis/flowcontrol.apiserver.k8s.io/v1beta3/flowschemas`.
    pub usage: String,
    /// What takes its place.
    pub replaced_with: String,
    /// The minor that no longer serves it.
    pub stop_serving: String,
    /// Who calls.
    pub client: String,
    /// Calls in the last thirty days.
    #[serde(default)]
    pub requests: i64,
    /// The last call.
    pub last: Timestamp,
}

/// An insight.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Insight {
    /// Its id; worked out from its name where it is left out.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it is about; `UPGRADE_READINESS` where it is left out.
    pub category: InsightCategory,
    /// The minor that it is about.
    pub minor: String,
    /// What it found; `PASSING` where it is left out.
    pub status: InsightStatus,
    /// Why.
    pub reason: String,
    /// What it is about, in a sentence.
    pub description: String,
    /// What to do.
    pub recommendation: String,
    /// Objects it is about: URI and status.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<(String, InsightStatus)>,
    /// Calls to APIs that go away.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deprecated: Vec<DeprecatedUse>,
    /// Of a running world: when it was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refreshed: Option<Timestamp>,
    /// Of a running world: since when it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

/// An upgrade in place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Upgrade {
    /// The minor before it.
    pub from: String,
    /// When it ended.
    pub at: Timestamp,
}

/// A refresh of insights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Refresh {
    /// When it was asked for.
    pub started: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
}

/// An update of a cluster, a node group or an add-on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Update {
    /// Its id.
    pub id: String,
    /// What moves.
    #[serde(rename = "type")]
    pub kind: UpdateType,
    /// How far it is.
    pub status: UpdateStatus,
    /// When it was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// What was asked.
    pub params: Vec<UpdateParam>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ErrorDetail>,
    /// The node group that it is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nodegroup: Option<String>,
    /// The add-on that it is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub addon: Option<String>,
    /// Its `clientRequestToken`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// How it will end, where somebody decided that already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doom: Option<ErrorDetail>,
    /// Whether somebody asked to cancel it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cancelled: bool,
    /// Whether nodes that do not empty are terminated.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
}

impl Update {
    /// Whether it is under way.
    pub fn running(&self) -> bool {
        self.status == UpdateStatus::InProgress
    }

    /// What was asked under a name.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|p| p.kind == name).map(|p| p.value.as_str())
    }
}

/// What an update was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateParam {
    /// Such as `Version`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its value.
    pub value: String,
}

/// Why something failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ErrorDetail {
    /// Such as `PodEvictionFailure`.
    pub code: String,
    /// What happened.
    pub message: String,
    /// To what.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
}
