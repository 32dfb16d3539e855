//! A Helm release: its chart moves to another version; CRDs of the chart's `crds/` directory, which Helm never
//! upgrades, are applied first.

mod spec;

use switchback_schemas::{
    Diagnostic, Seconds, Version,
    codes::{self, Code},
    inventory::Release,
    lock::{Ask, Lock},
    name::ObjectRef,
    plan::{Estimate, Roll},
};

pub use self::spec::HelmReleaseUpgrade;
use crate::{
    catalog::Texts,
    component::{Component, DocCx, Held, HopCx, Known, Lookups},
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
    ("catalog", "a release whose chart the catalog knows is that component"),
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
        &[codes::PLAN_STORED_VERSION, codes::PLAN_DELETES, codes::PLAN_OTHER_KIND]
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
        checks.values(&spec.set);
        if let Some(chart) = &spec.chart {
            checks.word("/spec/chart", "the name of a chart", chart, b"-_.");
        }
    }

    fn references(&self, _: &HelmReleaseUpgrade, _: &mut Checks<'_, '_>) {}

    fn contradictions(&self, _: &HelmReleaseUpgrade, _: &mut Checks<'_, '_>) {}

    fn touches(&self, spec: &HelmReleaseUpgrade) -> Vec<Touch> {
        vec![Touch::release("/spec/release", &spec.target, &spec.release)]
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
        asks.charts.extend(chart.map(|chart| Ask {
            release: spec.release.clone(),
            chart,
            source: at.manifests.charts(at.doc.doc, &spec.charts),
            version: spec.to.clone(),
            set: objects::nested(&spec.set).unwrap_or_default(),
            crd_directories: Vec::new(),
        }));
    }

    fn hops(&self, at: &DocCx<'_, Self>) -> Vec<(HopSpec, ())> {
        hop(at).into_iter().map(|hop| (hop, ())).collect()
    }

    fn suspensions(&self, _: &Cx<'_>, _: &[&Roll]) -> Vec<RollSuspension> {
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
            desired: Desired::Release(DesiredRelease {
                render,
                within,
                with_crds: true,
                deletes: Some(&spec.deletes),
            }),
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
            out.add(step.verify(cx.verifications(&hop.scope.hop, &spec.verify)));
        }
    }
}

/// Whether a release is a component with a kind of its own, which is said: moved as a plain release, its facts, freezes and order
/// would be passed by.
fn is_a_component(at: &DocCx<'_, HelmRelease>, release: &Release) -> bool {
    let (cx, spec) = (at.cx, &at.doc.spec);
    let known = cx.catalog.of_chart(&release.chart);
    let Some((facts, kind)) = known.and_then(|facts| Some((facts, cx.catalog.kind_of(&facts.component)?)))
    else {
        return false;
    };
    let article = if kind.starts_with(['A', 'E', 'I', 'O']) { "an" } else { "a" };
    let message = format!(
        "release {} of chart {} is {}: as a plain release it would pass by the facts, the order and the suspensions of that",
        spec.release, release.chart, facts.title
    );
    cx.findings.say(
        Diagnostic::error(codes::PLAN_OTHER_KIND, message)
            .at(cx.label(at.doc.doc, "/spec/release", "is a component of its own"))
            .help(format!("write {article} {kind} for it")),
    );
    true
}

/// The version of its application that an upgrade moves a release to: as the rendered chart says, or the chart's own where the
/// charts of the release are numbered like it. `None` where that cannot be told yet.
fn moves_to(spec: &HelmReleaseUpgrade, release: &Release, lock: Option<&Lock>) -> Option<Version> {
    if let Some(render) = lock.and_then(|lock| lock.render(&spec.release, &spec.to)) {
        return Some(app_version(&render.app_version, &render.chart.version));
    }
    let alike = release.app_version.parse::<Version>().is_ok_and(|version| version == release.chart_version);
    alike.then(|| spec.to.clone())
}

fn app_version(app: &str, chart: &Version) -> Version {
    app.parse().unwrap_or_else(|_| chart.clone())
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
    if is_a_component(at, found) {
        return None;
    }
    let mut asked = at.asked();
    if let Some(facts) = cx.catalog.of_chart(&found.chart).filter(|facts| facts.is_chart(&found.chart)) {
        let to = moves_to(spec, found, Some(cx.lock)).filter(|to| facts.knows(to));
        asked.stands_for = to.map(|to| (facts.component.clone(), to));
    }
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
