//! Rolls: steps over nodes that a rule chooses at run time.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Action, DaemonPods, Effect, EksEffect, KubeEffect, NodeUndo, Operand, Target, Verify, Work};
use crate::{Seconds, StepId, Version, name::Label};

/// A rule that chooses nodes, an order, a pace, and what is done to each.
///
/// Membership is frozen batch by batch in the journal, by UID. What vanishes is done; what joins at the old state
/// is taken in a later pass; the roll is done when no member is stale and the minimum of Ready nodes held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Roll {
    /// The pool.
    pub pool: Label,
    /// Labels of its nodes.
    pub labels: BTreeMap<String, String>,
    /// Which of them have to move.
    pub stale: Stale,
    /// In which order; ties go by UID.
    pub order: Vec<OrderKey>,
    /// Nodes that go first and alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<Canary>,
    /// How many nodes move at once.
    pub batch: Count,
    /// How many nodes of the pool may be not Ready or cordoned at once, the batch included.
    pub max_unavailable: Count,
    /// Ready nodes below which nothing more is started.
    pub min_ready: u64,
    /// What is done to each node.
    pub recipe: Vec<RecipeStep>,
    /// What must hold after each batch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verify: Vec<Verify>,
    /// How long to wait between batches.
    #[serde(default, skip_serializing_if = "Seconds::is_zero")]
    pub soak: Seconds,
    /// Passes after which a roll that still finds stale nodes fails to converge.
    pub max_passes: u32,
    /// How many were stale when the platform was observed; informative, not bound by approvals.
    pub observed: u64,
}

/// Which nodes of a pool have to move.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Stale {
    /// Their NodeClaim has the condition Drifted.
    Drifted {},
    /// Their kubelet is older than this.
    KubeletBelow(Version),
    /// Their kubelet is this or newer: on the rollback of a control plane, no node may be newer than it.
    KubeletAtLeast(Version),
    /// They were there when this step ended.
    BornBefore(StepId),
    /// A pod of these on them runs another version, or the run has cordoned them and not given them back. A node without such a pod does
    /// not count: the one that it gets is of the present template.
    PodsNot(DaemonPods),
    /// They do not have this label, or with another value.
    LabelNot {
        /// The label.
        key: String,
        /// Its value.
        value: String,
        /// Whether those that the run has cordoned and not given back count, too.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        or_left: bool,
    },
}

/// What nodes are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OrderKey {
    /// Nodes without protected pods first.
    LeastProtected,
    /// Nodes with fewer pods to move first.
    FewestPods,
    /// Spread over zones.
    ZoneSpread,
    /// The oldest first.
    Oldest,
}

/// Nodes that go first, alone, and are watched before any other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Canary {
    /// How many, of each hardware class.
    pub nodes: u64,
    /// What must hold after it, on top of what every batch must.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verify: Vec<Verify>,
    /// How long to watch it.
    #[serde(default, skip_serializing_if = "Seconds::is_zero")]
    pub soak: Seconds,
}

/// A number of nodes, or a share of the pool. A share is rounded down, and at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Count {
    /// So many.
    Nodes(u64),
    /// Hundredths of the pool.
    Percent(u64),
}

impl Count {
    /// How many of `total` that is; never 0 unless `total` is.
    pub fn of(self, total: u64) -> u64 {
        match self {
            Self::Nodes(n) => n.min(total),
            Self::Percent(percent) => (total.saturating_mul(percent) / 100).max(1).min(total),
        }
    }
}

/// One step of a recipe. Journaled under the roll's id, the node's UID and this name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecipeStep {
    /// Its name, unique in the recipe.
    pub name: Label,
    /// What is done to the node: one effect.
    pub work: Work,
    /// Names of recipe steps that come first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<Label>,
    /// How it is undone while its node is still there.
    pub undo: NodeUndo,
}

impl RecipeStep {
    /// Whether it ends its node: what comes after it cannot be taken back by uncordoning.
    pub fn ends_node(&self) -> bool {
        match &self.work.action {
            Action::Effect(Effect::Kube(KubeEffect::Delete(delete))) => {
                matches!(delete.object, Target::ItemNode {} | Target::ItemNodeClaim {})
            }
            Action::Effect(Effect::Eks(EksEffect::TerminateNode(terminate))) => {
                terminate.provider_id == Operand::ItemProviderId {}
            }
            _ => false,
        }
    }

    /// The same with other work.
    #[must_use]
    pub fn with(self, change: impl FnOnce(Work) -> Work) -> Self {
        Self { work: change(self.work), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_never_round_to_nothing() {
        assert_eq!(Count::Percent(10).of(5), 1);
        assert_eq!(Count::Percent(50).of(5), 2);
        assert_eq!(Count::Percent(100).of(5), 5);
        assert_eq!(Count::Nodes(3).of(2), 2);
        assert_eq!(Count::Percent(10).of(0), 0);
    }
}
