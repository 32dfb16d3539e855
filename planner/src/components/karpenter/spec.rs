//! The kind `KarpenterUpgrade`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use switchback_schemas::{
    Version,
    manifest::{ChartSource, OnFailure, Requires, Rollout},
    name::{Label, ObjectName},
};

use crate::manifest::upgrade;

/// Moves Karpenter: its CRD chart, its controller chart, the objects stored in old versions, and, where asked, its
/// nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KarpenterUpgrade {
    /// The cluster.
    pub target: Label,
    /// The version to reach.
    pub to: Version,
    /// The release of the controller chart.
    pub release: ObjectName,
    /// The release of the CRD chart. One that is not there is installed, and takes the CRDs over that Helm left of the controller's chart.
    /// Without one, the CRDs of the controller's chart are applied, which Helm installs once and never upgrades.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crd_release: Option<ObjectName>,
    /// Where the two charts come from.
    pub charts: ChartSource,
    /// Values that change with the upgrade, by dotted path; all other values stay as they are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, Value>,
    /// Which nodes move after the upgrade.
    #[serde(default)]
    pub nodes: NodeMove,
    /// How nodes move.
    #[serde(default)]
    pub rollout: Rollout,
    /// What must come first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<Requires>,
    /// Verifications after the upgrade.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verify: Vec<Label>,
    /// What follows a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
}

/// Which nodes move after an upgrade of Karpenter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NodeMove {
    /// Those that have drifted by it.
    #[default]
    Drifted,
    /// All nodes of pools whose strategy is `nodeclaim`.
    All,
    /// None: drift stays frozen by nobody, and Karpenter moves them under its own budgets.
    None,
}

upgrade!(KarpenterUpgrade);
