//! The control plane: one minor up, and back down while that is possible.

use std::collections::BTreeMap;

use switchback_schemas::{
    StepId, Version,
    name::Label,
    plan::{
        Condition, ExpiresAt, ExpiresEarlier, Expiry, InsightCategory, PointOfNoReturn, Read, ReadBasis,
        Step, Test, Undo, UndoKind,
    },
    seconds::Seconds,
};

use super::{context::Road, kubelets::no_kubelet, minors::preceding, nodes::rollback_guard, support};
use crate::{
    hop::HopSpec,
    lower::{Lowering, need},
    owner::{Asked, ClusterBack, Desired, DesiredCluster, Window},
    predicted::Predicted,
};

/// The part of the step's id.
const PART: &str = "control-plane";
const DAY: u64 = 24 * 3600;

/// Adds the update. `after` comes first; `gates` are asked again. Where nodes `follow`, the newer ones go before it rolls back.
/// `None` where what is in the way was said.
pub(super) fn step(
    road: &Road<'_>,
    (from, follow): (&Version, bool),
    after: &[StepId],
    gates: &[Label],
    predicted: &mut Predicted<'_>,
    out: &mut Lowering,
) -> Option<StepId> {
    let minor = &road.hop.to;
    let id = road.scope.id(PART);
    let previous = road.earlier().last().map(|(_, scope)| scope.id(PART));
    predicted.cloud(
        &road.own.names.cluster(),
        "/version",
        serde_json::json!(from.as_str()),
        previous.as_ref(),
    );
    let first = if follow { rollback_guard::before(road, &id, out) } else { Vec::new() };
    let arn = road.own.names.arn.clone();
    let why = "every check, freeze and clean-up comes before the control plane moves";
    let asked = Asked {
        cx: road.cx,
        owners: road.owners,
        scope: &road.scope,
        part: PART,
        title: format!("update the control plane of {} from {from} to {minor}", arn.name()),
        desired: Desired::Cluster(DesiredCluster {
            arn,
            uid: road.inventory.cluster.kube_system_uid.clone(),
            from: from.clone(),
            to: minor.clone(),
            back: back(road, from, (&id, first), out),
        }),
        needs: after.iter().map(|step| need(step, why, None)).collect(),
        place: road.label(road.doc.doc, "/spec/to", "this minor"),
    };
    let mut draft = asked.change(predicted, out)?;
    if follow {
        draft = rollback_guard::captures(road, draft);
    }
    for gate in gates.iter().chain(&line_of_support(road, out)) {
        draft = draft.gate(gate);
    }
    Some(out.add(draft))
}

/// How it rolls back: while EKS takes it. What would make that wrong is read before it: nodes that are too new, and what EKS itself
/// finds.
fn back(
    road: &Road<'_>,
    from: &Version,
    (id, first): (&StepId, Vec<StepId>),
    out: &mut Lowering,
) -> ClusterBack {
    let minor = &road.hop.to;
    let facts = road.facts;
    for key in ["rollback", "insights"] {
        if let Some(source) = facts.source(key) {
            out.sources.insert(key.to_owned(), source);
        }
    }
    let end = support::end(&road.own.cluster, from);
    if let Some(end) = end.as_ref().filter(|end| support::over(road.cx, end)) {
        return ClusterBack::Never {
            why: format!("EKS rolls no control plane back to {from}: {}", end.why),
            recovery: recovery(from),
        };
    }
    let days = facts.rollback.days;
    let mut expires = vec![Expiry {
        at: ExpiresAt::After(Seconds(days * DAY)),
        why: format!("EKS rolls a control plane back within {days} days of the end of its update"),
    }];
    expires.extend(end.map(|end| Expiry { at: ExpiresAt::Instant(end.at), why: end.why }));
    let before = |condition| Read { condition, basis: ReadBasis::After(id.clone()) };
    let insights = Condition::Insights {
        target: road.own.names.target.clone(),
        category: InsightCategory::RollbackReadiness,
        kubernetes: from.clone(),
        accepted_until: BTreeMap::new(),
    };
    let reads =
        vec![before(no_kubelet(&BTreeMap::new(), Test::VersionAtLeast(minor.clone()))), before(insights)];
    ClusterBack::Window(Window { after: first, reads, expires })
}

