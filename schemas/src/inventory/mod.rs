//! The inventory: what is there, when it was read, and what could not be read.

mod api_use;
pub mod argo_workflows;
pub mod eks;
pub mod gpu_operator;
pub mod karpenter;
pub mod kserve;
mod kubernetes;
pub mod nvsentinel;
mod placement;
pub mod rds;
pub mod rocm_driver;
pub mod servers;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

pub use api_use::{ApiUse, RequestedApi, WrittenBy};
pub use kubernetes::{
    Budget, ClaimRef, Cluster, Container, Conversion, Crd, CustomObject, Node, OwnerEvidence, Ownership, Pod,
    Release, Revision, Webhook, Workload,
};
pub use placement::{NodeOperator, NodeRequirement, NodeTemplate, PodNeeds, Taint, Toleration, VolumePlace};

use crate::{
    ComponentName,
    format::{self, Document, Format, ReadError},
    name::Label,
};

/// What was observed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Inventory {
    /// `switchback.inventory/2.0`.
    pub format: Format,
    /// Names this observation; a plan is run once per observation.
    pub observation: Label,
    /// When reading began.
    pub taken_at: Timestamp,
    /// The cluster.
    pub cluster: Cluster,
    /// Nodes, by name.
    pub nodes: Vec<Node>,
    /// Pods that stand on nodes, by namespace and name; finished ones are left out.
    pub pods: Vec<Pod>,
    /// Deployments, StatefulSets, DaemonSets, Jobs and other controllers of pods, by kind, namespace and name.
    pub workloads: Vec<Workload>,
    /// PodDisruptionBudgets.
    pub budgets: Vec<Budget>,
    /// Helm releases, from their Secrets.
    pub releases: Vec<Release>,
    /// CustomResourceDefinitions.
    pub crds: Vec<Crd>,
    /// Admission webhooks.
    pub webhooks: Vec<Webhook>,
    /// Who seems to own what, with evidence.
    pub owners: Vec<Ownership>,
    /// Who uses APIs that are removed.
    #[serde(default)]
    pub api_use: ApiUse,
    /// What single components need to know, by component.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub components: BTreeMap<ComponentName, Value>,
    /// What could not be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<Unread>,
    /// What a run carries over, for a plan that continues it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carry_over: Option<crate::report::CarryOver>,
}

/// Something that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Unread {
    /// What.
    pub what: Subject,
    /// Why.
    pub why: String,
}

/// What an observation is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Subject {
    /// All objects of a kind.
    Objects {
        /// Group and version of its API.
        api_version: String,
        /// The kind.
        kind: String,
    },
    /// Capacity that is reserved at the cloud provider.
    Reservations {},
    /// Something that nobody decides by, in words.
    Other(String),
}

impl Subject {
    /// Whether objects of the kind of an object are among it.
    pub fn covers(&self, object: &crate::name::ObjectRef) -> bool {
        match self {
            Self::Objects { api_version, kind } => {
                *kind == object.kind && crate::name::group(api_version) == object.group()
            }
            Self::Reservations {} | Self::Other(_) => false,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Objects { api_version, kind } => write!(f, "{kind} ({api_version})"),
            Self::Reservations {} => f.write_str("capacity reservations"),
            Self::Other(what) => f.write_str(what),
        }
    }
}

impl From<String> for Subject {
    fn from(what: String) -> Self {
        Self::Other(what)
    }
}

/// What an observer is asked to look at beyond the cluster: the planner writes it from the Platform, the executor reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wanted {
    /// What targets are at AWS.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub aws: BTreeMap<Label, crate::plan::AwsResource>,
    /// What of the objects of releases is kept as it is.
    #[serde(default)]
    pub plain: Plain,
}

/// What of the objects of releases and charts an inventory and a lock hold as it is; every other entry of a ConfigMap and every other
/// variable is a digest there. Components list what they need.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Plain {
    /// Keys of ConfigMaps, by what the ConfigMap's name ends with.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub config: BTreeMap<String, BTreeSet<String>>,
    /// Names of environment variables.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub variables: BTreeSet<String>,
}

impl Plain {
    /// Adds what another component lists.
    pub fn extend(&mut self, other: Self) {
        for (name, keys) in other.config {
            self.config.entry(name).or_default().extend(keys);
        }
        self.variables.extend(other.variables);
    }
}

/// A component's section has another shape.
#[derive(Debug, thiserror::Error)]
#[error("the inventory's section {component} cannot be read: {source}")]
pub struct BadSection {
    /// The component.
    pub component: ComponentName,
    /// What is wrong.
    pub source: serde_json::Error,
}

impl Inventory {
    /// Reads an inventory's bytes.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ReadError> {
        format::read(bytes, Document::Inventory, &[])
    }

    /// The bytes of the file.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// A component's section.
    pub fn section<T: DeserializeOwned>(&self, component: &ComponentName) -> Result<Option<T>, BadSection> {
        let Some(value) = self.components.get(component) else { return Ok(None) };
        let shape = |source| BadSection { component: component.clone(), source };
        serde_json::from_value(value.clone()).map(Some).map_err(shape)
    }
}
