//! What an upgrade of a release deletes and no rollback brings back: CRDs with every object of their kind, and objects of custom
//! kinds. Helm deletes what the new chart no longer holds, unless the live object carries its word to keep it.

use std::collections::BTreeMap;

use switchback_schemas::{
    Diagnostic, Label as Place, Severity, codes,
    inventory::{Crd, CustomObject},
    lock::Render,
    manifest::AcceptedDeletion,
    name::{Label, ObjectRef},
    plan::{Capture, CaptureKind, Change, KubeCapture, Mark, PointOfNoReturn, Target},
};

use super::handovers::Handovers;
use crate::{
    context::Cx,
    findings::listed,
    index::same,
    lower::{Draft, Lowering, Rollback},
    objects,
    predicted::{Predicted, ReleaseView, all_of},
};

/// What becomes of the objects of custom kinds, and of their CRDs, that a chart no longer holds.
#[derive(Debug, Default)]
pub(super) struct Deletions {
    /// By CRD.
    deleted: BTreeMap<String, Deletion>,
    /// What stays, because it says so itself.
    staying: Vec<ObjectRef>,
}

/// What is deleted of one kind.
#[derive(Debug)]
struct Deletion {
    crd: Crd,
    /// Whether the CRD itself is deleted, and so every object of its kind.
    whole: bool,
    /// Objects that the chart held.
    named: Vec<CustomObject>,
}

impl Deletions {
    /// What an upgrade of a release to a render deletes. Notes what that depends on.
    pub(super) fn of(
        cx: &Cx<'_>,
        before: &ReleaseView,
        (render, handovers): (&Render, &Handovers),
        predicted: &Predicted<'_>,
    ) -> Self {
        let after: Vec<ObjectRef> = render.objects.iter().filter_map(objects::reference).collect();
        let dropped = before.objects.iter().filter_map(|object| Some((object, objects::reference(object)?)));
        let dropped = dropped.filter(|(_, reference)| !after.iter().any(|other| same(reference, other)));
        let dropped = dropped.filter(|(_, reference)| !handovers.leaves(reference));
        let mut found = Self::default();
        for (object, reference) in dropped {
            match objects::is_crd(object) {
                true => found.crd(&reference, predicted),
                false => found.custom(cx, (before, render), &reference, predicted),
            }
        }
        found
    }

    fn crd(&mut self, reference: &ObjectRef, predicted: &Predicted<'_>) {
        let Some(crd) = predicted.crd(&reference.name) else { return };
        if crd.keep {
            predicted.note_keep(reference);
            return self.staying.push(reference.clone());
        }
        let deletion = Deletion { whole: true, named: Vec::new(), crd };
        self.deleted.insert(reference.name.clone(), deletion);
    }

    fn custom(
        &mut self,
        cx: &Cx<'_>,
        (before, render): (&ReleaseView, &Render),
        reference: &ObjectRef,
        predicted: &Predicted<'_>,
    ) {
        let of_kind = |crd: &&Crd| crd.kind == reference.kind && crd.group() == reference.group();
        let Some(crd) = cx.inventory.crds.iter().find(of_kind) else { return };
        let release = cx.index.release(&render.release);
        let live =
            release.and_then(|release| release.custom.iter().find(|live| same(&live.object, reference)));
        let object = match live {
            Some(live) if live.keep => {
                predicted.note_keep(reference);
                return self.staying.push(reference.clone());
            }
            Some(live) => live.clone(),
            // An earlier hop makes it.
            None if before.by.is_some() => {
                CustomObject { object: reference.clone(), keep: false, used_by: Vec::new() }
            }
            None => return,
        };
        let deletion = || Deletion { crd: crd.clone(), whole: false, named: Vec::new() };
        self.deleted.entry(crd.name.clone()).or_insert_with(deletion).named.push(object);
    }

