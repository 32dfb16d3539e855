//! The controller, kept from acting while its webhooks go on answering: somebody else holds the lease by which it elects a leader.
//!
//! Scaled to 0 it would take its webhooks along. They fail closed: no pod of a model could be made, and the chart's own runtimes could
//! not be written while its release moves.

use serde_json::{Value, json};
use switchback_schemas::{
    Seconds, StepId,
    inventory::kserve::Controller,
    name::{Label, ObjectName, ObjectRef},
    plan::{
        Condition, Disruption, Effect, Estimate, FieldTest, KubeCondition, KubeEffect, KubePatch, Operand,
        Read, ReadBasis, SetField, SuspendedBy, Suspension, Target, Test, Verify, Work,
    },
};

use crate::{
    lower::{Draft, HopScope, Lowering, Rollback, Undoing, changes, verify},
    predicted::Predicted,
};

const HOLDER: &str = "/spec/holderIdentity";
const LENGTH: &str = "/spec/leaseDurationSeconds";
/// Who holds the lease meanwhile.
const US: &str = "switchback";
/// How long it is held if nobody gives it back: then a controller takes it by itself.
const HELD: Seconds = Seconds::hours(12);
/// A leader that cannot renew its lease for 10 s ends; this is some more.
const ENDED: Seconds = Seconds(30);
const HOLD: &str = "lease/hold";
const RELEASE: &str = "lease/release";
/// How long a leader may take to end, and another one to be elected.
const ELECTION: Seconds = Seconds::minutes(3);

/// The lease of the controller, in one hop.
pub(super) struct Lease<'a> {
    object: ObjectRef,
    controller: ObjectRef,
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

impl<'a> Lease<'a> {
    pub(super) fn new(controller: &Controller, lock: &str, scope: &'a HopScope) -> Self {
        let name = ObjectName { namespace: controller.deployment.namespace.clone(), name: lock.to_owned() };
        let lease = ObjectRef::new("coordination.k8s.io/v1", "Lease", &name);
        Self { object: lease, controller: object(controller), scope }
    }

    /// The step that takes it.
    pub(super) fn hold_id(&self) -> StepId {
        self.scope.id(HOLD)
    }

    fn holder(&self, is: Test) -> Condition {
        Condition::Kube(KubeCondition::Field {
            object: Target::Object(self.object.clone()),
            pointer: HOLDER.to_owned(),
            is,
        })
    }

    fn patch(&self, only_if: Test, holder: &str, seconds: u64) -> Effect {
        let set = |pointer: &str, to: Value| SetField { pointer: pointer.to_owned(), to: Operand::Value(to) };
        Effect::Kube(KubeEffect::Patch(KubePatch {
            object: Target::Object(self.object.clone()),
            subresource: None,
            only_if: vec![FieldTest { pointer: HOLDER.to_owned(), is: only_if }],
            set: vec![set(HOLDER, json!(holder)), set(LENGTH, json!(seconds))],
        }))
    }

    /// Takes it from whoever leads, who ends when it cannot renew it.
    fn take(&self) -> Effect {
        self.patch(Test::Present {}, US, HELD.0)
    }

    /// Gives it back as a leader does that ends: the next one that asks has it.
    fn give(&self) -> Effect {
        self.patch(Test::Equals(us()), "", 1)
    }

    fn is_held(&self) -> Condition {
        self.holder(Test::Equals(us()))
    }

    /// Nobody leads any more: a leader looks every 2 s, and gives up after 10 s.
    fn nobody_leads(&self) -> Verify {
        let title = format!("{} is held, and its leader has ended", self.object);
        verify(title, self.is_held(), ENDED, ELECTION)
    }

    /// Somebody leads again.
    fn somebody_leads(&self) -> Verify {
        let elected =
            Condition::All(vec![self.holder(Test::Differs(us())), self.holder(Test::Differs(nobody()))]);
        verify(format!("{} elects a leader", self.controller), elected, Seconds(0), ELECTION)
    }

