//! What several kinds of upgrade say alike.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Version, name::Label, seconds::Length};

/// A fact of this platform: another upgrade has to reach a version first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Requires {
    /// The other upgrade, by its document's name.
    pub upgrade: Label,
    /// The version that it must have reached.
    pub at_least: Version,
    /// Why; it stands in the plan.
    pub because: String,
}

/// Where charts come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum ChartSource {
    /// An OCI registry; the chart's name is appended: `oci://public.ecr.aws/karpenter`.
    Oci(String),
    /// A chart repository: `https://charts.example`.
    Https(String),
    /// A directory that holds charts as `NAME/VERSION/`, relative to where the command runs.
    Directory(String),
}

/// How nodes move.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rollout {
    /// Nodes that go first and alone, of each hardware class; one when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<CanarySpec>,
    /// How many nodes move at once; one when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchSize>,
    /// How many nodes of a pool may be unavailable at once; the batch when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_unavailable: Option<BatchSize>,
    /// Ready nodes below which nothing more is started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_ready: Option<MinReady>,
    /// How long to wait between batches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soak: Option<Length>,
    /// How long one node may take to be empty before the run parks; 1 hour when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain_within: Option<Length>,
}

/// Nodes that go first and alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CanarySpec {
    /// How many of each hardware class; 0 for no canary.
    pub nodes: u64,
    /// Verifications after it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verify: Vec<Label>,
    /// How long to watch it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soak: Option<Length>,
}

/// A number of nodes, or hundredths of the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum BatchSize {
    /// So many nodes.
    Nodes(#[schemars(range(min = 1))] u64),
    /// Hundredths of the pool, at least one node.
    Percent(#[schemars(range(min = 1, max = 100))] u64),
}

/// Ready nodes below which nothing more is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum MinReady {
    /// So many Ready nodes.
    Nodes(u64),
}

/// What follows a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// Stop, leave what is healthy as it is, and wait for an operator.
    Hold,
    /// Undo the step, then hold; only where its price allows it.
    RollbackStep,
    /// Undo the hop; only where its price allows it.
    RollbackHop,
}
