//! One hop of Argo Workflows, as steps: suspend, wait, look, CRDs, release, check, resume.

use std::ops::Deref;

use serde_json::json;
use switchback_schemas::{
    Diagnostic, Seconds, StepId, codes,
    lock::Render,
    plan::{Condition, Disruption, Estimate, KubeCondition, Operand, Target, Test, Verify},
};

use super::{
    ArgoWorkflows,
    chart::{self, Program},
    check, fields, gates, held_crds,
    hops::target,
    in_flight, notices, rights, suspended,
    versions::Versions,
};
use crate::{
    component::HopCx,
    lower::{Lowering, need, suspension::SuspensionDraft, verify},
    owner::{Adopts, Asked, Desired, DesiredRelease},
    predicted::Predicted,
};

/// How long controller and server may take to be ready when the manifest does not say so.
const WITHIN: Seconds = Seconds::minutes(10);

/// Lowers the hop. What is missing is said once and the hop left out: no plan comes out then.
pub(super) fn hop(at: &HopCx<'_, ArgoWorkflows>, predicted: &mut Predicted<'_>, out: &mut Lowering) {
    let (cx, hop, spec) = (at.cx, at.hop, &at.doc.spec);
    let label = || cx.label(at.doc.doc, "/spec/to", "this version of the chart");
    let Some(render) = cx.render(&spec.release, &hop.to, label()) else { return };
    let Some(controller) = chart::controller(&render.objects, &spec.release) else {
        let message = format!("chart {} renders no Deployment with the image workflow-controller", hop.to);
        let help = "an image under another name is not known to be the controller";
        return cx.findings.say(Diagnostic::error(codes::PLAN_LOCK_MISSING, message).at(label()).help(help));
    };
    let versions =
        Versions { from: at.own.app.clone(), to: target(spec, at.facts, Some(&render.app_version)) };
    let moved = Road { at, render, controller, versions };
    let there = hop.finishes && moved.asked("health", String::new(), Vec::new()).is_there(predicted);
    if !there {
        gates::check(at, render, &moved.controller, &moved.versions);
        fields::check(at, &moved.versions);
    }
    notices::add(at, render, &moved.versions, predicted, out);
    moved.build(there, predicted, out);
}

/// What every part of a hop looks at.
struct Road<'a> {
    at: &'a HopCx<'a, ArgoWorkflows>,
    render: &'a Render,
    /// The controller, as the chart renders it.
    controller: Program<'a>,
    versions: Versions,
}

impl<'a> Deref for Road<'a> {
    type Target = HopCx<'a, ArgoWorkflows>;

    fn deref(&self) -> &HopCx<'a, ArgoWorkflows> {
        self.at
    }
}

impl<'a> Road<'a> {
    fn build(&self, there: bool, predicted: &mut Predicted<'_>, out: &mut Lowering) {
        let crons =
            self.own.crons().map(|cron| SuspensionDraft::new(&self.scope, suspended::cron(cron), predicted));
        let crons: Vec<SuspensionDraft> = crons.collect();
        let workflows = in_flight::suspensions(self.at, predicted);
        let rights =
            (!there).then(|| rights::ask(self.at, self.render, &self.versions, predicted, out)).flatten();
        let mut held: Vec<StepId> = Vec::new();
        for cron in &crons {
            cron.check(self.cx, self.label(self.doc.doc, "/spec/to", "suspends it meanwhile"));
            // A later hop finds the field as this hop's resumption left it, which is the same value.
            cron.note(predicted);
            predicted.note_runs(&self.controller.object);
            let mut draft = cron.suspend_step(&self.scope, predicted);
            if let Some(rights) = &rights {
                draft = draft.needs(rights, "nothing stands still for what would be refused", None);
            }
            held.push(out.add(draft));
            cron.declare(self.safe(), out);
        }
        if held.is_empty() {
            held.extend(rights);
        }
        let scheduled = held.clone();
        for workflow in &workflows {
            let mut draft = workflow.suspend_step(&self.scope, predicted);
            for cron in &scheduled {
                draft = draft.needs(cron, "no Workflow comes by a schedule any more", None);
            }
            held.push(out.add(draft));
            workflow.declare(self.safe(), out);
        }
        let waited = in_flight::wait(self.at, held, &self.controller.object, predicted, out);
        let moved =
            if there { self.prove(&waited, predicted, out) } else { self.upgrade(waited, predicted, out) };
        let Some(moved) = moved else { return };
        let checked =
            check::add(self.at, &[moved], self.cx.verifications(&self.scope.hop, &self.doc.spec.verify), out);
        for draft in workflows.iter().chain(&crons) {
            let Some(draft) = draft.resume_step(&self.scope) else { continue };
            out.add(draft.needs(&checked, "the new controller is known to run Workflows", None));
        }
    }

