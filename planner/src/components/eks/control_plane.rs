//! The control plane: one minor up, and back down while that is possible.

use std::collections::BTreeMap;

use switchback_schemas::{
    StepId, Version,
    name::{Label, ObjectName, ObjectRef},
    plan::{
        ClosesEarlier, Condition, Disruption, Effect, EksUpdateCluster, ExpiresAt, Expiry, InsightCategory,
        NoReturn, Operand, Read, ReadBasis, Step, Target, Test, Undo, UndoKind, Verify, Work,
    },
    seconds::Seconds,
};

use super::{
    context::{self, Road},
    kubelets::no_kubelet,
    minors::preceding,
    nodes::rollback_guard,
    support,
};
use crate::{
    hop::HopSpec,
    lower::{Lowering, Rollback, Undoing, verify},
    outlook::Outlook,
};

/// How long an update may take before it is looked at by a person.
const WITHIN: Seconds = Seconds::minutes(120);
const DAY: u64 = 24 * 3600;

/// Adds the update. `after` comes first; `gates` are asked again. Where nodes `follow`, the newer ones go before it goes back.
pub(super) fn step(
    road: &Road<'_>,
    (from, follow): (&Version, bool),
    after: &[StepId],
    gates: &[Label],
    outlook: &Outlook<'_>,
    to: &mut Lowering,
) -> StepId {
    let cluster = road.own.names.cluster();
    let minor = &road.hop.to;
    let id = road.scope.id("control-plane");
    let previous = road.earlier().last().map(|(_, scope)| scope.id("control-plane"));
    outlook.cloud(&cluster, "/version", serde_json::json!(from.as_str()), previous.as_ref());
    let title = format!("update the control plane of {} from {from} to {minor}", road.own.names.arn.name());
    let effect = update(road, from, minor);
    let first = if follow { rollback_guard::before(road, &id, to) } else { Vec::new() };
    let undo = undo(road, from, (&id, first), to);
    let mut draft = road
        .scope
        .step("control-plane", title, effect, undo, outlook.take_reads())
        .done_when(context::at(road, minor))
        .verify(verified(road, minor))
        .within(WITHIN)
        .idempotent()
        .disrupts(Disruption::Restart, None)
        .permits(permissions(road));
    if follow {
        draft = rollback_guard::captures(road, draft);
    }
    for step in after {
        draft = draft.needs(
            step,
            "everything is looked at, frozen and cleared before the control plane moves",
            None,
        );
    }
    for gate in gates.iter().chain(&line_of_support(road, to)) {
        draft = draft.gate(gate);
    }
    to.add(draft)
}

fn update(road: &Road<'_>, from: &Version, to: &Version) -> Effect {
    let target = road.own.names.target.clone();
    Effect::EksUpdateCluster(EksUpdateCluster { target, from: from.clone(), to: to.clone() })
}

/// The update has ended as it should, and the API server answers.
fn verified(road: &Road<'_>, minor: &Version) -> Vec<Verify> {
    let uid = &road.inventory.cluster.kube_system_uid;
    let system = ObjectRef::new("v1", "Namespace", &ObjectName::cluster("kube-system"));
    let answers = Condition::Field {
        object: Target::Object(system),
        pointer: "/metadata/uid".to_owned(),
        is: Test::Equals(Operand::Value(serde_json::json!(uid))),
    };
    let within = Seconds::minutes(15);
    vec![
        verify(format!("the cluster is ACTIVE at {minor}"), context::at(road, minor), Seconds(30), within),
        verify("the API server answers", answers, Seconds(30), within),
    ]
}

fn permissions(road: &Road<'_>) -> Vec<switchback_schemas::plan::Permission> {
    let mut permissions = road.own.names.on_cluster(&[
        "UpdateClusterVersion",
        "DescribeCluster",
        "DescribeUpdate",
        "ListUpdates",
    ]);
    permissions.push(crate::lower::permission("get", "", "namespaces", None));
    permissions.push(crate::lower::permission("list", "", "nodes", None));
    permissions
}

/// The way back: the same call downwards, while EKS takes it. What would make it wrong is read before it: nodes that are too new,
/// and what EKS itself finds.
fn undo(road: &Road<'_>, from: &Version, (id, first): (&StepId, Vec<StepId>), to: &mut Lowering) -> Undoing {
    let minor = &road.hop.to;
    let facts = road.facts;
    for key in ["rollback", "insights"] {
        if let Some(source) = facts.source(key) {
            to.sources.insert(key.to_owned(), source);
        }
    }
    let end = support::end(&road.own.cluster, from);
    if let Some(end) = end.as_ref().filter(|end| support::over(road.cx, end)) {
        return Undoing::Irreversible {
            why: format!("EKS takes no control plane back to {from}: {}", end.why),
            recovery: recovery(from),
        };
    }
    let days = facts.way_back.days;
    let mut closes = vec![Expiry {
        at: ExpiresAt::After(Seconds(days * DAY)),
        why: format!("EKS takes a control plane back within {days} days of the end of its update"),
    }];
    closes.extend(end.map(|end| Expiry { at: ExpiresAt::Instant(end.at), why: end.why }));
    let before = |condition| Read { condition, basis: ReadBasis::After(id.clone()) };
    let insights = Condition::Insights {
        target: road.own.names.target.clone(),
        category: InsightCategory::RollbackReadiness,
        kubernetes: from.clone(),
        accepted_until: BTreeMap::new(),
    };
    Undoing::by(Rollback {
        kind: UndoKind::Window,
        after: first,
        expires: closes,
        ..Rollback::new(Work {
            reads: vec![
                before(no_kubelet(&BTreeMap::new(), Test::VersionAtLeast(minor.clone()))),
                before(insights),
            ],
            done_when: Some(context::at(road, from)),
            verify: verified(road, from),
            timeout: WITHIN,
            disruption: Disruption::Restart,
            permissions: permissions(road),
            ..Work::effect(
                format!(
                    "take the control plane of {} back from {minor} to {from}",
                    road.own.names.arn.name()
                ),
                update(road, minor, from),
            )
        })
    })
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
