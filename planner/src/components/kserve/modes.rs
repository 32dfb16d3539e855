//! The words of deployment modes, which have others from 0.16 on.
//!
//! The controller obeys `status.deploymentMode` before the annotation, and one that reads a word of the other side takes a service for
//! a Knative one. So the status changes while no controller acts; no webhook is asked about a status. The validating webhook compares
//! the annotation with the status, so the annotation changes after that, under the webhook of the new version, and is undone under the
//! one of the old version.

use serde_json::{Value, json};
use switchback_schemas::{
    Seconds, StepId,
    inventory::kserve::InferenceService,
    name::ObjectRef,
    plan::{
        Condition, Disruption, Effect, Estimate, FieldTest, Find, KubeCondition, KubeEffect, KubePatch, Need,
        Operand, SetField, Target, Test, UndoKind, Verify, Work,
    },
};

use super::{facts::KserveFacts, road::Road};
use crate::{
    lower::{Draft, HopScope, Lowering, Rollback, Undoing, need, verify},
    objects::token,
    owner::{Asked, Desired, DesiredField},
    predicted::Predicted,
};

const STATUS: &str = "/status/deploymentMode";
/// How long a service may take to be Ready again.
const READY: Seconds = Seconds::minutes(30);

/// A service with a word that changes.
pub(super) struct Renamed<'a> {
    service: &'a InferenceService,
    /// The old word and the new one, in its status.
    status: Option<(&'a str, &'a str)>,
    /// The same in its annotation.
    annotation: Option<(&'a str, &'a str)>,
}

/// An InferenceService as an object.
pub(super) fn object(service: &InferenceService) -> ObjectRef {
    ObjectRef::new("serving.kserve.io/v1beta1", "InferenceService", &service.name)
}

/// Every InferenceService.
pub(super) fn all() -> Find {
    Find {
        api_version: "serving.kserve.io/v1beta1".to_owned(),
        kind: "InferenceService".to_owned(),
        namespace: None,
        labels: std::collections::BTreeMap::new(),
    }
}

/// Services with an old word.
pub(super) fn renamed<'a>(facts: &'a KserveFacts, services: &'a [InferenceService]) -> Vec<Renamed<'a>> {
    let change = |word: &'a Option<String>| {
        let old = word.as_deref()?;
        Some((old, facts.word(old)?))
    };
    let of = |service: &'a InferenceService| Renamed {
        service,
        status: change(&service.mode_seen),
        annotation: change(&service.mode),
    };
    let old = |renamed: &Renamed<'_>| renamed.status.is_some() || renamed.annotation.is_some();
    services.iter().map(of).filter(old).collect()
}

