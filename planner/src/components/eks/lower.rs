//! One hop of EKS, as steps: look, freeze, clear, control plane, watch, add-ons, nodes, verify, thaw.

use switchback_schemas::{
    Seconds, StepId, Version,
    plan::{Condition, Estimate, KubeCondition, Target, Verify},
};

use super::{
    addons,
    context::{self, Road},
    control_plane, insights,
    node_groups::{self, Group},
    nodes::{self, karpenter, retained_groups, strategies},
    readiness, removed, skew,
};
use crate::{
    lower::{Lowering, freeze, suspension::SuspensionDraft, verify},
    predicted::Predicted,
};

/// Lowers one hop.
pub(super) fn hop(road: &Road<'_>, predicted: &mut Predicted<'_>, out: &mut Lowering) {
    let hop = road.hop;
    let groups = node_groups::before(road);
    if road.own.first {
        readiness::observed(road);
        insights::unused(road);
        skew::unpooled(road);
        karpenter::observed(road);
        strategies::platform(road, &groups);
    }
    if hop.from.is_some() {
        insights::observed(road, out);
        removed::observed(road, predicted, out);
    }
    skew::observed(road, &groups, out);
    strategies::observed(road, &groups, out);
    sources(road, out);
    build(road, &groups, predicted, out);
}

fn sources(road: &Road<'_>, out: &mut Lowering) {
    for key in ["update-cluster", "api", "node-update", "skew", "addons", "waiters", "karpenter-drift"] {
        if let Some(source) = road.facts.source(key) {
            out.sources.insert(key.to_owned(), source);
        }
    }
}

fn build(road: &Road<'_>, groups: &[Group<'_>], predicted: &mut Predicted<'_>, out: &mut Lowering) {
    let freezes: Vec<SuspensionDraft> = road
        .own
        .karpenter
        .iter()
        .flat_map(|section| &section.node_pools)
        .map(|pool| SuspensionDraft::new(&road.scope, freeze::of(pool, "karpenter.sh/v1"), predicted))
        .collect();
    let begun = if let Some(from) = &road.hop.from {
        begin(road, from, groups, &freezes, predicted, out)
    } else {
        let look = nodes::look(road, out);
        freeze(road, &freezes, &look, predicted, out)
    };
    let mut ends = addons::steps(road, &begun, predicted, out);
    if node_groups::moves(road.doc, &road.hop.to) {
        ends = nodes::steps(road, groups, &ends, predicted, out);
    }
    let verified = verification(road, &ends, out);
    for freeze in &freezes {
        let Some(draft) = freeze.resume_step(&road.scope) else { continue };
        let draft = draft.needs(
            &verified,
            "nothing may drift before the minor is verified and its nodes have moved",
            Some("karpenter-drift"),
        );
        out.add(draft);
    }
}

/// The control plane, with what comes before it and what is seen right after it.
fn begin(
    road: &Road<'_>,
    from: &Version,
    groups: &[Group<'_>],
    freezes: &[SuspensionDraft],
    predicted: &mut Predicted<'_>,
    out: &mut Lowering,
) -> Vec<StepId> {
    let follow = node_groups::moves(road.doc, &road.hop.to);
    let mut gates = readiness::gates(road, groups, out);
    let look = readiness::step(road, from, &gates, out);
    let mut before = freeze(road, freezes, &look, predicted, out);
    // What begins to end the rollback of the minor before is the deletion of groups that it needs, if there are such.
    let crosses = retained_groups::first(road, groups).unwrap_or_else(|| road.scope.id("control-plane"));
    gates.extend(control_plane::crossing(road, &crosses, out));
    before.extend(retained_groups::steps(road, groups, &before, &gates, out));
    let moved = control_plane::step(road, (from, follow), &before, &gates, predicted, out);
    bake(road, moved.into_iter().collect(), out)
}

/// Freezes every NodePool: a new minor drifts nodes whose image goes by an alias (user-pain P-14).
fn freeze(
    road: &Road<'_>,
    freezes: &[SuspensionDraft],
    look: &StepId,
    predicted: &Predicted<'_>,
    out: &mut Lowering,
) -> Vec<StepId> {
    let mut frozen = Vec::new();
    for freeze in freezes {
        freeze.check(road.cx, road.label(road.doc.doc, "/spec/to", "freezes it meanwhile"));
        freeze.note(predicted);
        let draft = freeze.suspend_step(&road.scope, predicted).needs(
            look,
            "nothing is changed before the cluster is checked",
            None,
        );
        frozen.push(out.add(draft));
        freeze.declare(crate::lower::nodes::none_drifted(&std::collections::BTreeMap::new()), out);
    }
    if frozen.is_empty() { vec![look.clone()] } else { frozen }
}

/// How long the cluster is watched before nodes move.
fn bake(road: &Road<'_>, moved: Vec<StepId>, out: &mut Lowering) -> Vec<StepId> {
    let Some(bake) = road.doc.spec.bake else { return moved };
    let length = bake.0;
    let within = length + Seconds::hours(1);
    let until = context::at(road, &road.hop.to);
    let longer = |verify: Verify| Verify {
        settle: verify.settle.max(length),
        within: verify.within.max(within),
        ..verify
    };
    let watched =
        verify(format!("the cluster stays ACTIVE at {}", road.hop.to), until.clone(), length, within);
    let checks = road.cx.verifications(&road.scope.hop, &road.doc.spec.verify).into_iter().map(longer);
    let title =
        format!("watch {} at {} for {bake} before nodes move", road.own.names.arn.name(), road.hop.to);
    let mut draft = road
        .scope
        .look("bake", title, until, Vec::new())
        .verify(std::iter::once(watched).chain(checks))
        .time(Seconds::hours(1), Estimate { expected: length, p90: within });
    for step in &moved {
        draft = draft.needs(step, "the update comes before its watch", None);
    }
    vec![out.add(draft)]
}

/// The end of the minor: the cluster, its nodes, its own workloads, and what the manifest says.
fn verification(road: &Road<'_>, ends: &[StepId], out: &mut Lowering) -> StepId {
    let within = Seconds::minutes(20);
    let mut checks = vec![verify(
        format!("the cluster is ACTIVE at {}", road.hop.to),
        context::at(road, &road.hop.to),
        Seconds(30),
        within,
    )];
    for pool in &road.pools {
        let ready = road.ready(pool);
        if ready > 0 {
            let min_ready = road.min_ready(ready);
            checks.push(crate::lower::nodes::min_ready_kept(pool, min_ready, ready, within));
        }
    }
    let own = road.inventory.workloads.iter().map(|workload| &workload.object).filter(|object| {
        object.namespace.as_deref() == Some("kube-system")
            && ["aws-node", "kube-proxy", "coredns"].contains(&object.name.as_str())
            && ["DaemonSet", "Deployment"].contains(&object.kind.as_str())
    });
    for object in own {
        let condition = Condition::Kube(KubeCondition::Rollout { object: Target::Object(object.clone()) });
        checks.push(verify(format!("{object} is rolled out"), condition, Seconds(10), within));
    }
    checks.extend(road.verifications(&road.scope.hop, &road.doc.spec.verify));
    let title = format!("verify cluster {} at {}", road.own.names.arn.name(), road.hop.to);
    let until = context::at(road, &road.hop.to);
    let mut draft = road
        .scope
        .look("verify", title, until, Vec::new())
        .verify(checks)
        .time(within, Estimate::seconds(60, 300));
    for end in ends {
        draft = draft.needs(end, "the minor is verified when everything of it has moved", None);
    }
    out.add(draft)
}
