//! An owner that is defined outside of the crate: a pipeline that applies the version which an object of its own names.

use serde_json::json;
use switchback_planner::{
    lower::{Draft, Lowering, Rollback, Undoing},
    owner::{Asked, Desired, DesiredRelease, Owner, Subject},
    predicted::Predicted,
};
use switchback_schemas::{
    Seconds, Version,
    manifest::OwnerKind,
    name::{ObjectName, ObjectRef},
    plan::{
        Condition, Effect, Estimate, FieldTest, KubeCondition, KubeEffect, KubePatch, Operand, SetField,
        Target, Test, Work,
    },
};

/// The owner.
pub(crate) struct Pipeline;

const VERSION: &str = "/spec/chart/version";

fn application(release: &ObjectName) -> Target {
    Target::Object(ObjectRef::new(
        "pipeline.example/v1",
        "Application",
        &ObjectName::namespaced("pipeline", &release.name),
    ))
}

fn says(release: &ObjectName, version: &Version) -> Condition {
    let is = Test::Equals(Operand::Value(json!(version.as_str())));
    Condition::Kube(KubeCondition::Field {
        object: application(release),
        pointer: "/status/applied".to_owned(),
        is,
    })
}

fn names(release: &ObjectName, from: &Version, to: &Version) -> Effect {
    let value = |version: &Version| Operand::Value(json!(version.as_str()));
    Effect::Kube(KubeEffect::Patch(KubePatch {
        object: application(release),
        subresource: None,
        only_if: vec![FieldTest { pointer: VERSION.to_owned(), is: Test::Equals(value(from)) }],
        set: vec![SetField { pointer: VERSION.to_owned(), to: value(to) }],
    }))
}

fn release<'a>(asked: &'a Asked<'_>) -> Option<&'a DesiredRelease<'a>> {
    match &asked.desired {
        Desired::Release(release) => Some(release),
        _ => None,
    }
}

impl Owner for Pipeline {
    fn kind(&self) -> OwnerKind {
        OwnerKind::Gitops
    }

    fn makes(&self, subject: &Subject<'_>) -> bool {
        matches!(subject, Subject::Release(_))
    }

    fn is_there(&self, _: &Desired<'_>, _: &Predicted<'_>) -> bool {
        false
    }

    fn change(&self, asked: &Asked<'_>, predicted: &mut Predicted<'_>, out: &mut Lowering) -> Option<Draft> {
        let render = release(asked)?.render;
        let before = predicted.release(&render.release)?.version.clone();
        let after = &render.chart.version;
        let undo = Rollback::new(Work {
            done_when: Some(says(&render.release, &before)),
            ..Work::effect(
                format!("name {before} in the pipeline again"),
                names(&render.release, after, &before),
            )
        });
        let rendered = says(&render.release, &before);
        let part = format!("{}-rendered", asked.part);
        let first = asked.scope.look(&part, "check that the pipeline is at rest", rendered, Vec::new());
        let first = out.add(first);
        let title = format!("name {after} in the pipeline of {}", render.release);
        let draft = asked
            .scope
            .step(
                asked.part,
                title,
                names(&render.release, &before, after),
                Undoing::by(undo),
                predicted.take_reads(),
            )
            .done_when(says(&render.release, after))
            .time(Seconds::minutes(10), Estimate::seconds(60, 300))
            .needs(&first, "two changes would run into each other", None)
            .idempotent();
        predicted.upgraded(render, draft.id());
        Some(draft)
    }

    fn prove(&self, asked: &Asked<'_>, predicted: &mut Predicted<'_>) -> Option<Draft> {
        let render = release(asked)?.render;
        let until = says(&render.release, &render.chart.version);
        Some(asked.scope.look(asked.part, &asked.title, until, predicted.take_reads()))
    }
}
