//! The kind `ArgoWorkflowsUpgrade`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use switchback_schemas::{
    Version,
    manifest::{ChartSource, OnFailure, Requires},
    name::{Label, ObjectName},
    seconds::Length,
};

use crate::manifest::upgrade;

/// Moves Argo Workflows: its CRDs, its controller and its server, while CronWorkflows are suspended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ArgoWorkflowsUpgrade {
    /// The cluster.
    pub target: Label,
    /// The version of the chart `argo-workflows` to reach: `1.0.18` installs Argo Workflows 4.0.6.
    pub to: Version,
    /// The release of the chart.
    pub release: ObjectName,
    /// Where the chart comes from.
    pub charts: ChartSource,
    /// Values that change with the upgrade, by dotted path; all other values stay as they are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, Value>,
    /// Who applies the CRDs.
    #[serde(default)]
    pub crds: CrdSource,
    /// What becomes of Workflows that have not finished when the controller moves. None is ever terminated.
    #[serde(default)]
    pub in_flight: InFlight,
    /// The same for Workflows of single workload classes of the Platform. A Workflow is of the class of its pods: by its namespace, the
    /// labels of `spec.podMetadata`, and the kinds of its owners, `Workflow` and what made it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub in_flight_by_class: BTreeMap<Label, InFlight>,
    /// How long the controller and the server may take to become ready; 10 minutes when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Length>,
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

/// Who applies the CRDs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CrdSource {
    /// The plan, by server-side apply of the full CRDs that lie in the chart's archive, from chart 1.0.0 on; older charts hold
    /// theirs in the release.
    #[default]
    Apply,
    /// The chart: in the release, or by a hook that downloads them.
    Chart,
}

/// What becomes of Workflows that have not finished when the controller moves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum InFlight {
    /// They are waited for.
    Wait {
        /// For how long before the run parks; 4 hours when it is left out. Parked, it is continued or rolled back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<Length>,
    },
    /// They start no pods meanwhile: those that were running when the platform was observed are suspended, and their pods waited for.
    Suspend {
        /// For how long their pods are waited for before the run parks; 4 hours when it is left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<Length>,
    },
    /// They go on, and the new controller takes them over.
    Accept {
        /// Who accepts that, and why.
        because: String,
    },
}

impl Default for InFlight {
    fn default() -> Self {
        Self::Wait { max: None }
    }
}

impl ArgoWorkflowsUpgrade {
    /// Every policy, that of all other Workflows last.
    pub(super) fn policies(&self) -> impl Iterator<Item = &InFlight> {
        self.in_flight_by_class.values().chain([&self.in_flight])
    }
}

upgrade!(ArgoWorkflowsUpgrade);
