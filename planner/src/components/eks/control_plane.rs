//! The control plane: one minor up, and back down while that is possible.

use std::collections::BTreeMap;

use switchback_schemas::{
    StepId, Version,
    name::Label,
    plan::{
        ClosesEarlier, Condition, ExpiresAt, Expiry, InsightCategory, NoReturn, Read, ReadBasis, Step, Test,
        Undo, UndoKind,
    },
    seconds::Seconds,
};

use super::{context::Road, kubelets::no_kubelet, minors::preceding, nodes::rollback_guard, support};
use crate::{
    hop::HopSpec,
    lower::{Lowering, need},
    outlook::Outlook,
    owner::{Asked, ClusterBack, Desired, DesiredCluster, Window},
};

/// The part of the step's id.
const PART: &str = "control-plane";
const DAY: u64 = 24 * 3600;

/// Adds the update. `after` comes first; `gates` are asked again. Where nodes `follow`, the newer ones go before it goes back.
/// `None` where what is in the way was said.
pub(super) fn step(
    road: &Road<'_>,
    (from, follow): (&Version, bool),
    after: &[StepId],
    gates: &[Label],
    outlook: &mut Outlook<'_>,
    to: &mut Lowering,
) -> Option<StepId> {
    let minor = &road.hop.to;
    let id = road.scope.id(PART);
    let previous = road.earlier().last().map(|(_, scope)| scope.id(PART));
    outlook.cloud(&road.own.names.cluster(), "/version", serde_json::json!(from.as_str()), previous.as_ref());
    let first = if follow { rollback_guard::before(road, &id, to) } else { Vec::new() };
    let arn = road.own.names.arn.clone();
    let why = "everything is looked at, frozen and cleared before the control plane moves";
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
            back: back(road, from, (&id, first), to),
        }),
        needs: after.iter().map(|step| need(step, why, None)).collect(),
        place: road.label(road.doc.doc, "/spec/to", "this minor"),
    };
    let mut draft = asked.change(outlook, to)?;
    if follow {
        draft = rollback_guard::captures(road, draft);
    }
    for gate in gates.iter().chain(&line_of_support(road, to)) {
        draft = draft.gate(gate);
    }
    Some(to.add(draft))
}

/// How it goes back: while EKS takes it. What would make that wrong is read before it: nodes that are too new, and what EKS itself
/// finds.
fn back(
    road: &Road<'_>,
    from: &Version,
    (id, first): (&StepId, Vec<StepId>),
    to: &mut Lowering,
) -> ClusterBack {
    let minor = &road.hop.to;
    let facts = road.facts;
    for key in ["rollback", "insights"] {
        if let Some(source) = facts.source(key) {
            to.sources.insert(key.to_owned(), source);
        }
    }
    let end = support::end(&road.own.cluster, from);
    if let Some(end) = end.as_ref().filter(|end| support::over(road.cx, end)) {
        return ClusterBack::Never {
            why: format!("EKS takes no control plane back to {from}: {}", end.why),
            recovery: recovery(from),
        };
    }
    let days = facts.way_back.days;
    let mut expires = vec![Expiry {
        at: ExpiresAt::After(Seconds(days * DAY)),
        why: format!("EKS takes a control plane back within {days} days of the end of its update"),
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

/// What a person still has when the way back is over.
pub(super) fn recovery(from: &Version) -> String {
    format!(
        "make a second cluster at {from}, move the workloads there from their manifests and backups, and switch traffic over"
    )
}

/// A line and the gate that asks for its approval.
pub(super) fn line(
    road: &Road<'_>,
    part: &str,
    step: &StepId,
    closes: String,
    recovery: String,
    to: &mut Lowering,
) -> Label {
    let point = NoReturn { id: road.unique(part), step: step.clone(), closes, recovery };
    to.point_of_no_return(format!("approve the end of {}", point.closes), point)
}

/// Where the older minor is out of support, the control plane itself is the line.
fn line_of_support(road: &Road<'_>, to: &mut Lowering) -> Option<Label> {
    let from = road.hop.from.as_ref()?;
    let end = support::end(&road.own.cluster, from)?;
    if !support::over(road.cx, &end) {
        return None;
    }
    let closes = format!("every way back to EKS {from}");
    Some(line(road, "no-way-back", &road.scope.id("control-plane"), closes, recovery(from), to))
}

/// The next minor ends the way back of the one before it: `first` is the step with which it begins to. Says the line's gate;
/// `None` where there was no such way back any more.
pub(super) fn crossing(road: &Road<'_>, first: &StepId, to: &mut Lowering) -> Option<Label> {
    let Some((minor, scope)) = road.earlier().pop() else { return crossing_run(road, first, to) };
    let came_from = preceding(&minor);
    let inside: Vec<&Step> = to.steps.iter().filter(|step| step.hop == scope.hop).collect();
    if inside.iter().any(|step| matches!(step.undo, Undo::Irreversible { .. })) {
        return None;
    }
    let ids: Vec<StepId> = inside.iter().map(|step| step.id.clone()).collect();
    let mut found = false;
    for undo in to.rollback.iter_mut().filter(|undo| undo.place().is_some_and(|id| ids.contains(id))) {
        if undo.kind == UndoKind::Window {
            let why = format!(
                "the control plane goes on to {}, and EKS takes it back by one minor only",
                road.hop.to
            );
            undo.expires.push(Expiry { at: ExpiresAt::Start(first.clone()), why });
            found = true;
        }
    }
    if !found {
        return None;
    }
    let closes = format!("the way back to EKS {came_from}");
    Some(line(road, &format!("back-to-{came_from}"), first, closes, recovery(&came_from), to))
}

/// The same, where an earlier run of the operation moved the minor before.
fn crossing_run(road: &Road<'_>, first: &StepId, to: &mut Lowering) -> Option<Label> {
    let from = road.hop.from.as_ref()?;
    let earlier = HopSpec { to: from.clone(), ..road.hop.clone() }.id();
    let moved = road.cx.carried().find(|carried| carried.id == earlier && carried.from.is_some())?;
    let came_from = moved.from.clone()?;
    if support::end(&road.own.cluster, &came_from).is_some_and(|end| support::over(road.cx, &end)) {
        return None;
    }
    let run = &moved.run;
    let why = format!(
        "the control plane, which run {run} moved from {came_from}, went on to {}: EKS takes it back by one minor only",
        road.hop.to
    );
    to.closes_earlier.push(ClosesEarlier { hop: earlier, at: first.clone(), why });
    let closes = format!("the way back to EKS {came_from}, from which run {run} came");
    Some(line(road, &format!("back-to-{came_from}"), first, closes, recovery(&came_from), to))
}
