//! How a Deployment gets its settings, and who calls it. Values of variables are never kept: only where they come from, and, of
//! addresses, scheme, host and path.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::name::{ObjectName, ObjectRef};

/// The section `mlflow` of an inventory: tracking servers that were found, by Deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MlflowSection {
    /// Deployments that run an image of MLflow or have a variable of its server.
    pub servers: Vec<Server>,
    /// Workloads that are told a tracking server, so that they may be logging to one.
    pub loggers: Vec<Logger>,
    /// Workloads that are told a database on RDS in plain text. Who is told one by a Secret or a ConfigMap is not seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub databases: Vec<DatabaseUser>,
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
    pub autoscalers: Vec<Autoscaler>,
    /// What a pod of the same make needs.
    #[serde(default)]
    pub pods: PodMake,
}

/// A HorizontalPodAutoscaler.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Autoscaler {
    /// Its name.
    pub name: String,
    /// `spec.minReplicas`. At 0 replicas of its Deployment it stops, unless this is 0 too.
    pub min: u64,
    /// Its controller, such as a ScaledObject of KEDA, which scales from 0 by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller: Option<ObjectRef>,
}

/// What a pod needs to start where pods of a Deployment start. Names and settings; nothing of it is a secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodMake {
    /// Labels by which its pods are found.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Secrets with which its images are pulled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub image_pull_secrets: Vec<String>,
    /// `nodeSelector`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<String, String>,
    /// `tolerations`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<Value>,
    /// `securityContext`.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub security_context: Value,
    /// Volumes that come from Secrets, ConfigMaps, projections or nothing: certificates of the database stand there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<Value>,
    /// Names of its other volumes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_volumes: Vec<String>,
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
    /// Options of its command line by name; of an address scheme, host and path are kept, a reference to a variable as
    /// `$(NAME)`, and nothing of any other value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
    /// `volumeMounts`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<Value>,
    /// `securityContext`.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub security_context: Value,
    /// `resources`.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub resources: Value,
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

/// A workload that is told a database.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DatabaseUser {
    /// The workload.
    pub workload: ObjectRef,
    /// The host.
    pub host: String,
    /// The database on it; empty where only the host is told.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub database: String,
}
