//! Groups that the minor before kept at size 0 as its rollback: deleted before the next one. EKS counts them, and does not move a
//! control plane past a group that is behind.

use switchback_schemas::{
    StepId,
    name::Label,
    plan::{Condition, Effect, EksDeleteNodegroup, EksEffect, Wait, Work},
    seconds::Seconds,
};

use super::super::{
    context::Road,
    node_groups::Group,
    refs::{absent, says},
};
use crate::lower::{Lowering, Rollback, Undoing};

/// How long a deletion may take.
const WITHIN: Seconds = Seconds::minutes(60);

/// The step that deletes a group which was kept.
fn id(road: &Road<'_>, name: &str) -> StepId {
    road.scope.id(&format!("delete-retained/{name}"))
}

/// The step with which the groups that the minor before kept begin to be deleted.
pub(in crate::components::eks) fn first(road: &Road<'_>, groups: &[Group<'_>]) -> Option<StepId> {
    groups.iter().flat_map(|group| &group.kept).next().map(|name| id(road, name))
}

/// Deletes them, one by one.
pub(in crate::components::eks) fn steps(
    road: &Road<'_>,
    groups: &[Group<'_>],
    after: &[StepId],
    gates: &[Label],
    out: &mut Lowering,
) -> Vec<StepId> {
    let mut dropped: Vec<StepId> = Vec::new();
    for name in groups.iter().flat_map(|group| &group.kept) {
        let object = road.own.names.group(name);
        let effect = Effect::Eks(EksEffect::DeleteNodegroup(EksDeleteNodegroup {
            target: road.own.names.target.clone(),
            nodegroup: name.clone(),
        }));
        // A run may turn back before the deletion was called: then it stays, as it was before.
        let until = Condition::Any(vec![absent(&object), says(&object, "/status", "ACTIVE")]);
        let undo = Rollback::new(Work {
            done_when: Some(until.clone()),
            ..Work::effect(
                format!("leave node group {name} deleted or empty: its successor stays"),
                Effect::Wait(Wait { until }),
            )
        });
        let mut draft = road
            .scope
            .step(
                &format!("delete-retained/{name}"),
                format!(
                    "delete the empty node group {name}: EKS does not update past a group that is behind"
                ),
                effect,
                Undoing::by(undo),
                Vec::new(),
            )
            .done_when(absent(&object))
            .time(WITHIN, road.facts.durations.group.estimate())
            .idempotent();
        for step in after.iter().chain(dropped.last()) {
            draft = draft.needs(
                step,
                "groups are deleted one by one, after the cluster is checked",
                Some(&road.facts.parity.source),
            );
        }
        for gate in gates {
            draft = draft.gate(gate);
        }
        dropped.push(out.add(draft));
    }
    dropped
}
