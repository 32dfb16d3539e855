//! Helm as an owner: a release is upgraded and rolled back by helm itself.

mod crds;
mod deletions;
mod unseen;

use serde_json::Value;
use switchback_schemas::{
    Seconds, Version,
    lock::Render,
    manifest::OwnerKind,
    name::ObjectRef,
    plan::{
        CaptureKind, Change, Condition, Disruption, Effect, Estimate, HelmEffect, HelmRollback, HelmUpgrade,
        KubeCapture, KubeCondition, Mark, Operand, Target, Verify, Work,
    },
};

use self::deletions::Deletions;
use super::{
    Asked, Desired, DesiredRelease, Owner, Subject,
    release::{following, workloads},
};
use crate::{
    lower::{Draft, Lowering, Rollback, Undoing, changes, verify},
    objects,
    predicted::{Predicted, ReleaseView},
};

/// The name of the capture that every release step makes.
const REVISION: &str = "revision";

/// Releases, by helm.
pub(super) struct Helm;

impl Owner for Helm {
    fn kind(&self) -> OwnerKind {
        OwnerKind::Helm
    }

    fn makes(&self, subject: &Subject<'_>) -> bool {
        matches!(subject, Subject::Release(_))
    }

    fn is_there(&self, desired: &Desired<'_>, predicted: &Predicted<'_>) -> bool {
        let Desired::Release(DesiredRelease { render, .. }) = desired else { return false };
        let seen = predicted.releases().find(|(name, _)| **name == render.release);
        let is = seen
            .is_some_and(|(_, seen)| seen.version == render.chart.version && seen.values == render.values);
        is && predicted.release(&render.release).is_some()
    }

    fn change(&self, asked: &Asked<'_>, predicted: &mut Predicted<'_>, out: &mut Lowering) -> Option<Draft> {
        let release = release(&asked.desired)?;
        let (cx, render) = (asked.cx, release.render);
        let own = if release.with_crds { render.crds.as_slice() } else { &[] };
        let crds: Vec<_> = own
            .iter()
            .filter_map(|crd| {
                crds::stored(asked, predicted, crd);
                crds::step(asked, predicted, crd, out)
            })
            .collect();
        for crd in render.objects.iter().filter(|object| objects::is_crd(object)) {
            crds::stored(asked, predicted, crd);
        }
        let before = predicted.release(&render.release)?.clone();
        unseen::deleted_by_hand(cx.findings, &before.objects, render, &asked.place);
        let deletions = Deletions::of(cx, &before, render, predicted);
        deletions.say(cx, (render, release.deletes), &asked.place, predicted);
        let mut draft = upgrade(asked, release, (&before, &deletions), predicted);
        draft = deletions.guard(draft, render, out);
        for crd in &crds {
            draft = draft.needs(crd, "objects of the new version need their CRD first", None);
        }
        predicted.upgraded(render, draft.id());
        unseen::by_render(cx.findings, render, &asked.place);
        Some(draft)
    }

    fn prove(&self, asked: &Asked<'_>, predicted: &mut Predicted<'_>) -> Option<Draft> {
        let render = release(&asked.desired)?.render;
        let rolled = following(&render.objects, &render.release);
        let rollout = |object| Condition::Kube(KubeCondition::Rollout { object: Target::Object(object) });
        let until = Condition::All(rolled.into_iter().map(rollout).collect());
        Some(asked.scope.look(asked.part, &asked.title, until, predicted.take_reads()))
    }
}

fn release<'a>(desired: &'a Desired<'_>) -> Option<&'a DesiredRelease<'a>> {
    match desired {
        Desired::Release(release) => Some(release),
        _ => None,
    }
}

/// The step that upgrades a release, with its rollback.
///
/// Rolling back is `helm rollback` to the captured revision, or, past objects that the upgrade left standing, an upgrade to what
/// that revision recorded. CRDs that the older chart does not hold keep their objects: Helm would delete them (user-pain P-35).
fn upgrade(
    asked: &Asked<'_>,
    change: &DesiredRelease<'_>,
    (before, deletions): (&ReleaseView, &Deletions),
    predicted: &Predicted<'_>,
) -> Draft {
    let Asked { scope, part, title, .. } = asked;
    let DesiredRelease { render, within, .. } = *change;
    let reads = predicted.take_reads();
    let release = &render.release;
    let after = |list: &[Value]| workloads(list, release);
    let kept: Vec<String> = {
        let old = before.crds();
        objects::crds(&render.objects).into_iter().filter(|crd| !old.contains(crd)).collect()
    };
    let at = |version: &Version, values| {
        Condition::Kube(KubeCondition::Release {
            release: release.clone(),
            chart_version: Some(version.clone()),
            revision: None,
            values: Some(values),
        })
    };
    let id = scope.id(part);
    let to = Operand::Captured { step: id.clone(), name: REVISION.to_owned() };
    let back = HelmRollback { release: release.clone(), to, keep_crds: kept };
    let rolled_out = |objects: &[Value]| -> Vec<Verify> {
        let rolled = |object: ObjectRef| {
            let title = format!("{object} is rolled out");
            verify(
                title,
                Condition::Kube(KubeCondition::Rollout { object: Target::Object(object) }),
                Seconds(10),
                within,
            )
        };
        following(objects, release).into_iter().map(rolled).collect()
    };
    let disruption = if after(&render.objects).is_empty() { Disruption::None } else { Disruption::Restart };
    let undo = deletions.lost(Rollback::new(Work {
        done_when: Some(at(&before.version, before.values)),
        verify: rolled_out(&before.objects),
        disruption,
        timeout: Seconds::minutes(5),
        estimate: Estimate::seconds(60, 240),
        ..Work::effect(
            format!("roll {release} back to the chart {} {}", before.chart, before.version),
            Effect::Helm(HelmEffect::Rollback(back)),
        )
    }));
    let effect = Effect::Helm(HelmEffect::Upgrade(HelmUpgrade {
        release: release.clone(),
        chart: render.chart.clone(),
        set: render.set.clone(),
        values: render.values,
    }));
    scope
        .step(part, title, effect, Undoing::by(undo), reads)
        .captures(REVISION, CaptureKind::Kube(KubeCapture::Revision(release.clone())))
        .done_when(at(&render.chart.version, render.values))
        .verify(rolled_out(&render.objects))
        .time(Seconds::minutes(5), Estimate::seconds(60, 240))
        .disrupts(disruption, None)
        .changes(deletions.shown(expected(&before.objects, render)))
        // Chart, version and values are pinned, so a second call makes the same release again; the driver mends what a
        // killed helm left pending before it calls.
        .idempotent()
}

/// What a chart will change: its objects, and what its hooks run.
fn expected(before: &[Value], render: &Render) -> Vec<Change> {
    let mut list = changes::between(before, &render.objects);
    let upgrade =
        |hook: &&switchback_schemas::lock::Hook| hook.events.iter().any(|e| e.ends_with("-upgrade"));
    let runs = render.hooks.iter().filter(upgrade).filter_map(|hook| {
        let object = objects::reference(&hook.object)?;
        Some(Change { mark: Mark::Run, object, diff: vec![format!(" hook: {}", hook.events.join(", "))] })
    });
    list.extend(runs);
    list
}
