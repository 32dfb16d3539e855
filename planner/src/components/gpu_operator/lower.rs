//! One hop of the GPU Operator, as steps: look, keep NVSentinel away, hold every driver, the release, its operands, and let go again.

use std::ops::Deref;

use serde_json::{Value, json};
use switchback_schemas::{
    Diagnostic, Seconds, StepId, codes,
    lock::Render,
    plan::{
        CaptureKind, Condition, Estimate, HopBasis, KubeCapture, KubeCondition, Operand, Read, ReadBasis,
        Target, Test, Verify,
    },
};

use super::{GpuOperator, notices, site::Drivers, template};
use crate::{
    component::HopCx,
    lower::{
        Lowering,
        drivers::{self, REQUIRED, daemon_set, policy_ref, state},
        need,
        quarantine::Quarantine,
        suspension::{Suspended, SuspensionDraft},
        verify,
    },
    objects,
    owner::{Adopts, Asked, Desired, DesiredRelease},
    predicted::Predicted,
};

/// How long the operator itself may take to be ready.
const OPERATOR: Seconds = Seconds::minutes(10);
/// How long its operands may take after it: one node after the other, and each pulls images.
const OPERANDS: Seconds = Seconds::minutes(60);
/// How long nodes may take to say what they said before, once their operands are rolled out.
const SETTLED: Seconds = Seconds::minutes(20);
/// What the operand restarts take as a rule.
const RESTARTS: Estimate = Estimate { expected: Seconds::minutes(6), p90: Seconds::minutes(25) };

const READY: &str = "ready";
const RELEASE: &str = "operator";

/// Lowers one hop. What is missing is said once and the hop left out: no plan comes out then.
pub(super) fn hop(at: &HopCx<'_, GpuOperator>, predicted: &mut Predicted<'_>, out: &mut Lowering) {
    let spec = &at.doc.spec;
    let label = at.cx.label(at.doc.doc, "/spec/to", "this version of the chart");
    let Some(render) = at.cx.render(&spec.release, &at.hop.to, label) else { return };
    let before = predicted.seen(&spec.release);
    let before = before.and_then(|view| drivers::policy(&view.objects).cloned());
    let after = drivers::policy(&render.objects).cloned();
    let versions = (at.hop.from.as_ref(), &at.hop.to);
    let changes = template::changes(at.facts, (before.as_ref(), after.as_ref()), versions);
    notices::add(at, (before.as_ref(), after.as_ref()), out);
    notices::driver_pods(at, &changes);
    Road { at, render, policy: after, changes }.build(predicted, out);
}

struct Road<'a> {
    at: &'a HopCx<'a, GpuOperator>,
    render: &'a Render,
    /// The ClusterPolicy of the chart.
    policy: Option<Value>,
    /// Why driver pods get another template.
    changes: Vec<String>,
}

impl<'a> Deref for Road<'a> {
    type Target = HopCx<'a, GpuOperator>;

    fn deref(&self) -> &HopCx<'a, GpuOperator> {
        self.at
    }
}

