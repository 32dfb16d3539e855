//! Which nodes move in a hop, and in which order: pools of a lower tier first, one group after the other.

mod capacity;
mod group_update;
pub(super) mod karpenter;
pub(super) mod retained_groups;
pub(super) mod rollback_guard;
pub(super) mod strategies;

use switchback_schemas::{
    StepId,
    inventory::Node,
    plan::{Estimate, Pool, Stale, Strategy},
    seconds::Seconds,
};

use super::{
    context::{self, Road},
    node_groups::{Group, part, read},
    refs::{NODEGROUP, successor},
};
use crate::{
    index::nodes_of,
    lower::{
        Lowering,
        groups::{NewImage, Replacing, replace},
    },
    predicted::Predicted,
};

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
                    last = vec![replace(road, pool, group, &last, (alone, predicted), out)];
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

/// Adds the replacement of a group by a copy at the new minor. Says its last step.
fn replace(
    road: &Road<'_>,
    pool: &Pool,
    group: &Group<'_>,
    after: &[StepId],
    (alone, predicted): (bool, &Predicted<'_>),
    out: &mut Lowering,
) -> StepId {
    let minor = &road.hop.to;
    let replacing = Replacing {
        cx: road.cx,
        scope: &road.scope,
        rollout: &road.doc.spec.rollout,
        names: &road.own.names,
        pool,
        observed: group.observed,
        name: &group.name,
        new: successor(&group.name, minor),
        part: part(pool, &group.name),
        image: NewImage {
            minor,
            release: None,
            ami_type: road.facts.successor(&group.ami_type, &group.observed.instance_types, minor),
            ami_type_before: &group.ami_type,
            to: minor,
            from: &group.version,
            old: Stale::KubeletBelow(minor.clone()),
            new: Stale::KubeletAtLeast(minor.clone()),
        },
        alone,
        takes: road.facts.durations.group.estimate(),
        why: (context::ONE_BY_ONE, Some(&road.facts.parity.source)),
        settled: Vec::new(),
        settled_title: String::new(),
        opt_out: None,
        at_most: None,
        watched: Vec::new(),
    };
    read(predicted, &road.own.names.group(&group.name), group);
    let (roll, last) = replace::steps(&replacing, after, predicted.take_reads(), out);
    if *minor == road.doc.spec.to.minor_line() {
        // Until the next minor begins, which deletes it.
        let keep = Seconds::hours(24 * road.facts.rollback.days);
        out.retentions.push(replacing.retention(&roll, keep));
    }
    last
}

/// Whether all nodes of a pool are of one group.
fn own(road: &Road<'_>, pool: &Pool, group: Option<&&Group<'_>>) -> bool {
    let of_group =
        |node: &Node| group.is_some_and(|group| node.labels.get(NODEGROUP) == Some(&group.observed.name));
    nodes_of(road.cx.inventory, pool).into_iter().all(of_group)
}
