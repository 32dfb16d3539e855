//! What the EKS component needs to know.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Version,
    name::Label,
    plan::{Arn, InsightCategory},
};

/// The section `eks` of an inventory: clusters by target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct EksSection(pub BTreeMap<Label, EksCluster>);

/// An EKS cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EksCluster {
    /// Its name, with account and region.
    pub arn: Arn,
    /// The minor of its control plane.
    pub version: Version,
    /// Its platform version, such as `eks.12`.
    pub platform_version: String,
    /// `ACTIVE`, `UPDATING`, ….
    pub status: String,
    /// Where its API server answers.
    pub endpoint: String,
    /// `STANDARD` or `EXTENDED`: what happens at the end of standard support.
    pub support_policy: String,
    /// Whether EKS Auto Mode manages its nodes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub auto_mode: bool,
    /// How many Fargate profiles it has.
    #[serde(default)]
    pub fargate_profiles: u64,
    /// Managed node groups, by name.
    pub nodegroups: Vec<Nodegroup>,
    /// Add-ons, by name.
    pub addons: Vec<Addon>,
    /// Insights, by category and name.
    pub insights: Vec<Insight>,
    /// Subnets of the control plane, by id.
    pub subnets: Vec<Subnet>,
    /// Updates that are under way, ours or not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub in_progress: Vec<Update>,
    /// When the control plane came to its minor by an upgrade in place; absent when it was made at it or nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgraded_at: Option<Timestamp>,
    /// Minors that EKS offers, with their dates.
    pub calendar: Vec<Support>,
    /// Reservations of capacity that have free instances, by instance type.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reserved: BTreeMap<String, u64>,
}

/// A managed node group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Nodegroup {
    /// Its name.
    pub name: String,
    /// The minor of its kubelets.
    pub version: Version,
    /// Its AMI release, such as `1.32.9-20261023`.
    pub release: String,
    /// Its AMI type, such as `AL2023_x86_64_NVIDIA`; `CUSTOM` with a launch template of its own.
    pub ami_type: String,
    /// `ON_DEMAND`, `SPOT`, `CAPACITY_BLOCK`.
    pub capacity_type: String,
    /// `ACTIVE`, `UPDATING`, `DEGRADED`, ….
    pub status: String,
    /// Its instance types.
    pub instance_types: Vec<String>,
    /// No fewer nodes than these.
    pub min: u64,
    /// These many now.
    pub desired: u64,
    /// No more than these.
    pub max: u64,
    /// How many may be unavailable at once in an update: a number of nodes, or hundredths.
    pub max_unavailable: crate::plan::Count,
    /// `DEFAULT` or `MINIMAL`.
    pub update_strategy: String,
    /// Labels that its nodes get.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Whether it has a launch template.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub launch_template: bool,
    /// What EKS says is wrong with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub issues: Vec<String>,
}

/// An add-on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Addon {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// `ACTIVE`, `DEGRADED`, ….
    pub status: String,
    /// What EKS says is wrong with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub issues: Vec<String>,
}

/// A finding that EKS keeps about a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Insight {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it is about.
    pub category: InsightCategory,
    /// The minor that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<Version>,
    /// What it says.
    pub status: InsightStatus,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// When it was looked at last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refreshed: Option<Timestamp>,
    /// Calls to APIs that are removed, by client.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deprecated: Vec<DeprecatedUse>,
}

/// What an insight says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum InsightStatus {
    /// Nothing stands against it.
    Passing,
    /// Something will, later.
    Warning,
    /// Something does.
    Error,
    /// EKS does not know.
    Unknown,
}

/// Calls to an API that is removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeprecatedUse {
    /// The API, such as `/apis/flowcontrol.apiserver.k8s.io/v1beta3/flowschemas`.
    pub usage: String,
    /// What takes its place.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub replacement: String,
    /// Who called.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub client: String,
    /// When it called last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
}

/// A subnet of the control plane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Subnet {
    /// Its id.
    pub id: String,
    /// Its zone.
    pub zone: String,
    /// Addresses that are free.
    pub free: u64,
}

/// An update that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Update {
    /// Its id.
    pub id: String,
    /// `VersionUpdate`, `AddonUpdate`, ….
    pub kind: String,
    /// What it is of: the cluster, a node group or an add-on.
    pub of: String,
    /// When it began.
    pub began: Timestamp,
}

/// Until when EKS supports a minor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Support {
    /// The minor.
    pub version: Version,
    /// Last day of standard support.
    pub standard_until: Date,
    /// Last day of extended support.
    pub extended_until: Date,
}
