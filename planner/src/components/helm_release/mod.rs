//! A Helm release: its chart moves to another version; CRDs of the chart's `crds/` directory, which Helm never
//! upgrades, are applied first.

mod hops;
mod lower;
mod spec;

use switchback_schemas::{
    Diagnostic,
    codes::{self, Code},
    inventory::Plain,
    lock::Ask,
    name::ObjectRef,
    plan::Roll,
};

use self::hops::{app_version, is_a_component, moves_to};
pub use self::spec::{HelmReleaseUpgrade, Replaced};
use crate::{
    catalog::Texts,
    component::{Component, DocCx, Held, HopCx, Known, Lookups},
    context::Cx,
    hop::HopSpec,
    lower::{Lowering, suspension::RollSuspension},
    manifest::{Checks, Touch},
    objects,
    predicted::Predicted,
    sections::Sections,
    solver::Request,
};

/// Rooms that it has none of, and why.
pub const BLIND: [(&str, &str); 3] = [
    ("catalog", "a release whose chart the catalog knows is that component"),
    ("observer", "releases are read from their Secrets: executor/kube/src/observe/releases.rs"),
    ("actor", "what a chart holds is acted on by the controllers of the cluster itself"),
];

/// The component.
pub struct HelmRelease;

impl Component for HelmRelease {
    type Spec = HelmReleaseUpgrade;
    type Hop = ();
    type Facts = ();

    fn name(&self) -> &'static str {
        "helm-release"
    }

    fn codes(&self) -> &'static [Code] {
        &[codes::PLAN_STORED_VERSION, codes::PLAN_DELETES, codes::PLAN_OTHER_KIND, codes::PLAN_HANDOVER]
    }

    fn catalog(&self) -> Texts {
        Texts { versions: None, lowering: &[] }
    }

    fn facts(&self) -> Result<(), Diagnostic> {
        Ok(())
    }

    fn plain(&self, _facts: &()) -> Plain {
        Plain::default()
    }

    fn strings(&self, spec: &HelmReleaseUpgrade, checks: &mut Checks<'_, '_>) {
        checks.object("/spec/release", &spec.release);
        checks.charts(&spec.charts);
        checks.values(&spec.set);
        if let Some(chart) = &spec.chart {
            checks.word("/spec/chart", "the name of a chart", chart, b"-_.");
        }
        for (number, release) in spec.adopts.iter().enumerate() {
            checks.object(&format!("/spec/adopts/{number}"), release);
        }
        for (number, replaced) in spec.replaces.iter().enumerate() {
            checks.object(&format!("/spec/replaces/{number}/release"), &replaced.release);
        }
    }

    fn references(&self, _: &HelmReleaseUpgrade, _: &mut Checks<'_, '_>) {}

    fn contradictions(&self, spec: &HelmReleaseUpgrade, checks: &mut Checks<'_, '_>) {
        if spec.install && spec.chart.is_none() {
            checks.error(
                codes::MANIFEST_CONFLICT,
                format!("release {} is to be installed, and no chart is named", spec.release),
                ("/spec/install", "of which chart"),
                "write `chart: NAME`",
            );
        }
        if spec.former_chart.is_some() && spec.chart.is_none() {
            checks.error(
                codes::MANIFEST_CONFLICT,
                "formerChart names the chart that the release has, and no chart says which it gets"
                    .to_owned(),
                ("/spec/formerChart", "and which one then"),
                "write `chart: NAME`",
            );
        }
        let others = spec.adopts.iter().chain(spec.replaces.iter().map(|replaced| &replaced.release));
        if others.into_iter().any(|other| *other == spec.release) {
            checks.error(
                codes::MANIFEST_CONFLICT,
                format!("release {} would take over what it holds itself", spec.release),
                ("/spec/release", "is named as another release, too"),
                "name other releases under `adopts` and `replaces`",
            );
        }
        let rises = spec.through.iter().chain([&spec.to]);
        if !rises.is_sorted_by(|one, other| one < other) {
            checks.error(
                codes::MANIFEST_CONFLICT,
                "the versions of `through` and `to` do not rise".to_owned(),
                ("/spec/through", "each has to be above the one before"),
                "list them from the lowest to the highest, all below `to`",
            );
        }
    }

    fn touches(&self, spec: &HelmReleaseUpgrade) -> Vec<Touch> {
        let replaced = spec.replaces.iter().map(|replaced| &replaced.release);
        let mut touches = vec![Touch::release("/spec/release", &spec.target, &spec.release)];
        touches.extend(replaced.map(|release| Touch::release("/spec/replaces", &spec.target, release)));
        touches
    }

    /// A release whose chart the catalog knows is that component.
    fn request(&self, spec: &HelmReleaseUpgrade, known: &Known<'_>) -> Option<Request> {
        let release = known.inventory?.releases.iter().find(|release| release.name == spec.release)?;
        let facts = known.catalog.of_chart(&release.chart).filter(|facts| facts.is_chart(&release.chart))?;
        if known.catalog.kind_of(&facts.component).is_some() {
            // It is refused towards that kind.
            return None;
        }
        let from = app_version(&release.app_version, &release.chart_version);
        let (to, untold) = match moves_to(spec, release, known.lock) {
            None => (from.clone(), Some("which that is, the chart says when it is resolved")),
            Some(to) if !facts.knows(&to) => (to, Some("the catalog has no facts about it")),
            Some(to) => (to, None),
        };
        let request = Request::exact(&facts.component, Some(from), to, "/spec/release");
        Some(Request { untold, ..request })
    }

    fn untold(&self) -> Option<&'static str> {
        Some("Helm releases")
    }

    fn asks(&self, at: &DocCx<'_, Self>, asks: &mut Lookups) {
        let spec = &at.doc.spec;
        let seen = at.index.release(&spec.release);
        if seen.is_some_and(|release| is_a_component(at, release)) {
            return;
        }
        let chart = spec.chart.clone().or_else(|| seen.map(|release| release.chart.clone()));
        let Some(chart) = chart else { return };
        asks.charts.extend(hops::versions(spec, seen).into_iter().map(|version| Ask {
            release: spec.release.clone(),
            chart: chart.clone(),
            source: at.manifests.charts(at.doc.doc, &spec.charts),
            version,
            set: objects::nested(&spec.set).unwrap_or_default(),
            crd_directories: Vec::new(),
        }));
    }

    fn hops(&self, at: &DocCx<'_, Self>) -> Vec<(HopSpec, ())> {
        hops::of(at).into_iter().map(|hop| (hop, ())).collect()
    }

    fn suspensions(&self, _: &Cx<'_>, _: &[&Roll]) -> Vec<RollSuspension> {
        Vec::new()
    }

    fn held(&self, _: &Sections<'_>, _: &ObjectRef, _: &str) -> Option<Held> {
        None
    }

    fn lower(&self, hop: &HopCx<'_, Self>, predicted: &mut Predicted<'_>, out: &mut Lowering) {
        lower::lower(hop, predicted, out);
    }
}
