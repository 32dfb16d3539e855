//! What the Argo Workflows component needs to know.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::name::{ObjectName, ObjectRef};

/// The section `argo-workflows` of an inventory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ArgoWorkflows {
    /// Deployments that run a workflow controller, by namespace and name.
    pub controllers: Vec<WorkflowController>,
    /// CronWorkflows, by namespace and name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cron_workflows: Vec<CronWorkflow>,
    /// Workflows that have not finished, by namespace and name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unfinished: Vec<UnfinishedWorkflow>,
    /// How many Workflows have not finished, by namespace and phase.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<WorkflowCount>,
    /// Service accounts as which pods of Workflows write their results, as templates, CronWorkflows and Workflows say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<WorkflowAccount>,
    /// Fields that a newer release of Argo Workflows may no longer have, in objects that have not finished.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub old_fields: Vec<OldField>,
}

/// A workflow controller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkflowController {
    /// Its Deployment.
    pub deployment: ObjectName,
    /// Its image.
    pub image: String,
    /// The image of the executor that it puts into pods, where its arguments say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executor_image: Option<String>,
    /// Whether its replicas elect a leader.
    pub leader_election: bool,
    /// `spec.strategy.type`.
    pub strategy: String,
    /// The one namespace that it looks after; absent for all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_namespace: Option<String>,
    /// Its `instanceID`: it looks after objects with this label only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<String>,
    /// The ConfigMap that it reads.
    pub config_map: ObjectName,
    /// The service account that it gives to Workflows that name none; absent for `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_account: Option<String>,
    /// Its database, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistence: Option<Persistence>,
    /// Whether its namespace enforces the Pod Security Standard `restricted`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub restricted: bool,
}

/// The database of a workflow controller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Persistence {
    /// `postgresql` or `mysql`.
    pub database: String,
    /// Whether finished Workflows are archived in it.
    pub archive: bool,
    /// Whether the controller leaves its schema to people.
    pub skip_migration: bool,
}

/// A service account of Workflows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkflowAccount {
    /// The namespace in which Workflows run as it.
    pub namespace: String,
    /// Its name; absent for the one that the controller gives where nobody says any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A CronWorkflow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CronWorkflow {
    /// Its name.
    pub name: ObjectName,
    /// When it runs.
    pub schedules: Vec<String>,
    /// In which time zone; absent for the controller's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// `spec.suspend`, as it is; null where it is absent.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub suspend: Value,
    /// Seconds within which a schedule that was missed is still made up; absent where there is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starting_deadline_seconds: Option<u64>,
    /// The label that says which controller looks after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<String>,
}

/// A Workflow that has not finished.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UnfinishedWorkflow {
    /// Its name.
    pub name: ObjectName,
    /// Its phase; absent where no controller has seen it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// `spec.suspend`, as it is; null where it is absent.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub suspend: Value,
    /// The label that says which controller looks after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<String>,
    /// Labels that `spec.podMetadata` gives to its pods.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The kind of its controller, such as CronWorkflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// Workflows of a namespace in a phase.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkflowCount {
    /// The namespace.
    pub namespace: String,
    /// The phase; empty where no controller has seen them.
    pub phase: String,
    /// How many.
    pub count: u64,
}

/// A field that a newer release may no longer have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OldField {
    /// The object that holds it.
    pub object: ObjectRef,
    /// Where it stands: a JSON pointer.
    pub pointer: String,
}
