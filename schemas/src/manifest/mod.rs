//! Manifests: what a person writes.
//!
//! Documents look like Kubernetes objects: `apiVersion: switchback.dev/v1alpha1`, a kind, a name, a spec. Their JSON
//! Schemas are generated from their types, and shape errors come from the schemas alone, so that all of them are
//! found at once and each has its place.
//!
//! Here are the kinds that are no upgrade of a component, and what several upgrades say alike. The spec of an upgrade lives
//! in the folder of its component, `planner/src/components/NAME/spec.rs`.

mod component;
mod node_work;
mod platform;
mod shared;
mod verification;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use component::{BadRange, ComponentUpgrade, VersionRange, VersionTarget};
pub use node_work::{Reboot, SmokeTest};
pub use platform::{
    ApprovalPolicy, ClassSpec, ClusterTarget, DatabaseTarget, Defaults, DrainSpec, EksTarget, OwnerKind,
    OwnerRule, PathClass, Platform, PoolSpec, RdsTarget, TargetSpec, WindowSpec,
};
pub use shared::{
    AcceptedDeletion, BatchSize, CanarySpec, ChartSource, MinReady, OnFailure, Requires, Rollout,
};
pub use verification::{Baseline, Check, InferenceProtocol, Verification, Waiver};

use crate::name::Label;

/// The API version of every manifest.
pub const API_VERSION: &str = "switchback.dev/v1alpha1";

/// Name and free notes of a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// Unique among documents of the same kind.
    pub name: Label,
    /// Free notes; nothing reads them.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub annotations: std::collections::BTreeMap<String, String>,
}

/// A document of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Document<S> {
    /// `switchback.dev/v1alpha1`.
    pub api_version: String,
    /// The kind.
    pub kind: String,
    /// Its name.
    pub metadata: Metadata,
    /// What it says.
    pub spec: S,
}

/// The JSON Schema of documents of one kind.
pub fn schema<S: JsonSchema>(kind: &str) -> schemars::Schema {
    let generator = schemars::generate::SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<Document<S>>();
    schema.insert("title".to_owned(), kind.into());
    if let Some(properties) = schema.get_mut("properties").and_then(serde_json::Value::as_object_mut) {
        properties.insert("apiVersion".to_owned(), serde_json::json!({"const": API_VERSION}));
        properties.insert("kind".to_owned(), serde_json::json!({"const": kind}));
    }
    schema
}
