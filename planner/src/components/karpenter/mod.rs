//! Karpenter: its CRD chart, its controller chart, objects stored in old versions, and its nodes. README.md says what is
//! known about it and where the usual procedure fails.

mod claims;
mod facts;
mod hops;
mod lower;
mod notices;
mod spec;
mod storage;

use switchback_schemas::{
    Diagnostic,
    codes::{self, Code},
    inventory::{Plain, karpenter::Karpenter as Section},
    lock::Ask,
    manifest::Rollout,
    name::ObjectRef,
    plan::Roll,
};

use self::facts::KarpenterFacts;
pub use self::spec::{KarpenterUpgrade, NodeMove};
use crate::{
    catalog::{self, Texts},
    component::{Component, DocCx, Held, HopCx, Known, Lookups},
    context::Cx,
    hop::HopSpec,
    lower::{Lowering, freeze, suspension::RollSuspension},
    manifest::{Checks, Touch},
    objects::nested,
    predicted::Predicted,
    sections::Sections,
    solver::Request,
};

const FACTS: &str = include_str!("catalog.yaml");

/// The component.
pub struct Karpenter;

impl Component for Karpenter {
    type Spec = KarpenterUpgrade;
    type Hop = ();
    type Facts = KarpenterFacts;

    fn name(&self) -> &'static str {
        "karpenter"
    }

    fn codes(&self) -> &'static [Code] {
        &[codes::PLAN_NOT_READY, codes::PLAN_FLOATING_IMAGE]
    }

    fn catalog(&self) -> Texts {
        Texts { versions: Some(include_str!("versions.yaml")), lowering: &[FACTS] }
    }

    fn facts(&self) -> Result<KarpenterFacts, Diagnostic> {
        catalog::read("karpenter/catalog.yaml", FACTS)
    }

    fn plain(&self, _facts: &KarpenterFacts) -> Plain {
        Plain::default()
    }

    fn strings(&self, spec: &KarpenterUpgrade, checks: &mut Checks<'_, '_>) {
        checks.object("/spec/release", &spec.release);
        if let Some(release) = &spec.crd_release {
            checks.object("/spec/crdRelease", release);
        }
        checks.charts(&spec.charts);
        checks.values(&spec.set);
    }

    fn references(&self, spec: &KarpenterUpgrade, checks: &mut Checks<'_, '_>) {
        checks.rollout_references(&spec.rollout);
    }

    fn contradictions(&self, spec: &KarpenterUpgrade, checks: &mut Checks<'_, '_>) {
        if spec.nodes == NodeMove::None && spec.rollout != Rollout::default() {
            checks.pair(
                codes::MANIFEST_CONFLICT,
                "`rollout` says how nodes move, and `nodes: none` that none does",
                ("/spec/rollout", "nothing would read this"),
                ("/spec/nodes", "no node moves"),
                "remove `rollout`, or choose `nodes: drifted` or `nodes: all`",
            );
        }
        checks.rollout_sizes(&spec.rollout);
    }

    fn touches(&self, spec: &KarpenterUpgrade) -> Vec<Touch> {
        let crds = spec.crd_release.iter();
        let mut touches = vec![Touch::release("/spec/release", &spec.target, &spec.release)];
        touches.extend(crds.map(|release| Touch::release("/spec/crdRelease", &spec.target, release)));
        touches
    }

    fn request(&self, spec: &KarpenterUpgrade, known: &Known<'_>) -> Option<Request> {
        let releases = known.inventory.into_iter().flat_map(|inventory| &inventory.releases);
        let release = releases.into_iter().find(|release| release.name == spec.release);
        let from = release.map(|release| release.chart_version.clone());
        Some(Request::exact(self.name(), from, spec.to.clone(), "/spec/release"))
    }

    fn untold(&self) -> Option<&'static str> {
        None
    }

    /// Both charts, at every version on the way.
    fn asks(&self, at: &DocCx<'_, Self>, asks: &mut Lookups) {
        let spec = &at.doc.spec;
        for hop in hops::of(at) {
            let crds = spec.crd_release.iter().map(|crds| (crds, "karpenter-crd", serde_json::json!({})));
            let own = (&spec.release, "karpenter", nested(&spec.set).unwrap_or_default());
            for (release, chart, set) in crds.chain([own]) {
                asks.charts.push(Ask {
                    release: release.clone(),
                    chart: chart.to_owned(),
                    source: at.manifests.charts(at.doc.doc, &spec.charts),
                    version: hop.to.clone(),
                    set,
                    crd_directories: Vec::new(),
                });
            }
        }
    }

    fn hops(&self, at: &DocCx<'_, Self>) -> Vec<(HopSpec, ())> {
        hops::of(at).into_iter().map(|hop| (hop, ())).collect()
    }

    fn lower(&self, hop: &HopCx<'_, Self>, predicted: &mut Predicted<'_>, out: &mut Lowering) {
        lower::hop(hop, predicted, out);
    }

    fn suspensions(&self, _: &Cx<'_>, _: &[&Roll]) -> Vec<RollSuspension> {
        Vec::new()
    }

    /// The budgets of a NodePool: where it is frozen.
    fn held(&self, sections: &Sections<'_>, object: &ObjectRef, pointer: &str) -> Option<Held> {
        if object.kind != "NodePool" || pointer != freeze::POINTER {
            return None;
        }
        let section = sections.get::<Section>("karpenter").ok().flatten()?;
        let pool = section.node_pools.iter().find(|pool| pool.name == object.name);
        Some(pool.map_or(Held::Absent, |pool| Held::Is(pool.budgets.clone())))
    }
}
