//! A plain Deployment: one container's image moves, by compare-and-set.

mod spec;

use serde_json::json;
use switchback_schemas::{
    Diagnostic, Seconds, Version,
    codes::Code,
    inventory::Inventory,
    manifest::OwnerKind,
    name::ObjectRef,
    plan::{
        CaptureKind, Condition, Disruption, Effect, Estimate, FieldTest, KubePatch, Operand, SetField,
        Target, Test, Work,
    },
};

pub use self::spec::DeploymentUpgrade;
use crate::{
    catalog::Texts,
    component::{Component, DocCx, Held, HopCx, Lookups},
    hop::{HopSpec, rising},
    image::Image,
    lower::{Lowering, Rollback, Undoing, changes, permission, verify},
    manifest::{Checks, Touch},
    outlook::Outlook,
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

    fn strings(&self, spec: &DeploymentUpgrade, checks: &mut Checks<'_, '_>) {
        checks.object("/spec/deployment", &spec.deployment);
        checks.container("/spec/container", &spec.container);
        checks.image("/spec/image", &spec.image);
    }

    fn references(&self, _: &DeploymentUpgrade, _: &mut Checks<'_, '_>) {}

    fn contradictions(&self, _: &DeploymentUpgrade, _: &mut Checks<'_, '_>) {}

    fn touches(&self, spec: &DeploymentUpgrade) -> Vec<Touch> {
        vec![Touch::container("/spec/container", &spec.target, &spec.deployment, &spec.container)]
    }

    fn request(&self, _: &DeploymentUpgrade, _: Option<&Inventory>) -> Option<Request> {
        None
    }

    fn untold(&self) -> Option<&'static str> {
        Some("Deployments")
    }

    fn asks(&self, _: &DocCx<'_, Self>, _: &mut Lookups) {}

    fn hops(&self, at: &DocCx<'_, Self>) -> Vec<(HopSpec, ())> {
        hop(at).into_iter().map(|hop| (hop, ())).collect()
    }

    fn held(&self, _: &Sections<'_>, _: &ObjectRef, _: &str) -> Option<Held> {
        None
    }

    fn lower(&self, hop: &HopCx<'_, Self>, outlook: &mut Outlook<'_>, to: &mut Lowering) {
        let (cx, spec, scope) = (hop.cx, &hop.doc.spec, &hop.scope);
        let Some((_, index, before)) = outlook.container(&spec.deployment, &spec.container) else { return };
        let object = ObjectRef::new("apps/v1", "Deployment", &spec.deployment);
        let id = scope.id(IMAGE);
        let container = format!("/spec/template/spec/containers/{index}");
        let pointer = format!("{container}/image");
        let name = FieldTest { pointer: format!("{container}/name"), is: is(json!(spec.container)) };
        let image = |image: Operand| FieldTest { pointer: pointer.clone(), is: Test::Equals(image) };
        let patch = |only: Operand, set: Operand| {
            Effect::KubePatch(KubePatch {
                object: Target::Object(object.clone()),
                subresource: None,
                only_if: vec![name.clone(), image(only)],
                set: vec![SetField { pointer: pointer.clone(), to: set }],
            })
        };
        let field = |image: Operand| Condition::Field {
            object: Target::Object(object.clone()),
            pointer: pointer.clone(),
            is: Test::Equals(image),
        };
        let new = || Operand::Value(json!(spec.image));
        let old = || Operand::Captured { step: id.clone(), name: IMAGE.to_owned() };
        let within = spec.within.map_or(WITHIN, |length| length.0);
        let rolled = || {
            let condition = Condition::Rollout { object: Target::Object(object.clone()) };
            verify(format!("{object} is rolled out"), condition, Seconds(10), within)
        };
        let permissions = ["get", "patch"]
            .map(|verb| permission(verb, "apps", "deployments", spec.deployment.namespace.as_deref()));
        if before == spec.image {
            // An earlier run of the operation set it; what is left is that it works, as the manifests now say.
            let until = Condition::All {
                of: vec![field(new()), Condition::Rollout { object: Target::Object(object.clone()) }],
            };
            let title = format!("see that {object} works with {}", spec.image);
            let look = scope.look("health", title, until, outlook.take_reads());
            let look = look.verify(std::iter::once(rolled()).chain(cx.verifications(&spec.verify)));
            let namespace = spec.deployment.namespace.as_deref();
            let look = look.permits([permission("get", "apps", "deployments", namespace)]);
            to.add(look.time(within, Estimate::seconds(10, 120)));
            return;
        }
        let undo = Rollback::new(Work {
            done_when: Some(field(old())),
            verify: vec![rolled()],
            disruption: Disruption::Restart,
            estimate: Estimate::seconds(60, 300),
            permissions: permissions.to_vec(),
            ..Work::effect(format!("set the image of {object} back to {before}"), patch(new(), old()))
        });
        let title = format!("set the image of container {} of {object} to {}", spec.container, spec.image);
        let change = changes::of_field(
            object.clone(),
            &format!("containers[{}].image", spec.container),
            &json!(before),
            &json!(spec.image),
        );
        let effect = patch(Operand::Value(json!(before)), new());
        let step = scope
            .step(IMAGE, title, effect, Undoing::by(undo), outlook.take_reads())
            .captures(
                IMAGE,
                CaptureKind::Field { object: Target::Object(object.clone()), pointer: pointer.clone() },
            )
            .done_when(field(new()))
            .verify(std::iter::once(rolled()).chain(cx.verifications(&spec.verify)))
            .time(Seconds::minutes(2), Estimate::seconds(60, 300))
            .idempotent()
            .disrupts(Disruption::Restart, None)
            .permits(permissions)
            .changes(vec![change]);
        to.add(step);
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
    // The tag is the only version that the platform tells; without one the path has no number to compare.
    let from: Option<Version> = Image(&found.image).version();
    let is_set = found.image == spec.image;
    if (is_set || from.as_ref() == Some(&spec.to))
        && let Some(finishing) = asked.finishing(cx)
    {
        // Another image of the same version, where the one that was asked for was wrong.
        if !is_set {
            cx.owner(&object, OwnerKind::Kubectl);
        }
        return Some(finishing);
    }
    if let Some(from) = if is_set { Some(&spec.to) } else { from.as_ref() } {
        rising(cx, doc.doc, &object.to_string(), from, &spec.to)?;
    }
    cx.owner(&object, OwnerKind::Kubectl);
    Some(HopSpec { from, ..asked })
}
