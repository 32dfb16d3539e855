//! CRDs of a chart's `crds/` directory, which Helm never upgrades.

use serde_json::Value;
use switchback_schemas::{
    Diagnostic, Seconds, StepId, codes,
    plan::{
        CaptureKind, Condition, Effect, Estimate, KubeApply, KubeCapture, KubeCondition, KubeEffect,
        KubeRestore, Operand, Target, Test, UndoKind, Wait, Work,
    },
};

use super::super::Asked;
use crate::{
    lower::{Lowering, Rollback, Undoing, changes, verify},
    objects,
    predicted::{Predicted, crd_ref},
};

/// Says where a CRD of a chart, wherever it stands, drops a version in which objects are stored: the API server would refuse it.
pub(super) fn stored(asked: &Asked<'_>, predicted: &Predicted<'_>, object: &Value) {
    let Some(seen) = objects::name(object).and_then(|name| predicted.crd(name)) else { return };
    let (name, versions) = (&seen.name, objects::versions(object, None));
    let Some(dropped) = seen.stored.iter().find(|stored| !versions.contains(&stored.as_str())) else {
        return;
    };
    let message = format!("CRD {name} drops version {dropped}, in which objects are stored");
    let help =
        "move its objects to another stored version first, and remove the old one from status.storedVersions";
    let found = Diagnostic::error(codes::PLAN_STORED_VERSION, message).at(asked.place.clone()).help(help);
    asked.cx.findings.say_about(name, found);
}

/// Applies a CRD of the `crds/` directory. It is captured first, and rolling back restores it; a CRD that was not there stays,
/// because removing it would remove its objects.
pub(super) fn step(
    asked: &Asked<'_>,
    predicted: &Predicted<'_>,
    object: &Value,
    out: &mut Lowering,
) -> Option<StepId> {
    const BEFORE: &str = "before";
    let scope = asked.scope;
    let name = objects::name(object)?.to_owned();
    let seen = predicted.crd(&name);
    let target = Target::Object(crd_ref(&name));
    let part = format!("crds/{name}");
    let id = scope.id(&part);
    let established = Condition::Kube(KubeCondition::Field {
        object: target.clone(),
        pointer: "/status/conditions".to_owned(),
        is: Test::Contains(serde_json::json!({"type": "Established", "status": "True"})),
    });
    let undo = match &seen {
        Some(_) => Undoing::by(Rollback {
            kind: UndoKind::Restore,
            ..Rollback::new(Work {
                estimate: Estimate::seconds(5, 30),
                ..Work::effect(
                    format!("restore CRD {name}"),
                    Effect::Kube(KubeEffect::Restore(KubeRestore::of(Operand::Captured {
                        step: id.clone(),
                        name: BEFORE.to_owned(),
                    }))),
                )
            })
        }),
        // Removing it would remove its objects.
        None => Undoing::by(Rollback::new(Work {
            done_when: Some(Condition::All(Vec::new())),
            ..Work::effect(
                format!("leave the new CRD {name} with its objects"),
                Effect::Wait(Wait { until: Condition::All(Vec::new()) }),
            )
        })),
    };
    let effect = Effect::Kube(KubeEffect::Apply(KubeApply { object: object.clone(), force: true }));
    let mut draft = scope
        .step(&part, format!("apply CRD {name}"), effect, undo, predicted.take_reads())
        .verify([verify(format!("CRD {name} is established"), established, Seconds(0), Seconds::minutes(1))])
        .time(Seconds::minutes(1), Estimate::seconds(5, 30))
        .idempotent()
        .changes(match &seen {
            Some(_) => Vec::new(),
            None => changes::between(&[], std::slice::from_ref(object)),
        });
    if seen.is_some() {
        draft = draft.captures(BEFORE, CaptureKind::Kube(KubeCapture::Objects(vec![target])));
    }
    Some(out.add(draft))
}
