//! The kind `MlflowUpgrade`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use switchback_schemas::{
    Version,
    manifest::{OnFailure, Requires},
    name::{Label, ObjectName},
    seconds::Length,
};

use crate::manifest::upgrade;

/// Moves an MLflow tracking server with its database: scale to 0, snapshot, migration, image, scale up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MlflowUpgrade {
    /// The cluster.
    pub target: Label,
    /// The database that it keeps its runs in.
    pub database: Label,
    /// The server's Deployment.
    pub deployment: ObjectName,
    /// The server's container.
    pub container: String,
    /// The version to reach.
    pub to: Version,
    /// The image to reach, with a tag or a digest.
    pub image: String,
    /// The variable of the container that holds the database's address, from a Secret. `MLFLOW_BACKEND_STORE_URI` when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri_variable: Option<String>,
    /// Where the server is asked for its version and for an experiment after the upgrade, such as
    /// `http://mlflow.mlops.svc:5000`.
    pub url: String,
    /// How long the migration may take; 30 minutes when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migrate_within: Option<Length>,
    /// Whether a trial instance is restored from the snapshot before anything is migrated.
    #[serde(default)]
    pub snapshot: SnapshotProof,
    /// Who accepts that nothing can be logged meanwhile: calls of running workloads fail, and theirs may end by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outage: Option<AcceptedOutage>,
    /// Other databases on the instance, which a restore would rewind too, each with who accepts that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_databases: Vec<OtherDatabase>,
    /// How long the snapshot and an instance that was put aside are kept; 14 days when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<Length>,
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

/// How a snapshot is shown to be good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SnapshotProof {
    /// A trial instance is restored from it, and deleted.
    #[default]
    Restore,
    /// It is available, and that is all that is known.
    Available,
}

/// Somebody accepts the outage of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AcceptedOutage {
    /// Who, and why.
    pub because: String,
}

/// Another database on the same instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OtherDatabase {
    /// Its name.
    pub name: String,
    /// Who accepts that it is rewound with MLflow's, and why.
    pub because: String,
}

upgrade!(MlflowUpgrade);
