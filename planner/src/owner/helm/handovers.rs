//! Objects that go from one release to another: what a chart takes over that another release holds, or nobody, and what it leaves to a
//! release that took it over before.

use std::collections::BTreeMap;

use serde_json::Value;
use switchback_schemas::{
    Diagnostic, Seconds, StepId, codes,
    name::{ObjectName, ObjectRef},
    plan::{
        Capture, CaptureKind, Change, Condition, Effect, Estimate, Handover, KubeCapture, KubeCondition,
        KubeEffect, KubeRestore, LEFT_BY, Mark, Operand, Target, Test, UndoKind, Verify, Work,
    },
};

use super::super::{Asked, DesiredRelease};
use crate::{
    index::same,
    lower::{Lowering, Rollback, changes, verify},
    objects,
    predicted::Predicted,
};

/// What a release takes over and what it leaves.
#[derive(Debug, Default)]
pub(super) struct Handovers {
    /// From whom it takes what.
    pub(super) takes: Vec<Handover>,
    /// To whom it leaves what.
    pub(super) leaves: Vec<Handover>,
    /// Steps by which others took what it leaves.
    pub(super) after: Vec<StepId>,
    /// What it takes, as it was and as it will be.
    changed: Vec<Change>,
}

impl Handovers {
    /// Of a release whose objects were these before. What it may not take is said, and nothing comes out.
    pub(super) fn of(
        asked: &Asked<'_>,
        release: &DesiredRelease<'_>,
        before: &[Value],
        predicted: &Predicted<'_>,
    ) -> Option<Self> {
        let mut found = Self::default();
        found.leaving(release, before, predicted);
        found.taking(asked, release, before, predicted).then_some(found)
    }

    fn taking(
        &mut self,
        asked: &Asked<'_>,
        release: &DesiredRelease<'_>,
        before: &[Value],
        predicted: &Predicted<'_>,
    ) -> bool {
        let own = &release.render.release;
        let held: Vec<ObjectRef> = before.iter().filter_map(objects::reference).collect();
        let mut takes = BTreeMap::new();
        let mut all = true;
        for (object, reference) in references(&release.render.objects) {
            if held.iter().any(|held| same(held, &reference)) {
                continue;
            }
            let holders = predicted.holders(&reference);
            let others = || holders.iter().filter(|holder| *holder != own);
            // Who took it over in this plan has it, though the one before still lists it.
            let other = others().find(|holder| is_moved(predicted, holder)).or_else(|| others().next());
            let other = match other {
                Some(other) if release.adopts.releases.contains(other) => Some(other.clone()),
                Some(other) => {
                    all &= refuse(asked, release, &reference, Some(other));
                    continue;
                }
                None if !objects::is_crd(object) || predicted.crd(&reference.name).is_none() => continue,
                // A CRD that is there and that no release holds, as Helm leaves those of `crds/`.
                None if release.adopts.loose => None,
                None => {
                    all &= refuse(asked, release, &reference, None);
                    continue;
                }
            };
            let was = other.as_ref().and_then(|other| object_of(predicted, other, &reference));
            self.changed.extend(
                was.into_iter().flat_map(|was| {
                    changes::between(std::slice::from_ref(was), std::slice::from_ref(object))
                }),
            );
            takes.entry(other).or_insert_with(Vec::new).push(reference);
        }
        self.takes = listed(takes);
        all
    }

    fn leaving(&mut self, release: &DesiredRelease<'_>, before: &[Value], predicted: &Predicted<'_>) {
        let own = &release.render.release;
        let after: Vec<ObjectRef> = release.render.objects.iter().filter_map(objects::reference).collect();
        let mut leaves = BTreeMap::new();
        for (_, reference) in references(before) {
            if after.iter().any(|kept| same(kept, &reference)) {
                continue;
            }
            let other = predicted.holders(&reference).into_iter().find(|holder| holder != own);
            let Some(other) = other else { continue };
            if let Some(step) = predicted.seen(&other).and_then(|view| view.by.clone())
                && !self.after.contains(&step)
            {
                self.after.push(step);
            }
            leaves.entry(Some(other)).or_insert_with(Vec::new).push(reference);
        }
        self.leaves = listed(leaves);
    }

    /// Whether another release holds an object that this one drops.
    pub(super) fn leaves(&self, object: &ObjectRef) -> bool {
        self.leaves.iter().flat_map(|handed| &handed.objects).any(|left| same(left, object))
    }

    fn objects(&self) -> impl Iterator<Item = &ObjectRef> {
        self.takes.iter().chain(&self.leaves).flat_map(|handed| &handed.objects)
    }