    /// Says what is deleted that nobody accepted, and what stays. An accepted deletion is counted again before the upgrade.
    pub(super) fn say(
        &self,
        cx: &Cx<'_>,
        (render, accepted): (&Render, Option<&[AcceptedDeletion]>),
        place: &Place,
        predicted: &Predicted<'_>,
    ) {
        for object in &self.staying {
            let message = format!(
                "{object} stays, though chart {} {} no longer holds it: it carries {}: keep",
                render.chart.name,
                render.chart.version,
                objects::KEEP
            );
            let stays = Diagnostic::warning(codes::PLAN_DELETES, message).at(place.clone());
            cx.findings.say(Diagnostic { severity: Severity::Advice, ..stays });
        }
        for deletion in self.deleted.values() {
            let accepts = deletion.accepts(accepted);
            deletion.say(cx, (render, accepted), place);
            if deletion.whole {
                // Where there is none, none may come: nobody was asked to approve that one is deleted.
                let most = accepts.filter(|_| deletion.loses()).map_or(0, |accepts| accepts.objects);
                predicted.note_at_most(&deletion.crd, most);
            }
        }
        let all = accepted.into_iter().flatten();
        for accepts in all.filter(|accepts| !self.deleted.contains_key(&accepts.crd)) {
            let message = format!(
                "`deletes` of CRD {} accepts nothing: the upgrade deletes no object of it",
                accepts.crd
            );
            let unused = Diagnostic::warning(codes::MANIFEST_WAIVER, message).at(place.clone());
            cx.findings.say(unused.help("remove it: it would accept what a later upgrade deletes"));
        }
    }

    /// Makes the step a point of no return, where it deletes objects; they are captured first.
    pub(super) fn guard(&self, mut draft: Draft, render: &Render, out: &mut Lowering) -> Draft {
        let lost: Vec<&Deletion> = self.deleted.values().filter(|deletion| deletion.loses()).collect();
        if lost.is_empty() {
            return draft;
        }
        for deletion in &lost {
            draft = draft.captures(&deletion.capture().name, deletion.capture().what);
        }
        let kinds: Vec<String> = lost.iter().map(|deletion| deletion.kind()).collect();
        let id = format!("deletes-{}-{}", render.release.name, render.chart.version.plain());
        let ends = format!("rollback with {}", kinds.join(" and "));
        let recovery = format!(
            "a rollback brings back what the old chart holds; create the objects again from what step {} captured",
            draft.id()
        );
        let asks = format!(
            "approve that the upgrade of release {} deletes {}",
            render.release,
            lost.iter().map(|deletion| deletion.title()).collect::<Vec<_>>().join(", ")
        );
        let point = PointOfNoReturn { id: Label::sanitized(&id), step: draft.id().clone(), ends, recovery };
        let gate = out.point_of_no_return(asks, point);
        draft.gate(&gate)
    }

    /// What a rollback does not bring back.
    pub(super) fn lost(&self, rollback: Rollback) -> Rollback {
        let lost = self.deleted.values().filter(|deletion| deletion.loses());
        Rollback { loses: lost.map(Deletion::kind).collect(), ..rollback }
    }

    /// Changes, with what stays and what goes along.
    pub(super) fn shown(&self, mut changes: Vec<Change>) -> Vec<Change> {
        for change in changes.iter_mut().filter(|change| change.mark == Mark::Remove) {
            if self.staying.iter().any(|object| same(object, &change.object)) {
                change.mark = Mark::Change;
                change.diff =
                    vec![format!(" stays, and is no longer the release's: {}: keep", objects::KEEP)];
            } else if let Some(deletion) =
                self.deleted.get(&change.object.name).filter(|deletion| deletion.whole)
            {
                change.diff = vec![format!(" deletes {}", deletion.counted())];
            }
        }
        changes
    }
}

impl Deletion {
    /// How many objects; `None` where that could not be read.
    fn count(&self) -> Option<u64> {
        if self.whole { self.crd.objects } else { Some(self.named.len() as u64) }
    }

