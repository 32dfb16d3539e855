//! Which pools some nodes are of.

use switchback_schemas::plan::Pool;

use crate::{context::Cx, index::nodes_of};

/// Pools with their nodes among these, lower tiers first, and the names of those that are in none.
pub fn of<N: Clone>(
    cx: &Cx<'_>,
    nodes: &[N],
    name: impl Fn(&N) -> &str,
) -> (Vec<(Pool, Vec<N>)>, Vec<String>) {
    let mut pools: Vec<(Pool, Vec<N>)> = Vec::new();
    for pool in &cx.pools {
        let inside: Vec<&str> =
            nodes_of(cx.inventory, pool).into_iter().map(|node| node.name.as_str()).collect();
        let of_pool: Vec<N> = nodes.iter().filter(|node| inside.contains(&name(node))).cloned().collect();
        if !of_pool.is_empty() {
            pools.push((pool.clone(), of_pool));
        }
    }
    pools.sort_by_key(|(pool, _)| (pool.tier, pool.name.clone()));
    let pooled = |node: &N| pools.iter().any(|(_, of)| of.iter().any(|one| name(one) == name(node)));
    let outside = nodes.iter().filter(|node| !pooled(node)).map(|node| name(node).to_owned()).collect();
    (pools, outside)
}
