//! The releases that KServe consists of: which chart each is, and what is refused of them before anything moves.

use std::collections::BTreeMap;

use serde_json::Value;
use switchback_schemas::{Diagnostic, Version, codes, inventory::Release, lock::Ask, name::ObjectName};

use super::{
    Kserve, NewRelease,
    facts::{Holds, KserveFacts},
    split,
};
use crate::{component::DocCx, objects::nested, owner::release};

/// A release that moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Its place among the parts of the facts.
    pub(super) part: usize,
    /// Its name.
    pub(super) release: ObjectName,
    /// Its chart.
    pub(super) chart: String,
    /// Values of a release that is not there yet, and comes with the split.
    pub(super) new: Option<BTreeMap<String, Value>>,
}

impl Moved {
    /// Whether it is there at a version, or comes with it.
    pub(super) fn is_there_at(&self, facts: &KserveFacts, version: &Version) -> bool {
        self.new.is_none() || *version >= facts.split.at
    }

    /// The chart to look up for a version. Chart versions of KServe are tags, with a leading `v`.
    pub(super) fn ask(&self, at: &DocCx<'_, Kserve>, version: &Version) -> Ask {
        let spec = &at.doc.spec;
        let own = self.release == spec.release;
        let set = match &self.new {
            Some(set) => nested(set).unwrap_or_default(),
            None if own => nested(&spec.set).unwrap_or_default(),
            None => serde_json::json!({}),
        };
        Ask {
            release: self.release.clone(),
            chart: at.facts.chart_at(&self.chart, version).to_owned(),
            source: at.manifests.charts(at.doc.doc, &spec.charts),
            version: tag(version),
            set,
            crd_directories: Vec::new(),
        }
    }
}

/// A version as the tags of KServe write it.
fn tag(version: &Version) -> Version {
    format!("v{}", version.plain()).parse().unwrap_or_else(|_| version.clone())
}

/// What was found of KServe: its releases in the order in which they move, and the version that the controller's has.
pub(super) struct Found<'a> {
    pub(super) moved: Vec<Moved>,
    pub(super) from: &'a Version,
}

/// Finds the releases. What is in the way is said.
pub(super) fn find<'a>(at: &DocCx<'a, Kserve>) -> Option<Found<'a>> {
    let (cx, spec) = (at.cx, &at.doc.spec);
    let named = |pointer: &str, name: &'_ ObjectName| {
        let label = cx.label(at.doc.doc, pointer, "not upgradable as it is");
        release::observed(cx, name, Some(label))
    };
    let controller = named("/spec/release", &spec.release);
    let crds = named("/spec/crdRelease", &spec.crd_release);
    let more: Vec<Option<&Release>> = spec
        .more_releases
        .iter()
        .enumerate()
        .map(|(number, name)| named(&format!("/spec/moreReleases/{number}"), name))
        .collect();
    let (controller, crds, more) = (controller?, crds?, more.into_iter().collect::<Option<Vec<_>>>()?);
    let mut moved = vec![
        role(at, "/spec/crdRelease", crds, Some(Holds::Crds))?,
        role(at, "/spec/release", controller, Some(Holds::Controller))?,
    ];
    for (number, release) in more.iter().enumerate() {
        moved.push(role(at, &format!("/spec/moreReleases/{number}"), release, None)?);
    }
    for (number, new) in spec.new_releases.iter().enumerate() {
        let pointer = format!("/spec/newReleases/{number}");
        // An earlier run of the operation may have installed it.
        moved.push(match cx.index.release(&new.release) {
            Some(_) => role(at, &pointer, named(&pointer, &new.release)?, None)?,
            None => self::new(at, &pointer, new)?,
        });
    }
    moved.sort_by_key(|moved| moved.part);
    let whole = left_behind(at, &moved);
    let behind = std::iter::once(crds).chain(more).all(|release| newer(at, release));
    (whole && behind).then_some(Found { moved, from: &controller.chart_version })
}

