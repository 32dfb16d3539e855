//! A plain Deployment: one container's image moves, by compare-and-set.

use serde_json::json;
use switchback_schemas::{
    Seconds, Version,
    lock::Ask,
    manifest::{DeploymentUpgrade, OwnerKind},
    name::ObjectRef,
    plan::{
        CaptureKind, Condition, Disruption, Effect, Estimate, FieldTest, KubePatch, Operand, SetField,
        Target, Test, Work,
    },
};

use super::{Component, HopSpec};
use crate::{
    context::Cx,
    lower::{Lowering, Rollback, Undoing, changes, permission, verify},
    manifest::Spanned,
    outlook::Outlook,
};

/// The component.
pub struct Deployment;

const WITHIN: Seconds = Seconds::minutes(10);
const IMAGE: &str = "image";

type Doc = Spanned<switchback_schemas::manifest::Document<DeploymentUpgrade>>;

impl Component for Deployment {
    fn name(&self) -> &'static str {
        "deployment"
    }

    fn asks(&self, _: &Cx<'_>) -> Vec<Ask> {
        Vec::new()
    }

    fn hops(&self, cx: &Cx<'_>) -> Vec<HopSpec> {
        cx.manifests.deployments.iter().filter_map(|doc| hop(cx, doc)).collect()
    }

    fn lower(&self, cx: &Cx<'_>, hop: &HopSpec, outlook: &mut Outlook<'_>, to: &mut Lowering) {
        let Some(doc) = hop.written(&cx.manifests.deployments) else { return };
        let spec = &doc.spec;
        let Some((_, index, before)) = outlook.container(&spec.deployment, &spec.container) else { return };
        let object = ObjectRef::new("apps/v1", "Deployment", &spec.deployment);
        let scope = hop.scope();
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

fn hop(cx: &Cx<'_>, doc: &Doc) -> Option<HopSpec> {
    let spec = &doc.spec;
    let object = ObjectRef::new("apps/v1", "Deployment", &spec.deployment);
    let (_, found) = super::container(cx, doc.doc, &spec.deployment, &spec.container)?;
    let asked = HopSpec::asked(cx, "deployment", doc);
    // The tag is the only version that the platform tells; without one the path has no number to compare.
    let from: Option<Version> = super::tag(&found.image).and_then(|tag| tag.parse().ok());
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
        super::rising(cx, doc.doc, &object.to_string(), from, &spec.to)?;
    }
    cx.owner(&object, OwnerKind::Kubectl);
    Some(HopSpec { from, ..asked })
}
