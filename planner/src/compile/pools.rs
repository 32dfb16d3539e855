//! Pools that verifications name: the executor knows no other pools than the plan's.

use std::collections::BTreeSet;

use switchback_schemas::{
    name::Label,
    plan::{Condition, Step},
};

/// Every pool whose nodes a step counts.
pub(super) fn verified(steps: &[Step]) -> BTreeSet<Label> {
    let works = steps.iter().flat_map(Step::works);
    let mut pools = BTreeSet::new();
    for condition in works.flat_map(|work| work.conditions()).flat_map(Condition::leaves) {
        if let Condition::NodesReady { pool, .. } = condition {
            pools.insert(pool.clone());
        }
    }
    pools
}
