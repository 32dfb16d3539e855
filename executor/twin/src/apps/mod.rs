//! Applications in the cluster that the twin plays: Karpenter, the GPU Operators, Argo Workflows and KServe, which act by themselves,
//! and those that the section `apps:` of a world file names.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::world::World;

pub(crate) mod argo_workflows;
pub(crate) mod gpu_operator;
pub(crate) mod gpus;
pub(crate) mod karpenter;
pub(crate) mod kserve;
pub(crate) mod mlflow;
pub(crate) mod rocm_driver;

/// A Deployment that is more than pods that become ready.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct App {
    /// What it is.
    pub kind: AppKind,
    /// Namespace of its Deployment.
    pub namespace: String,
    /// Its Deployment.
    pub deployment: String,
    /// The variable that holds the address of its database; `MLFLOW_BACKEND_STORE_URI` where it is left out.
    #[serde(default = "variable")]
    pub uri_variable: String,
    /// Seconds that a migration of its database takes; 45 where it is left out.
    #[serde(default = "migrate_seconds")]
    pub migrate_seconds: i64,
    /// Releases of images whose tag does not say so.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub images: BTreeMap<String, String>,
    /// The RDS instance that it uses, where its address does not say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// The database that it uses, where its address does not say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
}

fn variable() -> String {
    "MLFLOW_BACKEND_STORE_URI".into()
}

fn migrate_seconds() -> i64 {
    45
}

/// What an application is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AppKind {
    /// An MLflow tracking server.
    Mlflow,
}

impl World {
    /// Applications that are more than pods that become ready.
    pub fn apps(&self) -> &[App] {
        self.part::<Vec<App>>().map(Vec::as_slice).unwrap_or_default()
    }

    pub(crate) fn set_apps(&mut self, apps: Vec<App>) {
        *self.part_mut() = apps;
    }
}
