//! The hops of Karpenter: through the versions that the joint path says. It knows that rolling back from 1.0 is possible to exact
//! patches only, so that such a patch comes first (user-pain P-13), and that 0.3x goes over 1.0. A hop that an earlier run of the
//! operation began is finished when its version runs already: what is left of it is looked at, nodes move, and the NodePools thaw.

use switchback_schemas::{Diagnostic, codes};

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
    let (Some(release), true) = (release, crds(at)) else { return Vec::new() };
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

/// Whether the manifest names the release that holds Karpenter's CRDs, or none does; what is otherwise is said.
fn crds(at: &DocCx<'_, Karpenter>) -> bool {
    let (cx, doc, spec) = (at.cx, at.doc, &at.doc.spec);
    let own = cx.inventory.crds.iter().filter(|crd| at.facts.crds.contains(&crd.name));
    let holder =
        own.filter_map(|crd| crd.release.as_ref()).find(|holder| Some(*holder) != spec.crd_release.as_ref());
    if let Some(holder) = holder {
        let field = if spec.crd_release.is_some() { "/spec/crdRelease" } else { "/spec/release" };
        let message = format!("release {holder} holds CRDs of Karpenter, and would keep them as they are");
        let namespace = holder.namespace.as_deref().unwrap_or_default();
        cx.findings.say(
            Diagnostic::error(codes::MANIFEST_CONFLICT, message)
                .at(cx.label(doc.doc, field, "moves without them"))
                .help(format!("write `crdRelease: {{namespace: {namespace}, name: {}}}`", holder.name)),
        );
        return false;
    }
    let Some(name) = &spec.crd_release else { return true };
    let there = cx.index.release(name).is_some();
    let label = cx.label(doc.doc, "/spec/crdRelease", "not upgradable as it is");
    !there || release::observed(cx, name, Some(label)).is_some()
}
