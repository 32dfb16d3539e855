//! What the KServe component needs to know.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name::{ObjectName, ObjectRef};

/// The section `kserve` of an inventory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Kserve {
    /// The controller that makes predictors and answers the webhooks.
    pub controller: Controller,
    /// InferenceServices, by namespace and name.
    pub services: Vec<InferenceService>,
    /// ServingRuntimes and ClusterServingRuntimes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runtimes: Vec<ObjectRef>,
    /// Other objects that serve: InferenceGraphs, TrainedModels, LLMInferenceServices.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Serving>,
}

/// The Deployment of KServe's controller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Controller {
    /// Its name.
    pub deployment: ObjectName,
    /// Replicas that it wants.
    pub replicas: u64,
    /// Whether its processes elect a leader, so that an old and a new one never act side by side.
    pub leader_elect: bool,
    /// Whether an old pod is gone before a new one is made.
    pub recreate: bool,
    /// Labels of its pods.
    pub labels: std::collections::BTreeMap<String, String>,
}

/// An InferenceService.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InferenceService {
    /// Its name.
    pub name: ObjectName,
    /// Whether it has the condition Ready.
    pub ready: bool,
    /// `status.url`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The word of its annotation `serving.kserve.io/deploymentMode`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// The word of `status.deploymentMode`, which the controller obeys before the annotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode_seen: Option<String>,
    /// The runtime that it names, or that was chosen for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
    /// Whether its model is fetched by an init container.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fetches: bool,
    /// Deployments with its pods.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub predictors: Vec<Predictor>,
}

/// A Deployment with pods of an InferenceService.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Predictor {
    /// Its name.
    pub deployment: ObjectName,
    /// Replicas that it wants.
    pub replicas: u64,
    /// Pods beyond its replicas that it may have while it rolls.
    pub surge: u64,
    /// GPUs that each of its pods takes.
    pub gpus: u64,
}

/// An object that serves and says whether it is Ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Serving {
    /// The object.
    pub object: ObjectRef,
    /// Whether it has the condition Ready.
    pub ready: bool,
}
