//! A plain Deployment: one container's image moves, by compare-and-set.

mod spec;

use serde_json::json;
use switchback_schemas::{
    Diagnostic, Seconds, Version,
    codes::Code,
    inventory::Plain,
    name::ObjectRef,
    plan::{FieldTest, Operand, Roll, Test},
};

pub use self::spec::DeploymentUpgrade;
use crate::{
    catalog::Texts,
    component::{Component, DocCx, Held, HopCx, Known, Lookups},
    context::Cx,
    hop::{HopSpec, rising},
    image::Image,
    lower::{Lowering, suspension::RollSuspension},
    manifest::{Checks, Touch},
    owner::{Asked, Desired, DesiredField, Subject},
    predicted::Predicted,
    sections::Sections,
    solver::Request,
};

/// Rooms that it has none of, and why.
pub const BLIND: [(&str, &str); 3] = [
    ("catalog", "which component an image is, nobody tells"),
    ("observer", "Deployments are read with all workloads: executor/kube/src/observe/workloads.rs"),
    ("actor", "the controllers of the cluster itself act: executor/twin/src/kube/controllers"),
];

/// The component.
pub struct Deployment;

const WITHIN: Seconds = Seconds::minutes(10);
const IMAGE: &str = "image";
const HEALTH: &str = "health";

impl Component for Deployment {
    type Spec = DeploymentUpgrade;
    type Hop = ();
    type Facts = ();

    fn name(&self) -> &'static str {
        "deployment"
    }

    fn codes(&self) -> &'static [Code] {
        &[]
    }

    fn catalog(&self) -> Texts {
        Texts { versions: None, lowering: &[] }
    }

    fn facts(&self) -> Result<(), Diagnostic> {
        Ok(())
    }

    fn plain(&self, _facts: &()) -> Plain {
        Plain::default()
    }

    fn strings(&self, spec: &DeploymentUpgrade, checks: &mut Checks<'_, '_>) {
        checks.object("/spec/deployment", &spec.deployment);
        checks.container("/spec/container", &spec.container);
        checks.image("/spec/image", &spec.image);
    }

    fn references(&self, _: &DeploymentUpgrade, _: &mut Checks<'_, '_>) {}

    fn contradictions(&self, spec: &DeploymentUpgrade, checks: &mut Checks<'_, '_>) {
        checks.image_is("/spec/image", &spec.image, &spec.to);
    }

    fn touches(&self, spec: &DeploymentUpgrade) -> Vec<Touch> {
        vec![Touch::container("/spec/container", &spec.target, &spec.deployment, &spec.container)]
    }

    fn request(&self, _: &DeploymentUpgrade, _: &Known<'_>) -> Option<Request> {
        None
    }

    fn untold(&self) -> Option<&'static str> {
        Some("Deployments")
    }

    fn asks(&self, _: &DocCx<'_, Self>, _: &mut Lookups) {}

    fn hops(&self, at: &DocCx<'_, Self>) -> Vec<(HopSpec, ())> {
        hop(at).into_iter().map(|hop| (hop, ())).collect()
    }

    fn suspensions(&self, _: &Cx<'_>, _: &[&Roll]) -> Vec<RollSuspension> {
        Vec::new()
    }

    fn held(&self, _: &Sections<'_>, _: &ObjectRef, _: &str) -> Option<Held> {
        None
    }

    fn lower(&self, hop: &HopCx<'_, Self>, predicted: &mut Predicted<'_>, out: &mut Lowering) {
        let (cx, spec) = (hop.cx, &hop.doc.spec);
        let Some((_, index, before)) = predicted.container(&spec.deployment, &spec.container) else { return };
        let object = ObjectRef::new("apps/v1", "Deployment", &spec.deployment);
        let container = format!("/spec/template/spec/containers/{index}");
        let there = before == spec.image;
        let title = if there {
            // An earlier run of the operation set it; what is left is that it works, as the manifests now say.
            format!("verify {object} with {}", spec.image)
        } else {
            format!("set the image of container {} of {object} to {}", spec.container, spec.image)
        };
        let change = DesiredField {
            pointer: format!("{container}/image"),
            path: format!("containers[{}].image", spec.container),
            what: format!("the image of {object}"),
            only_if: vec![FieldTest { pointer: format!("{container}/name"), is: is(json!(spec.container)) }],
            before: json!(before),
            after: json!(spec.image),
            capture: IMAGE,
            restarts: Some(spec.within.map_or(WITHIN, |length| length.0)),
            object,
        };
        let asked = Asked {
            cx,
            owners: hop.owners,
            scope: &hop.scope,
            part: if there { HEALTH } else { IMAGE },
            title,
            desired: Desired::Field(change),
            needs: Vec::new(),
            place: cx.label(hop.doc.doc, "/spec/image", "this image"),
        };
        let step = if there { asked.prove(predicted) } else { asked.change(predicted, out) };
        if let Some(step) = step {
            out.add(step.verify(cx.verifications(&hop.scope.hop, &spec.verify)));
        }
    }
}

fn is(value: serde_json::Value) -> Test {
    Test::Equals(Operand::Value(value))
}

fn hop(at: &DocCx<'_, Deployment>) -> Option<HopSpec> {
    let (cx, doc, spec) = (at.cx, at.doc, &at.doc.spec);
    let object = ObjectRef::new("apps/v1", "Deployment", &spec.deployment);
    let (_, found) = cx.container(doc.doc, &spec.deployment, &spec.container)?;
    let asked = at.asked();
    let place = || cx.label(doc.doc, "/spec/image", "this image");
    // The tag is the only version that the platform tells; without one the path has no number to compare.
    let from: Option<Version> = Image(&found.image).version();
    let is_set = found.image == spec.image;
    if (is_set || from.as_ref() == Some(&spec.to))
        && let Some(finishing) = asked.finishing(cx)
    {
        // Another image of the same version, where the one that was asked for was wrong.
        if !is_set {
            at.owners.of(cx, &Subject::Object(&object), &place());
        }
        return Some(finishing);
    }
    if let Some(from) = if is_set { Some(&spec.to) } else { from.as_ref() } {
        rising(cx, doc.doc, &object.to_string(), from, &spec.to)?;
    }
    at.owners.of(cx, &Subject::Object(&object), &place());
    Some(HopSpec { from, ..asked })
}
