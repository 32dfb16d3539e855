//! Manifests: what a person writes.
//!
//! Documents look like Kubernetes objects: `apiVersion: switchback.dev/v1alpha1`, a kind, a name, a spec. Their JSON
//! Schemas are generated from these types, and shape errors come from the schemas alone, so that all of them are
//! found at once and each has its place.

mod component;
mod eks;
mod mlflow;
mod platform;
mod upgrade;
mod upgrades;
mod verification;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use component::{BadRange, ComponentUpgrade, VersionRange, VersionTarget};
pub use eks::{AcceptedInsight, AddonRule, EksUpgrade, LastNodes, Parity};
pub use mlflow::{AcceptedOutage, MlflowUpgrade, OtherDatabase, SnapshotProof};
pub use platform::{
    ApprovalPolicy, Channel, ClassSpec, ClusterTarget, DatabaseTarget, Defaults, DrainSpec, EksTarget,
    OwnerKind, OwnerRule, PathClass, Platform, PoolSpec, RdsTarget, TargetSpec, WindowSpec,
};
pub use upgrade::Upgrade;
pub use upgrades::{
    BatchSize, CanarySpec, ChartSource, DeploymentUpgrade, Floor, HelmReleaseUpgrade, KarpenterUpgrade,
    NodeMove, OnFailure, Requires, Rollout,
};
pub use verification::{Check, Verification, Waiver};

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

/// Every kind of manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// What the platform is.
    Platform,
    /// Moves Karpenter.
    KarpenterUpgrade,
    /// Moves the image of a Deployment.
    DeploymentUpgrade,
    /// Moves a Helm release.
    HelmReleaseUpgrade,
    /// Moves an EKS cluster.
    EksUpgrade,
    /// Moves an MLflow tracking server.
    MlflowUpgrade,
    /// Moves a component that only the catalog knows.
    ComponentUpgrade,
    /// Something to check.
    Verification,
    /// One finding that somebody accepts.
    Waiver,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 9] = [
        Self::Platform,
        Self::KarpenterUpgrade,
        Self::DeploymentUpgrade,
        Self::HelmReleaseUpgrade,
        Self::EksUpgrade,
        Self::MlflowUpgrade,
        Self::ComponentUpgrade,
        Self::Verification,
        Self::Waiver,
    ];

    /// The kind as it stands in a document.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Platform => "Platform",
            Self::KarpenterUpgrade => "KarpenterUpgrade",
            Self::DeploymentUpgrade => "DeploymentUpgrade",
            Self::HelmReleaseUpgrade => "HelmReleaseUpgrade",
            Self::EksUpgrade => "EksUpgrade",
            Self::MlflowUpgrade => "MlflowUpgrade",
            Self::ComponentUpgrade => "ComponentUpgrade",
            Self::Verification => "Verification",
            Self::Waiver => "Waiver",
        }
    }

    /// Kinds that the design names and this build refuses by name.
    pub const NOT_BUILT: [&'static str; 7] = [
        "KServeUpgrade",
        "ArgoWorkflowsUpgrade",
        "GpuDriverUpgrade",
        "NVSentinelUpgrade",
        "TerraformUpgrade",
        "OpenPaiUpgrade",
        "Fleet",
    ];

    /// The kind's JSON Schema.
    pub fn schema(self) -> schemars::Schema {
        let settings = schemars::generate::SchemaSettings::draft2020_12();
        let generator = settings.into_generator();
        let mut schema = match self {
            Self::Platform => generator.into_root_schema_for::<Document<Platform>>(),
            Self::KarpenterUpgrade => generator.into_root_schema_for::<Document<KarpenterUpgrade>>(),
            Self::DeploymentUpgrade => generator.into_root_schema_for::<Document<DeploymentUpgrade>>(),
            Self::HelmReleaseUpgrade => generator.into_root_schema_for::<Document<HelmReleaseUpgrade>>(),
            Self::EksUpgrade => generator.into_root_schema_for::<Document<EksUpgrade>>(),
            Self::MlflowUpgrade => generator.into_root_schema_for::<Document<MlflowUpgrade>>(),
            Self::ComponentUpgrade => generator.into_root_schema_for::<Document<ComponentUpgrade>>(),
            Self::Verification => generator.into_root_schema_for::<Document<Verification>>(),
            Self::Waiver => generator.into_root_schema_for::<Document<Waiver>>(),
        };
        schema.insert("title".to_owned(), self.as_str().into());
        if let Some(properties) = schema.get_mut("properties").and_then(serde_json::Value::as_object_mut) {
            properties.insert("apiVersion".to_owned(), serde_json::json!({"const": API_VERSION}));
            properties.insert("kind".to_owned(), serde_json::json!({"const": self.as_str()}));
        }
        schema
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_closed_schema() {
        for kind in Kind::ALL {
            let schema = serde_json::to_value(kind.schema()).expect("a schema is JSON");
            assert_eq!(schema["additionalProperties"], false, "{}", kind.as_str());
            assert_eq!(schema["properties"]["kind"]["const"], kind.as_str());
        }
    }
}
