//! The split of the charts at 0.17: releases that are not there yet take over what older ones hold.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use switchback_schemas::{Diagnostic, Version, codes, inventory::Release};

use super::{Kserve, facts::MovedObjects};
use crate::{component::DocCx, findings::listed, objects};

/// Values without which a chart does not hold what moves to it.
pub(super) fn values(at: &DocCx<'_, Kserve>, chart: &str) -> BTreeMap<String, Value> {
    let to = moving(at).filter(|(moved, _)| moved.chart == chart);
    to.filter_map(|(moved, _)| Some((moved.value.clone()?, json!(true)))).collect()
}

/// What moves to a chart of its own, with the release that holds it.
fn moving<'a>(at: &DocCx<'a, Kserve>) -> impl Iterator<Item = (&'a MovedObjects, &'a Release)> {
    let releases = &at.inventory.releases;
    let facts = at.facts;
    facts.split.moved.iter().flat_map(move |moved| {
        let old = releases.iter().filter(move |release| {
            let part = facts.part(&release.chart);
            part.is_some() && release.chart != moved.chart && release.objects.iter().any(|one| moved.is(one))
        });
        old.map(move |release| (moved, release))
    })
}

/// Whether every object that moves has a release to move to; what has none is said.
pub(super) fn is_complete(at: &DocCx<'_, Kserve>, charts: &[&str], to: &Version) -> bool {
    let mut missing: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (objects, release) in moving(at) {
        let minimal = format!("{}-minimal", objects.chart);
        if charts.iter().any(|chart| *chart == objects.chart || *chart == minimal) {
            continue;
        }
        let names = release.objects.iter().filter(|one| objects.is(one)).filter_map(objects::name);
        let held = format!("{} of release {}", listed(names.map(str::to_owned)), release.name);
        missing.entry(&objects.chart).or_default().push(held);
    }
    for (chart, held) in &missing {
        let message = format!(
            "the hop to KServe {to} goes over the split of its charts at {}, and nobody would hold {}: only chart {chart} does from there on",
            at.facts.split.at,
            held.join(" and ")
        );
        let namespace = at.doc.spec.release.namespace.as_deref().unwrap_or_default();
        at.findings.say(
            Diagnostic::error(codes::PLAN_HANDOVER, message)
                .at(at.label(at.doc.doc, "/spec/to", "beyond the split"))
                .help(format!(
                    "add `{{release: {{namespace: {namespace}, name: {chart}}}, chart: {chart}}}` to `newReleases`"
                )),
        );
    }
    missing.is_empty()
}