impl<'a> Renamed<'a> {
    pub(super) fn service(&self) -> &'a InferenceService {
        self.service
    }

    /// Whether the word stands in its annotation, which is copied to its pods.
    pub(super) fn in_annotation(&self) -> bool {
        self.annotation.is_some()
    }

    /// The old word, for people.
    pub(super) fn word(&self) -> &'a str {
        self.status.or(self.annotation).map_or("", |(old, _)| old)
    }

    fn part(&self, what: &str) -> String {
        let namespace = self.service.name.namespace.as_deref().unwrap_or_default();
        format!("words/{namespace}/{}/{what}", self.service.name.name)
    }

    fn field(&self, pointer: &str, is: Test) -> Condition {
        Condition::Kube(KubeCondition::Field {
            object: Target::Object(object(self.service)),
            pointer: pointer.to_owned(),
            is,
        })
    }

    /// That a field has a word, or that the service is gone, and nobody has to change it.
    fn has_or_is_gone(&self, pointer: &str, word: &str) -> Condition {
        Condition::Any(vec![
            self.field(pointer, Test::Equals(Operand::Value(json!(word)))),
            self.field("", Test::Absent {}),
        ])
    }

    fn patch(&self, pointer: &str, subresource: Option<&str>, from: &str, to: &str) -> Effect {
        let value = |word: &str| Operand::Value(json!(word));
        Effect::Kube(KubeEffect::Patch(KubePatch {
            object: Target::Object(object(self.service)),
            subresource: subresource.map(str::to_owned),
            only_if: vec![FieldTest { pointer: pointer.to_owned(), is: Test::Equals(value(from)) }],
            set: vec![SetField { pointer: pointer.to_owned(), to: value(to) }],
        }))
    }

    /// That the words of its status are those of one side.
    fn status_is(&self, new: bool) -> Option<Condition> {
        let (before, after) = self.status?;
        Some(self.has_or_is_gone(STATUS, if new { after } else { before }))
    }

    /// The step that changes the word in its status.
    fn status_step(&self, road: &Road<'_>, predicted: &Predicted<'_>) -> Option<Draft> {
        let (before, after) = self.status?;
        let name = object(self.service);
        predicted.note_held(&name, STATUS, &json!(before));
        let undo = Undoing::by(Rollback {
            kind: UndoKind::Inverse,
            ..Rollback::new(Work {
                done_when: Some(self.has_or_is_gone(STATUS, before)),
                estimate: Estimate::seconds(2, 10),
                ..Work::effect(
                    format!("set the mode in the status of {name} to {before} again"),
                    self.patch(STATUS, Some("status"), after, before),
                )
            })
        });
        let title =
            format!("set the mode in the status of {name} to {after}, as the new version calls {before}");
        let effect = self.patch(STATUS, Some("status"), before, after);
        let draft = road
            .scope
            .step(&self.part("status"), title, effect, undo, predicted.take_reads())
            .done_when(self.has_or_is_gone(STATUS, after))
            .time(Seconds::minutes(2), Estimate::seconds(2, 10))
            .idempotent();
        Some(draft)
    }

    /// The rollback step that changes the word in its annotation back.
    pub(super) fn back_id(&self, scope: &HopScope) -> StepId {
        scope.id(&self.part("annotation-back"))
    }

    /// The step that changes the word in its annotation, by the owner of the service. What undoes it is refused by the webhook while
    /// the status has the new word, so it comes where `hold` came, when all else is as it was.
    fn annotation_step(
        &self,
        road: &Road<'_>,
        (needs, acts): (Vec<Need>, bool),
        hold: &StepId,
        predicted: &mut Predicted<'_>,
        out: &mut Lowering,
    ) -> Option<StepId> {
        let (before, after) = self.annotation?;
        let pointer = format!("/metadata/annotations/{}", token(&road.facts.words.annotation));
        let name = object(self.service);
        let part = self.part("annotation");
        let rolls = if acts { ", which rolls its pods" } else { "" };
        let asked = Asked {
            cx: road.cx,
            owners: road.owners,
            scope: &road.scope,
            part: &part,
            title: format!("set the mode in the annotation of {name} to {after}{rolls}"),
            desired: Desired::Field(DesiredField {
                object: name.clone(),
                pointer: pointer.clone(),
                path: format!("metadata.annotations[{}]", road.facts.words.annotation),
                what: format!("the mode in the annotation of {name}"),
                only_if: Vec::new(),
                before: json!(before),
                after: json!(after),
                capture: "mode",
                restarts: None,
            }),
            needs,
            place: road.label(road.doc.doc, "/spec/to", "has other words"),
        };
        let mut draft = asked
            .change(predicted, out)?
            .undone(Undoing::Apart)
            .done_when(self.has_or_is_gone(&pointer, after));
        if acts {
            draft = draft
                .verify(settled(self.service))
                .disrupts(Disruption::Restart, None)
                .time(READY, Estimate::seconds(60, 600));
        }
        let back = Rollback::new(Work {
            done_when: Some(self.has_or_is_gone(&pointer, before)),
            estimate: Estimate::seconds(2, 10),
            ..Work::effect(
                format!("set the mode in the annotation of {name} to {before} again"),
                self.patch(&pointer, None, after, before),
            )
        });
        let step = draft.id().clone();
        out.rollback.push(back.named(self.back_id(&road.scope), vec![hold.clone(), step]));
        Some(out.add(draft))
    }
}

/// That a service that was Ready is so again, with the same address, and its pods are rolled out.
pub(super) fn is_well(service: &InferenceService, predictors: bool) -> Option<Condition> {
    let field = |pointer: &str, is| {
        Condition::Kube(KubeCondition::Field {
            object: Target::Object(object(service)),
            pointer: pointer.to_owned(),
            is,
        })
    };
    if !service.ready {
        return None;
    }
    let ready = json!({"type": "Ready", "status": "True"});
    let mut of = vec![field("/status/conditions", Test::Contains(ready))];
    if let Some(url) = &service.url {
        of.push(field("/status/url", Test::Equals(Operand::Value(json!(url)))));
    }
    if predictors && !is_knative(service) {
        of.extend(service.predictors.iter().map(|predictor| {
            let object = ObjectRef::new("apps/v1", "Deployment", &predictor.deployment);
            Condition::Kube(KubeCondition::Rollout { object: Target::Object(object) })
        }));
    }
    // Somebody may delete a service while the run goes on.
    Some(Condition::Any(vec![Condition::All(of), field("", Test::Absent {})]))
}

