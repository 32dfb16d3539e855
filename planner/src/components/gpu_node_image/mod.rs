//! The images of GPU nodes, where they hold the driver: managed node groups move to another release of their image, by a copy that takes
//! over. README.md says what is known about it and where the usual procedure fails.

mod expected;
mod facts;
mod group;
mod hops;
mod lower;
mod site;
mod spec;

use switchback_schemas::{
    Diagnostic,
    codes::{self, Code},
    inventory::Plain,
    name::ObjectRef,
    plan::Roll,
};

pub use self::spec::{ExpectedDriver, GpuNodeImageUpgrade};
use self::{facts::ImageFacts, site::Site};
use crate::{
    catalog::{self, Texts},
    component::{Component, DocCx, Held, HopCx, Known, Lookups},
    context::Cx,
    hop::HopSpec,
    lower::{
        Lowering,
        drivers::known::{KNOWN, KnownDrivers},
        groups::cluster,
        suspension::RollSuspension,
    },
    manifest::{Checks, Touch},
    predicted::Predicted,
    sections::Sections,
    solver::Request,
};

/// Rooms that it has none of, and why.
pub const BLIND: [(&str, &str); 3] = [
    ("catalog", "an image leads to no other one; the minor that it is of is moved by EksUpgrade"),
    ("observer", "groups are read with their cluster: executor/aws/src/observe/eks"),
    ("actor", "groups are EKS's: executor/twin/src/cloud/eks/nodegroups"),
];

const FACTS: &str = include_str!("catalog.yaml");

/// The component.
pub struct GpuNodeImage;

impl Component for GpuNodeImage {
    type Spec = GpuNodeImageUpgrade;
    type Hop = Site;
    type Facts = ImageFacts;

    fn name(&self) -> &'static str {
        "gpu-node-image"
    }

    fn codes(&self) -> &'static [Code] {
        &[codes::PLAN_NOT_READY, codes::PLAN_STRATEGY, codes::PLAN_CAPACITY, codes::PATH_SUPPORT]
    }

    fn catalog(&self) -> Texts {
        Texts { versions: None, lowering: &[FACTS, KNOWN] }
    }

    fn facts(&self) -> Result<ImageFacts, Diagnostic> {
        Ok(ImageFacts {
            known: KnownDrivers::read()?,
            ..catalog::read("gpu_node_image/catalog.yaml", FACTS)?
        })
    }

    /// None: what it names are things of AWS, which go into requests and never onto a command line.
    fn plain(&self, _facts: &ImageFacts) -> Plain {
        Plain::default()
    }

    fn strings(&self, _: &GpuNodeImageUpgrade, _: &mut Checks<'_, '_>) {}

    fn references(&self, spec: &GpuNodeImageUpgrade, checks: &mut Checks<'_, '_>) {
        checks.rollout_references(&spec.rollout);
        cluster::is_eks(&spec.target, checks);
    }

    fn contradictions(&self, spec: &GpuNodeImageUpgrade, checks: &mut Checks<'_, '_>) {
        spec::check(spec, checks);
    }

    /// The cluster, as an upgrade of its minor does, which moves the same groups.
    fn touches(&self, spec: &GpuNodeImageUpgrade) -> Vec<Touch> {
        let title = format!("the EKS cluster `{}`", spec.target);
        vec![Touch::new("/spec/target", "control-plane", &spec.target, "", title)]
    }

    fn request(&self, _: &GpuNodeImageUpgrade, _: &Known<'_>) -> Option<Request> {
        None
    }

    fn untold(&self) -> Option<&'static str> {
        Some("images of GPU nodes")
    }

    fn asks(&self, _: &DocCx<'_, Self>, _: &mut Lookups) {}

    fn hops(&self, at: &DocCx<'_, Self>) -> Vec<(HopSpec, Site)> {
        hops::of(at).into_iter().collect()
    }

    fn lower(&self, hop: &HopCx<'_, Self>, predicted: &mut Predicted<'_>, out: &mut Lowering) {
        lower::hop(hop, predicted, out);
    }

    fn suspensions(&self, _: &Cx<'_>, _: &[&Roll]) -> Vec<RollSuspension> {
        Vec::new()
    }

    fn held(&self, _: &Sections<'_>, _: &ObjectRef, _: &str) -> Option<Held> {
        None
    }
}
