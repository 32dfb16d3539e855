//! Objects stored in a version that the target drops: rewritten before the CRDs, or the API server refuses them
//! (user-pain P-12).

use serde_json::json;
use switchback_schemas::{
    Seconds, StepId, Version,
    inventory::Crd,
    lock::Render,
    plan::{
        CaptureKind, Condition, Effect, Estimate, FieldTest, Find, KubeCapture, KubeCondition, KubeEffect,
        KubePatch, MigrateStorage, Operand, SetField, Target, Test, UndoKind, Work,
    },
};

use crate::{
    lower::{HopScope, Lowering, Rollback, Undoing},
    objects,
    predicted::{Predicted, crd_ref},
};

const STORED: &str = "stored-versions";
const OBJECTS: &str = "objects";
const POINTER: &str = "/status/storedVersions";

/// A CRD of the chart with a stored version that the chart no longer holds.
pub(super) fn has_to_move(render: &Render, crd: &Crd) -> bool {
    let target = objects::crd(render.objects.iter().chain(&render.crds), &crd.name);
    let held = target.map(|target| objects::versions(target, None));
    held.is_some_and(|held| crd.stored.iter().any(|stored| !held.contains(&stored.as_str())))
}

/// Adds the migration of one CRD. It is undone by listing the old version again, which is always true enough: the API
/// server only wants to know in which versions objects may be stored.
pub(super) fn migrate(
    scope: &HopScope,
    predicted: &Predicted<'_>,
    crd: &Crd,
    version: &Version,
    after: &[StepId],
    out: &mut Lowering,
) -> StepId {
    let name = &crd.name;
    let dropped: Vec<&str> =
        crd.stored.iter().map(String::as_str).filter(|stored| *stored != crd.storage).collect();
    let part = format!("storage/{name}");
    let id = scope.id(&part);
    let object = Target::Object(crd_ref(name));
    let done = Condition::Kube(KubeCondition::StoredAs { crd: name.clone(), version: crd.storage.clone() });
    let captured = || Operand::Captured { step: id.clone(), name: STORED.to_owned() };
    let back = Effect::Kube(KubeEffect::Patch(KubePatch {
        object: object.clone(),
        subresource: Some("status".to_owned()),
        only_if: vec![FieldTest {
            pointer: POINTER.to_owned(),
            is: Test::Equals(Operand::Value(json!([crd.storage]))),
        }],
        set: vec![SetField { pointer: POINTER.to_owned(), to: captured() }],
    }));
    let (_, group) = name.split_once('.').unwrap_or((name, ""));
    let undo = Undoing::by(Rollback {
        kind: UndoKind::Inverse,
        ..Rollback::new(Work {
            done_when: Some(Condition::Any(vec![
                Condition::Kube(KubeCondition::Field {
                    object: object.clone(),
                    pointer: POINTER.to_owned(),
                    is: Test::Equals(captured()),
                }),
                // Never written, or written by somebody else since: not ours to change.
                Condition::Kube(KubeCondition::Field {
                    object: object.clone(),
                    pointer: POINTER.to_owned(),
                    is: Test::Differs(Operand::Value(json!([crd.storage]))),
                }),
            ])),
            estimate: Estimate::seconds(5, 30),
            ..Work::effect(format!("list {} of CRD {name} as stored again", crd.stored.join(", ")), back)
        })
    });
    let effect = Effect::Kube(KubeEffect::MigrateStorage(MigrateStorage {
        crd: name.clone(),
        to: crd.storage.clone(),
    }));
    let title = format!(
        "store every object of {name} as {}: Karpenter {version} drops {}",
        crd.storage,
        dropped.join(", ")
    );
    let objects = crd.objects.unwrap_or(0);
    let mut draft = scope
        .step(&part, title, effect, undo, predicted.take_reads())
        .captures(STORED, CaptureKind::Kube(KubeCapture::Field { object, pointer: POINTER.to_owned() }))
        .captures(
            OBJECTS,
            CaptureKind::Kube(KubeCapture::Found(Find {
                api_version: format!("{group}/{}", crd.storage),
                kind: crd.kind.clone(),
                namespace: None,
                labels: std::collections::BTreeMap::new(),
            })),
        )
        .done_when(done)
        .time(Seconds::minutes(10), Estimate::seconds(5 + objects / 20, 30 + objects / 5))
        .idempotent();
    for step in after {
        draft = draft.needs(step, "nothing may move while objects are rewritten", None);
    }
    predicted.stores(name, &crd.storage);
    out.add(draft)
}