/// Knative makes a Deployment for each revision: those that were observed are not those that serve afterwards.
pub(super) fn is_knative(service: &InferenceService) -> bool {
    let mode = service.mode_seen.as_deref().or(service.mode.as_deref());
    matches!(mode, Some("Serverless" | "Knative"))
}

/// That services which were Ready are so again, after a rollback.
pub(super) fn all_well(renamed: &[Renamed<'_>]) -> Vec<Verify> {
    let of: Vec<Condition> = renamed.iter().filter_map(|renamed| is_well(renamed.service, true)).collect();
    if of.is_empty() {
        return Vec::new();
    }
    let title = format!("{} InferenceServices are Ready, with their pods rolled out", of.len());
    vec![verify(title, Condition::All(of), Seconds(30), READY)]
}

/// Its controller acts a while after the change, so it has to stay well.
fn settled(service: &InferenceService) -> Vec<Verify> {
    let well = is_well(service, true);
    let title = format!("{} is Ready, with its pods rolled out", object(service));
    well.map(|well| verify(title, well, Seconds(30), READY)).into_iter().collect()
}

impl Road<'_> {
    /// Changes the words of statuses while the controller does not act, and sees that none is left: a service that came since would
    /// be taken for a Knative one.
    pub(super) fn statuses(
        &self,
        renamed: &[Renamed<'_>],
        held: &StepId,
        predicted: &Predicted<'_>,
        out: &mut Lowering,
    ) -> StepId {
        let why = "a controller that acts would write the old word again, or act on the new one";
        let source = Some(self.facts.words.source.as_str());
        let mut written = Vec::new();
        for renamed in renamed {
            let Some(draft) = renamed.status_step(self, predicted) else { continue };
            written.push(out.add(draft.needs(held, why, source)));
        }
        let old: Vec<Value> = self.facts.words.map.keys().map(|word| json!(word)).collect();
        let until = Condition::Kube(KubeCondition::Count {
            find: all(),
            each: vec![FieldTest { pointer: STATUS.to_owned(), is: Test::OneOf(old) }],
            at_least: None,
            at_most: Some(0),
        });
        let title = "check that no InferenceService has an old word in its status";
        let mut draft = self
            .scope
            .look("words/none-left", title, until, Vec::new())
            .time(Seconds::minutes(2), Estimate::seconds(2, 10));
        for step in written.iter().chain([held]) {
            draft = draft.needs(step, "each word is changed by a step of its own", source);
        }
        out.add(draft)
    }

    /// Changes the words of annotations. While the controller acts each change rolls the pods of its service, so that one comes after
    /// the other.
    pub(super) fn annotations<'r>(
        &self,
        renamed: impl Iterator<Item = &'r Renamed<'r>>,
        (after, acts): (&StepId, bool),
        hold: &StepId,
        predicted: &mut Predicted<'_>,
        out: &mut Lowering,
    ) -> StepId {
        let source = Some(self.facts.words.source.as_str());
        let mut last = after.clone();
        for renamed in renamed {
            let why = match last == *after {
                true => "the webhook of the new version takes the new word",
                false if acts => "one service rolls after the other, so that the surge of one is enough",
                false => "services change one after the other",
            };
            let needs = (vec![need(&last, why, source)], acts);
            if let Some(step) = renamed.annotation_step(self, needs, hold, predicted, out) {
                last = step;
            }
        }
        last
    }

    /// When the controller may act outside of the plan's order: its version and the words of statuses are of one side.
    pub(super) fn safe(&self, renamed: &[Renamed<'_>]) -> Condition {
        let release = |version| {
            Condition::Kube(KubeCondition::Release {
                release: self.doc.spec.release.clone(),
                chart: None,
                chart_version: Some(version),
                revision: None,
                values: None,
            })
        };
        let side = |version, new: bool| {
            let words = renamed.iter().filter_map(|renamed| renamed.status_is(new));
            Condition::All(std::iter::once(release(version)).chain(words).collect())
        };
        let from = self.hop.from.clone().unwrap_or_else(|| self.hop.to.clone());
        Condition::Any(vec![side(from, false), side(self.hop.to.clone(), true)])
    }
}
