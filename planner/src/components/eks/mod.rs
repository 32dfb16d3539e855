//! EKS: control plane, add-ons and nodes, one minor after the other. README.md says what is known about it and where the usual
//! procedure fails.

mod addons;
mod context;
mod contradictions;
mod control_plane;
mod facts;
mod hops;
mod insights;
mod kubelets;
mod lower;
mod minors;
mod node_groups;
mod nodes;
mod readiness;
mod removed;
mod skew;
mod spec;
mod support;

use switchback_schemas::{
    Diagnostic,
    codes::{self, Code},
    inventory::Plain,
    lock::AskAddon,
    name::ObjectRef,
    plan::Roll,
};

pub use self::spec::{AcceptedInsight, AddonRule, EksUpgrade, LastNodes, Parity};
use self::{context::OnCluster, facts::EksFacts};
use crate::{
    catalog::{self, Texts},
    component::{self, Component, DocCx, Held, HopCx, Known, Lookups},
    context::Cx,
    hop::HopSpec,
    lower::{
        Lowering,
        groups::{cluster, names as refs},
        suspension::RollSuspension,
    },
    manifest::{Checks, Touch},
    predicted::Predicted,
    sections::Sections,
    solver::Request,
};

const FACTS: &str = include_str!("catalog.yaml");
const REMOVED_APIS: &str = include_str!("removed-apis.yaml");

/// Components that move inside of the hops of a cluster: nodes and add-ons.
const CARRIES: &[&str] = &["node-images", "kube-proxy", "vpc-cni", "coredns"];

type Doc = component::Doc<Eks>;

/// The component.
pub struct Eks;

impl Component for Eks {
    type Spec = EksUpgrade;
    type Hop = OnCluster;
    type Facts = EksFacts;

    fn name(&self) -> &'static str {
        "eks"
    }

    fn codes(&self) -> &'static [Code] {
        &[
            codes::PATH_SUPPORT,
            codes::PLAN_STRATEGY,
            codes::PLAN_NOT_READY,
            codes::PLAN_INSIGHT,
            codes::PLAN_REMOVED_API,
            codes::PLAN_CAPACITY,
            codes::PLAN_UNFINISHED,
        ]
    }

    fn catalog(&self) -> Texts {
        Texts { versions: Some(include_str!("versions.yaml")), lowering: &[FACTS, REMOVED_APIS] }
    }

    fn facts(&self) -> Result<EksFacts, Diagnostic> {
        let removed_apis = catalog::read("eks/removed-apis.yaml", REMOVED_APIS)?;
        Ok(EksFacts { removed_apis, ..catalog::read("eks/catalog.yaml", FACTS)? })
    }

    /// None: what it names are things of AWS, which go into requests and never onto a command line.
    fn plain(&self, _facts: &EksFacts) -> Plain {
        Plain::default()
    }

    fn strings(&self, _: &EksUpgrade, _: &mut Checks<'_, '_>) {}

    /// A target that is there has to say which EKS cluster it is.
    fn references(&self, spec: &EksUpgrade, checks: &mut Checks<'_, '_>) {
        checks.rollout_references(&spec.rollout);
        cluster::is_eks(&spec.target, checks);
    }

    fn contradictions(&self, spec: &EksUpgrade, checks: &mut Checks<'_, '_>) {
        contradictions::check(spec, checks);
    }

    fn touches(&self, spec: &EksUpgrade) -> Vec<Touch> {
        let title = format!("the EKS cluster `{}`", spec.target);
        vec![Touch::new("/spec/target", "control-plane", &spec.target, "", title)]
    }

    fn request(&self, spec: &EksUpgrade, _: &Known<'_>) -> Option<Request> {
        let request = Request::exact(self.name(), None, spec.to.minor_line(), "/spec/target");
        Some(Request { carries: CARRIES, ..request })
    }

    fn untold(&self) -> Option<&'static str> {
        None
    }

    /// Every add-on that is there, at every minor on the way.
    fn asks(&self, at: &DocCx<'_, Self>, asks: &mut Lookups) {
        for (hop, own) in hops::of(at) {
            asks.addons.extend(own.cluster.addons.iter().map(|addon| AskAddon {
                target: hop.target.clone(),
                addon: addon.name.clone(),
                kubernetes: hop.to.clone(),
            }));
        }
    }

    fn hops(&self, at: &DocCx<'_, Self>) -> Vec<(HopSpec, OnCluster)> {
        hops::of(at)
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
