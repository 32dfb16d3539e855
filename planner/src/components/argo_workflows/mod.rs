//! Argo Workflows: its CRDs, its controller and its server, and what runs while they move. README.md says what is known about it
//! and where the usual procedure fails.

mod chart;
mod check;
mod facts;
mod fields;
mod gates;
mod held_crds;
mod hops;
mod in_flight;
mod lower;
mod notices;
mod rbac;
mod rights;
mod spec;
mod suspended;
mod versions;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use switchback_schemas::{
    Diagnostic, Version,
    codes::{self, Code},
    inventory::{Plain, argo_workflows::ArgoWorkflows as Section},
    lock::Ask,
    manifest::VersionTarget,
    name::ObjectRef,
    plan::Roll,
};

pub use self::{
    facts::ArgoFacts,
    hops::Site,
    spec::{ArgoWorkflowsUpgrade, CrdSource, InFlight},
};
use crate::{
    catalog::{self, Texts},
    component::{Component, DocCx, Held, HopCx, Known, Lookups},
    context::Cx,
    hop::HopSpec,
    lower::{Lowering, suspension::RollSuspension},
    manifest::{Checks, Touch},
    objects::{nested, token},
    predicted::Predicted,
    sections::Sections,
    solver::Request,
};

const FACTS: &str = include_str!("catalog.yaml");

/// The chart that it is installed by.
const CHART: &str = "argo-workflows";

/// The component.
pub struct ArgoWorkflows;

impl Component for ArgoWorkflows {
    type Spec = ArgoWorkflowsUpgrade;
    type Hop = Site;
    type Facts = ArgoFacts;

