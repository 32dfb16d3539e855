//! The hop of a driver: from the one that the ClusterPolicy names.

use super::{GpuDriver, site, site::Site};
use crate::{
    component::DocCx,
    hop::{HopSpec, rising},
    owner::release,
};

/// The hop of one document, with what was found.
pub(super) fn of(at: &DocCx<'_, GpuDriver>) -> Option<(HopSpec, Site)> {
    let (cx, doc, spec) = (at.cx, at.doc, &at.doc.spec);
    let label = cx.label(doc.doc, "/spec/release", "not upgradable as it is");
    let release = release::observed(cx, &spec.release, Some(label))?;
    let site = site::find(at, release)?;
    let asked = at.asked();
    if site.driver == spec.to
        && let Some(finishing) = asked.finishing(cx)
    {
        return Some((finishing, site));
    }
    rising(cx, doc.doc, "the driver", &site.driver, &spec.to)?;
    Some((HopSpec { from: Some(site.driver.clone()), ..asked }, site))
}
