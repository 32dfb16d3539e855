//! The strategy `group-update`: EKS replaces the nodes of a group. It picks them at random, drains each for 15 minutes at most, and
//! cannot be paused, so the group is the batch (user-pain P-02).

use switchback_schemas::{
    StepId, Version,
    plan::{
        BlindSpot, CaptureKind, CloudCapture, Condition, Disruption, Effect, EksEffect, EksUpdateNodegroup,
        Estimate, Operand, Pool, Verify, Work,
    },
    seconds::Seconds,
};

use super::super::{
    context::{ONE_BY_ONE, Road},
    node_groups::{Group, part, read},
    refs::{NODEGROUP, is, says},
};
use crate::{
    lower::{Lowering, Rollback, Undoing, groups::ready, verify},
    predicted::Predicted,
};

const RELEASE: &str = "release";

/// Adds the update of one group.
pub(super) fn update(
    road: &Road<'_>,
    pool: &Pool,
    group: &Group<'_>,
    after: &[StepId],
    predicted: &Predicted<'_>,
    out: &mut Lowering,
) -> StepId {
    let object = road.own.names.group(&group.name);
    read(predicted, &object, group);
    let minor = &road.hop.to;
    let part = format!("{}/update", part(pool, &group.name));
    let id = road.scope.id(&part);
    let effect = |kubernetes: &Version, release: Option<Operand>| {
        Effect::Eks(EksEffect::UpdateNodegroup(EksUpdateNodegroup {
            target: road.own.names.target.clone(),
            nodegroup: group.name.clone(),
            kubernetes: kubernetes.clone(),
            release,
        }))
    };
    let at = |version: &Version| {
        Condition::All(vec![says(&object, "/version", version.as_str()), says(&object, "/status", "ACTIVE")])
    };
    let captured = || Operand::Captured { step: id.clone(), name: RELEASE.to_owned() };
    let takes = estimate(road, group);
    let within = Seconds(takes.p90.0.saturating_mul(2).max(3600));
    let whole = || whole(road, pool, group);
    let back = Rollback {
        needs_capacity: group.observed.update_strategy != "MINIMAL",
        ..Rollback::new(Work {
            done_when: Some(Condition::All(vec![
                is(&object, "/releaseVersion", captured()),
                says(&object, "/status", "ACTIVE"),
            ])),
            verify: whole(),
            timeout: within,
            disruption: Disruption::Drain,
            estimate: takes,
            ..Work::effect(
                format!("roll node group {} back to {} and its earlier image", group.name, group.version),
                effect(&group.version, Some(captured())),
            )
        })
    };
    out.blind_spots.push(BlindSpot {
        what: format!("whether EKS rolls node group {} back to {}", group.name, group.version),
        why: "the API text of UpdateNodegroupVersion says no, and the page about rollbacks describes how; \
              a group with the strategy replace-group needs no such rollback"
            .to_owned(),
    });
    let facts = &road.facts.group_update;
    let title = format!(
        "let EKS replace the {} nodes of group {} with nodes of {minor}: it picks them at random, drains each for {} minutes at \
         most, and cannot be paused",
        group.observed.desired, group.name, facts.drain_minutes
    );
    let mut draft = road
        .scope
        .step(&part, title, effect(minor, None), Undoing::by(back), predicted.take_reads())
        .captures(
            RELEASE,
            CaptureKind::Cloud(CloudCapture { of: object.clone(), pointer: "/releaseVersion".to_owned() }),
        )
        .done_when(at(minor))
        .verify(whole())
        .time(within, takes)
        .idempotent()
        .disrupts(Disruption::Drain, Some(pool.tier));
    for step in after {
        draft = draft.needs(step, ONE_BY_ONE, Some(&road.facts.parity.source));
    }
    out.pools.push(pool.clone());
    out.add(draft)
}

/// How long EKS takes for a group: its batches one after the other, each as long as a drain may take at most.
pub(super) fn estimate(road: &Road<'_>, group: &Group<'_>) -> Estimate {
    let facts = road.facts;
    let nodes = group.observed.desired;
    let batch = group.observed.max_unavailable.of(nodes).max(1);
    let batches = nodes.div_ceil(batch);
    let wait = facts.group_update.wait_seconds;
    let setup = facts.durations.group.estimate();
    let slow = facts.group_update.drain_minutes * 60 + wait;
    Estimate::seconds(
        setup.expected.0 + batches * (facts.durations.node.expected + wait),
        setup.p90.0 + batches * slow,
    )
}

/// That the group and its pool have their nodes.
fn whole(road: &Road<'_>, pool: &Pool, group: &Group<'_>) -> Vec<Verify> {
    let within = Seconds::minutes(20);
    let labels = [(NODEGROUP.to_owned(), group.name.clone())].into();
    let nodes = group.observed.desired;
    let mut checks = Vec::new();
    if nodes > 0 {
        let title = format!("{nodes} nodes of group {} are Ready", group.name);
        checks.push(verify(title, ready(&labels, nodes), Seconds(30), within));
    }
    let min_ready = road.min_ready(road.ready(pool));
    if min_ready > 0 {
        checks.push(crate::lower::nodes::ready(pool, min_ready, within));
    }
    checks
}