    /// What is taken over as it was, and the UID of each object, kept before anything of it changes.
    pub(super) fn captures(&self) -> Vec<Capture> {
        let capture = |(number, object): (usize, &ObjectRef)| Capture {
            name: uid(number),
            what: CaptureKind::Kube(KubeCapture::Field {
                object: Target::Object(object.clone()),
                pointer: "/metadata/uid".to_owned(),
            }),
        };
        let taken: Vec<Target> = self.kept().cloned().map(Target::Object).collect();
        let content = (!taken.is_empty()).then(|| Capture {
            name: CONTENT.to_owned(),
            what: CaptureKind::Kube(KubeCapture::Objects(taken)),
        });
        self.objects().enumerate().map(capture).chain(content).collect()
    }

    /// What is taken over, without what is never written down.
    fn kept(&self) -> impl Iterator<Item = &ObjectRef> {
        self.takes.iter().flat_map(|handed| &handed.objects).filter(|object| object.kind != "Secret")
    }

    /// Adds the rollback step by which objects that were taken over are again as they were: the release that gets them back has moved
    /// nothing, so no helm would write what it recorded of them.
    pub(super) fn restore(&self, asked: &Asked<'_>, release: &ObjectName, out: &mut Lowering) {
        let step = asked.scope.id(asked.part);
        let (objects, were) = match self.kept().count() {
            0 => return,
            1 => ("the object".to_owned(), "it was"),
            objects => (format!("the {objects} objects"), "they were"),
        };
        let restore = Rollback {
            kind: UndoKind::Restore,
            after: vec![step.clone()],
            ..Rollback::new(Work {
                verify: self.same_objects(&step).into_iter().collect(),
                timeout: Seconds::minutes(5),
                estimate: Estimate::seconds(2, 30),
                ..Work::effect(
                    format!("restore {objects} that release {release} took, as {were} before"),
                    Effect::Kube(KubeEffect::Restore(KubeRestore::of(Operand::Captured {
                        step: step.clone(),
                        name: CONTENT.to_owned(),
                    }))),
                )
            })
        };
        let id = asked.scope.id(&format!("{}/content", asked.part));
        out.rollback.push(restore.named(id, vec![step]));
    }

    /// To whom what is taken over is given back, in words; empty where it was nobody's.
    pub(super) fn givers(&self) -> String {
        let others = self.takes.iter().filter_map(|handed| handed.other.as_ref());
        let others: Vec<String> = others.map(ToString::to_string).collect();
        if others.is_empty() { String::new() } else { format!(" to {}", others.join(" and ")) }
    }

    /// That all that a release takes over says that it is this one's.
    pub(super) fn taken(&self, release: &ObjectName) -> Vec<Condition> {
        let own = |(other, object)| said(release, other, object, Test::Equals);
        each(&self.takes).map(own).collect()
    }

    /// That each object is by its UID the one that it was before a step.
    pub(super) fn same_objects(&self, step: &StepId) -> Option<Verify> {
        let is = |(number, object): (usize, &ObjectRef)| {
            let captured = Operand::Captured { step: step.clone(), name: uid(number) };
            field(object, "/metadata/uid".to_owned(), Test::Equals(captured))
        };
        let of: Vec<Condition> = self.objects().enumerate().map(is).collect();
        let title = match of.len() {
            0 => return None,
            1 => "the object that changes hands is by its UID the same".to_owned(),
            objects => format!("{objects} objects that change hands are by their UIDs the same"),
        };
        Some(verify(title, Condition::All(of), Seconds(0), Seconds::minutes(1)))
    }

    /// That no object is still marked to stay only for the length of a call.
    pub(super) fn unmarked(of: &[Handover]) -> Vec<Condition> {
        each(of).map(|(_, object)| annotated(object, LEFT_BY, Test::Absent {})).collect()
    }

    /// That a release has let go of objects: none is marked to stay only for the length of a call, and none that goes to another
    /// release says that it is this one's. A try that was refused in the middle has made no revision, and may have marked some.
    pub(super) fn let_go(release: &ObjectName, of: &[Handover]) -> Vec<Condition> {
        let gone = each(of).filter(|(other, _)| other.is_some());
        let gone = gone.map(|(other, object)| said(release, other, object, Test::Differs));
        Self::unmarked(of).into_iter().chain(gone).collect()
    }

