//! Karpenter: its CRD chart, its controller chart, objects stored in old versions, and its nodes. README.md says what is
//! known about it and where the usual procedure fails.

mod claims;
pub mod facts;
mod hops;
mod lower;
mod notices;
mod storage;

use switchback_schemas::lock::Ask;

use super::{Component, HopSpec, nested};
use crate::{context::Cx, lower::Lowering, outlook::Outlook};

/// The component.
pub struct Karpenter;

impl Component for Karpenter {
    fn name(&self) -> &'static str {
        "karpenter"
    }

    fn hops(&self, cx: &Cx<'_>) -> Vec<HopSpec> {
        cx.manifests.karpenter.iter().flat_map(|doc| hops::of(cx, doc)).collect()
    }

    /// Both charts, at every version on the way.
    fn asks(&self, cx: &Cx<'_>) -> Vec<Ask> {
        let mut asks = Vec::new();
        for hop in self.hops(cx) {
            let Some(doc) = hop.written(&cx.manifests.karpenter) else { continue };
            let spec = &doc.spec;
            for (release, chart, set) in [
                (&spec.crd_release, "karpenter-crd", serde_json::json!({})),
                (&spec.release, "karpenter", nested(&spec.set)),
            ] {
                asks.push(Ask {
                    release: release.clone(),
                    chart: chart.to_owned(),
                    source: spec.charts.clone(),
                    version: hop.to.clone(),
                    set,
                });
            }
        }
        asks
    }

    fn lower(&self, cx: &Cx<'_>, hop: &HopSpec, outlook: &mut Outlook<'_>, to: &mut Lowering) {
        if let Some(doc) = hop.written(&cx.manifests.karpenter) {
            lower::hop(cx, hop, doc, outlook, to);
        }
    }
}
