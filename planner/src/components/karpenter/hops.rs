//! The hops of Karpenter: through the versions that the joint path says. It knows that rolling back from 1.0 is possible to exact
//! patches only, so that such a patch comes first (user-pain P-13), and that 0.3x goes over 1.0. A hop that an earlier run of the
//! operation began is finished when its version runs already: what is left of it is looked at, nodes move, and the NodePools thaw.

use super::Karpenter;
use crate::{
    component::DocCx,
    hop::{HopSpec, rising},
    owner::release,
};

/// The hops of one document.
pub(super) fn of(at: &DocCx<'_, Karpenter>) -> Vec<HopSpec> {
    let (cx, doc, spec) = (at.cx, at.doc, &at.doc.spec);
    let not = |pointer: &str| Some(cx.label(doc.doc, pointer, "not upgradable as it is"));
    let release = release::observed(cx, &spec.release, not("/spec/release"));
    let crds = release::observed(cx, &spec.crd_release, not("/spec/crdRelease"));
    let (Some(release), Some(_)) = (release, crds) else { return Vec::new() };
    let from = &release.chart_version;
    let asked = at.asked();
    if *from == spec.to
        && let Some(finishing) = asked.finishing(cx)
    {
        return vec![finishing];
    }
    if rising(cx, doc.doc, "Karpenter", from, &spec.to).is_none() {
        return Vec::new();
    }
    // Where there is no path, that was said already.
    asked.through(from, cx.versions(at.component.as_str()))
}