/// What a person still has when the rollback is over.
pub(super) fn recovery(from: &Version) -> String {
    format!(
        "make a second cluster at {from}, move the workloads there from their manifests and backups, and switch traffic over"
    )
}

/// A line and the gate that asks for its approval.
pub(super) fn point(
    road: &Road<'_>,
    part: &str,
    step: &StepId,
    ends: String,
    recovery: String,
    out: &mut Lowering,
) -> Label {
    let point = PointOfNoReturn { id: road.unique(part), step: step.clone(), ends, recovery };
    out.point_of_no_return(format!("approve that {} ends", point.ends), point)
}

/// Where the older minor is out of support, the control plane itself is the line.
fn line_of_support(road: &Road<'_>, out: &mut Lowering) -> Option<Label> {
    let from = road.hop.from.as_ref()?;
    let end = support::end(&road.own.cluster, from)?;
    if !support::over(road.cx, &end) {
        return None;
    }
    let ends = format!("every rollback to EKS {from}");
    Some(point(road, "no-rollback", &road.scope.id("control-plane"), ends, recovery(from), out))
}

/// The next minor ends the rollback of the one before it: `first` is the step with which it begins to. Says the line's gate;
/// `None` where there was no such rollback any more.
pub(super) fn crossing(road: &Road<'_>, first: &StepId, out: &mut Lowering) -> Option<Label> {
    let Some((minor, scope)) = road.earlier().pop() else { return crossing_run(road, first, out) };
    let came_from = preceding(&minor);
    let inside: Vec<&Step> = out.steps.iter().filter(|step| step.hop == scope.hop).collect();
    if inside.iter().any(|step| matches!(step.undo, Undo::Irreversible { .. })) {
        return None;
    }
    let ids: Vec<StepId> = inside.iter().map(|step| step.id.clone()).collect();
    let mut found = false;
    for undo in out.rollback.iter_mut().filter(|undo| undo.place().is_some_and(|id| ids.contains(id))) {
        if undo.kind == UndoKind::Window {
            let why = format!(
                "the control plane goes on to {}, and EKS rolls it back by one minor only",
                road.hop.to
            );
            undo.expires.push(Expiry { at: ExpiresAt::Start(first.clone()), why });
            found = true;
        }
    }
    if !found {
        return None;
    }
    let ends = format!("rollback to EKS {came_from}");
    Some(point(road, &format!("rollback-to-{came_from}"), first, ends, recovery(&came_from), out))
}

/// The same, where an earlier run of the operation moved the minor before.
fn crossing_run(road: &Road<'_>, first: &StepId, out: &mut Lowering) -> Option<Label> {
    let from = road.hop.from.as_ref()?;
    let earlier = HopSpec { to: from.clone(), ..road.hop.clone() }.id();
    let moved = road.cx.carried().find(|carried| carried.id == earlier && carried.from.is_some())?;
    let came_from = moved.from.clone()?;
    if support::end(&road.own.cluster, &came_from).is_some_and(|end| support::over(road.cx, &end)) {
        return None;
    }
    let run = &moved.run;
    let why = format!(
        "the control plane, which run {run} moved from {came_from}, went on to {}: EKS rolls it back by one minor only",
        road.hop.to
    );
    out.expires_earlier.push(ExpiresEarlier { hop: earlier, at: first.clone(), why });
    let ends = format!("rollback to EKS {came_from}, from which run {run} came,");
    Some(point(road, &format!("rollback-to-{came_from}"), first, ends, recovery(&came_from), out))
}
