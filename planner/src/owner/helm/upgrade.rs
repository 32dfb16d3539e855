//! The step that upgrades a release, with its rollback.

use serde_json::Value;
use switchback_schemas::{
    Seconds,
    plan::{
        CaptureKind, Disruption, Effect, Estimate, HelmEffect, HelmRollback, HelmUpgrade, KubeCapture,
        Operand, Work,
    },
};

use super::{all_of, at, deletions::Deletions, expected, handovers::Handovers, rolled_out};
use crate::{
    lower::{Draft, Rollback, Undoing},
    objects,
    owner::{Asked, DesiredRelease, release::workloads},
    predicted::{Predicted, ReleaseView},
};

/// The name of the capture that every upgrade makes.
const REVISION: &str = "revision";

/// The step that upgrades a release, with its rollback.
///
/// Rolling back is `helm rollback` to the captured revision, or, past objects that the upgrade left standing, an upgrade to what
/// that revision recorded. CRDs that the older chart does not hold keep their objects: Helm would delete them (user-pain P-35).
pub(super) fn upgrade(
    asked: &Asked<'_>,
    change: &DesiredRelease<'_>,
    before: &ReleaseView,
    (deletions, handovers): (&Deletions, &Handovers),
    predicted: &Predicted<'_>,
) -> Draft {
    let Asked { scope, part, title, .. } = asked;
    let DesiredRelease { render, within, .. } = *change;
    let reads = predicted.take_reads();
    let release = &render.release;
    let after = |list: &[Value]| workloads(list, release);
    let kept: Vec<String> = {
        let old = before.crds();
        let taken = |crd: &String| {
            let mut objects = handovers.takes.iter().flat_map(|handed| &handed.objects);
            objects.any(|object| object.name == *crd && object.kind == "CustomResourceDefinition")
        };
        let new = objects::crds(&render.objects);
        new.into_iter().filter(|crd| !old.contains(crd) && !taken(crd)).collect()
    };
    // The version alone tells two revisions apart, unless the chart is another one.
    let renamed = before.chart != render.chart.name;
    let id = scope.id(part);
    let to = Operand::Captured { step: id.clone(), name: REVISION.to_owned() };
    let back = HelmRollback {
        release: release.clone(),
        to,
        keep_crds: kept,
        takes: handovers.leaves.clone(),
        leaves: handovers.takes.clone(),
    };
    let disruption = if after(&render.objects).is_empty() { Disruption::None } else { Disruption::Restart };
    let same = handovers.same_objects(&id);
    let was = at(release, renamed.then_some(before.chart.as_str()), &before.version, before.values);
    let is = at(release, renamed.then_some(&render.chart.name), &render.chart.version, render.values);
    let mut back_when = Handovers::let_go(release, &handovers.takes);
    back_when.extend(Handovers::unmarked(&handovers.leaves));
    let mut verify_back = rolled_out(&before.objects, release, within);
    verify_back.extend(same.clone());
    let undo = deletions.lost(Rollback::new(Work {
        done_when: Some(all_of(was, back_when)),
        verify: verify_back,
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
        takes: handovers.takes.clone(),
        leaves: handovers.leaves.clone(),
    }));
    let mut draft = scope
        .step(part, title, effect, Undoing::by(undo), reads)
        .captures(REVISION, CaptureKind::Kube(KubeCapture::Revision(release.clone())));
    for capture in handovers.captures() {
        draft = draft.captures(&capture.name, capture.what);
    }
    for step in &handovers.after {
        draft = draft.needs(step, "what it leaves has been taken over by then", None);
    }
    let mut done = Handovers::let_go(release, &handovers.leaves);
    done.extend(handovers.taken(release));
    let changes = deletions.shown(expected(&before.objects, render, "-upgrade"));
    draft
        .done_when(all_of(is, done))
        .verify(rolled_out(&render.objects, release, within))
        .verify(same)
        .time(Seconds::minutes(5), Estimate::seconds(60, 240))
        .disrupts(disruption, None)
        .changes(handovers.shown(release, changes))
        // Chart, version and values are pinned, so a second call makes the same release again; the driver mends what a
        // killed helm left pending before it calls.
        .idempotent()
}
