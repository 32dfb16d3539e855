//! The driver of GPU nodes, where the NVIDIA GPU Operator installs it: the operator restarts it, one node at a time and after our own
//! drain. README.md says what is known about it and where the usual procedure fails.

mod facts;
mod holds;
mod hops;
mod lower;
mod notices;
mod recipe;
mod rolls;
mod site;
mod spec;

use serde_json::json;
use switchback_schemas::{
    Diagnostic,
    codes::{self, Code},
    inventory::Plain,
    lock::Ask,
    name::ObjectRef,
    plan::Roll,
};

pub use self::spec::GpuDriverUpgrade;
use self::{facts::DriverFacts, site::Site};
use crate::{
    catalog::{self, Texts},
    component::{Component, DocCx, Held, HopCx, Known, Lookups},
    context::Cx,
    hop::HopSpec,
    lower::{
        Lowering,
        drivers::known::{KNOWN, KnownDrivers},
        node_work,
        suspension::RollSuspension,
    },
    manifest::{Checks, Touch},
    owner::release,
    predicted::Predicted,
    sections::Sections,
    solver::Request,
};

/// Rooms that it has none of, and why.
pub const BLIND: [(&str, &str); 3] = [
    ("catalog", "a driver leads to no other one; what it works with: catalog.yaml"),
    ("observer", "drivers are read with their operator: executor/kube/src/observe/gpu_operator.rs"),
    ("actor", "drivers are moved by their operator: executor/twin/src/apps/gpu_operator"),
];

const FACTS: &str = include_str!("catalog.yaml");

/// The component.
pub struct GpuDriver;

impl Component for GpuDriver {
    type Spec = GpuDriverUpgrade;
    type Hop = Site;
    type Facts = DriverFacts;

    fn name(&self) -> &'static str {
        "gpu-driver"
    }

    fn codes(&self) -> &'static [Code] {
        &[codes::PLAN_NOT_READY, codes::PLAN_OUTSIDE, codes::PATH_SUPPORT]
    }

    fn catalog(&self) -> Texts {
        Texts { versions: None, lowering: &[FACTS, KNOWN] }
    }

    fn facts(&self) -> Result<DriverFacts, Diagnostic> {
        Ok(DriverFacts { known: KnownDrivers::read()?, ..catalog::read("gpu_driver/catalog.yaml", FACTS)? })
    }

    fn plain(&self, _facts: &DriverFacts) -> Plain {
        Plain::default()
    }

    fn strings(&self, spec: &GpuDriverUpgrade, checks: &mut Checks<'_, '_>) {
        checks.object("/spec/release", &spec.release);
        checks.charts(&spec.charts);
        checks.word("/spec/to", "the version of a driver", spec.to.as_str(), b"-._+");
        if let Some(test) = &spec.smoke_test {
            node_work::check_test(test, checks);
        }
    }

    fn references(&self, spec: &GpuDriverUpgrade, checks: &mut Checks<'_, '_>) {
        checks.rollout_references(&spec.rollout);
    }

    fn contradictions(&self, spec: &GpuDriverUpgrade, checks: &mut Checks<'_, '_>) {
        checks.rollout_sizes(&spec.rollout);
    }

    /// The release is the operator's, too: both are not moved by one set of manifests.
    fn touches(&self, spec: &GpuDriverUpgrade) -> Vec<Touch> {
        vec![Touch::release("/spec/release", &spec.target, &spec.release)]
    }

    fn request(&self, _: &GpuDriverUpgrade, _: &Known<'_>) -> Option<Request> {
        None
    }

    fn untold(&self) -> Option<&'static str> {
        Some("GPU drivers")
    }

    /// The chart as it is deployed, with the new driver.
    fn asks(&self, at: &DocCx<'_, Self>, asks: &mut Lookups) {
        let spec = &at.doc.spec;
        let Some(release) = release::observed(at.cx, &spec.release, None) else { return };
        asks.charts.push(Ask {
            release: spec.release.clone(),
            chart: release.chart.clone(),
            source: at.manifests.charts(at.doc.doc, &spec.charts),
            version: release.chart_version.clone(),
            set: json!({"driver": {"version": spec.to.as_str()}}),
            crd_directories: Vec::new(),
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

    /// The label by which a driver is held is known to the operator's component.
    fn held(&self, _: &Sections<'_>, _: &ObjectRef, _: &str) -> Option<Held> {
        None
    }
}
