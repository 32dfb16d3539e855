//! The steps that install a release, and that take one out of helm's sight.

use switchback_schemas::{
    Seconds,
    name::{ObjectName, ObjectRef},
    plan::{
        Condition, DETACHED, Disruption, Effect, Estimate, Find, Handover, HelmEffect, HelmInstall,
        HelmRelease, HelmUninstall, KubeCondition, Read, Work,
    },
};

use super::{all_of, at, expected, handovers::Handovers, rolled_out};
use crate::{
    lower::{Draft, Rollback, Undoing},
    objects,
    owner::{Asked, DesiredRelease, release::workloads},
    predicted::{Predicted, ReleaseView, crd_ref},
};

/// Helm knows no such release.
pub(super) fn none(release: &ObjectName) -> Condition {
    Condition::Kube(KubeCondition::NoRelease { release: release.clone() })
}

/// No record of a release is out of helm's sight.
fn none_detached(release: &ObjectName) -> Condition {
    let labels = [("owner", DETACHED), ("name", release.name.as_str())];
    let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Condition::Kube(KubeCondition::Count {
        find: Find {
            api_version: "v1".to_owned(),
            kind: "Secret".to_owned(),
            namespace: release.namespace.clone(),
            labels: labels.into(),
        },
        each: Vec::new(),
        at_least: None,
        at_most: Some(0),
    })
}

/// The step that installs a release, with its rollback.
///
/// Rolling back uninstalls it. What it took over goes back first, as it is; CRDs that came with it stay: removing them would remove their
/// objects.
pub(super) fn install(
    asked: &Asked<'_>,
    change: &DesiredRelease<'_>,
    handovers: &Handovers,
    predicted: &Predicted<'_>,
) -> Draft {
    let Asked { scope, part, title, .. } = asked;
    let DesiredRelease { render, within, .. } = *change;
    predicted.note_no_release(&render.release);
    let reads = predicted.take_reads();
    let release = &render.release;
    let id = scope.id(part);
    let same = handovers.same_objects(&id);
    let taken: usize = handovers.takes.iter().map(|handed| handed.objects.len()).sum();
    let mut leaves = handovers.takes.clone();
    let new: Vec<ObjectRef> = objects::crds(&render.objects)
        .iter()
        .map(|crd| crd_ref(crd))
        .filter(|crd| !handovers.takes.iter().any(|handed| handed.objects.contains(crd)))
        .collect();
    let stay = new.len();
    if !new.is_empty() {
        leaves.push(Handover { other: None, objects: new });
    }
    let mut done = vec![none(release)];
    done.extend(Handovers::let_go(release, &leaves));
    let givers = handovers.givers();
    let took = match taken {
        0 => String::new(),
        1 => format!("; the object that it took is given back{givers}"),
        objects => format!("; the {objects} objects that it took are given back{givers}"),
    };
    let stays = match stay {
        0 => String::new(),
        1 => "; its CRD stays".to_owned(),
        crds => format!("; its {crds} CRDs stay"),
    };
    let disruption = match workloads(&render.objects, release).is_empty() {
        true => Disruption::None,
        false => Disruption::Restart,
    };
    let undo = Rollback::new(Work {
        done_when: Some(Condition::All(done)),
        verify: same.clone().into_iter().collect(),
        timeout: Seconds::minutes(5),
        estimate: Estimate::seconds(20, 120),
        ..Work::effect(
            format!("uninstall release {release}{took}{stays}"),
            Effect::Helm(HelmEffect::Uninstall(HelmUninstall { release: release.clone(), leaves })),
        )
    });
    let effect = Effect::Helm(HelmEffect::Install(HelmInstall {
        release: release.clone(),
        chart: render.chart.clone(),
        set: render.set.clone(),
        values: render.values,
        takes: handovers.takes.clone(),
    }));
    let mut draft = scope.step(part, title, effect, Undoing::by(undo), reads);
    for capture in handovers.captures() {
        draft = draft.captures(&capture.name, capture.what);
    }
    draft
        // A release of the same name and version that somebody else installed is another one, and has taken nothing.
        .done_when(all_of(
            at(release, Some(&render.chart.name), &render.chart.version, render.values),
            handovers.taken(release),
        ))
        .verify(rolled_out(&render.objects, release, within))
        .verify(same)
        .time(Seconds::minutes(5), Estimate::seconds(60, 240))
        .disrupts(disruption, None)
        .changes(handovers.shown(release, expected(&[], render, "-install")))
        .idempotent()
}

/// The step that takes a release out of helm's sight: its objects stay, with others or with nobody. It is not uninstalled, since that
/// would delete them, and its records are retained, so that it can come back.
pub(super) fn detach(
    asked: &Asked<'_>,
    before: &ReleaseView,
    release: &ObjectName,
    reads: Vec<Read>,
) -> Draft {
    let Asked { scope, part, title, .. } = asked;
    let named = || HelmRelease { release: release.clone() };
    let undo = Rollback::new(Work {
        done_when: Some(Condition::All(vec![
            at(release, None, &before.version, before.values),
            none_detached(release),
        ])),
        timeout: Seconds::minutes(2),
        estimate: Estimate::seconds(2, 10),
        ..Work::effect(
            format!("give release {release} back to helm"),
            Effect::Helm(HelmEffect::Attach(named())),
        )
    });
    let effect = Effect::Helm(HelmEffect::Detach(named()));
    scope
        .step(part, title, effect, Undoing::by(undo), reads)
        .done_when(none(release))
        .time(Seconds::minutes(2), Estimate::seconds(2, 10))
        .disrupts(Disruption::None, None)
        .idempotent()
}