    /// A Workflow that goes on under a controller that is not whole would hang.
    fn safe(&self) -> Condition {
        Condition::Kube(KubeCondition::Rollout { object: Target::Object(self.controller.object.clone()) })
    }

    fn within(&self) -> Seconds {
        self.doc.spec.within.map_or(WITHIN, |length| length.0)
    }

    fn asked(
        &self,
        part: &'static str,
        title: String,
        needs: Vec<switchback_schemas::plan::Need>,
    ) -> Asked<'a> {
        Asked {
            cx: self.cx,
            owners: self.owners,
            scope: &self.at.scope,
            part,
            title,
            desired: Desired::Release(DesiredRelease {
                render: self.render,
                within: self.within(),
                with_crds: gates::applies(self.at),
                deletes: None,
                installs: false,
                adopts: Adopts::default(),
            }),
            needs,
            place: self.cx.label(self.doc.doc, "/spec/to", "this version of the chart"),
        }
    }

    /// The CRDs, then the release.
    fn upgrade(
        &self,
        after: Vec<StepId>,
        predicted: &mut Predicted<'_>,
        out: &mut Lowering,
    ) -> Option<StepId> {
        let looked = fields::look(self.at, &self.versions, &after, out);
        let after = looked.map_or(after, |step| vec![step]);
        let why = "no schedule starts a Workflow, and those in flight are dealt with as asked";
        let needs: Vec<_> = after.iter().map(|step| need(step, why, None)).collect();
        let title = format!(
            "upgrade release {} to chart {} (Argo Workflows {})",
            self.doc.spec.release,
            self.hop.to,
            self.versions.reached()
        );
        let held = held_crds::capture(self.at, predicted, &after, out);
        let needs =
            held.iter().map(|held| need(held, "the CRDs are captured as they were", None)).chain(needs);
        let rights = rights::held(self.at, self.render, predicted);
        let draft = self.asked("release", title, needs.collect()).change(predicted, out)?;
        let moved =
            out.add(draft.verify(self.runs().into_iter().chain(rights)).disrupts(Disruption::Restart, None));
        if let Some(held) = held {
            held_crds::restore_before(self.at, &held, &moved, out);
        }
        Some(moved)
    }

    /// An earlier run made the release what the manifests ask for.
    fn prove(&self, after: &[StepId], predicted: &mut Predicted<'_>, out: &mut Lowering) -> Option<StepId> {
        let title = format!("verify that the controller of release {} is rolled out", self.doc.spec.release);
        let needs =
            after.iter().map(|step| need(step, "those in flight are dealt with as asked", None)).collect();
        let look = self.asked("health", title, needs).prove(predicted)?;
        Some(out.add(look.verify(self.runs()).time(self.within(), Estimate::seconds(10, 120))))
    }

    /// That the controller and the executor that it starts are those of the chart.
    fn runs(&self) -> Vec<Verify> {
        let container = format!("/spec/template/spec/containers/{}", self.controller.index);
        let field = |pointer: &str, is| {
            let object = Target::Object(self.controller.object.clone());
            Condition::Kube(KubeCondition::Field { object, pointer: format!("{container}/{pointer}"), is })
        };
        let check = |title: String, condition| verify(title, condition, Seconds(0), Seconds::minutes(2));
        let image = self.controller.image;
        let mut all = vec![check(
            format!("the controller is {image}"),
            field("image", Test::Equals(Operand::Value(json!(image)))),
        )];
        if let Some(executor) = self.controller.argument("--executor-image") {
            let args = |text: String| field("args", Test::Contains(json!(text)));
            let either = vec![args(executor.to_owned()), args(format!("--executor-image={executor}"))];
            all.push(check(format!("it starts pods with {executor}"), Condition::Any(either)));
        }
        all
    }
}
