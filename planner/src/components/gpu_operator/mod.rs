//! The NVIDIA GPU Operator: its chart and its operands, under drivers that stay. README.md says what is known about it and where the
//! usual procedure fails.

mod facts;
mod hops;
mod lower;
mod notices;
mod site;
mod spec;
mod template;

use std::collections::BTreeMap;

use serde_json::Value;
use switchback_schemas::{
    Diagnostic,
    codes::{self, Code},
    inventory::{Plain, gpu_operator::GpuOperator as Section},
    lock::Ask,
    name::ObjectRef,
    plan::Roll,
};

pub use self::spec::{DriverPin, DriverRestarts, GpuOperatorUpgrade};
use self::{facts::GpuFacts, site::Site};
use crate::{
    catalog::{self, Texts},
    component::{Component, DocCx, Held, HopCx, Known, Lookups},
    context::Cx,
    hop::HopSpec,
    lower::{Lowering, drivers, suspension::RollSuspension},
    manifest::{Checks, Touch},
    objects::{nested, token},
    predicted::Predicted,
    sections::Sections,
    solver::Request,
};

const FACTS: &str = include_str!("catalog.yaml");

/// The component.
pub struct GpuOperator;

impl Component for GpuOperator {
    type Spec = GpuOperatorUpgrade;
    type Hop = Site;
    type Facts = GpuFacts;

    fn name(&self) -> &'static str {
        "gpu-operator"
    }

    fn codes(&self) -> &'static [Code] {
        &[codes::PLAN_NOT_READY, codes::PLAN_ON_DELETE, codes::PLAN_HOOK, codes::PLAN_LEFT_OPEN]
    }

    fn catalog(&self) -> Texts {
        Texts { versions: Some(include_str!("versions.yaml")), lowering: &[FACTS] }
    }

    fn facts(&self) -> Result<GpuFacts, Diagnostic> {
        catalog::read("gpu_operator/catalog.yaml", FACTS)
    }

    fn plain(&self, _facts: &GpuFacts) -> Plain {
        Plain::default()
    }

    fn strings(&self, spec: &GpuOperatorUpgrade, checks: &mut Checks<'_, '_>) {
        checks.object("/spec/release", &spec.release);
        checks.charts(&spec.charts);
        checks.values(&spec.set);
        let pin = spec.driver.clone().unwrap_or_default();
        for (at, text) in
            [("/spec/driver/version", pin.version), ("/spec/driver/managerVersion", pin.manager_version)]
        {
            if let Some(text) = text {
                checks.word(at, "the version of a driver", &text, b"-._+");
            }
        }
    }

    fn references(&self, _: &GpuOperatorUpgrade, _: &mut Checks<'_, '_>) {}

    fn contradictions(&self, spec: &GpuOperatorUpgrade, checks: &mut Checks<'_, '_>) {
        // A map below `driver` would pass by the pins as well as a path would.
        let of_driver = |path: &str| {
            let one = BTreeMap::from([(path.to_owned(), Value::Null)]);
            nested(&one).is_ok_and(|nested| nested.get("driver").is_some())
        };
        for path in spec.set.keys().filter(|path| of_driver(path)) {
            checks.error(
                codes::MANIFEST_CONFLICT,
                format!(
                    "`{path}` would change the driver or how it is upgraded, and this upgrade keeps both"
                ),
                (&format!("/spec/set/{}", token(path)), "of the driver"),
                "remove it; `driver:` says which driver stays, and it is the one that runs",
            );
        }
    }

    fn touches(&self, spec: &GpuOperatorUpgrade) -> Vec<Touch> {
        vec![Touch::release("/spec/release", &spec.target, &spec.release)]
    }

    fn request(&self, spec: &GpuOperatorUpgrade, known: &Known<'_>) -> Option<Request> {
        let releases = known.inventory.into_iter().flat_map(|inventory| &inventory.releases);
        let release = releases.into_iter().find(|release| release.name == spec.release);
        let from = release.map(|release| release.chart_version.clone());
        Some(Request::exact(self.name(), from, spec.to.clone(), "/spec/release"))
    }

    fn untold(&self) -> Option<&'static str> {
        None
    }

    /// The chart at every version on the way, with the driver that runs.
    fn asks(&self, at: &DocCx<'_, Self>, asks: &mut Lookups) {
        let spec = &at.doc.spec;
        for (hop, site) in hops::of(at) {
            asks.charts.push(Ask {
                release: spec.release.clone(),
                chart: "gpu-operator".to_owned(),
                source: at.manifests.charts(at.doc.doc, &spec.charts),
                version: hop.to,
                set: site.values(&spec.set),
                crd_directories: Vec::new(),
            });
        }
    }

    fn hops(&self, at: &DocCx<'_, Self>) -> Vec<(HopSpec, Site)> {
        hops::of(at)
    }

    fn lower(&self, hop: &HopCx<'_, Self>, predicted: &mut Predicted<'_>, out: &mut Lowering) {
        lower::hop(hop, predicted, out);
    }

    /// The operator moves a node's pods only where a driver changes, and what changes drivers holds it by itself.
    fn suspensions(&self, _: &Cx<'_>, _: &[&Roll]) -> Vec<RollSuspension> {
        Vec::new()
    }

    /// The label of a node by which its driver is held.
    fn held(&self, sections: &Sections<'_>, object: &ObjectRef, pointer: &str) -> Option<Held> {
        if object.kind != "Node" || pointer != drivers::SKIP_POINTER {
            return None;
        }
        let section = sections.get::<Section>("gpu-operator").ok().flatten()?;
        let node = section.nodes.iter().find(|node| node.name == object.name);
        Some(node.map_or(Held::Absent, |node| Held::Is(serde_json::json!(node.skip))))
    }
}
