//! Whether there is room for the nodes that a strategy needs beyond those that are there.

use std::collections::BTreeSet;

use switchback_schemas::{
    Diagnostic, codes,
    inventory::Node,
    plan::{Pool, Strategy},
};

use super::super::{context::Road, node_groups::Group, refs::NODEGROUP};
use crate::lower::groups::capacity;

/// Nodes that are needed while the group moves.
fn surge(road: &Road<'_>, group: &Group<'_>) -> u64 {
    let desired = group.observed.desired;
    match group.strategy() {
        // A whole second group stands beside the first.
        Strategy::ReplaceGroup => desired,
        Strategy::GroupUpdate if group.observed.update_strategy == "MINIMAL" => 0,
        Strategy::GroupUpdate => {
            let of_group = |node: &&Node| node.labels.get(NODEGROUP) == Some(&group.observed.name);
            let inside = road.inventory.nodes.iter().filter(of_group);
            let zones: BTreeSet<&String> =
                inside.filter_map(|node| node.labels.get("topology.kubernetes.io/zone")).collect();
            let per_zone = road.facts.group_update.surge_per_zone;
            let spread = per_zone.saturating_mul(zones.len().max(1) as u64);
            spread.max(group.observed.max_unavailable.of(desired))
        }
        Strategy::Nodeclaim | Strategy::Keep => 0,
    }
}

/// Refuses a move that needs nodes which its capacity does not have.
pub(super) fn observed(road: &Road<'_>, pool: &Pool, group: &Group<'_>) {
    let needed = surge(road, group);
    if needed == 0 {
        return;
    }
    let what = match pool.strategy {
        Strategy::ReplaceGroup => {
            format!("the copy of node group {} needs {needed} nodes beside it", group.name)
        }
        _ => format!("the update of node group {} first adds up to {needed} nodes", group.name),
    };
    let minimal = "let it move by group-update with `updateStrategy: MINIMAL` in the group's update config, which terminates \
                   nodes before it makes new ones";
    let lacking =
        capacity::lacking(road.cx, pool, group.observed, &road.own.cluster.reserved, (needed, &what));
    let Some(message) = lacking else { return };
    road.findings.say_about(
        pool.name.as_str(),
        Diagnostic::error(codes::PLAN_CAPACITY, message).at(road.pool_label(pool, "this pool")).help(minimal),
    );
}
