//! What a Kubernetes API server tells.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{PodNeeds, Taint};
use crate::{
    Digest, Version,
    name::{ObjectName, ObjectRef},
    plan::Objection,
};

/// The cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cluster {
    /// Version of the API server.
    pub version: Version,
    /// UID of the namespace `kube-system`: the cluster's identity.
    pub kube_system_uid: String,
    /// Group and version pairs that are served, such as `apps/v1`, sorted.
    pub apis: Vec<String>,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Its provider id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Version of its kubelet; absent when it does not report a version number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubelet: Option<Version>,
    /// Whether it is Ready.
    pub ready: bool,
    /// Whether pods may be placed on it.
    pub schedulable: bool,
    /// GPUs that it offers, by resource name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub gpus: BTreeMap<String, u64>,
    /// Its NodeClaim, if Karpenter made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_claim: Option<ClaimRef>,
    /// What somebody said against its moving.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub objections: BTreeSet<Objection>,
    /// Its taints, without those of its condition or a controller's passing work.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taints: Vec<Taint>,
    /// What it has: `cpu` in thousandths, all else in its own unit.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub capacity: BTreeMap<String, u64>,
}

/// A NodeClaim and whether it has drifted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClaimRef {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Whether it has the condition Drifted.
    pub drifted: bool,
}

/// A pod that stands on a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pod {
    /// Its name.
    pub name: ObjectName,
    /// Its node.
    pub node: String,
    /// Its labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Its controllers, nearest first: `ReplicaSet web-1`, `Deployment web`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<ObjectRef>,
    /// UID of the workload that it belongs to: its topmost known owner, or the pod itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub workload: String,
    /// Why owners above the last could not be read: whose the pod is, is unknown then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_unread: Option<String>,
    /// When it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// What stands against its moving.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub objections: BTreeSet<Objection>,
    /// What it needs of its node. Left out for pods that stay on theirs, as those of DaemonSets do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<PodNeeds>,
    /// Whether it holds a GPU.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gpu: bool,
}

/// A controller of pods.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Workload {
    /// What it is.
    pub object: ObjectRef,
    /// Replicas that it wants; for a Job its parallelism.
    pub replicas: u64,
    /// Replicas that are ready; for a Job its active pods.
    pub ready: u64,
    /// Whether its rollout is paused: nothing that is changed reaches its pods.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
    /// Evictions of its pods that a Job survives; absent where they do not count, and for all that is no Job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub survives: Option<u64>,
    /// Its labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Its containers, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<Container>,
}

/// A container and its image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// Its image, as written in the pod template.
    pub image: String,
}

/// A PodDisruptionBudget.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Budget {
    /// Its name.
    pub name: ObjectName,
    /// Names of the pods that it covers, in its namespace.
    pub pods: Vec<String>,
    /// Evictions that it allows now.
    pub allowed: u64,
    /// Pods that it expects.
    pub expected: u64,
    /// Pods that must stay healthy.
    pub desired_healthy: u64,
}

/// A Helm release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Release {
    /// Its name.
    pub name: ObjectName,
    /// Its chart.
    pub chart: String,
    /// The chart's version.
    pub chart_version: Version,
    /// The application's version, as the chart says.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub app_version: String,
    /// Names of the values that were given by a person, as nested fields; what was given stays on the platform.
    pub values: Value,
    /// Digest of the values as they are, as compact sorted JSON.
    pub values_digest: Digest,
    /// Its objects as the last deployed revision rendered them. Secrets, and what no component asks for of ConfigMaps and variables, are
    /// salted digests, and so are schemas of CRDs.
    pub objects: Vec<Value>,
    /// Those of them that are of custom kinds and are there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub custom: Vec<CustomObject>,
    /// Its revisions, rising.
    pub revisions: Vec<Revision>,
}

impl Release {
    /// The last revision that is deployed.
    pub fn deployed(&self) -> Option<&Revision> {
        self.revisions.iter().rev().find(|revision| revision.status == "deployed")
    }

    /// The last revision, whatever its status.
    pub fn last(&self) -> Option<&Revision> {
        self.revisions.last()
    }
}

/// An object of a custom kind that a release holds, as it is on the platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CustomObject {
    /// The object.
    pub object: ObjectRef,
    /// Whether Helm leaves it when an upgrade or a rollback drops it: the live object carries `helm.sh/resource-policy: keep`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep: bool,
    /// Objects of custom kinds that name it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub used_by: Vec<ObjectRef>,
}

/// A revision of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Revision {
    /// Its number.
    pub number: u64,
    /// `deployed`, `superseded`, `failed`, `pending-upgrade`, …
    pub status: String,
    /// The chart's version.
    pub chart_version: Version,
    /// CRDs that its manifest holds (not those of `crds/`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub crds: Vec<String>,
}

/// A CustomResourceDefinition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Crd {
    /// Its name, `plural.group`.
    pub name: String,
    /// The kind that it defines.
    pub kind: String,
    /// Whether its objects live in namespaces.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub namespaced: bool,
    /// Its UID.
    pub uid: String,
    /// Versions that are served.
    pub served: Vec<String>,
    /// The version in which objects are stored from now on.
    pub storage: String,
    /// Versions in which objects may be stored.
    pub stored: Vec<String>,
    /// How versions are converted.
    pub conversion: Conversion,
    /// How many objects of it there are; absent when that could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objects: Option<u64>,
    /// The release that owns it, by Helm's annotations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<ObjectName>,
    /// Whether Helm leaves it when an upgrade or a rollback drops it: the live object carries `helm.sh/resource-policy: keep`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep: bool,
}

impl Crd {
    /// Group and version in which its objects are stored from now on.
    pub fn api_version(&self) -> String {
        format!("{}/{}", self.group(), self.storage)
    }

    /// The group of its kind.
    pub fn group(&self) -> &str {
        self.name.split_once('.').map_or("", |(_, group)| group)
    }
}

/// How a CRD converts between its versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Conversion {
    /// Only the API version changes.
    None {},
    /// A webhook does it.
    Webhook {
        /// Its Service; absent for an address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        service: Option<ObjectName>,
        /// Whether the Service has ready endpoints.
        ready: bool,
    },
}

/// An admission webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Webhook {
    /// Its configuration object.
    pub object: ObjectRef,
    /// Its name inside of the configuration.
    pub name: String,
    /// Whether the API server refuses what it cannot ask about.
    pub fail_closed: bool,
    /// Its Service; absent for an address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ObjectName>,
    /// Nodes on which ready pods of the Service stand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<String>,
    /// Those pods, in the namespace of the Service.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pods: Vec<String>,
}

/// Who seems to own an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ownership {
    /// The object.
    pub object: ObjectRef,
    /// Owners that there is evidence for.
    pub evidence: Vec<OwnerEvidence>,
}

/// One piece of evidence for an owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OwnerEvidence {
    /// The kind of owner: `helm`, `gitops`, `terraform`, `kubectl`, `operator`.
    pub owner: crate::manifest::OwnerKind,
    /// What was seen: a label, an annotation, a field manager.
    pub because: String,
}
