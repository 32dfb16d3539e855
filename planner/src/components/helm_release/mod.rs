//! A Helm release: its chart moves to another version; CRDs of the chart's `crds/` directory, which Helm never
//! upgrades, are applied first.

mod spec;

use switchback_schemas::{
    Diagnostic, Seconds,
    codes::{self, Code},
    inventory::Inventory,
    lock::Ask,
    name::ObjectRef,
    plan::Estimate,
};

pub use self::spec::HelmReleaseUpgrade;
use crate::{
    catalog::Texts,
    component::{Component, DocCx, Held, HopCx, Lookups},
    context::Cx,
    hop::{HopSpec, rising},
    lower::{Lowering, suspension::RollSuspension},
    manifest::{Checks, Touch},
    objects,
    owner::{Asked, Desired, DesiredRelease, Subject, release},
    predicted::Predicted,
    sections::Sections,
    solver::Request,
};

/// Rooms that it has none of, and why.
pub const BLIND: [(&str, &str); 3] = [
    ("catalog", "which component a chart is, nobody tells"),
    ("observer", "releases are read from their Secrets: executor/kube/src/observe/releases.rs"),
    ("actor", "what a chart holds is acted on by the controllers of the cluster itself"),
];

/// The component.
pub struct HelmRelease;

const WITHIN: Seconds = Seconds::minutes(10);

impl Component for HelmRelease {
    type Spec = HelmReleaseUpgrade;
    type Hop = ();
    type Facts = ();

    fn name(&self) -> &'static str {
        "helm-release"
    }

    fn codes(&self) -> &'static [Code] {
        &[codes::PLAN_STORED_VERSION]
    }

    fn catalog(&self) -> Texts {
        Texts { versions: None, lowering: &[] }
    }

    fn facts(&self) -> Result<(), Diagnostic> {
        Ok(())
    }

    fn strings(&self, spec: &HelmReleaseUpgrade, checks: &mut Checks<'_, '_>) {
        checks.object("/spec/release", &spec.release);
        checks.charts(&spec.charts);
        if let Some(chart) = &spec.chart {
            checks.word("/spec/chart", "the name of a chart", chart, b"-_.");
        }
    }

    fn references(&self, _: &HelmReleaseUpgrade, _: &mut Checks<'_, '_>) {}

    fn contradictions(&self, _: &HelmReleaseUpgrade, _: &mut Checks<'_, '_>) {}

    fn touches(&self, spec: &HelmReleaseUpgrade) -> Vec<Touch> {
        vec![Touch::release("/spec/release", &spec.target, &spec.release)]
    }

    fn request(&self, _: &HelmReleaseUpgrade, _: Option<&Inventory>) -> Option<Request> {
        None
    }

    fn untold(&self) -> Option<&'static str> {
        Some("Helm releases")
    }

    fn asks(&self, at: &DocCx<'_, Self>, asks: &mut Lookups) {
        let spec = &at.doc.spec;
        let seen = at.index.release(&spec.release);
        let chart = spec.chart.clone().or_else(|| seen.map(|release| release.chart.clone()));
        asks.charts.extend(chart.map(|chart| Ask {
            release: spec.release.clone(),
            chart,
            source: spec.charts.clone(),
            version: spec.to.clone(),
            set: objects::nested(&spec.set),
        }));
    }

    fn hops(&self, at: &DocCx<'_, Self>) -> Vec<(HopSpec, ())> {
        hop(at).into_iter().map(|hop| (hop, ())).collect()
    }

    fn suspensions(&self, _: &Cx<'_>) -> Vec<RollSuspension> {
        Vec::new()
    }

    fn held(&self, _: &Sections<'_>, _: &ObjectRef, _: &str) -> Option<Held> {
        None
    }

    fn lower(&self, hop: &HopCx<'_, Self>, predicted: &mut Predicted<'_>, out: &mut Lowering) {
        let (cx, doc, spec, spec_hop) = (hop.cx, hop.doc, &hop.doc.spec, hop.hop);
        let Some(render) =
            cx.render(&spec.release, &spec_hop.to, cx.label(doc.doc, "/spec/to", "this version"))
        else {
            return;
        };
        let within = spec.within.map_or(WITHIN, |length| length.0);
        let asked = |part: &'static str, title: String| Asked {
            cx,
            owners: hop.owners,
            scope: &hop.scope,
            part,
            title,
            desired: Desired::Release(DesiredRelease { render, within, with_crds: true }),
            needs: Vec::new(),
            place: cx.label(doc.doc, "/spec/to", "this version of the chart"),
        };
        let look = asked("health", format!("verify release {} at {}", spec.release, spec.to));
        let step = if spec_hop.finishes && look.is_there(predicted) {
            look.prove(predicted).map(|look| look.time(within, Estimate::seconds(10, 120)))
        } else {
            let chart = &render.chart.name;
            let title = format!("upgrade release {} to chart {chart} {}", spec.release, spec_hop.to);
            asked("release", title).change(predicted, out)
        };
        if let Some(step) = step {
            out.add(step.verify(cx.verifications(&spec.verify)));
        }
    }
}

fn hop(at: &DocCx<'_, HelmRelease>) -> Option<HopSpec> {
    let (cx, doc, spec) = (at.cx, at.doc, &at.doc.spec);
    let label = cx.label(doc.doc, "/spec/release", "not upgradable as it is");
    let found = release::observed(cx, &spec.release, Some(label))?;
    if let Some(chart) = spec.chart.as_ref().filter(|chart| **chart != found.chart) {
        let message = format!("release {} is of chart {}, not {chart}", spec.release, found.chart);
        cx.findings.say(
            Diagnostic::error(codes::MANIFEST_CONFLICT, message)
                .at(cx.label(doc.doc, "/spec/chart", "another chart"))
                .help("a release that changes its chart is installed anew; that is not an upgrade"),
        );
        return None;
    }
    let asked = at.asked();
    if found.chart_version == spec.to
        && let Some(finishing) = asked.finishing(cx)
    {
        return Some(finishing);
    }
    rising(cx, doc.doc, &format!("release {}", spec.release), &found.chart_version, &spec.to)?;
    at.owners.of(
        cx,
        &Subject::Release(&spec.release),
        &cx.label(doc.doc, "/spec/to", "this version of the chart"),
    );
    Some(HopSpec { from: Some(found.chart_version.clone()), ..asked })
}