/// A release that comes with the split. A chart that is none of KServe's, or that there is no need to install, is said.
fn new(at: &DocCx<'_, Kserve>, pointer: &str, new: &NewRelease) -> Option<Moved> {
    let facts = at.facts;
    let part = facts.part(&new.chart).filter(|(_, part)| part.after.contains(&new.chart));
    let Some((part, _)) = part else {
        let mut charts: Vec<&str> =
            facts.parts.iter().flat_map(|part| &part.after).map(String::as_str).collect();
        charts.sort_unstable();
        let message = format!("{} is no chart of KServe from {} on", new.chart, facts.split.at);
        at.findings.say(
            Diagnostic::error(codes::MANIFEST_CONFLICT, message)
                .at(at.label(at.doc.doc, &format!("{pointer}/chart"), "no such chart"))
                .help(format!("name one of {}", charts.join(", "))),
        );
        return None;
    };
    let mut set = split::values(at, &new.chart);
    set.extend(new.set.clone());
    Some(Moved { part, release: new.release.clone(), chart: new.chart.clone(), new: Some(set) })
}

/// The part that a release is; one that is none, or another than it is named for, is said.
fn role(at: &DocCx<'_, Kserve>, pointer: &str, release: &Release, holds: Option<Holds>) -> Option<Moved> {
    let part = at.facts.part(&release.chart);
    let fits = part.filter(|(_, part)| holds.is_none_or(|holds| part.holds == holds));
    let Some((part, _)) = fits else {
        let charts = at.facts.parts.iter().filter(|part| holds.is_none_or(|holds| part.holds == holds));
        let mut charts: Vec<&str> =
            charts.flat_map(|part| part.before.iter().chain(&part.after)).map(String::as_str).collect();
        charts.sort_unstable();
        charts.dedup();
        let message = format!("release {} is of chart {}", release.name, release.chart);
        at.findings.say(
            Diagnostic::error(codes::MANIFEST_CONFLICT, message)
                .at(at.label(at.doc.doc, pointer, "another chart"))
                .help(format!("name a release of one of the charts {}", charts.join(", "))),
        );
        return None;
    };
    Some(Moved { part, release: release.name.clone(), chart: release.chart.clone(), new: None })
}

/// Releases of KServe that the manifest does not name would stay behind: its charts are released together, and CRDs of one are read
/// by the controllers of others.
fn left_behind(at: &DocCx<'_, Kserve>, moved: &[Moved]) -> bool {
    let others = at.inventory.releases.iter().filter(|release| {
        at.facts.part(&release.chart).is_some() && !moved.iter().any(|moved| moved.release == release.name)
    });
    let mut whole = true;
    for release in others {
        whole = false;
        let message = format!(
            "release {} of chart {} is part of KServe, and would stay at {} while the rest moves to {}",
            release.name, release.chart, release.chart_version, at.doc.spec.to
        );
        let namespace = release.name.namespace.as_deref().unwrap_or_default();
        at.findings.say(
            Diagnostic::error(codes::PATH_REQUIREMENT, message)
                .at(at.label(at.doc.doc, "/spec/release", "moves without it"))
                .help(format!(
                    "add `{{namespace: {namespace}, name: {}}}` to `moreReleases`",
                    release.name.name
                )),
        );
    }
    whole
}

/// A release that is newer than the target would go down; that is said.
fn newer(at: &DocCx<'_, Kserve>, release: &Release) -> bool {
    let to = &at.doc.spec.to;
    if release.chart_version.precedence(to).is_le() {
        return true;
    }
    let message =
        format!("release {} is at {}, which is newer than {to}", release.name, release.chart_version);
    at.findings.say(
        Diagnostic::error(codes::PATH_BACKWARDS, message)
            .at(at.label(at.doc.doc, "/spec/to", "older than what is there"))
            .help("an upgrade goes up; move the other releases to that version or beyond"),
    );
    false
}
