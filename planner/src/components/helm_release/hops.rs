//! The hops of a release: through the versions that its manifest names.

use switchback_schemas::{Diagnostic, Version, codes, inventory::Release, lock::Lock, plan::HopBasis};

use super::{HelmRelease, HelmReleaseUpgrade};
use crate::{
    component::DocCx,
    hop::{HopSpec, rising},
    owner::{Subject, release},
};

/// Whether a release is a component with a kind of its own, which is said: moved as a plain release, its facts, freezes and order
/// would be passed by.
pub(super) fn is_a_component(at: &DocCx<'_, HelmRelease>, release: &Release) -> bool {
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
pub(super) fn moves_to(spec: &HelmReleaseUpgrade, release: &Release, lock: Option<&Lock>) -> Option<Version> {
    if let Some(render) = lock.and_then(|lock| lock.render(&spec.release, &spec.to)) {
        return Some(app_version(&render.app_version, &render.chart.version));
    }
    let alike = release.app_version.parse::<Version>().is_ok_and(|version| version == release.chart_version);
    alike.then(|| spec.to.clone())
}

pub(super) fn app_version(app: &str, chart: &Version) -> Version {
    app.parse().unwrap_or_else(|_| chart.clone())
}

/// The versions that a release goes through, as far as they are above what it has.
pub(super) fn versions(spec: &HelmReleaseUpgrade, seen: Option<&Release>) -> Vec<Version> {
    let above = |version: &&Version| seen.is_none_or(|seen| seen.chart_version < **version);
    spec.through.iter().filter(above).chain([&spec.to]).cloned().collect()
}

/// The hops of one document.
pub(super) fn of(at: &DocCx<'_, HelmRelease>) -> Vec<HopSpec> {
    let (cx, doc, spec) = (at.cx, at.doc, &at.doc.spec);
    let seen = cx.index.release(&spec.release);
    if seen.is_none() && spec.install {
        return installed(at);
    }
    let label = cx.label(doc.doc, "/spec/release", "not upgradable as it is");
    let Some(found) = release::observed(cx, &spec.release, Some(label)) else { return Vec::new() };
    if !is_the_chart(at, found) || is_a_component(at, found) {
        return Vec::new();
    }
    let mut asked = at.asked();
    if let Some(facts) = cx.catalog.of_chart(&found.chart).filter(|facts| facts.is_chart(&found.chart)) {
        let to = moves_to(spec, found, Some(cx.lock)).filter(|to| facts.knows(to));
        asked.stands_for = to.map(|to| (facts.component.clone(), to));
    }
    let renamed = spec.chart.as_ref().is_some_and(|chart| *chart != found.chart);
    if found.chart_version == spec.to
        && !renamed
        && let Some(finishing) = asked.finishing(cx)
    {
        return vec![finishing];
    }
    let from = &found.chart_version;
    // Another chart numbers its versions anew.
    if !renamed && rising(cx, doc.doc, &format!("release {}", spec.release), from, &spec.to).is_none() {
        return Vec::new();
    }
    let place = cx.label(doc.doc, "/spec/to", "this version of the chart");
    at.owners.of(cx, &Subject::Release(&spec.release), &place);
    asked.through(from, versions(spec, Some(found)))
}

/// The hops of a release that is not there: it is installed at the first version.
fn installed(at: &DocCx<'_, HelmRelease>) -> Vec<HopSpec> {
    let versions = versions(&at.doc.spec, None);
    let Some(first) = versions.first().cloned() else { return Vec::new() };
    let asked = at.asked();
    let install = HopSpec { from: None, to: first.clone(), basis: HopBasis::Exact, ..asked.clone() };
    let rest = asked.through(&first, versions.into_iter().skip(1).collect());
    let rest = rest.into_iter().map(|hop| HopSpec { basis: HopBasis::Predicted, ..hop });
    std::iter::once(install).chain(rest).collect()
}

/// Whether a release is of the chart that the manifest takes it for; that it is not is said.
fn is_the_chart(at: &DocCx<'_, HelmRelease>, found: &Release) -> bool {
    let spec = &at.doc.spec;
    let expected = spec.former_chart.as_ref().or(spec.chart.as_ref());
    let Some(expected) = expected.filter(|expected| **expected != found.chart) else { return true };
    let field = if spec.former_chart.is_some() { "/spec/formerChart" } else { "/spec/chart" };
    let message = format!("release {} is of chart {}, not {expected}", spec.release, found.chart);
    let help = match (&spec.former_chart, &spec.chart) {
        // An earlier run of the operation renamed it.
        (Some(_), Some(chart)) if *chart == found.chart => {
            "remove `formerChart`: it has its new chart".to_owned()
        }
        (Some(_), _) => format!("write `formerChart: {}`, if that is the chart it is to leave", found.chart),
        (None, _) => {
            format!("if the release is to change its chart, write `formerChart: {}` beside it", found.chart)
        }
    };
    at.findings.say(
        Diagnostic::error(codes::MANIFEST_CONFLICT, message)
            .at(at.label(at.doc.doc, field, "another chart"))
            .help(help),
    );
    false
}
