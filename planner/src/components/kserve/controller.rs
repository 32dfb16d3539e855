//! The controller while words change or two versions must not act side by side: it is stopped before its release moves, and started
//! after.

use serde_json::{Value, json};
use switchback_schemas::{
    Seconds,
    inventory::kserve::Controller,
    name::{Label, ObjectRef},
    plan::{
        CaptureKind, Condition, Disruption, Effect, Estimate, FieldTest, Find, KubeCapture, KubeCondition,
        KubeEffect, KubePatch, Operand, SetField, SuspendedBy, Suspension, Target, Test, Verify, Work,
    },
};

use crate::lower::{Draft, HopScope, Lowering, Rollback, Undoing, changes, verify};

const REPLICAS: &str = "/spec/replicas";
pub(super) const STOP: &str = "controller/stop";
const START: &str = "controller/start";
const CAPTURE: &str = "replicas";
/// How long its pods may take to end, and new ones to be ready.
const PODS: Seconds = Seconds::minutes(10);

/// The controller's Deployment, in one hop.
pub(super) struct Stopped<'a> {
    controller: &'a Controller,
    object: ObjectRef,
    scope: &'a HopScope,
}

/// The Deployment of the controller.
pub(super) fn object(controller: &Controller) -> ObjectRef {
    ObjectRef::new("apps/v1", "Deployment", &controller.deployment)
}

/// That it is rolled out.
pub(super) fn rolled_out(controller: &Controller) -> Condition {
    Condition::Kube(KubeCondition::Rollout { object: Target::Object(object(controller)) })
}

impl<'a> Stopped<'a> {
    pub(super) fn new(controller: &'a Controller, scope: &'a HopScope) -> Self {
        Self { controller, object: object(controller), scope }
    }

    fn replicas(&self, is: Test) -> Condition {
        Condition::Kube(KubeCondition::Field {
            object: Target::Object(self.object.clone()),
            pointer: REPLICAS.to_owned(),
            is,
        })
    }

    fn patch(&self, only_if: Test, to: Operand) -> Effect {
        Effect::Kube(KubeEffect::Patch(KubePatch {
            object: Target::Object(self.object.clone()),
            subresource: None,
            only_if: vec![FieldTest { pointer: REPLICAS.to_owned(), is: only_if }],
            set: vec![SetField { pointer: REPLICAS.to_owned(), to }],
        }))
    }

    fn captured(&self) -> Operand {
        Operand::Captured { step: self.scope.id(STOP), name: CAPTURE.to_owned() }
    }

    /// No pod that could still act: those that are ending count, too.
    fn no_pods(&self) -> Verify {
        let find = Find {
            api_version: "v1".to_owned(),
            kind: "Pod".to_owned(),
            namespace: self.object.namespace.clone(),
            labels: self.controller.labels.clone(),
        };
        let condition = Condition::Kube(KubeCondition::Count {
            find,
            each: Vec::new(),
            at_least: None,
            at_most: Some(0),
        });
        verify(format!("{} has no pods left", self.object), condition, Seconds(0), PODS)
    }

    fn is_rolled_out(&self) -> Verify {
        verify(format!("{} is rolled out", self.object), rolled_out(self.controller), Seconds(10), PODS)
    }

    fn change(&self, before: u64, after: u64) -> Vec<switchback_schemas::plan::Change> {
        vec![changes::of_field(self.object.clone(), "spec.replicas", &json!(before), &json!(after))]
    }

    /// Scales it to 0. Its rollback gives it its replicas back.
    pub(super) fn stop(&self, why: &str) -> Draft {
        let undo = Undoing::by(Rollback::new(Work {
            done_when: Some(self.replicas(Test::Differs(zero()))),
            verify: vec![self.is_rolled_out()],
            disruption: Disruption::Restart,
            timeout: PODS,
            estimate: Estimate::seconds(30, 180),
            ..Work::effect(
                format!("restore the replicas of {}", self.object),
                self.patch(Test::Equals(zero()), self.captured()),
            )
        }));
        let field =
            KubeCapture::Field { object: Target::Object(self.object.clone()), pointer: REPLICAS.to_owned() };
        self.scope
            .step(
                STOP,
                format!("scale {} to 0: {why}", self.object),
                self.patch(Test::AtLeast(1), zero()),
                undo,
                Vec::new(),
            )
            .captures(CAPTURE, CaptureKind::Kube(field))
            .done_when(self.replicas(Test::Equals(zero())))
            .verify([self.no_pods()])
            .time(PODS, Estimate::seconds(15, 90))
            .idempotent()
            .disrupts(Disruption::Restart, None)
            .changes(self.change(self.controller.replicas, 0))
    }

    /// Gives it its replicas back. Its rollback stops it again, and sees that no pod is left: what comes next must not be undone by
    /// it.
    pub(super) fn start(&self) -> Draft {
        let undo = Undoing::by(Rollback::new(Work {
            done_when: Some(self.replicas(Test::Equals(zero()))),
            verify: vec![self.no_pods()],
            disruption: Disruption::Restart,
            timeout: PODS,
            estimate: Estimate::seconds(15, 90),
            ..Work::effect(format!("scale {} to 0 again", self.object), self.patch(Test::AtLeast(1), zero()))
        }));
        self.scope
            .step(
                START,
                format!("restore the replicas of {}", self.object),
                self.patch(Test::Equals(zero()), self.captured()),
                undo,
                Vec::new(),
            )
            .done_when(self.replicas(Test::Differs(zero())))
            .verify([self.is_rolled_out()])
            .time(PODS, Estimate::seconds(30, 180))
            .idempotent()
            .disrupts(Disruption::Restart, None)
            .changes(self.change(0, self.controller.replicas))
    }

    /// Between stop and start nobody may scale it up unless its version and the words of the services fit together.
    pub(super) fn declare(&self, safe: Condition, out: &mut Lowering) {
        let ObjectRef { name, namespace, .. } = &self.object;
        let namespace = namespace.as_deref().unwrap_or_default();
        let replicas = self.controller.replicas;
        out.suspensions.push(Suspension {
            id: Label::sanitized(&format!(
                "{}-{}-controller",
                self.scope.hop.instance(),
                self.scope.hop.to()
            )),
            title: format!("{}: no pod of an InferenceService can be created meanwhile", self.object),
            suspend: self.scope.id(STOP),
            suspended_by: SuspendedBy::ThisRun,
            resume: self.scope.id(START),
            held: self.replicas(Test::Equals(zero())),
            safe_to_resume: safe,
            max_suspended: Seconds::hours(1),
            spans_park: true,
            cannot_stop: vec![
                "pods of models that crash, or whose node goes: they are not made again".to_owned(),
            ],
            owner: format!("the owner of {}", self.object),
            resume_command: format!("kubectl scale deployment {name} -n {namespace} --replicas={replicas}"),
        });
    }
}

fn zero() -> Operand {
    Operand::Value(Value::from(0))
}
