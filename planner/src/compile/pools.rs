//! Pools that verifications name: the executor knows no other pools than the plan's.

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