    /// Changes, with what only changes hands.
    pub(super) fn shown(&self, release: &ObjectName, mut changes: Vec<Change>) -> Vec<Change> {
        let named = |other: Option<&ObjectName>| other.map_or("no release".to_owned(), ToString::to_string);
        for handed in &self.takes {
            for change in changes.iter_mut().filter(|change| holds(handed, &change.object)) {
                change.mark = Mark::Change;
                let from = named(handed.other.as_ref());
                let differs = self.changed.iter().find(|differs| same(&differs.object, &change.object));
                let as_it_is = if differs.is_none() { ", as it is" } else { "" };
                change.diff = vec![format!(" goes from {from} to {release}{as_it_is}")];
                change.diff.extend(differs.into_iter().flat_map(|differs| differs.diff.iter().cloned()));
            }
        }
        for handed in &self.leaves {
            for change in changes.iter_mut().filter(|change| holds(handed, &change.object)) {
                change.mark = Mark::Change;
                change.diff = vec![format!(" stays, and is {}'s", named(handed.other.as_ref()))];
            }
        }
        changes
    }
}

/// Whether an earlier hop moves a release.
fn is_moved(predicted: &Predicted<'_>, release: &ObjectName) -> bool {
    predicted.seen(release).is_some_and(|view| view.by.is_some())
}

/// An object as a release holds it.
fn object_of<'p>(
    predicted: &'p Predicted<'_>,
    release: &ObjectName,
    object: &ObjectRef,
) -> Option<&'p Value> {
    let held = &predicted.seen(release)?.objects;
    references(held).find(|(_, reference)| same(reference, object)).map(|(value, _)| value)
}

fn each(handed: &[Handover]) -> impl Iterator<Item = (Option<&ObjectName>, &ObjectRef)> {
    handed.iter().flat_map(|handed| handed.objects.iter().map(|object| (handed.other.as_ref(), object)))
}

fn field(object: &ObjectRef, pointer: String, is: Test) -> Condition {
    Condition::Kube(KubeCondition::Field { object: Target::Object(object.clone()), pointer, is })
}

fn annotated(object: &ObjectRef, annotation: &str, is: Test) -> Condition {
    field(object, format!("/metadata/annotations/{}", objects::token(annotation)), is)
}

/// What an object says of whose it is, by the annotation that tells the two releases apart.
fn said(
    release: &ObjectName,
    other: Option<&ObjectName>,
    object: &ObjectRef,
    is: fn(Operand) -> Test,
) -> Condition {
    let (annotation, own) = match other.is_some_and(|other| other.name == release.name) {
        true => ("meta.helm.sh/release-namespace", release.namespace.as_deref()),
        false => ("meta.helm.sh/release-name", Some(release.name.as_str())),
    };
    annotated(object, annotation, is(Operand::Value(own.into())))
}

fn holds(handed: &Handover, object: &ObjectRef) -> bool {
    handed.objects.iter().any(|one| same(one, object))
}

/// The capture of what is taken over.
const CONTENT: &str = "taken";

fn uid(number: usize) -> String {
    format!("uid-{}", number + 1)
}

fn references(objects: &[Value]) -> impl Iterator<Item = (&Value, ObjectRef)> {
    objects.iter().filter_map(|object| Some((object, objects::reference(object)?)))
}

fn listed(handed: BTreeMap<Option<ObjectName>, Vec<ObjectRef>>) -> Vec<Handover> {
    handed.into_iter().map(|(other, objects)| Handover { other, objects }).collect()
}

/// Says that a chart holds what it may not take over.
fn refuse(
    asked: &Asked<'_>,
    release: &DesiredRelease<'_>,
    object: &ObjectRef,
    other: Option<&ObjectName>,
) -> bool {
    let chart = &release.render.chart;
    let why = match other {
        Some(other) => format!("release {other} holds it"),
        None => "it is there and no release holds it".to_owned(),
    };
    let message = format!(
        "chart {} {} holds {object}, but {why}: Helm would refuse to import it",
        chart.name, chart.version
    );
    let help = match other {
        _ if !release.adopts.by_manifest => {
            "take it out of that release, or let a value leave it out of this chart; then observe again"
                .to_owned()
        }
        Some(other) => format!(
            "if release {} is to take it over, write {{namespace: {}, name: {}}} under `adopts`, and move that release in the same plan to a chart that no longer holds it",
            release.render.release,
            other.namespace.as_deref().unwrap_or_default(),
            other.name
        ),
        None => format!("if release {} is to take it over, write `adoptLoose: true`", release.render.release),
    };
    let found = Diagnostic::error(codes::PLAN_HANDOVER, message).at(asked.place.clone()).help(help);
    asked.cx.findings.say_about(&object.to_string(), found)
}
