//! A component that lives outside of the crate: a widget in a Deployment, whose second version needs a newer Karpenter.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use switchback_planner::{
    catalog::{self, Texts},
    component::{Component, DocCx, Held, HopCx, Known, Lookups},
    context::Cx,
    hop::{HopSpec, rising},
    image::Image,
    lower::{Lowering, Rollback, Undoing, suspension::RollSuspension},
    manifest::{Checks, Touch},
    predicted::Predicted,
    sections::Sections,
    solver::Request,
    upgrade,
};
use switchback_schemas::{
    Diagnostic, Version,
    codes::{self, Code},
    inventory::{Inventory, Plain},
    manifest::{OnFailure, Requires},
    name::{Label, ObjectName, ObjectRef},
    plan::{Effect, FieldTest, HopBasis, KubeEffect, KubePatch, Operand, Roll, SetField, Target, Test, Work},
};

/// Moves a widget.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct WidgetUpgrade {
    /// The cluster.
    pub(crate) target: Label,
    /// Its Deployment.
    pub(crate) deployment: ObjectName,
    /// The version to reach.
    pub(crate) to: Version,
    /// Who watches it.
    pub(crate) watched_by: Label,
    /// What must come first.
    #[serde(default)]
    pub(crate) requires: Vec<Requires>,
    /// Verifications after it.
    #[serde(default)]
    pub(crate) verify: Vec<Label>,
    /// What follows a failure.
    #[serde(default)]
    pub(crate) on_failure: Option<OnFailure>,
}

upgrade!(WidgetUpgrade);

const VERSIONS: &str = "
component: widget
title: Widget
sources: {notes: {title: 'release notes of Widget', readOn: '2026-11-20', grade: A}}
versions:
  - {version: '1.0', source: notes}
  - {version: '2.0', source: notes}
  - {version: '3.0', source: notes}
hops: {oneAtATime: {lines: ['1', '2', '3'], why: 'its data is migrated by each', source: notes}}
compatibility:
  - with: karpenter
    strength: requires
    rows:
      - {when: '1', on: '*', source: notes}
      - {when: '>=2', on: '>=1.8', source: notes}
";

const FACTS: &str = "images: registry.example/widget\n";

/// What its lowering needs to know.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WidgetFacts {
    images: String,
}

/// What a hop finds.
pub(crate) struct Found {
    object: ObjectRef,
    image: String,
}

/// The component.
pub(crate) struct Widget;

impl Widget {
    fn image<'i>(spec: &WidgetUpgrade, inventory: &'i Inventory) -> Option<&'i str> {
        let object = ObjectRef::new("apps/v1", "Deployment", &spec.deployment);
        let workload = inventory.workloads.iter().find(|workload| workload.object == object)?;
        workload.containers.first().map(|container| container.image.as_str())
    }
}

impl Component for Widget {
    type Spec = WidgetUpgrade;
    type Hop = Found;
    type Facts = WidgetFacts;

    fn name(&self) -> &'static str {
        "widget"
    }

    fn codes(&self) -> &'static [Code] {
        &[codes::PLAN_FLOATING_IMAGE]
    }

    fn catalog(&self) -> Texts {
        Texts { versions: Some(VERSIONS), lowering: &[FACTS] }
    }

    fn facts(&self) -> Result<WidgetFacts, Diagnostic> {
        catalog::read("widget/catalog.yaml", FACTS)
    }

    fn plain(&self, _facts: &WidgetFacts) -> Plain {
        Plain::default()
    }

    fn strings(&self, spec: &WidgetUpgrade, checks: &mut Checks<'_, '_>) {
        checks.object("/spec/deployment", &spec.deployment);
    }

    fn references(&self, spec: &WidgetUpgrade, checks: &mut Checks<'_, '_>) {
        checks.verification("/spec/watchedBy", &spec.watched_by);
    }

    fn contradictions(&self, spec: &WidgetUpgrade, checks: &mut Checks<'_, '_>) {
        if spec.verify.contains(&spec.watched_by) {
            checks.error(
                codes::MANIFEST_CONFLICT,
                "a widget is not verified by who watches it",
                ("/spec/watchedBy", "and verified"),
                "keep one of the two",
            );
        }
    }

    fn touches(&self, spec: &WidgetUpgrade) -> Vec<Touch> {
        let name = spec.deployment.to_string();
        vec![Touch::new("/spec/deployment", "widget", &spec.target, &name, format!("the widget {name}"))]
    }

    fn request(&self, spec: &WidgetUpgrade, known: &Known<'_>) -> Option<Request> {
        let image = known.inventory.and_then(|inventory| Self::image(spec, inventory));
        let from = image.and_then(|image| Image(image).version());
        Some(Request::exact(self.name(), from, spec.to.clone(), "/spec/deployment"))
    }

    fn untold(&self) -> Option<&'static str> {
        None
    }

    fn asks(&self, _: &DocCx<'_, Self>, _: &mut Lookups) {}

    fn hops(&self, at: &DocCx<'_, Self>) -> Vec<(HopSpec, Found)> {
        let spec = &at.doc.spec;
        let Some(mut image) = Self::image(spec, at.inventory).map(str::to_owned) else { return Vec::new() };
        let Some(mut from) = Image(&image).version() else {
            let floats = Diagnostic::error(codes::PLAN_FLOATING_IMAGE, format!("{image} has no version"));
            at.findings.say(floats.at(at.label(at.doc.doc, "/spec/deployment", "floats")).help("pin it"));
            return Vec::new();
        };
        if rising(at.cx, at.doc.doc, "the widget", &from, &spec.to).is_none() {
            return Vec::new();
        }
        let mut hops = Vec::new();
        for to in at.versions(self.name()) {
            let basis = if hops.is_empty() { HopBasis::Exact } else { HopBasis::Predicted };
            let hop = HopSpec { from: Some(from), to: to.clone(), basis, ..at.asked() };
            let object = ObjectRef::new("apps/v1", "Deployment", &spec.deployment);
            let next = format!("{}:{}", at.facts.images, to.plain());
            hops.push((hop, Found { object, image: std::mem::replace(&mut image, next) }));
            from = to;
        }
        hops
    }

    fn lower(&self, hop: &HopCx<'_, Self>, predicted: &mut Predicted<'_>, out: &mut Lowering) {
        let pointer = "/spec/template/spec/containers/0/image";
        let patch = |from: &str, to: &str| {
            Effect::Kube(KubeEffect::Patch(KubePatch {
                object: Target::Object(hop.own.object.clone()),
                subresource: None,
                only_if: vec![FieldTest {
                    pointer: pointer.to_owned(),
                    is: Test::Equals(Operand::Value(json!(from))),
                }],
                set: vec![SetField { pointer: pointer.to_owned(), to: Operand::Value(json!(to)) }],
            }))
        };
        let (before, after) = (&hop.own.image, format!("{}:{}", hop.facts.images, hop.hop.to.plain()));
        let undo = Work { ..Work::effect("set the image back", patch(&after, before)) };
        let undo = Undoing::by(Rollback::new(undo));
        let title = format!("give the widget its image {after}");
        let step = hop.scope.step("image", title, patch(before, &after), undo, predicted.take_reads());
        out.add(step.verify(hop.verifications(&hop.scope.hop, &hop.doc.spec.verify)).idempotent());
    }

    fn suspensions(&self, _: &Cx<'_>, _: &[&Roll]) -> Vec<RollSuspension> {
        Vec::new()
    }

    fn held(&self, _: &Sections<'_>, _: &ObjectRef, _: &str) -> Option<Held> {
        None
    }
}
