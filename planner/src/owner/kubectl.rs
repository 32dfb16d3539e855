//! People with kubectl as owners: a field is set by compare-and-set, and set back to what was captured.

use switchback_schemas::{
    Seconds,
    manifest::OwnerKind,
    plan::{
        CaptureKind, Condition, Disruption, Effect, Estimate, FieldTest, KubeCapture, KubeCondition,
        KubeEffect, KubePatch, Operand, SetField, Target, Test, Verify, Work,
    },
};

use super::{Asked, Desired, DesiredField, Owner, Subject};
use crate::{
    lower::{Draft, Lowering, Rollback, Undoing, changes, verify},
    predicted::Predicted,
};

/// Objects, by patches.
pub(super) struct Kubectl;

impl Owner for Kubectl {
    fn kind(&self) -> OwnerKind {
        OwnerKind::Kubectl
    }

    fn makes(&self, subject: &Subject<'_>) -> bool {
        matches!(subject, Subject::Object(_))
    }

    fn is_there(&self, desired: &Desired<'_>, _: &Predicted<'_>) -> bool {
        matches!(desired, Desired::Field(field) if field.before == field.after)
    }

    fn change(&self, asked: &Asked<'_>, predicted: &mut Predicted<'_>, _: &mut Lowering) -> Option<Draft> {
        let field = field(&asked.desired)?;
        let old = || Operand::Captured { step: asked.scope.id(asked.part), name: field.capture.to_owned() };
        let new = || Operand::Value(field.after.clone());
        let observed = Operand::Value(field.before.clone());
        let (disruption, estimate) = match field.restarts {
            Some(_) => (Disruption::Restart, Estimate::seconds(60, 300)),
            None => (Disruption::None, Estimate::seconds(2, 10)),
        };
        let undo = Rollback::new(Work {
            done_when: Some(field.is(old())),
            verify: field.rolled_out().into_iter().collect(),
            disruption,
            estimate,
            ..Work::effect(
                format!("restore {} to {}", field.what, plain(&field.before)),
                field.patch(new(), old()),
            )
        });
        let change = changes::of_field(field.object.clone(), &field.path, &field.before, &field.after);
        let draft = asked
            .scope
            .step(
                asked.part,
                &asked.title,
                field.patch(observed, new()),
                Undoing::by(undo),
                predicted.take_reads(),
            )
            .captures(
                field.capture,
                CaptureKind::Kube(KubeCapture::Field {
                    object: field.target(),
                    pointer: field.pointer.clone(),
                }),
            )
            .done_when(field.is(new()))
            .verify(field.rolled_out())
            .time(Seconds::minutes(2), estimate)
            .idempotent()
            .disrupts(disruption, None)
            .changes(vec![change]);
        Some(draft)
    }

    fn prove(&self, asked: &Asked<'_>, predicted: &mut Predicted<'_>) -> Option<Draft> {
        let field = field(&asked.desired)?;
        let mut of = vec![field.is(Operand::Value(field.after.clone()))];
        of.extend(field.restarts.map(|_| Condition::Kube(KubeCondition::Rollout { object: field.target() })));
        let look = asked.scope.look(asked.part, &asked.title, Condition::All(of), predicted.take_reads());
        Some(look.verify(field.rolled_out()))
    }
}

fn field<'a>(desired: &'a Desired<'_>) -> Option<&'a DesiredField> {
    match desired {
        Desired::Field(field) => Some(field),
        _ => None,
    }
}

/// A text without its quotes, and anything else as JSON.
fn plain(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl DesiredField {
    fn target(&self) -> Target {
        Target::Object(self.object.clone())
    }

    fn is(&self, value: Operand) -> Condition {
        Condition::Kube(KubeCondition::Field {
            object: self.target(),
            pointer: self.pointer.clone(),
            is: Test::Equals(value),
        })
    }

    fn patch(&self, only: Operand, to: Operand) -> Effect {
        let own = FieldTest { pointer: self.pointer.clone(), is: Test::Equals(only) };
        Effect::Kube(KubeEffect::Patch(KubePatch {
            object: self.target(),
            subresource: None,
            only_if: self.only_if.iter().cloned().chain([own]).collect(),
            set: vec![SetField { pointer: self.pointer.clone(), to }],
        }))
    }

    fn rolled_out(&self) -> Option<Verify> {
        let condition = Condition::Kube(KubeCondition::Rollout { object: self.target() });
        self.restarts
            .map(|within| verify(format!("{} is rolled out", self.object), condition, Seconds(10), within))
    }
}
