//! Whether there is room for the nodes that a move needs beyond those that are there.

use std::collections::BTreeMap;

use switchback_schemas::{
    inventory::{Subject, eks::Nodegroup},
    plan::{Capacity, Pool},
};

use crate::context::Cx;

/// Why a group cannot have so many nodes beside its own; `what` says what needs them. Nothing where there is room, or nobody knows.
pub fn lacking(
    cx: &Cx<'_>,
    pool: &Pool,
    group: &Nodegroup,
    reserved: &BTreeMap<String, u64>,
    (needed, what): (u64, &str),
) -> Option<String> {
    match pool.capacity {
        _ if needed == 0 => None,
        Capacity::OnDemand | Capacity::Spot => None,
        Capacity::Block => Some(format!(
            "{what}, and pool {} runs on a capacity block: there is nothing beyond it",
            pool.name
        )),
        Capacity::Fixed => Some(format!("{what}, and pool {} is a fixed set of machines", pool.name)),
        Capacity::Reserved if unread(cx) => None,
        Capacity::Reserved => {
            let free: u64 = group.instance_types.iter().filter_map(|kind| reserved.get(kind)).sum();
            (free < needed).then(|| {
                format!(
                    "{what}, and of the reservation of pool {} {free} instances of {} are free",
                    pool.name,
                    group.instance_types.join(", ")
                )
            })
        }
    }
}

/// Reservations that could not be read are a blind spot of the inventory's own.
fn unread(cx: &Cx<'_>) -> bool {
    cx.inventory.unread.iter().any(|unread| unread.what == Subject::Reservations {})
}
