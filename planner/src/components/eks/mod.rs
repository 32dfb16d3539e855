//! EKS: control plane, add-ons and nodes, one minor after the other. README.md says what is known about it and where the usual
//! procedure fails.

mod addons;
mod capacity;
mod claims;
mod control_plane;
pub mod facts;
mod fleet;
mod groups;
mod guard;
mod hops;
mod insights;
mod kept;
mod lower;
mod names;
mod nodes;
mod readiness;
mod removed;
mod replace;
mod skew;
mod strategies;
mod support;

use switchback_schemas::lock::{Ask, AskAddon};

use super::{Component, HopSpec};
use crate::{context::Cx, lower::Lowering, outlook::Outlook};

/// The component.
pub struct Eks;

impl Component for Eks {
    fn name(&self) -> &'static str {
        "eks"
    }

    fn hops(&self, cx: &Cx<'_>) -> Vec<HopSpec> {
        cx.manifests.eks.iter().flat_map(|doc| hops::of(cx, doc)).collect()
    }

    /// None: add-ons are no charts.
    fn asks(&self, _: &Cx<'_>) -> Vec<Ask> {
        Vec::new()
    }

    /// Every add-on that is there, at every minor on the way.
    fn asks_addons(&self, cx: &Cx<'_>) -> Vec<AskAddon> {
        let mut asks = Vec::new();
        for hop in self.hops(cx) {
            let Some(doc) = hop.written(&cx.manifests.eks) else { continue };
            let Some(cluster) = hops::cluster(cx, doc) else { continue };
            asks.extend(cluster.addons.iter().map(|addon| AskAddon {
                target: hop.target.clone(),
                addon: addon.name.clone(),
                kubernetes: hop.to.clone(),
            }));
        }
        asks
    }

    fn lower(&self, cx: &Cx<'_>, hop: &HopSpec, outlook: &mut Outlook<'_>, to: &mut Lowering) {
        if let Some(doc) = hop.written(&cx.manifests.eks) {
            lower::hop(cx, hop, doc, outlook, to);
        }
    }
}
