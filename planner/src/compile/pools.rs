//! Pools that verifications name: the executor knows no other pools than the plan's.

use std::collections::BTreeSet;

use switchback_schemas::{
    name::Label,
    plan::{Action, Condition, Step, Undo, Verify},
};

/// Every pool whose nodes a step's verification counts.
pub(super) fn verified(steps: &[Step]) -> BTreeSet<Label> {
    let mut pools = BTreeSet::new();
    let mut conditions: Vec<&Condition> =
        steps.iter().flat_map(verifications).map(|v| &v.condition).collect();
    while let Some(condition) = conditions.pop() {
        match condition {
            Condition::All { of } | Condition::Any { of } => conditions.extend(of),
            Condition::NodesReady { pool, .. } => {
                pools.insert(pool.clone());
            }
            _ => {}
        }
    }
    pools
}

fn verifications(step: &Step) -> impl Iterator<Item = &Verify> {
    let undo = match &step.undo {
        Undo::Step(undo) => Some(undo),
        Undo::ReadOnly { .. } | Undo::CoveredBy { .. } | Undo::Commit { .. } => None,
    };
    let rolls =
        std::iter::once(&step.action).chain(undo.map(|undo| &undo.action)).filter_map(
            |action| match action {
                Action::Roll(roll) => Some(roll),
                Action::Effect(_) => None,
            },
        );
    let rolled =
        rolls.flat_map(|roll| roll.verify.iter().chain(roll.canary.iter().flat_map(|canary| &canary.verify)));
    step.verify.iter().chain(undo.into_iter().flat_map(|undo| &undo.verify)).chain(rolled)
}
