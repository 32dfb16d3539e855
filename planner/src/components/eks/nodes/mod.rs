//! Which nodes move in a hop, and in which order: pools of a lower tier first, one group after the other.

mod capacity;
mod group_update;
pub(super) mod karpenter;
mod replace;
pub(super) mod retained_groups;
pub(super) mod rollback_guard;
pub(super) mod strategies;

use switchback_schemas::{
    StepId,
    inventory::Node,
    plan::{Estimate, Pool, Strategy},
    seconds::Seconds,
};

use super::{
    context::{self, Road},
    node_groups::Group,
    refs::NODEGROUP,
};
use crate::{index::nodes_of, lower::Lowering, predicted::Predicted};

/// A look at the cluster before nodes alone move.
pub(super) fn look(road: &Road<'_>, out: &mut Lowering) -> StepId {
    let until = context::at(road, &road.hop.to);
    let title = format!("verify that {} is ACTIVE at {}", road.own.names.arn.name(), road.hop.to);
    let draft = road
        .scope
        .look("readiness", title, until, Vec::new())
        .time(Seconds::minutes(30), Estimate::seconds(5, 30));
    out.add(draft)
}

/// Adds the moves of every pool that follows; each needs the one before it. Says what the next step has to wait for.
pub(super) fn steps(
    road: &Road<'_>,
    groups: &[Group<'_>],
    after: &[StepId],
    predicted: &Predicted<'_>,
    out: &mut Lowering,
) -> Vec<StepId> {
    let claimed = karpenter::moving(road);
    let mut pools: Vec<&Pool> = road.cx.pools.iter().collect();
    pools.sort_by_key(|pool| (pool.tier, &pool.name));
    let mut last = after.to_vec();
    for pool in pools {
        let inside: Vec<&Group<'_>> = groups.iter().filter(|group| group.pool() == Some(pool)).collect();
        let alone = inside.len() == 1 && own(road, pool, inside.first());
        let inside = inside.into_iter().filter(|group| group.follows(&road.hop.to));
        match pool.strategy {
            Strategy::GroupUpdate => {
                for group in inside {
                    last = vec![group_update::update(road, pool, group, &last, predicted, out)];
                }
            }
            Strategy::ReplaceGroup => {
                for group in inside {
                    last = vec![replace::steps(road, pool, group, &last, (alone, predicted), out)];
                }
            }
            Strategy::Nodeclaim if claimed.contains(&pool) => {
                last = vec![karpenter::steps(road, pool, &last, out)];
            }
            Strategy::Nodeclaim | Strategy::Keep => {}
        }
    }
    last
}

/// Whether all nodes of a pool are of one group.
fn own(road: &Road<'_>, pool: &Pool, group: Option<&&Group<'_>>) -> bool {
    let of_group =
        |node: &Node| group.is_some_and(|group| node.labels.get(NODEGROUP) == Some(&group.observed.name));
    nodes_of(road.cx.inventory, pool).into_iter().all(of_group)
}
