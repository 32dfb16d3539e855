//! What components are kept from while nodes move, in hops of others, too.

use switchback_schemas::{
    StepId,
    plan::{Disruption, Roll, Work},
};

use crate::{
    context::Cx,
    hop::HopSpec,
    lower::{
        HopScope, Lowering,
        suspension::{RollSuspension, SuspensionDraft},
    },
    predicted::Predicted,
    registry::Registry,
};

/// How much was lowered before a hop.
#[derive(Clone, Copy)]
pub(super) struct Before {
    steps: usize,
    rollback: usize,
}

impl Before {
    pub(super) fn of(lowering: &Lowering) -> Self {
        Self { steps: lowering.steps.len(), rollback: lowering.rollback.len() }
    }
}

/// Suspends around all steps of a hop with which nodes move, forward or in its rollback.
pub(super) fn around(
    cx: &Cx<'_>,
    registry: &Registry<'_>,
    (hop, before): (&HopSpec, Before),
    predicted: &Predicted<'_>,
    out: &mut Lowering,
) {
    let moving = moving(out, before);
    if moving.is_empty() {
        return;
    }
    let scope = HopScope::of(hop);
    let rolls: Vec<&Roll> = works(out, before).filter_map(Work::roll).collect();
    let asked: Vec<RollSuspension> =
        registry.components().flat_map(|(_, component)| component.suspends(cx, &rolls)).collect();
    for asked in asked {
        let what = asked.suspended.titles.what.clone();
        let suspension = SuspensionDraft::new(&scope, asked.suspended, predicted);
        suspension.check(cx, cx.label(hop.doc, "/spec/to", "moves nodes"));
        suspension.note(predicted);
        let open = out.add(suspension.suspend_step(&scope, predicted));
        suspension.declare(asked.safe, out);
        for step in &moving {
            out.order(step, &open, &format!("{what} is suspended before a node moves"));
        }
        let Some(mut close) = suspension.resume_step(&scope) else { continue };
        for step in &moving {
            close = close.needs(step, "it is resumed when no node moves any more", None);
        }
        out.add(close);
    }
}

/// Work of the hop, forward and of its rollback.
fn works(out: &Lowering, before: Before) -> impl Iterator<Item = &Work> {
    let steps = out.steps.iter().skip(before.steps).map(|step| &step.work);
    steps.chain(out.rollback.iter().skip(before.rollback).map(|back| &back.work))
}

/// Steps of the hop with which nodes move, or with whose rollback they do.
fn moving(out: &Lowering, before: Before) -> Vec<StepId> {
    let moves = |work: &Work| work.roll().is_some() || work.disruption == Disruption::Drain;
    let steps = out.steps.iter().skip(before.steps).filter(|step| moves(&step.work)).map(|step| &step.id);
    let rollback = out.rollback.iter().skip(before.rollback).filter(|back| moves(&back.work));
    let mut moving: Vec<StepId> = steps.chain(rollback.filter_map(|back| back.place())).cloned().collect();
    moving.sort();
    moving.dedup();
    moving
}
