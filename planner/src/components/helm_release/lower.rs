//! The steps of one hop: the release, and those that it replaces.

use switchback_schemas::{
    Diagnostic, Seconds, StepId, codes,
    lock::Render,
    name::{ObjectName, ObjectRef},
    plan::Estimate,
};

use super::{HelmRelease, spec::Replaced};
use crate::{
    component::HopCx,
    findings::listed,
    index::same,
    lower::{Lowering, need},
    objects,
    owner::{Adopts, Asked, Desired, DesiredRelease},
    predicted::Predicted,
};

const WITHIN: Seconds = Seconds::minutes(10);

/// Lowers one hop.
pub(super) fn lower(hop: &HopCx<'_, HelmRelease>, predicted: &mut Predicted<'_>, out: &mut Lowering) {
    let (cx, doc, spec, spec_hop) = (hop.cx, hop.doc, &hop.doc.spec, hop.hop);
    let place = |what: &str| cx.label(doc.doc, "/spec/to", what);
    let Some(render) = cx.render(&spec.release, &spec_hop.to, place("this version")) else { return };
    let within = spec.within.map_or(WITHIN, |length| length.0);
    // What the release takes over it takes with the first version that holds it.
    let adopts: Vec<ObjectName> =
        spec.adopts.iter().chain(spec.replaces.iter().map(|replaced| &replaced.release)).cloned().collect();
    let asked = |part: &'static str, title: String| Asked {
        cx,
        owners: hop.owners,
        scope: &hop.scope,
        part,
        title,
        desired: Desired::Release(DesiredRelease {
            render,
            within,
            with_crds: true,
            deletes: Some(&spec.deletes),
            installs: spec.install,
            adopts: Adopts { releases: &adopts, loose: spec.adopt_loose, by_manifest: true },
        }),
        needs: Vec::new(),
        place: place("this version of the chart"),
    };
    let look = asked("health", format!("verify release {} at {}", spec.release, spec.to));
    let chart = &render.chart.name;
    let step = if spec_hop.finishes && look.is_there(predicted) {
        look.prove(predicted).map(|look| look.time(within, Estimate::seconds(10, 120)))
    } else {
        let verb = if spec_hop.from.is_none() && !spec_hop.finishes { "install" } else { "upgrade" };
        let to = if verb == "install" { "of" } else { "to" };
        let title = format!("{verb} release {} {to} chart {chart} {}", spec.release, spec_hop.to);
        asked("release", title).change(predicted, out)
    };
    let Some(step) = step else { return };
    let step = out.add(step.verify(cx.verifications(&hop.scope.hop, &spec.verify)));
    if spec_hop.to != spec.to {
        return;
    }
    for replaced in &spec.replaces {
        detach(hop, (replaced, render), &step, predicted, out);
    }
}

/// Takes a release out of helm's sight that holds nothing any more which nobody else holds, or which may stay.
fn detach(
    hop: &HopCx<'_, HelmRelease>,
    (replaced, render): (&Replaced, &Render),
    after: &StepId,
    predicted: &mut Predicted<'_>,
    out: &mut Lowering,
) {
    let release = &replaced.release;
    let part = format!("detach/{}", release.name);
    let asked = Asked {
        cx: hop.cx,
        owners: hop.owners,
        scope: &hop.scope,
        part: &part,
        title: format!("detach release {release} from helm; its objects stay"),
        desired: Desired::Detached(release),
        needs: vec![need(after, "what it held has been taken over by then", None)],
        place: hop.label(hop.doc.doc, "/spec/replaces", "this release"),
    };
    if asked.is_there(predicted) || !is_replaced(hop, (replaced, render), predicted) {
        return;
    }
    if let Some(draft) = asked.change(predicted, out) {
        out.add(draft);
    }
}

/// Whether all that a release holds is held by the one that replaces it, or may stay; what is not is said.
fn is_replaced(
    hop: &HopCx<'_, HelmRelease>,
    (replaced, render): (&Replaced, &Render),
    predicted: &Predicted<'_>,
) -> bool {
    let held = predicted.seen(&replaced.release).into_iter();
    let held = held.flat_map(|view| &view.objects).filter_map(objects::reference);
    let taken: Vec<ObjectRef> = render.objects.iter().filter_map(objects::reference).collect();
    let stays = |object: &ObjectRef| taken.iter().chain(&replaced.stays).any(|one| same(one, object));
    let left: Vec<String> = held.filter(|object| !stays(object)).map(|object| object.to_string()).collect();
    if left.is_empty() {
        return true;
    }
    let message = format!(
        "release {} would be detached, and nobody would hold {} any more",
        replaced.release,
        listed(left.iter().cloned())
    );
    hop.findings.say(
        Diagnostic::error(codes::PLAN_HANDOVER, message)
            .at(hop.label(hop.doc.doc, "/spec/replaces", "replaces it"))
            .help("list what may stay on its own under `stays`, or delete it by hand and observe again"),
    );
    false
}