    fn not_held(&self) -> Condition {
        self.holder(Test::Differs(us()))
    }

    fn change(&self, before: &str, after: &str) -> Vec<switchback_schemas::plan::Change> {
        vec![changes::of_field(self.object.clone(), "spec.holderIdentity", &json!(before), &json!(after))]
    }

    /// Keeps the controller from acting. Its rollback lets it act again, after `before` and with what `well` asks for.
    ///
    /// A lease that has our holder already was left by a run that is over: to give it back here would not undo what else that run did.
    pub(super) fn hold(
        &self,
        why: &str,
        before: Vec<StepId>,
        well: Vec<Verify>,
        predicted: &Predicted<'_>,
    ) -> Draft {
        predicted.note_runs(&self.controller);
        let mut reads = predicted.take_reads();
        reads.push(Read { condition: self.not_held(), basis: ReadBasis::Observed {} });
        let undo = Rollback {
            after: before,
            ..Rollback::new(Work {
                done_when: Some(self.not_held()),
                verify: std::iter::once(self.somebody_leads()).chain(well).collect(),
                disruption: Disruption::Restart,
                timeout: ELECTION,
                estimate: Estimate::seconds(5, 60),
                ..Work::effect(format!("let {} act again", self.controller), self.give())
            })
        };
        self.scope
            .step(
                HOLD,
                format!("keep {} from acting, while its webhooks answer: {why}", self.controller),
                self.take(),
                Undoing::by(undo),
                reads,
            )
            .done_when(self.is_held())
            .verify([self.nobody_leads()])
            .time(ELECTION, Estimate::seconds(35, 60))
            .idempotent()
            .disrupts(Disruption::Restart, None)
            .changes(self.change("its leader", US))
    }

    /// Lets it act again. Its rollback keeps it from acting once more: what comes next must not be undone by it.
    pub(super) fn release(&self) -> Draft {
        let undo = Rollback::new(Work {
            done_when: Some(self.is_held()),
            verify: vec![self.nobody_leads()],
            disruption: Disruption::Restart,
            timeout: ELECTION,
            estimate: Estimate::seconds(35, 60),
            ..Work::effect(format!("keep {} from acting again", self.controller), self.take())
        });
        self.scope
            .step(RELEASE, format!("let {} act", self.controller), self.give(), Undoing::by(undo), Vec::new())
            .done_when(self.not_held())
            .verify([self.somebody_leads()])
            .time(ELECTION, Estimate::seconds(5, 60))
            .idempotent()
            .disrupts(Disruption::Restart, None)
            .changes(self.change(US, "its leader"))
    }

    /// Between the two nobody may let it act, unless its version and the words of the services fit together.
    pub(super) fn declare(&self, safe: Condition, out: &mut Lowering) {
        let ObjectRef { name, namespace, .. } = &self.object;
        let namespace = namespace.as_deref().unwrap_or_default();
        out.suspensions.push(Suspension {
            id: Label::sanitized(&format!("{}-{}-leader", self.scope.hop.instance(), self.scope.hop.to())),
            title: format!("what {} does for InferenceServices", self.controller),
            suspend: self.scope.id(HOLD),
            suspended_by: SuspendedBy::ThisRun,
            resume: self.scope.id(RELEASE),
            held: self.is_held(),
            safe_to_resume: safe,
            max_suspended: Seconds::hours(1),
            spans_park: true,
            cannot_stop: vec![format!("a controller that takes the lease after {} h by itself", HELD.0 / 3600)],
            owner: format!("the owner of {}", self.controller),
            resume_command: format!(
                "kubectl patch lease {name} -n {namespace} --type=merge -p '{{\"spec\":{{\"holderIdentity\":\"\",\"leaseDurationSeconds\":1}}}}'"
            ),
        });
    }
}

fn us() -> Operand {
    Operand::Value(json!(US))
}

fn nobody() -> Operand {
    Operand::Value(json!(""))
}
