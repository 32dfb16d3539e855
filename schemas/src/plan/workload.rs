//! Pools of nodes, and what a drain does to the pods on them.

use std::collections::BTreeMap;

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
    /// Whose topmost known owner is of one of these kinds (`Job`, `PyTorchJob`, `Deployment`, …); `Pod` means none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owner_kinds: Vec<String>,
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
