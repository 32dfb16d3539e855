//! Gates that a whole plan has: the approval before its first effect, and windows.

use switchback_schemas::{
    name::Label,
    plan::{Action, ApprovalScope, Effect, Gate, GateKind, Step, WindowUse},
};

use crate::{context::Cx, lower::Lowering};

pub(super) fn add(cx: &Cx<'_>, lowering: &mut Lowering) {
    if cx.manifests.platform.spec.approvals.before_start {
        let gate = Gate {
            id: Label::sanitized("start"),
            title: "approve the plan".to_owned(),
            kind: GateKind::Approval(ApprovalScope::Plan {}),
            may_override: false,
        };
        attach(lowering, gate, |step| step.needs.is_empty());
    }
    let windows = &cx.manifests.platform.spec.windows;
    if windows.iter().any(|window| window.used_for != WindowUse::Rollback) {
        let gate = Gate {
            id: Label::sanitized("window"),
            title: "a maintenance window is open and no freeze is on".to_owned(),
            kind: GateKind::Window(WindowUse::Forward),
            may_override: true,
        };
        attach(lowering, gate, changes_something);
    }
}

fn changes_something(step: &Step) -> bool {
    !matches!(step.action, Action::Effect(Effect::Wait(_) | Effect::Notify(_)))
}

fn attach(lowering: &mut Lowering, gate: Gate, which: impl Fn(&Step) -> bool) {
    for step in lowering.steps.iter_mut().filter(|step| which(step)) {
        step.gates.push(gate.id.clone());
    }
    lowering.gates.push(gate);
}
