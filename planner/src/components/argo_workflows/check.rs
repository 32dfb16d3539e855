//! The proof that the new controller works: a Workflow without pods, which waits for a second, is submitted and has to succeed.

use serde_json::json;
use switchback_schemas::{
    Digest, Seconds, StepId,
    name::{ObjectName, ObjectRef},
    plan::{
        Change, Condition, Effect, Estimate, HOP_ANNOTATION, KubeApply, KubeCondition, KubeDelete,
        KubeEffect, Mark, Operand, Target, Test, Verify, Work,
    },
};

use super::{ArgoWorkflows, in_flight::INSTANCE, suspended::API};
use crate::{
    component::HopCx,
    lower::{Lowering, Rollback, Undoing, need, verify},
};

/// How long the controller may take to run a Workflow that waits for a second.
const WITHIN: Seconds = Seconds::minutes(5);

/// Submits a Workflow, waits for its end and deletes it; the last step.
pub(super) fn add(
    at: &HopCx<'_, ArgoWorkflows>,
    after: &[StepId],
    more: Vec<Verify>,
    out: &mut Lowering,
) -> StepId {
    let object = reference(at);
    let why = "it is the new controller that has to run it";
    let submitted = submit(at, &object).after(after.iter().map(|step| need(step, why, None)));
    let submitted = out.add(submitted);
    let phase = |is| {
        Condition::Kube(KubeCondition::Field {
            object: Target::Object(object.clone()),
            pointer: "/status/phase".to_owned(),
            is,
        })
    };
    let ended = phase(Test::OneOf(vec![json!("Succeeded"), json!("Failed"), json!("Error")]));
    let succeeded = verify(
        format!("{object} has succeeded"),
        phase(Test::Equals(Operand::Value(json!("Succeeded")))),
        Seconds(0),
        Seconds(15),
    );
    let title = "verify that the new controller runs a Workflow to its end";
    let done = at
        .scope
        .look("check/done", title, ended, Vec::new())
        .needs(&submitted, "it is the Workflow that was submitted", None)
        .verify(std::iter::once(succeeded).chain(more))
        .time(WITHIN, Estimate::seconds(5, 60));
    let done = out.add(done);
    let effect = Effect::Kube(KubeEffect::Delete(KubeDelete { object: Target::Object(object.clone()) }));
    let undo = Undoing::Unneeded(
        "the Workflow had ended, and a rollback deletes it wherever it is still there".to_owned(),
    );
    let tidy = at
        .scope
        .step("tidy/check", "delete the Workflow that was submitted", effect, undo, Vec::new())
        .needs(&done, "its end is there for as long as it may be needed", None)
        .done_when(whole(&object, Test::Absent {}))
        .time(Seconds::minutes(2), Estimate::seconds(2, 10))
        .idempotent()
        .changes(vec![Change { mark: Mark::Remove, object, diff: Vec::new() }]);
    out.add(tidy)
}

fn submit(at: &HopCx<'_, ArgoWorkflows>, object: &ObjectRef) -> crate::lower::Draft {
    let mut metadata = json!({"name": object.name, "namespace": object.namespace,
        "annotations": {HOP_ANNOTATION: at.scope.hop.to_string()}});
    if let (Some(instance), Some(metadata)) = (&at.own.controller.instance_id, metadata.as_object_mut()) {
        metadata.insert("labels".to_owned(), json!({INSTANCE: instance}));
    }
    let workflow = json!({"apiVersion": API, "kind": "Workflow", "metadata": metadata, "spec": {
        "entrypoint": "wait",
        "templates": [{"name": "wait", "suspend": {"duration": "1"}}],
    }});
    let effect = Effect::Kube(KubeEffect::Apply(KubeApply { object: workflow, force: false }));
    let gone = Effect::Kube(KubeEffect::Delete(KubeDelete { object: Target::Object(object.clone()) }));
    let undo = Undoing::by(Rollback::new(Work {
        done_when: Some(whole(object, Test::Absent {})),
        estimate: Estimate::seconds(2, 10),
        ..Work::effect(format!("delete {object}"), gone)
    }));
    at.scope
        .step("check", "submit a Workflow that waits for a second", effect, undo, Vec::new())
        .done_when(whole(object, Test::Present {}))
        .time(Seconds::minutes(2), Estimate::seconds(2, 10))
        .idempotent()
        .changes(vec![Change { mark: Mark::Add, object: object.clone(), diff: Vec::new() }])
}

/// Named after the observation, so that a second run meets no Workflow of the first.
fn reference(at: &HopCx<'_, ArgoWorkflows>) -> ObjectRef {
    let of = format!("{} {}", at.inventory.observation, at.scope.hop);
    let namespace =
        at.own.controller.managed_namespace.clone().or_else(|| at.doc.spec.release.namespace.clone());
    let name = ObjectName { namespace, name: format!("switchback-check-{}", Digest::of(of).short(8)) };
    ObjectRef::new(API, "Workflow", &name)
}

fn whole(object: &ObjectRef, is: Test) -> Condition {
    let (object, pointer) = (Target::Object(object.clone()), String::new());
    Condition::Kube(KubeCondition::Field { object, pointer, is })
}
