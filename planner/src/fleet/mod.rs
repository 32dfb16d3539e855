//! Who stands on the nodes that a plan moves, whether it fits somewhere else, and which nodes no pool has.

mod outside;
pub mod refit;
mod standing;

use std::collections::{BTreeMap, BTreeSet};

use switchback_schemas::{
    inventory::{Inventory, Pod},
    plan::{Outside, Pool, Standing, Step, Suspension},
};

pub use crate::lower::checks::stays;
use crate::{context::Cx, index::nodes_of};

/// Label of a node that names its NodePool.
const NODE_POOL: &str = "karpenter.sh/nodepool";
/// Label of a node that names its managed node group.
const NODE_GROUP: &str = "eks.amazonaws.com/nodegroup";

/// What a plan does with nodes.
pub struct Moves<'a> {
    /// Pools whose nodes move.
    pub pools: &'a [Pool],
    /// The plan's steps.
    pub steps: &'a [Step],
    /// What it suspends.
    pub suspensions: &'a [Suspension],
}

/// Says who stands on the nodes that move and what becomes of all others, and what of it needs a decision.
pub fn look(cx: &Cx<'_>, moves: &Moves<'_>) -> (Vec<Standing>, Vec<Outside>) {
    outside::pools(cx);
    let standing = if moves.pools.is_empty() { Vec::new() } else { standing::all(cx, moves) };
    (standing, outside::all(cx, moves))
}

/// Pods that a drain moves, by node.
fn by_node(inventory: &Inventory) -> BTreeMap<&str, Vec<&Pod>> {
    let mut by_node: BTreeMap<&str, Vec<&Pod>> = BTreeMap::new();
    for pod in inventory.pods.iter().filter(|pod| !stays(pod)) {
        by_node.entry(&pod.node).or_default().push(pod);
    }
    by_node
}

/// Names of the nodes of some pools.
fn names<'a>(inventory: &'a Inventory, pools: &[Pool]) -> BTreeSet<&'a str> {
    pools.iter().flat_map(|pool| nodes_of(inventory, pool)).map(|node| node.name.as_str()).collect()
}
