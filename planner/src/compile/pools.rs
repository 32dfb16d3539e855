//! Pools and classes that conditions name: the executor knows no others than the plan's.

use std::collections::BTreeSet;

use switchback_schemas::{
    name::Label,
    plan::{Condition, KubeCondition, Work},
};

/// Every pool whose nodes some work counts.
pub(super) fn verified<'plan>(works: impl Iterator<Item = &'plan Work>) -> BTreeSet<Label> {
    let mut pools = BTreeSet::new();
    for condition in works.flat_map(|work| work.conditions()).flat_map(Condition::leaves) {
        if let Condition::Kube(KubeCondition::NodesReady { pool, .. }) = condition {
            pools.insert(pool.clone());
        }
    }
    pools
}

/// Whether some work asks of which class something is.
pub(super) fn asks_for_classes<'plan>(works: impl Iterator<Item = &'plan Work>) -> bool {
    let mut leaves = works.flat_map(|work| work.conditions()).flat_map(Condition::leaves);
    leaves.any(|condition| matches!(condition, Condition::Kube(KubeCondition::CountOfClass { .. })))
}