    fn loses(&self) -> bool {
        self.count() != Some(0)
    }

    fn counted(&self) -> String {
        let kind = &self.crd.kind;
        match self.count() {
            None => format!("every {kind}: how many there are could not be read"),
            Some(1) => format!("1 object of kind {kind}"),
            Some(count) => format!("{count} objects of kind {kind}"),
        }
    }

    fn kind(&self) -> String {
        let what = if self.whole { "the objects of CRD" } else { "objects of CRD" };
        format!("{what} {}", self.crd.name)
    }

    /// What an approval covers. It holds however many objects were observed.
    fn title(&self) -> String {
        if self.whole {
            return format!("CRD {} with every {}", self.crd.name, self.crd.kind);
        }
        listed(self.named.iter().map(|named| named.object.to_string()))
    }

    fn capture(&self) -> Capture {
        let named = self.named.iter().map(|named| Target::Object(named.object.clone()));
        let what = match self.whole {
            true => CaptureKind::Kube(KubeCapture::Found(all_of(&self.crd))),
            false => CaptureKind::Kube(KubeCapture::Objects(named.collect())),
        };
        Capture { name: format!("deleted-{}", self.crd.name.replace('.', "-")), what }
    }

    /// What accepts it.
    fn accepts<'a>(&self, accepted: Option<&'a [AcceptedDeletion]>) -> Option<&'a AcceptedDeletion> {
        accepted?.iter().find(|accepted| accepted.crd == self.crd.name)
    }

    fn say(&self, cx: &Cx<'_>, (render, accepted): (&Render, Option<&[AcceptedDeletion]>), place: &Place) {
        let (crd, accepts) = (&self.crd.name, self.accepts(accepted));
        let chart = format!("chart {} {}", render.chart.name, render.chart.version);
        let message = match self.whole {
            true => format!("{chart} no longer holds CRD {crd}: Helm deletes it with {}", self.counted()),
            false => format!("{chart} no longer holds {}: Helm deletes {}", self.counted(), self.used()),
        };
        let diagnostic = match (self.count(), accepts) {
            (Some(0), _) => return,
            (Some(count), Some(accepts)) if count <= accepts.objects => {
                let message = format!("{message} (accepted, up to {}: {})", accepts.objects, accepts.because);
                Diagnostic { severity: Severity::Advice, ..Diagnostic::warning(codes::PLAN_DELETES, message) }
            }
            (count, accepts) => {
                let message = match accepts {
                    Some(accepts) => format!("{message}, and {} are accepted", accepts.objects),
                    None => message,
                };
                Diagnostic::error(codes::PLAN_DELETES, message).help(self.help(count, accepted.is_some()))
            }
        };
        cx.findings.say(diagnostic.at(place.clone()));
    }

    fn help(&self, count: Option<u64>, may_be_accepted: bool) -> String {
        let crd = &self.crd.name;
        let keep = match (self.whole, self.named.first()) {
            (true, _) | (_, None) => format!("crd {crd}"),
            (false, Some(named)) => {
                let namespace = named.object.namespace.as_ref().map(|namespace| format!(" -n {namespace}"));
                format!("{crd} {}{}", named.object.name, namespace.unwrap_or_default())
            }
        };
        let keep = format!("to keep it, `kubectl annotate {keep} {}=keep` and observe again", objects::KEEP);
        match count {
            _ if !may_be_accepted => keep,
            Some(count) => format!(
                "{keep}; to delete it, write `deletes: [{{crd: {crd}, objects: {count}, because: WHO ACCEPTS IT}}]`"
            ),
            None => format!("{keep}; to delete it, let the observer list its objects"),
        }
    }

    /// The objects that the chart held, with who uses them.
    fn used(&self) -> String {
        listed(self.named.iter().map(|named| match named.used_by.as_slice() {
            [] => named.object.to_string(),
            users => format!("{} (used by {})", named.object, listed(users.iter().map(ToString::to_string))),
        }))
    }
}
