//! KServe: its CRDs, runtimes and controllers, by one release or several. README.md says what is known about it and where the usual
//! procedure fails.

mod backup;
mod controller;
pub mod facts;
mod hops;
mod models;
mod modes;
mod notices;
mod releases;
mod restarts;
mod road;
mod spec;
mod split;
mod steps;
mod webhooks;

use std::collections::{BTreeMap, BTreeSet};

use switchback_schemas::{
    Diagnostic,
    codes::{self, Code},
    inventory::Plain,
    name::ObjectRef,
    plan::Roll,
};

pub use self::spec::{KserveUpgrade, NewRelease, ServedModel};
use self::{facts::KserveFacts, releases::Moved};
use crate::{
    catalog::{self, Texts},
    component::{Component, DocCx, Held, HopCx, Known, Lookups},
    context::Cx,
    hop::HopSpec,
    lower::{Lowering, suspension::RollSuspension},
    manifest::{Checks, Touch},
    predicted::Predicted,
    sections::Sections,
    solver::Request,
};

const FACTS: &str = include_str!("catalog.yaml");

/// The component.
pub struct Kserve;

impl Component for Kserve {
    type Spec = KserveUpgrade;
    type Hop = Vec<Moved>;
    type Facts = KserveFacts;

    fn name(&self) -> &'static str {
        "kserve"
    }

    fn codes(&self) -> &'static [Code] {
        &[codes::PLAN_CAPACITY, codes::PLAN_HOOK, codes::PLAN_NOT_READY, codes::PLAN_HANDOVER]
    }

    fn catalog(&self) -> Texts {
        Texts { versions: Some(include_str!("versions.yaml")), lowering: &[FACTS] }
    }

    fn facts(&self) -> Result<KserveFacts, Diagnostic> {
        catalog::read("kserve/catalog.yaml", FACTS)
    }

    /// Images that the controller puts into pods of services.
    fn plain(&self, facts: &KserveFacts) -> Plain {
        let keys = facts.images.fetching.iter().cloned().collect();
        Plain {
            config: BTreeMap::from([(facts.images.config_map.clone(), keys)]),
            variables: BTreeSet::new(),
        }
    }

    fn strings(&self, spec: &KserveUpgrade, checks: &mut Checks<'_, '_>) {
        checks.object("/spec/release", &spec.release);
        checks.object("/spec/crdRelease", &spec.crd_release);
        for (number, release) in spec.more_releases.iter().enumerate() {
            checks.object(&format!("/spec/moreReleases/{number}"), release);
        }
        for (number, new) in spec.new_releases.iter().enumerate() {
            checks.object(&format!("/spec/newReleases/{number}/release"), &new.release);
            checks.word(
                &format!("/spec/newReleases/{number}/chart"),
                "the name of a chart",
                &new.chart,
                b"-_.",
            );
        }
        checks.charts(&spec.charts);
        checks.values(&spec.set);
        for (number, model) in spec.models.iter().enumerate() {
            let at = |field: &str| format!("/spec/models/{number}/{field}");
            checks.address(&at("url"), &model.url, &["http://", "https://"]);
            checks.word(&at("name"), "the name of a model", &model.name, b"-_.");
        }
    }

    fn references(&self, _: &KserveUpgrade, _: &mut Checks<'_, '_>) {}

    fn contradictions(&self, spec: &KserveUpgrade, checks: &mut Checks<'_, '_>) {
        let mut seen = vec![&spec.release];
        let new = spec.new_releases.iter().map(|new| &new.release);
        for release in std::iter::once(&spec.crd_release).chain(&spec.more_releases).chain(new) {
            if seen.contains(&release) {
                checks.error(
                    codes::MANIFEST_CONFLICT,
                    format!("release {release} is named twice"),
                    ("/spec/crdRelease", "each release holds one chart"),
                    "name each release once",
                );
            }
            seen.push(release);
        }
    }

    fn touches(&self, spec: &KserveUpgrade) -> Vec<Touch> {
        let more = spec.more_releases.iter();
        let mut touches = vec![
            Touch::release("/spec/release", &spec.target, &spec.release),
            Touch::release("/spec/crdRelease", &spec.target, &spec.crd_release),
        ];
        touches.extend(more.map(|release| Touch::release("/spec/moreReleases", &spec.target, release)));
        let new = spec.new_releases.iter().map(|new| &new.release);
        touches.extend(new.map(|release| Touch::release("/spec/newReleases", &spec.target, release)));
        touches
    }

    fn request(&self, spec: &KserveUpgrade, known: &Known<'_>) -> Option<Request> {
        let releases = known.inventory.into_iter().flat_map(|inventory| &inventory.releases);
        let release = releases.into_iter().find(|release| release.name == spec.release);
        let from = release.map(|release| release.chart_version.clone());
        Some(Request::exact(self.name(), from, spec.to.clone(), "/spec/release"))
    }

    fn untold(&self) -> Option<&'static str> {
        None
    }

    /// Every release at every version on the way.
    fn asks(&self, at: &DocCx<'_, Self>, asks: &mut Lookups) {
        for (hop, moved) in hops::of(at) {
            let there = moved.iter().filter(|release| release.is_there_at(at.facts, &hop.to));
            asks.charts.extend(there.map(|release| release.ask(at, &hop.to)));
        }
    }

    fn hops(&self, at: &DocCx<'_, Self>) -> Vec<(HopSpec, Vec<Moved>)> {
        hops::of(at)
    }

    fn lower(&self, hop: &HopCx<'_, Self>, predicted: &mut Predicted<'_>, out: &mut Lowering) {
        steps::lower(hop, predicted, out);
    }

    fn suspensions(&self, _: &Cx<'_>, _: &[&Roll]) -> Vec<RollSuspension> {
        Vec::new()
    }

    fn held(&self, _: &Sections<'_>, _: &ObjectRef, _: &str) -> Option<Held> {
        None
    }
}
