//! How a Deployment gets its settings, and who calls it. Values of variables are never kept: only where they come from, and, of
//! addresses, scheme, host and path.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name::{ObjectName, ObjectRef};

/// The section `mlflow` of an inventory: tracking servers that were found, by Deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MlflowSection {
    /// Deployments that run an image of MLflow or have a variable of its server.
    pub servers: Vec<Server>,
    /// Workloads that are told a tracking server, so that they may be logging to one.
    pub loggers: Vec<Logger>,
}

/// A tracking server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Server {
    /// Its Deployment.
    pub deployment: ObjectName,
    /// `spec.strategy.type`.
    pub strategy: String,
    /// The service account of its pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account: Option<String>,
    /// Its containers' settings, by container.
    pub containers: BTreeMap<String, Settings>,
    /// Services that select its pods, as `NAME.NAMESPACE`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<String>,
    /// HorizontalPodAutoscalers that own its number of replicas.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub autoscalers: Vec<String>,
}

/// How a container gets its settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// Variables, by name.
    pub env: BTreeMap<String, VariableFrom>,
    /// Secrets all of whose keys are variables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env_from_secrets: Vec<String>,
    /// ConfigMaps all of whose keys are variables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env_from_config_maps: Vec<String>,
    /// Options of its command line by name; of an address scheme, host and path are kept, and nothing of any other value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
}

/// Where a variable's value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum VariableFrom {
    /// A key of a Secret.
    Secret {
        /// The Secret's name.
        name: String,
        /// The key.
        key: String,
    },
    /// A key of a ConfigMap.
    ConfigMap {
        /// The ConfigMap's name.
        name: String,
        /// The key.
        key: String,
    },
    /// It stands in the Deployment itself. Of an address scheme, host and path, else nothing.
    Text(String),
    /// A field of the pod, or something else.
    Other {},
}

/// A workload that is told a tracking server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Logger {
    /// The topmost controller of the pods, or the pod.
    pub workload: ObjectRef,
    /// How many pods.
    pub pods: u64,
    /// The server that it is told, without credentials; empty when that comes from a Secret or ConfigMap.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub server: String,
}
