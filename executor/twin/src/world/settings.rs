//! What a world declares about its behaviour.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Declared behaviour.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// Version that `/version` answers.
    pub kubernetes: Kubernetes,
    /// How long things take.
    pub timings: Timings,
    /// Chart name -> version -> what it installs.
    pub charts: BTreeMap<String, BTreeMap<String, Chart>>,
    /// What the conversion webhooks of a definition do, by its name.
    pub converters: BTreeMap<String, Vec<Converter>>,
    /// Images that never become ready.
    pub broken_images: Vec<String>,
    /// Which helm the program table plays.
    pub helm: Helm,
    /// What Karpenter drifts on by itself.
    pub karpenter: Karpenter,
    /// What the GPU Operator does by itself.
    pub gpu_operator: GpuOperator,
    /// How long the provider's operations take.
    pub cloud: CloudTimings,
}

/// The version of the API server.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Kubernetes(pub String);

impl Default for Kubernetes {
    fn default() -> Self {
        Self("v1.36.3".into())
    }
}

/// The version of helm.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Helm(pub String);

impl Default for Helm {
    fn default() -> Self {
        Self("v4.2.3".into())
    }
}

/// How long things take, in milliseconds of domain time.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Timings {
    /// A controller sees a change.
    pub controller: i64,
    /// A bound pod becomes ready.
    pub pod_start: i64,
    /// A deleted pod goes, where its grace period is not shorter.
    pub pod_stop: i64,
    /// A pod of a Job runs, where it does not declare it.
    pub job_run: i64,
    /// A launched machine joins as a node.
    pub node_join: i64,
    /// A node that joined becomes ready.
    pub node_ready: i64,
    /// A helm call, hooks not counted.
    pub helm: i64,
    /// Karpenter looks at its claims again.
    pub karpenter: i64,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            controller: 100,
            pod_start: 2_000,
            pod_stop: 1_000,
            job_run: 1_000,
            node_join: 45_000,
            node_ready: 15_000,
            helm: 2_000,
            karpenter: 10_000,
        }
    }
}

impl Timings {
    pub(crate) fn ms(value: i64) -> SignedDuration {
        SignedDuration::from_millis(value.max(1))
    }
}

/// What a version of a chart installs.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Chart {
    /// `appVersion`.
    pub app_version: String,
    /// Default values.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub values: Value,
    /// Rendered with the default values; `{{ns}}` and `{{release}}` in strings are replaced.
    pub objects: Vec<Value>,
    /// Rendered hooks, each with its annotation.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<Value>,
    /// The `crds/` directory.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub crds: Vec<Value>,
    /// Texts of the `files/` directory, by their paths in the chart.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, String>,
    /// Which values go where.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub assign: Vec<Assign>,
}

/// A value of a chart and the place it renders to.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Assign {
    /// Dotted path into the values.
    pub value: String,
    /// `Kind/name` of the object.
    pub object: String,
    /// JSON pointer in the object.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pointer: String,
    /// Whether the value says that the object is there at all.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub whole: bool,
    /// Text around it, `$` standing for the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
}

/// A conversion that a webhook does between two versions: fields that move.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Converter {
    /// Version it reads.
    pub from: String,
    /// Version it writes.
    pub to: String,
    /// `[from pointer, to pointer]`.
    #[serde(default)]
    pub moves: Vec<[String; 2]>,
}

/// What the Karpenter actor does on its own account.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Karpenter {
    /// Controller versions that mark every older node drifted when they start.
    pub drift_events: Vec<String>,
    /// NodePools for which no machine can be had (no capacity).
    pub no_capacity: Vec<String>,
}

/// What the GPU Operator actor does on its own account.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct GpuOperator {
    /// Operator versions that give drivers another pod template, whatever the ClusterPolicy says.
    pub template_events: Vec<String>,
}

/// How long the provider's operations take, in milliseconds of domain time.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct CloudTimings {
    /// An accepted operation shows in what is described (eventual consistency).
    pub visible: i64,
    /// A control plane moves by a minor.
    pub control_plane: i64,
    /// A control plane notices that it has no addresses, or fails otherwise.
    pub control_plane_failure: i64,
    /// An add-on is updated, where its pods are not slower.
    pub addon: i64,
    /// Pods of an add-on that do not become ready fail it after this.
    pub addon_patience: i64,
    /// An instance of a node group joins as a node and is ready.
    pub node_join: i64,
    /// A node group's drain of a node is given up.
    pub drain_limit: i64,
    /// A drained node is left alone before it is terminated.
    pub drained: i64,
    /// An instance is terminated.
    pub terminate: i64,
    /// A change of a node group's configuration.
    pub nodegroup_config: i64,
    /// A node group looks at its nodes again.
    pub nodegroup_look: i64,
    /// Insights are looked at again.
    pub insights: i64,
    /// A snapshot of a database instance.
    pub db_snapshot: i64,
    /// A restore of a snapshot.
    pub db_restore: i64,
    /// A change of an instance, or its reboot.
    pub db_modify: i64,
    /// A deletion of an instance.
    pub db_delete: i64,
}

impl Default for CloudTimings {
    fn default() -> Self {
        Self {
            visible: 5_000,
            control_plane: 600_000,
            control_plane_failure: 120_000,
            addon: 60_000,
            addon_patience: 1_200_000,
            node_join: 90_000,
            drain_limit: 900_000,
            drained: 60_000,
            terminate: 45_000,
            nodegroup_config: 30_000,
            nodegroup_look: 10_000,
            insights: 180_000,
            db_snapshot: 300_000,
            db_restore: 900_000,
            db_modify: 120_000,
            db_delete: 180_000,
        }
    }
}
