//! NVSentinel: its chart, on the database that it has. README.md says what is known about it and where the usual procedure fails.

mod database;
mod facts;
mod lower;
mod spec;

use serde_json::json;
use switchback_schemas::{
    Diagnostic, Severity,
    codes::{self, Code},
    inventory::{Plain, nvsentinel::Nvsentinel as Section},
    lock::Ask,
    name::{Label, ObjectRef},
    plan::Roll,
};

use self::facts::SentinelFacts;
pub use self::spec::NvsentinelUpgrade;
use crate::{
    catalog::{self, Texts},
    component::{Component, DocCx, Held, HopCx, Known, Lookups},
    context::Cx,
    hop::{HopSpec, rising},
    lower::{Lowering, quarantine, suspension::RollSuspension},
    manifest::{Checks, Touch},
    objects::nested,
    owner::release,
    predicted::Predicted,
    sections::Sections,
    solver::Request,
};

/// Rooms that it has none of, and why.
pub const BLIND: [(&str, &str); 1] =
    [("actor", "the twin plays no faults of GPUs, so there is nothing to quarantine")];

const FACTS: &str = include_str!("catalog.yaml");

/// The component.
pub struct Nvsentinel;

impl Component for Nvsentinel {
    type Spec = NvsentinelUpgrade;
    type Hop = ();
    type Facts = SentinelFacts;

    fn name(&self) -> &'static str {
        "nvsentinel"
    }

    fn codes(&self) -> &'static [Code] {
        &[codes::PLAN_NOT_READY]
    }

    fn catalog(&self) -> Texts {
        Texts { versions: Some(include_str!("versions.yaml")), lowering: &[FACTS] }
    }

    fn facts(&self) -> Result<SentinelFacts, Diagnostic> {
        catalog::read("nvsentinel/catalog.yaml", FACTS)
    }

    fn plain(&self, _facts: &SentinelFacts) -> Plain {
        Plain::default()
    }

    fn strings(&self, spec: &NvsentinelUpgrade, checks: &mut Checks<'_, '_>) {
        checks.object("/spec/release", &spec.release);
        checks.charts(&spec.charts);
        checks.values(&spec.set);
    }

    fn references(&self, _: &NvsentinelUpgrade, _: &mut Checks<'_, '_>) {}

    fn contradictions(&self, _: &NvsentinelUpgrade, _: &mut Checks<'_, '_>) {}

    fn touches(&self, spec: &NvsentinelUpgrade) -> Vec<Touch> {
        vec![Touch::release("/spec/release", &spec.target, &spec.release)]
    }

    fn request(&self, spec: &NvsentinelUpgrade, known: &Known<'_>) -> Option<Request> {
        let releases = known.inventory.into_iter().flat_map(|inventory| &inventory.releases);
        let release = releases.into_iter().find(|release| release.name == spec.release);
        let from = release.map(|release| release.chart_version.clone());
        Some(Request::exact(self.name(), from, spec.to.clone(), "/spec/release"))
    }

    fn untold(&self) -> Option<&'static str> {
        None
    }

    fn asks(&self, at: &DocCx<'_, Self>, asks: &mut Lookups) {
        let spec = &at.doc.spec;
        asks.charts.extend(hops(at).into_iter().map(|hop| Ask {
            release: spec.release.clone(),
            chart: "nvsentinel".to_owned(),
            source: at.manifests.charts(at.doc.doc, &spec.charts),
            version: hop.to,
            set: nested(&spec.set).unwrap_or_default(),
            crd_directories: Vec::new(),
        }));
    }

    fn hops(&self, at: &DocCx<'_, Self>) -> Vec<(HopSpec, ())> {
        hops(at).into_iter().map(|hop| (hop, ())).collect()
    }

    fn lower(&self, hop: &HopCx<'_, Self>, predicted: &mut Predicted<'_>, out: &mut Lowering) {
        lower::hop(hop, predicted, out);
    }

    /// A node is opted out for as long as it is in a batch, and no longer: one suspension around a whole hop would leave faults of
    /// all other nodes unseen for hours. So there is none; a recipe opts out its own node, and where none does that is said.
    fn suspensions(&self, cx: &Cx<'_>, rolls: &[&Roll]) -> Vec<RollSuspension> {
        unguarded(cx, rolls);
        Vec::new()
    }

    /// The label by which a node is opted out.
    fn held(&self, sections: &Sections<'_>, object: &ObjectRef, pointer: &str) -> Option<Held> {
        let label = quarantine::label_at(pointer).filter(|_| object.kind == "Node")?;
        let section = sections.get::<Section>("nvsentinel").ok().flatten()?;
        let node = section.nodes.iter().find(|node| node.name == object.name);
        Some(node.map_or(Held::Absent, |node| Held::Is(json!(node.opt_out.get(label)))))
    }
}

/// Says which pools of GPU nodes move under the eyes of NVSentinel.
fn unguarded(cx: &Cx<'_>, rolls: &[&Roll]) {
    let Ok(Some(section)) = cx.sections.get::<Section>("nvsentinel") else { return };
    if !section.quarantines {
        return;
    }
    let opts_out = |roll: &&&Roll| roll.recipe.iter().any(|step| quarantine::opts_out(&step.work));
    let guarded: Vec<&Label> = rolls.iter().filter(opts_out).map(|roll| &roll.pool).collect();
    for pool in cx.pools.iter().filter(|pool| pool.gpu && !guarded.contains(&&pool.name)) {
        let message = format!(
            "NVSentinel cordons GPU nodes whose DCGM cannot be reached, and no step of this plan keeps it from nodes of pool {} that move",
            pool.name
        );
        let help = "label the nodes of a batch k8saas.nvidia.com/ManagedByNVSentinel=false before it moves, and new nodes at their registration; take it off when DCGM is up";
        let found =
            Diagnostic { severity: Severity::Advice, ..Diagnostic::warning(codes::PLAN_NOT_READY, message) };
        cx.findings.say(found.at(cx.pool_label(pool, "has GPUs, and NVSentinel watches them")).help(help));
    }
}

/// The hops of one document.
fn hops(at: &DocCx<'_, Nvsentinel>) -> Vec<HopSpec> {
    let (cx, doc, spec) = (at.cx, at.doc, &at.doc.spec);
    let label = cx.label(doc.doc, "/spec/release", "not upgradable as it is");
    let Some(release) = release::observed(cx, &spec.release, Some(label)) else { return Vec::new() };
    let from = &release.chart_version;
    let asked = at.asked();
    if *from == spec.to
        && let Some(finishing) = asked.finishing(cx)
    {
        return vec![finishing];
    }
    if rising(cx, doc.doc, "NVSentinel", from, &spec.to).is_none() {
        return Vec::new();
    }
    asked.through(from, cx.versions(at.component.as_str()))
}
