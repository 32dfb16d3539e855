//! Helm as an owner: a release is installed, upgraded and rolled back by helm itself.

mod crds;
mod deletions;
mod handovers;
mod install;
mod unseen;
mod upgrade;

use serde_json::Value;
use switchback_schemas::{
    Diagnostic, Digest, Seconds, Version, codes,
    lock::Render,
    manifest::OwnerKind,
    name::{ObjectName, ObjectRef},
    plan::{Change, Condition, KubeCondition, Mark, Target, Verify},
};

use self::{deletions::Deletions, handovers::Handovers};
use super::{Asked, Desired, DesiredRelease, Owner, Subject, release::following};
use crate::{
    lower::{Draft, Lowering, changes, verify},
    objects,
    predicted::Predicted,
};

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
        let render = match desired {
            Desired::Release(DesiredRelease { render, .. }) => render,
            Desired::Detached(release) => return predicted.seen(release).is_none(),
            _ => return false,
        };
        let is = predicted.seen(&render.release).is_some_and(|seen| {
            seen.version == render.chart.version
                && seen.values == render.values
                && seen.chart == render.chart.name
        });
        is && predicted.release(&render.release).is_some()
    }

    fn change(&self, asked: &Asked<'_>, predicted: &mut Predicted<'_>, out: &mut Lowering) -> Option<Draft> {
        if let Desired::Detached(release) = &asked.desired {
            let before = predicted.release(release)?.clone();
            let draft = install::detach(asked, &before, release, predicted.take_reads());
            predicted.detached(release);
            return Some(draft);
        }
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
        let mut draft = match predicted.release(&render.release).cloned() {
            Some(before) => {
                unseen::deleted_by_hand(cx.findings, &before.objects, render, &asked.place);
                let handovers = Handovers::of(asked, release, &before.objects, predicted)?;
                let deletions = Deletions::of(cx, &before, (render, &handovers), predicted);
                deletions.say(cx, (render, release.deletes), &asked.place, predicted);
                handovers.restore(asked, &render.release, out);
                let draft = upgrade::upgrade(asked, release, &before, (&deletions, &handovers), predicted);
                deletions.guard(draft, render, out)
            }
            None if release.installs => {
                let handovers = Handovers::of(asked, release, &[], predicted)?;
                handovers.restore(asked, &render.release, out);
                install::install(asked, release, &handovers, predicted)
            }
            None => {
                let message = format!("there is no Helm release {} to upgrade", render.release);
                let missing = Diagnostic::error(codes::PLAN_INVENTORY_MISSING, message);
                cx.findings.say(missing.at(asked.place.clone()).help("observe again"));
                return None;
            }
        };
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

/// A release is deployed at a version of its chart, with these values.
fn at(release: &ObjectName, chart: Option<&str>, version: &Version, values: Digest) -> Condition {
    Condition::Kube(KubeCondition::Release {
        release: release.clone(),
        chart: chart.map(str::to_owned),
        chart_version: Some(version.clone()),
        revision: None,
        values: Some(values),
    })
}

fn all_of(one: Condition, more: Vec<Condition>) -> Condition {
    match more.is_empty() {
        true => one,
        false => Condition::All(std::iter::once(one).chain(more).collect()),
    }
}

/// The workloads of a release are rolled out.
fn rolled_out(objects: &[Value], release: &ObjectName, within: Seconds) -> Vec<Verify> {
    let rolled = |object: ObjectRef| {
        let title = format!("{object} is rolled out");
        let rollout = Condition::Kube(KubeCondition::Rollout { object: Target::Object(object) });
        verify(title, rollout, Seconds(10), within)
    };
    following(objects, release).into_iter().map(rolled).collect()
}

/// What a chart will change: its objects, and what its hooks of an event run.
fn expected(before: &[Value], render: &Render, event: &str) -> Vec<Change> {
    let mut list = changes::between(before, &render.objects);
    let ours = |hook: &&switchback_schemas::lock::Hook| hook.events.iter().any(|e| e.ends_with(event));
    let runs = render.hooks.iter().filter(ours).filter_map(|hook| {
        let object = objects::reference(&hook.object)?;
        Some(Change { mark: Mark::Run, object, diff: vec![format!(" hook: {}", hook.events.join(", "))] })
    });
    list.extend(runs);
    list
}