    fn name(&self) -> &'static str {
        "argo-workflows"
    }

    fn codes(&self) -> &'static [Code] {
        &[codes::PLAN_OUTAGE, codes::PLAN_OWNER_UNKNOWN, codes::PLAN_REMOVED_FIELD]
    }

    fn catalog(&self) -> Texts {
        Texts { versions: Some(include_str!("versions.yaml")), lowering: &[FACTS] }
    }

    fn facts(&self) -> Result<ArgoFacts, Diagnostic> {
        catalog::read("argo-workflows/catalog.yaml", FACTS)
    }

    /// The controller's settings, of which the database is asked for (they name Secrets and hold none), and whether it elects a leader.
    fn plain(&self, _facts: &ArgoFacts) -> Plain {
        let keys = ["config", "persistence", "instanceID"].map(str::to_owned);
        Plain {
            config: BTreeMap::from([("workflow-controller-configmap".to_owned(), keys.into())]),
            variables: BTreeSet::from(["LEADER_ELECTION_DISABLE".to_owned()]),
        }
    }

    fn strings(&self, spec: &ArgoWorkflowsUpgrade, checks: &mut Checks<'_, '_>) {
        checks.object("/spec/release", &spec.release);
        checks.charts(&spec.charts);
        checks.values(&spec.set);
    }

    fn references(&self, spec: &ArgoWorkflowsUpgrade, checks: &mut Checks<'_, '_>) {
        for class in spec.in_flight_by_class.keys() {
            checks.class(&format!("/spec/inFlightByClass/{}", token(class.as_str())), class);
        }
    }

    /// Where the plan applies the CRDs, the chart is told not to.
    fn contradictions(&self, spec: &ArgoWorkflowsUpgrade, checks: &mut Checks<'_, '_>) {
        let by_class = spec.in_flight_by_class.iter();
        let by_class = by_class
            .map(|(class, policy)| (format!("/spec/inFlightByClass/{}", token(class.as_str())), policy));
        for (at, policy) in by_class.chain([("/spec/inFlight".to_owned(), &spec.in_flight)]) {
            if let InFlight::Accept { because } = policy
                && because.trim().is_empty()
            {
                checks.error(
                    codes::MANIFEST_CONFLICT,
                    "`because` is empty: nobody accepts that Workflows run through the upgrade".to_owned(),
                    (&format!("{at}/accept/because"), "who, and why"),
                    "write who accepts it and why, or `{wait: {max: 4h}}`",
                );
            }
        }
        if spec.crds == CrdSource::Chart {
            let set = |path: &str, at: &str| {
                spec.set.get(path).and_then(|value| value.pointer(at)) == Some(&json!(false))
            };
            let path =
                [("crds.install", ""), ("crds", "/install")].into_iter().find(|(path, at)| set(path, at));
            if let Some((path, _)) = path {
                checks.error(
                    codes::MANIFEST_CONFLICT,
                    "the chart is to apply its CRDs, and is told not to: nobody would".to_owned(),
                    (&format!("/spec/set/{}", token(path)), "the CRDs would stay as they are"),
                    "remove it, or write `crds: apply`",
                );
            }
            return;
        }
        for path in spec.set.keys().filter(|path| *path == "crds" || path.starts_with("crds.")) {
            checks.error(
                codes::MANIFEST_CONFLICT,
                format!("`{path}` says how the chart applies its CRDs, and the plan applies them"),
                (&format!("/spec/set/{}", token(path)), "nothing would read this"),
                "remove it, or write `crds: chart`",
            );
        }
    }

    fn touches(&self, spec: &ArgoWorkflowsUpgrade) -> Vec<Touch> {
        vec![Touch::release("/spec/release", &spec.target, &spec.release)]
    }

    /// On the path it is known by the version that its chart installs.
    fn request(&self, spec: &ArgoWorkflowsUpgrade, known: &Known<'_>) -> Option<Request> {
        let releases = known.inventory.into_iter().flat_map(|inventory| &inventory.releases);
        let release = releases.into_iter().find(|release| release.name == spec.release);
        let facts = known.catalog.lowering::<ArgoFacts>(self.name())?;
        let from = release.and_then(|release| hops::app(release, facts));
        let render = known.lock.and_then(|lock| lock.render(&spec.release, &spec.to));
        let to = hops::target(spec, facts, render.map(|render| render.app_version.as_str()));
        let listed = known.catalog.components.get(self.name());
        let untold = match &to {
            None => Some("which that is, the chart says when it is resolved"),
            Some(to) if !listed.is_some_and(|listed| listed.knows(to)) => {
                Some("the catalog has no facts about it")
            }
            Some(_) => None,
        };
        let to = to.unwrap_or_else(|| spec.to.clone());
        let exact = Request::exact(self.name(), from, to.clone(), "/spec/release");
        Some(Request { untold, to: VersionTarget::Exact(to), stands_for_all: true, ..exact })
    }

    fn untold(&self) -> Option<&'static str> {
        None
    }

    fn asks(&self, at: &DocCx<'_, Self>, asks: &mut Lookups) {
        let spec = &at.doc.spec;
        let full = &at.facts.full_crds;
        let Some((hop, _)) = hops::of(at) else { return };
        let ours = applied_by_plan(spec, &hop.to, &full.since);
        asks.charts.push(Ask {
            release: spec.release.clone(),
            chart: CHART.to_owned(),
            source: at.manifests.charts(at.doc.doc, &spec.charts),
            version: hop.to,
            set: values(spec, ours),
            crd_directories: ours.then(|| full.directory.clone()).into_iter().collect(),
        });
    }

    fn hops(&self, at: &DocCx<'_, Self>) -> Vec<(HopSpec, Site)> {
        hops::of(at).into_iter().collect()
    }

    fn lower(&self, hop: &HopCx<'_, Self>, predicted: &mut Predicted<'_>, out: &mut Lowering) {
        lower::hop(hop, predicted, out);
    }

    fn suspensions(&self, _: &Cx<'_>, _: &[&Roll]) -> Vec<RollSuspension> {
        Vec::new()
    }

    /// Whether a CronWorkflow or a Workflow is suspended.
    fn held(&self, sections: &Sections<'_>, object: &ObjectRef, pointer: &str) -> Option<Held> {
        if pointer != suspended::POINTER || object.group() != "argoproj.io" {
            return None;
        }
        let section = sections.get::<Section>("argo-workflows").ok().flatten()?;
        let is = |name: &switchback_schemas::name::ObjectName| {
            name.name == object.name && name.namespace == object.namespace
        };
        let found = match object.kind.as_str() {
            "CronWorkflow" => {
                section.cron_workflows.iter().find(|cron| is(&cron.name)).map(|cron| cron.suspend.clone())
            }
            "Workflow" => {
                section.unfinished.iter().find(|found| is(&found.name)).map(|found| found.suspend.clone())
            }
            _ => return None,
        };
        Some(found.map_or(Held::Absent, Held::Is))
    }
}

fn applied_by_plan(spec: &ArgoWorkflowsUpgrade, to: &Version, full_since: &Version) -> bool {
    spec.crds == CrdSource::Apply && to >= full_since
}

/// The values that change; where the plan applies the CRDs, the chart is told not to.
fn values(spec: &ArgoWorkflowsUpgrade, ours: bool) -> Value {
    let mut set = nested(&spec.set).unwrap_or_default();
    if let (true, Some(set)) = (ours, set.as_object_mut()) {
        set.insert("crds".to_owned(), json!({"install": false}));
    }
    set
}
