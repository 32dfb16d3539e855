//! The hops of the GPU Operator: through the versions that the joint path says, one line after the other.

use switchback_schemas::plan::HopBasis;

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
    let mut before = from.clone();
    let mut hops = Vec::new();
    for (number, version) in cx.versions(at.component.as_str()).into_iter().enumerate() {
        let basis = if number == 0 { HopBasis::Exact } else { HopBasis::Predicted };
        let hop = HopSpec { from: Some(before), to: version.clone(), basis, ..asked.clone() };
        hops.push((hop, site.clone()));
        before = version;
    }
    hops
}
