//! CRDs that the older chart holds and the plan applies. Rolled back, the release holds them again: helm 4 applies them as their owner,
//! and the API server refuses that while another manager holds their fields at other values. So they are as they were before
//! helm rolls back.

use serde_json::json;
use switchback_schemas::{
    Seconds, StepId,
    plan::{
        CaptureKind, Condition, Effect, Estimate, KubeCapture, KubeCondition, KubeEffect, KubeRestore,
        Operand, Target, Test, UndoKind, Work,
    },
};

use super::{ArgoWorkflows, gates};
use crate::{
    component::HopCx,
    lower::{Lowering, Rollback, need},
    predicted::{Predicted, crd_ref},
};

/// The capture of the CRDs, all of them.
const CAPTURE: &str = "crds";

/// Captures the CRDs that the release holds, where the plan applies them; `None` where it holds none.
pub(super) fn capture(
    at: &HopCx<'_, ArgoWorkflows>,
    predicted: &Predicted<'_>,
    after: &[StepId],
    out: &mut Lowering,
) -> Option<StepId> {
    if !gates::applies(at) {
        return None;
    }
    let names = predicted.release(&at.doc.spec.release)?.crds();
    let reads = predicted.take_reads();
    if names.is_empty() {
        return None;
    }
    let target = |name: &String| Target::Object(crd_ref(name));
    let established = |name: &String| {
        Condition::Kube(KubeCondition::Field {
            object: target(name),
            pointer: "/status/conditions".to_owned(),
            is: Test::Contains(json!({"type": "Established", "status": "True"})),
        })
    };
    let title = format!("capture the {} CRDs that release {} holds", names.len(), at.doc.spec.release);
    let needs = after.iter().map(|step| need(step, "nothing has moved yet", None));
    let look = at
        .scope
        .look("held-crds", title, Condition::All(names.iter().map(established).collect()), reads)
        .captures(CAPTURE, CaptureKind::Kube(KubeCapture::Objects(names.iter().map(target).collect())))
        .after(needs)
        .time(Seconds::minutes(2), Estimate::seconds(2, 10));
    Some(out.add(look))
}

/// Puts them back before the release is rolled back.
pub(super) fn restore_before(
    at: &HopCx<'_, ArgoWorkflows>,
    captured: &StepId,
    release: &StepId,
    out: &mut Lowering,
) {
    let id = at.scope.id("release/held-crds");
    let objects = Operand::Captured { step: captured.clone(), name: CAPTURE.to_owned() };
    let title = format!("restore the CRDs that release {} holds again", at.doc.spec.release);
    let restore = Rollback {
        kind: UndoKind::Restore,
        ..Rollback::new(Work {
            estimate: Estimate::seconds(5, 60),
            ..Work::effect(title, Effect::Kube(KubeEffect::Restore(KubeRestore::of(objects))))
        })
    };
    for rollback in out.rollback.iter_mut().filter(|rollback| rollback.undoes.contains(release)) {
        rollback.after.push(id.clone());
    }
    out.rollback.push(restore.named(id, vec![release.clone()]));
}
