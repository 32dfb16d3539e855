//! The state of a node's driver, kept while the driver is held and given back with the label.

use switchback_schemas::{
    StepId,
    plan::{Action, Capture, CaptureKind, Effect, KubeCapture, KubeEffect, KubePatch, Operand, SetField},
};

use super::{super::Lowering, STATE_POINTER};

/// Its name among what the step captures.
const STATE: &str = "state";

/// A node that waits for an upgrade goes on waiting when its driver's template is the old one again, and would be cordoned and
/// emptied as soon as it is no longer held. So the state that it had comes back in the same patch.
pub fn keep(step: &StepId, out: &mut Lowering) {
    if let Some(held) = out.steps.iter_mut().find(|known| known.id == *step)
        && let Some(object) = patch_of(&mut held.work.action).map(|patch| patch.object.clone())
    {
        let what = KubeCapture::Field { object, pointer: STATE_POINTER.to_owned() };
        held.work.captures.push(Capture { name: STATE.to_owned(), what: CaptureKind::Kube(what) });
    }
    if let Some(undo) = out.rollback.iter_mut().find(|undo| undo.id == *step) {
        set_state(&mut undo.work.action, step);
    }
}

/// The same where a driver is let go of as the plan says, or by a janitor.
pub fn restore(held: &StepId, resume: &StepId, out: &mut Lowering) {
    let kept = out
        .steps
        .iter()
        .any(|step| step.id == *held && step.work.captures.iter().any(|capture| capture.name == STATE));
    if let Some(step) = out.steps.iter_mut().find(|step| step.id == *resume).filter(|_| kept) {
        set_state(&mut step.work.action, held);
    }
}

fn patch_of(action: &mut Action) -> Option<&mut KubePatch> {
    match action {
        Action::Effect(Effect::Kube(KubeEffect::Patch(patch))) => Some(patch),
        _ => None,
    }
}

/// Gives a node the state that it had when its driver was held.
fn set_state(action: &mut Action, held: &StepId) {
    if let Some(patch) = patch_of(action) {
        let to = Operand::Captured { step: held.clone(), name: STATE.to_owned() };
        patch.set.push(SetField { pointer: STATE_POINTER.to_owned(), to });
    }
}
