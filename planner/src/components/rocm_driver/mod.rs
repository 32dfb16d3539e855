//! The driver of GPU nodes, where AMD's GPU Operator installs it: Kernel Module Management loads it, one node at a time and after our own
//! drain. README.md says what is known about it, where the usual procedure fails, and that nothing of it was seen on a real controller.

mod facts;
mod hops;
mod lower;
mod notices;
mod numbers;
mod quiet;
mod recipe;
mod rolls;
mod site;
mod spec;

use switchback_schemas::{
    Diagnostic,
    codes::{self, Code},
    inventory::{Plain, rocm_driver::RocmDriver as Section},
    name::ObjectRef,
    plan::Roll,
};

pub use self::spec::RocmDriverUpgrade;
use self::{facts::RocmFacts, site::Site};
use crate::{
    catalog::{self, Texts},
    component::{Component, DocCx, Held, HopCx, Known, Lookups},
    context::Cx,
    hop::HopSpec,
    lower::{Lowering, node_work, suspension::RollSuspension},
    manifest::{Checks, Touch},
    predicted::Predicted,
    sections::Sections,
    solver::Request,
};

/// Rooms that it has none of, and why.
pub const BLIND: [(&str, &str); 1] =
    [("catalog", "a driver leads to no other one; what is known of its numbers: catalog.yaml")];

const FACTS: &str = include_str!("catalog.yaml");

/// The component.
pub struct RocmDriver;

impl Component for RocmDriver {
    type Spec = RocmDriverUpgrade;
    type Hop = Site;
    type Facts = RocmFacts;

    fn name(&self) -> &'static str {
        "rocm-driver"
    }

    fn codes(&self) -> &'static [Code] {
        &[codes::PLAN_NOT_READY, codes::PLAN_OUTSIDE]
    }

    fn catalog(&self) -> Texts {
        Texts { versions: None, lowering: &[FACTS] }
    }

    fn facts(&self) -> Result<RocmFacts, Diagnostic> {
        catalog::read("rocm_driver/catalog.yaml", FACTS)
    }

    fn plain(&self, _facts: &RocmFacts) -> Plain {
        Plain::default()
    }

    fn strings(&self, spec: &RocmDriverUpgrade, checks: &mut Checks<'_, '_>) {
        checks.object("/spec/deviceConfig", &spec.device_config);
        checks.word("/spec/to", "the version of a driver", spec.to.as_str(), b"-._+");
        if let Some(test) = &spec.smoke_test {
            node_work::check_test(test, checks);
        }
        if let Some(reboot) = &spec.reboot {
            node_work::check_reboot(reboot, checks);
        }
    }

    fn references(&self, spec: &RocmDriverUpgrade, checks: &mut Checks<'_, '_>) {
        checks.rollout_references(&spec.rollout);
    }

    fn contradictions(&self, spec: &RocmDriverUpgrade, checks: &mut Checks<'_, '_>) {
        checks.rollout_sizes(&spec.rollout);
    }

    fn touches(&self, spec: &RocmDriverUpgrade) -> Vec<Touch> {
        let name = spec.device_config.to_string();
        let title = format!("the driver of DeviceConfig {name}");
        vec![Touch::new("/spec/deviceConfig", "device-config", &spec.target, &name, title)]
    }

    fn request(&self, _: &RocmDriverUpgrade, _: &Known<'_>) -> Option<Request> {
        None
    }

    fn untold(&self) -> Option<&'static str> {
        Some("GPU drivers of AMD")
    }

    fn asks(&self, _: &DocCx<'_, Self>, _: &mut Lookups) {}

    fn hops(&self, at: &DocCx<'_, Self>) -> Vec<(HopSpec, Site)> {
        hops::of(at).into_iter().collect()
    }

    fn lower(&self, hop: &HopCx<'_, Self>, predicted: &mut Predicted<'_>, out: &mut Lowering) {
        if let Some(test) = &hop.doc.spec.smoke_test {
            let nodes = hop.own.config.nodes.iter().map(|node| (node.name.as_str(), &node.allocatable));
            let place = hop.cx.label(hop.doc.doc, "/spec/smokeTest", "would wait for it");
            node_work::check_offers(hop.cx, test, recipe::GPU, nodes, place);
        }
        lower::hop(hop, predicted, out);
    }

    fn suspensions(&self, _: &Cx<'_>, _: &[&Roll]) -> Vec<RollSuspension> {
        Vec::new()
    }

    /// Fields of a DeviceConfig that have another value while drivers move.
    fn held(&self, sections: &Sections<'_>, object: &ObjectRef, pointer: &str) -> Option<Held> {
        if object.kind != "DeviceConfig" {
            return None;
        }
        let section = sections.get::<Section>("rocm-driver").ok().flatten()?;
        let named = |config: &&switchback_schemas::inventory::rocm_driver::DeviceConfig| {
            config.name.namespace == object.namespace && config.name.name == object.name
        };
        match section.configs.iter().find(named) {
            Some(config) => quiet::observed(config, pointer).map(Held::Is),
            None => Some(Held::Absent),
        }
    }
}
