//! Pools of nodes, and what a drain does to the pods on them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Seconds, name::Label};

/// A pool of nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pool {
    /// Its name.
    pub name: Label,
    /// Labels of its nodes.
    pub labels: BTreeMap<String, String>,
    /// Lower tiers move first.
    pub tier: u32,
    /// What kind of capacity it runs on.
    pub capacity: Capacity,
    /// How its nodes move.
    pub strategy: Strategy,
    /// Whether its nodes have GPUs: pods of no class are never moved there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gpu: bool,
}

/// Whether more nodes can be had while old ones are still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Capacity {
    /// Asked for as needed; may be refused at any time.
    OnDemand,
    /// May be taken at any time.
    Spot,
    /// Reserved: exists up to the reservation.
    Reserved,
    /// A block with an end: nothing beyond it.
    Block,
    /// A fixed set of machines: no surge at all.
    Fixed,
}

impl Capacity {
    /// Whether a node beyond those that are there can be expected.
    pub fn can_surge(self) -> bool {
        matches!(self, Self::OnDemand | Self::Spot | Self::Reserved)
    }
}

/// How the nodes of a pool move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Chosen NodeClaims are deleted after our own drain; Karpenter replaces them.
    Nodeclaim,
    /// EKS replaces the nodes of a managed group: it picks them at random, drains each for 15 minutes at most, and cannot be paused. The
    /// group is the batch.
    GroupUpdate,
    /// A second managed group takes over: our own drain in our batches, and the old group is retained at size 0 for rollback.
    ReplaceGroup,
    /// Nodes stay as they are.
    Keep,
}

/// What a drain does to which pods.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkloadClass {
    /// Its name.
    pub name: Label,
    /// Which pods.
    pub select: PodSelector,
    /// What a drain does to them.
    pub on_drain: OnDrain,
    /// Pods of one owner move together or not at all.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gang: bool,
    /// Objections to a move that do not count for its pods: somebody decided so.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub overrides: BTreeSet<Objection>,
    /// How much of its work a pod may lose when it moves; absent where nobody said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub may_lose: Option<Seconds>,
}

impl WorkloadClass {
    /// Objections that hold a pod of this class; all of them for a pod of no class.
    pub fn unresolved(class: Option<&Self>, objections: &BTreeSet<Objection>) -> BTreeSet<Objection> {
        let overridden =
            |objection: &&Objection| class.is_some_and(|class| class.overrides.contains(objection));
        objections.iter().filter(|objection| !overridden(objection)).copied().collect()
    }
}

/// What stands against moving a pod or a node until a workload class overrides it by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Objection {
    /// The annotation `karpenter.sh/do-not-disrupt` of the pod, or of its node.
    DoNotDisrupt,
    /// The annotation `cluster-autoscaler.kubernetes.io/safe-to-evict: "false"`.
    SafeToEvict,
    /// No controller starts the pod again.
    NoController,
    /// The pod keeps data on its node, in an `emptyDir` or a `hostPath`.
    LocalData,
    /// Somebody else cordoned the node.
    Cordoned,
    /// The pods of a gang stand on more nodes than may be unavailable at once: they move in parts.
    GangBudget,
    /// A PodDisruptionBudget never allows the eviction. Overridden, the plan is made, and the run waits until somebody changes the
    /// budget: budgets are honoured always.
    Budget,
}

impl Objection {
    /// Its name in manifests.
    pub fn name(self) -> &'static str {
        match self {
            Self::DoNotDisrupt => "do-not-disrupt",
            Self::SafeToEvict => "safe-to-evict",
            Self::NoController => "no-controller",
            Self::LocalData => "local-data",
            Self::Cordoned => "cordoned",
            Self::GangBudget => "gang-budget",
            Self::Budget => "budget",
        }
    }

    /// What it says, of a pod or its node.
    pub fn says(self) -> &'static str {
        match self {
            Self::DoNotDisrupt => "karpenter.sh/do-not-disrupt is set",
            Self::SafeToEvict => "cluster-autoscaler.kubernetes.io/safe-to-evict is \"false\"",
            Self::NoController => "no controller starts it again",
            Self::LocalData => "it keeps data on its node",
            Self::Cordoned => "somebody else cordoned its node",
            Self::GangBudget => "it stands on more nodes than may be unavailable at once",
            Self::Budget => "its PodDisruptionBudget never allows an eviction",
        }
    }

    /// What several say, and what would resolve them.
    pub fn all(objections: &BTreeSet<Self>) -> String {
        let says: Vec<&str> = objections.iter().map(|objection| objection.says()).collect();
        format!("{} ({})", says.join("; "), Self::line(objections))
    }

    /// The line of a workload class that would resolve them: `overrides: [local-data]`.
    pub fn line(objections: &BTreeSet<Self>) -> String {
        let names: Vec<&str> = objections.iter().map(|objection| objection.name()).collect();
        format!("overrides: [{}]", names.join(", "))
    }
}

impl fmt::Display for Objection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which pods a class is about; everything that is given must match.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodSelector {
    /// In one of these namespaces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<String>,
    /// With all of these labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// One of whose owners, at any height, is of one of these kinds (`Job`, `Workflow`, `Deployment`, …); `Pod` means a pod without
    /// any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owner_kinds: Vec<String>,
}

impl PodSelector {
    /// Whether it selects a pod: its namespace, its labels by key, and the kinds of its owners, nearest first.
    pub fn matches<'pod>(
        &self,
        namespace: &str,
        label: impl Fn(&str) -> Option<&'pod str>,
        owner_kinds: &[&str],
    ) -> bool {
        let kinds = if owner_kinds.is_empty() { &["Pod"] } else { owner_kinds };
        (self.namespaces.is_empty() || self.namespaces.iter().any(|name| name == namespace))
            && self.labels.iter().all(|(key, value)| label(key) == Some(value))
            && (self.owner_kinds.is_empty()
                || self.owner_kinds.iter().any(|name| kinds.contains(&name.as_str())))
    }
}

/// What a drain does to the pods of a class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum OnDrain {
    /// Wait until they end by themselves.
    Wait {
        /// How long.
        max: Seconds,
        /// What happens then. Waiting never turns into killing by itself.
        then: Then,
    },
    /// Evict them; their owner starts them again elsewhere from the beginning or from their own checkpoint.
    Requeue {},
    /// Evict them.
    Evict {},
    /// Never touch them: the node is not drained while one is there.
    Never {},
}

/// What happens when a wait has lasted as long as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Then {
    /// The run parks and says for whom.
    Park,
    /// Evict them; somebody wrote that down beforehand.
    Evict,
}