impl Road<'_> {
    /// Whether each driver is held while the operator moves: it would upgrade them by itself.
    fn holds(&self) -> bool {
        matches!(self.own.drivers, Drivers::Automatic(_))
    }

    /// Whether drivers stay held afterwards, since their pods are of another template then.
    fn stays_held(&self) -> bool {
        self.holds() && !self.changes.is_empty()
    }

    fn build(&self, predicted: &mut Predicted<'_>, out: &mut Lowering) {
        let asked = |needs| Asked {
            cx: self.cx,
            owners: self.owners,
            scope: &self.at.scope,
            part: RELEASE,
            title: format!("upgrade the GPU Operator to {} by release {}", self.hop.to, self.render.release),
            desired: Desired::Release(DesiredRelease {
                render: self.render,
                within: OPERATOR,
                // Helm validates the ClusterPolicy of the new chart before the chart's own hook brings its CRD.
                with_crds: true,
                deletes: None,
                installs: false,
                adopts: Adopts::default(),
            }),
            needs,
            place: self.cx.label(self.doc.doc, "/spec/to", "this version of the chart"),
        };
        let place = self.cx.label(self.doc.doc, "/spec/to", "restarts DCGM on every GPU node");
        let quarantine = Quarantine::of(self.cx, &place);
        let moves = !(self.hop.finishes && asked(Vec::new()).is_there(predicted));
        let ready = self.ready(quarantine.as_ref(), predicted, out);
        let opt_outs = quarantine.as_ref().map(|found| found.opt_outs(self.cx, &place)).unwrap_or_default();
        let opt_outs = self.suspend(opt_outs, &ready, predicted, out);
        let (holds, held) = self.hold(&ready, moves, predicted, out);
        let still_held = held.clone().filter(|_| self.stays_held());
        let before: Vec<StepId> = match held {
            Some(held) => opt_outs.iter().map(|(_, step)| step.clone()).chain([held]).collect(),
            None => opt_outs.iter().map(|(_, step)| step.clone()).chain([ready]).collect(),
        };
        let after = if moves {
            let why = "drivers are held and nodes are opted out of quarantine before operands restart";
            let needs = before.iter().map(|step| need(step, why, Some("recorded"))).collect();
            let Some(draft) = asked(needs).change(predicted, out) else { return };
            let step = self.capture_templates(draft, still_held, out);
            vec![step]
        } else {
            before
        };
        let operands = self.operands(&after, quarantine.as_ref(), predicted, out);
        let after = need(&operands, "operands are verified, and no driver waits to be restarted", None);
        let well = self.well(quarantine.as_ref());
        for (opt_out, _) in &opt_outs {
            opt_out.declare(Condition::All(well.clone()), out);
            let resume = opt_out.resume_step(&self.scope).map(|resume| resume.after([after.clone()]));
            resume.map(|resume| out.add(resume));
        }
        for hold in holds.iter().filter(|_| !self.stays_held()) {
            hold.declare(Condition::All([well.as_slice(), &self.drivers_current()].concat()), out);
            let Some(resume) = hold.resume_step(&self.scope) else { continue };
            let resume = out.add(resume.after([after.clone()]));
            state::restore(&hold.suspended_by_step(), &resume, out);
        }
    }

    /// Looks that no node is in the middle of an upgrade of its driver, and that the driver is the one that stays.
    fn ready(
        &self,
        quarantine: Option<&Quarantine>,
        predicted: &Predicted<'_>,
        out: &mut Lowering,
    ) -> StepId {
        let mut of = vec![drivers::none_busy()];
        if self.hop.basis == HopBasis::Exact && !self.hop.finishes {
            of.extend(self.pinned());
        }
        of.extend(quarantine.and_then(Quarantine::watched));
        let title =
            format!("check that no driver of {} GPU nodes is being upgraded", self.own.section.nodes.len());
        let look = self.scope.look(READY, title, Condition::All(of), predicted.take_reads());
        out.add(look.time(Seconds::minutes(10), Estimate::seconds(2, 30)))
    }

    fn suspend(
        &self,
        what: Vec<Suspended>,
        ready: &StepId,
        predicted: &Predicted<'_>,
        out: &mut Lowering,
    ) -> Vec<(SuspensionDraft, StepId)> {
        let add = |suspended: Suspended| {
            let already = suspended.titles.already.clone();
            let name = suspended.object.name.clone();
            let draft = SuspensionDraft::new(&self.scope, suspended, predicted);
            if draft.is_others() {
                let place = self.cx.label(self.doc.doc, "/spec/to", "leaves it so");
                let found = Diagnostic::warning(codes::PLAN_LEFT_OPEN, already).at(place);
                self.findings.say_about(
                    &name,
                    found.help("whoever set it takes it off; this plan would put back the same"),
                );
            }
            draft.note(predicted);
            let step = draft.suspend_step(&self.scope, predicted);
            let step = out.add(step.needs(ready, "nothing is in the middle when it is suspended", None));
            (draft, step)
        };
        what.into_iter().map(add).collect()
    }

    /// Holds every driver. An earlier hop of this plan may have left them held; then they are.
    fn hold(
        &self,
        ready: &StepId,
        moves: bool,
        predicted: &Predicted<'_>,
        out: &mut Lowering,
    ) -> (Vec<SuspensionDraft>, Option<StepId>) {
        if !self.holds() {
            return (Vec::new(), None);
        }
        let mut drafts = Vec::new();
        let mut steps = vec![ready.clone()];
        if !self.held_by_an_earlier_hop(out) {
            let what = self.own.section.nodes.iter().map(drivers::hold).collect();
            for (draft, step) in self.suspend(what, ready, predicted, out) {
                if draft.is_ours() {
                    state::keep(&step, out);
                }
                drafts.push(draft);
                steps.push(step);
            }
        }
        if !moves {
            return (drafts, None);
        }
        let title = "check that the driver of every GPU node is held".to_owned();
        let mut look = self.scope.look("all-held", title, drivers::all_held(), predicted.take_reads());
        for step in &steps {
            look = look.needs(
                step,
                "a node without the label would be taken up as soon as the operator moves",
                Some("recorded"),
            );
        }
        let held = out.add(look.time(Seconds::minutes(5), Estimate::seconds(2, 30)));
        (drafts, Some(held))
    }

    fn held_by_an_earlier_hop(&self, out: &Lowering) -> bool {
        let here = self.hop.id();
        let earlier = out.steps.iter().filter(|step| step.hop != here && step.hop.moves_same(&here));
        let parts: Vec<&str> = earlier.filter_map(|step| step.hop.part(&step.id)).collect();
        let has = |verb: &str| parts.iter().any(|part| part.starts_with(verb));
        has("hold/") && !has("release/")
    }

    /// Keeps the pod templates of drivers, and lets the rollback wait until the operator has put them back: whoever stops holding a
    /// driver before that would have it restarted. A driver that somebody has let go of since is of the new template, and would be
    /// restarted by the rollback: it does not begin then.
    fn capture_templates(
        &self,
        mut draft: crate::lower::Draft,
        held: Option<StepId>,
        out: &mut Lowering,
    ) -> StepId {
        let drivers = self.own.section.daemon_sets.iter().filter(|set| set.driver && self.holds());
        let mut back: Vec<Verify> = Vec::new();
        for (number, set) in drivers.enumerate() {
            let object = Target::Object(daemon_set(&set.name));
            let (name, pointer) = (format!("driver-template-{number}"), "/spec/template".to_owned());
            let captured = Operand::Captured { step: draft.id().clone(), name: name.clone() };
            let field = KubeCapture::Field { object: object.clone(), pointer: pointer.clone() };
            draft = draft.captures(&name, CaptureKind::Kube(field));
            let same = Condition::Kube(KubeCondition::Field { object, pointer, is: Test::Equals(captured) });
            back.push(verify(
                format!("{} has its old template", daemon_set(&set.name)),
                same,
                Seconds(0),
                OPERATOR,
            ));
        }
        let offers = Condition::All(drivers::offers_as_before(&self.own.section.nodes));
        back.push(verify("every GPU node offers what it offered", offers, Seconds(30), OPERANDS));
        let step = out.add(draft);
        if let Some(undo) = out.rollback.iter_mut().find(|undo| undo.id == step) {
            undo.work.verify.extend(back);
            if let Some(held) = held {
                let mut of = vec![drivers::all_held()];
                of.extend(self.none_restarted());
                let read = Read { condition: Condition::All(of), basis: ReadBasis::After(held) };
                undo.work.reads.push(read);
            }
        }
        step
    }

    /// No driver pod is of the new template yet: held or not, the rollback would have it restarted.
    fn none_restarted(&self) -> Vec<Condition> {
        let drivers = self.own.section.daemon_sets.iter().filter(|set| set.driver);
        let none = |name| {
            let is = |is| {
                Condition::Kube(KubeCondition::Field {
                    object: Target::Object(daemon_set(name)),
                    pointer: "/status/updatedNumberScheduled".to_owned(),
                    is,
                })
            };
            Condition::Any(vec![is(Test::Absent {}), is(Test::Equals(Operand::Value(json!(0))))])
        };
        drivers.map(|set| none(&set.name)).collect()
    }

    /// The ClusterPolicy says the driver that stays.
    fn pinned(&self) -> Vec<Condition> {
        let Some((pins, policy)) = self.own.pins().zip(self.own.section.policies.first()) else {
            return Vec::new();
        };
        let manager = pins.manager.as_ref().map(|manager| ("/spec/driver/manager/version", manager));
        let pinned = [("/spec/driver/version", &pins.version)].into_iter().chain(manager);
        let says = |(pointer, version): (&str, &String)| {
            Condition::Kube(KubeCondition::Field {
                object: Target::Object(policy_ref(policy)),
                pointer: pointer.to_owned(),
                is: Test::Equals(Operand::Value(json!(version))),
            })
        };
        pinned.map(says).collect()
    }

    /// What must hold of nodes before they are left to themselves.
    fn well(&self, quarantine: Option<&Quarantine>) -> Vec<Condition> {
        let mut of = vec![drivers::none_busy()];
        of.extend(drivers::offers_as_before(&self.own.section.nodes));
        of.extend(quarantine.map(|_| Quarantine::dcgm_well()));
        of.extend(quarantine.and_then(Quarantine::watched));
        of
    }

    /// Every driver pod is of the template that its DaemonSet has: what is let go of then, nobody restarts.
    fn drivers_current(&self) -> Vec<Condition> {
        let drivers = self.own.section.daemon_sets.iter().filter(|set| set.driver);
        let rollout =
            |name| Condition::Kube(KubeCondition::Rollout { object: Target::Object(daemon_set(name)) });
        drivers.map(|set| rollout(&set.name)).collect()
    }

    /// Waits until operands are those of the new operator, and nodes are as before.
    fn operands(
        &self,
        after: &[StepId],
        quarantine: Option<&Quarantine>,
        predicted: &Predicted<'_>,
        out: &mut Lowering,
    ) -> StepId {
        let mut of = Vec::new();
        for set in self.own.section.daemon_sets.iter().filter(|set| !set.driver) {
            let object = Target::Object(daemon_set(&set.name));
            if let Some(version) = self.version_of(&set.name.name) {
                of.push(Condition::Kube(KubeCondition::Field {
                    object: object.clone(),
                    pointer: "/spec/template/spec/containers/0/image".to_owned(),
                    is: Test::Contains(json!(version)),
                }));
            }
            if !set.on_delete {
                of.push(Condition::Kube(KubeCondition::Rollout { object }));
            }
        }
        let title = match of.len() {
            0 => "verify that GPU nodes offer what they offered".to_owned(),
            _ => format!(
                "verify the operands of GPU Operator {}, and that GPU nodes offer what they offered",
                self.hop.to
            ),
        };
        // Operands are waited for, and take their time. What nodes say then is not: a driver that waits to be restarted is no matter of
        // time while it is held.
        let mut settled = [of.as_slice(), &self.well(quarantine), &self.pinned()].concat();
        if self.holds() && !self.stays_held() {
            settled.push(drivers::none_in([REQUIRED]));
            settled.extend(self.drivers_current());
        }
        let until = Condition::All(if of.is_empty() { vec![drivers::none_busy()] } else { of });
        // Longer than the time in which the operator looks at every node.
        let settle = Seconds(self.facts.look.every.0.0 + self.facts.look.every.0.0 / 2);
        let settled =
            verify("operands and GPU nodes stay as they are", Condition::All(settled), settle, SETTLED);
        let mut look = self
            .scope
            .look("operands", title, until, predicted.take_reads())
            .verify([settled])
            .verify(self.cx.verifications(&self.scope.hop, &self.doc.spec.verify))
            .time(OPERANDS, RESTARTS);
        for step in after {
            look = look.needs(step, "the operator moves its operands when it runs", Some("operands"));
        }
        out.add(look)
    }

    /// The version that the chart gives the operand of a DaemonSet.
    fn version_of(&self, name: &str) -> Option<&str> {
        let operand = self.facts.operands.iter().find(|operand| operand.daemon_set == name)?;
        objects::text(self.policy.as_ref()?, &format!("/spec/{}/version", operand.field))
    }
}
