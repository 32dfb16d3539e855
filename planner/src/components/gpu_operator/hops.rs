//! The hops of the GPU Operator: through the versions that the joint path says, one line after the other.

use super::{GpuOperator, site, site::Site};
use crate::{
    component::DocCx,
    hop::{HopSpec, rising},
    owner::release,
};

/// The hops of one document, each with what was found.
pub(super) fn of(at: &DocCx<'_, GpuOperator>) -> Vec<(HopSpec, Site)> {
    let (cx, doc, spec) = (at.cx, at.doc, &at.doc.spec);
    let label = cx.label(doc.doc, "/spec/release", "not upgradable as it is");
    let Some(release) = release::observed(cx, &spec.release, Some(label)) else { return Vec::new() };
    let from = &release.chart_version;
    let asked = at.asked();
    if *from == spec.to
        && let Some(finishing) = asked.finishing(cx)
    {
        return site::find(at, release).map(|site| (finishing, site)).into_iter().collect();
    }
    if rising(cx, doc.doc, "the GPU Operator", from, &spec.to).is_none() {
        return Vec::new();
    }
    let Some(site) = site::find(at, release) else { return Vec::new() };
    let hops = asked.through(from, cx.versions(at.component.as_str()));
    hops.into_iter().map(|hop| (hop, site.clone())).collect()
}
