//! Gates that a whole plan has, the approval before its first effect and windows, and the day before which a hop cannot begin.

use jiff::{civil::Date, tz::TimeZone};
use switchback_model::trust::Trusted;
use switchback_schemas::{
    name::Label,
    plan::{Action, ApprovalScope, Effect, Gate, GateKind, Hop, Step, WindowUse},
};

use crate::{context::Cx, lower::Lowering};

/// Whether the whole plan is approved before its first effect. Where there is a trust, it may say so, too: the manifests are what is reviewed.
pub(super) fn before_start(cx: &Cx<'_>, trust: Option<&Trusted>) -> bool {
    cx.manifests.platform.spec.approvals.before_start
        || trust.is_some_and(|trust| trust.trust().spec.before_start)
}

pub(super) fn add(cx: &Cx<'_>, trust: Option<&Trusted>, lowering: &mut Lowering) {
    if before_start(cx, trust) {
        let gate = Gate {
            id: Label::sanitized("start"),
            title: "approve the plan".to_owned(),
            kind: GateKind::Approval(ApprovalScope::Plan {}),
            may_override: false,
        };
        attach(&mut lowering.steps, &gate, |step| step.needs.is_empty());
        lowering.gates.push(gate);
    }
    let windows = &cx.manifests.platform.spec.windows;
    if windows.iter().any(|window| window.used_for != WindowUse::Rollback) {
        let gate = Gate {
            id: Label::sanitized("window"),
            title: "a maintenance window is open and no freeze is on".to_owned(),
            kind: GateKind::Window(WindowUse::Forward),
            may_override: true,
        };
        attach(&mut lowering.steps, &gate, changes_something);
        lowering.gates.push(gate);
    }
}

fn changes_something(step: &Step) -> bool {
    !matches!(step.work.action, Action::Effect(Effect::Wait(_) | Effect::Notify(_)))
}

/// The gate of a hop whose version, or one that it waits for, is not out yet: the run parks before the first of its steps, until the
/// day begins. What was published earlier than the catalog thought may pass it by an override.
pub(super) fn not_before(hop: &Hop, day: Date, steps: &mut [Step]) -> Option<Gate> {
    let gate = Gate {
        id: Label::sanitized(&format!("{}-not-before", hop.savepoint)),
        title: format!(
            "wait until {day}: {} {}, or a version that it depends on, is released then",
            hop.id.component(),
            hop.id.to()
        ),
        kind: GateKind::NotBefore(day.to_zoned(TimeZone::UTC).ok()?.timestamp()),
        may_override: true,
    };
    attach(steps, &gate, |step| step.needs.is_empty());
    Some(gate)
}

fn attach(steps: &mut [Step], gate: &Gate, which: impl Fn(&Step) -> bool) {
    for step in steps.iter_mut().filter(|step| which(step)) {
        step.gates.push(gate.id.clone());
    }
}
