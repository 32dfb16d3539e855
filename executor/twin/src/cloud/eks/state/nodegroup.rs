//! Managed node groups and their instances.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ErrorDetail;
use super::status::NodegroupStatus;

/// A managed node group.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Nodegroup {
    /// The minor of its kubelets; the cluster's where it is left out.
    pub version: String,
    /// Its AMI release, such as `1.32.9-20261112`; the newest of the minor where it is left out.
    pub release: String,
    /// Such as `AL2023_x86_64_STANDARD`, which it is where it is left out.
    pub ami_type: String,
    /// `ON_DEMAND` where it is left out.
    pub capacity_type: String,
    /// Its instance types; the first one is what comes.
    pub instance_types: Vec<String>,
    /// How many nodes.
    pub scaling: Scaling,
    /// Labels of its nodes.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Taints of its nodes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub taints: Vec<Taint>,
    /// Ids of its subnets; the cluster's where there are none.
    pub subnets: Vec<String>,
    /// Role of its nodes.
    pub role: String,
    /// GiB of its disks.
    pub disk: i64,
    /// How an update goes.
    pub update: UpdateConfig,
    /// Its launch template.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub launch_template: Option<Template>,
    /// What a node holds; worked out from the instance type where it is left out.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub capacity: Value,
    /// Tags.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Its status; `ACTIVE` where it is left out.
    pub status: NodegroupStatus,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub issues: Vec<ErrorDetail>,
    /// Of a running world: when it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// Of a running world: when it was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modified: Option<Timestamp>,
    /// Of a running world: its instances by id.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub instances: BTreeMap<String, Instance>,
    /// Of a running world: the version update that is under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roll: Option<Roll>,
}

/// How many nodes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scaling {
    /// No fewer than these.
    pub min: i64,
    /// These many now.
    pub desired: i64,
    /// No more than these.
    pub max: i64,
}

/// A taint in the spelling of the API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Taint {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: String,
    /// `NO_SCHEDULE`, `NO_EXECUTE`, `PREFER_NO_SCHEDULE`.
    pub effect: String,
}

impl Taint {
    /// The effect as Kubernetes writes it.
    pub fn kubernetes(&self) -> &'static str {
        match self.effect.as_str() {
            "NO_EXECUTE" => "NoExecute",
            "PREFER_NO_SCHEDULE" => "PreferNoSchedule",
            _ => "NoSchedule",
        }
    }
}

/// How an update goes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct UpdateConfig {
    /// Nodes that may be away at once; one where neither is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_unavailable: Option<i64>,
    /// The same in hundredths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_unavailable_percentage: Option<i64>,
    /// `MINIMAL`, or `DEFAULT` where it is left out.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub strategy: String,
}

/// A launch template.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Template {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its id.
    pub id: String,
}

/// An instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Instance {
    /// Its node.
    pub node: String,
    /// Its subnet.
    pub subnet: String,
    /// Its AMI release.
    pub release: String,
    /// When it was launched.
    pub launched: Timestamp,
    /// How far it is.
    pub state: InstanceState,
    /// How it is being drained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain: Option<Drain>,
    /// When it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<Timestamp>,
}

/// How far an instance is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InstanceState {
    /// It boots.
    Pending,
    /// It is there.
    InService,
    /// It goes.
    Terminating,
}

/// A drain of an instance by EKS.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Drain {
    /// Since when.
    pub since: Timestamp,
    /// When it was found empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub empty: Option<Timestamp>,
}

/// A version update of a node group that is under way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Roll {
    /// Its update.
    pub update: String,
    /// The minor to reach.
    pub version: String,
    /// The AMI release to reach.
    pub release: String,
    /// The launch template to reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch_template: Option<Template>,
    /// Instances that were there when it began, in the order in which they go.
    pub old: Vec<String>,
}
