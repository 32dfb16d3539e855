//! The hop of a driver, as steps: look, hold every node, let the release name the new driver, move node by node, and let go again.

use std::ops::Deref;

use serde_json::{Value, json};
use switchback_schemas::{
    Diagnostic, Seconds, StepId, codes,
    lock::Render,
    name::ObjectName,
    plan::{
        CaptureKind, Condition, Estimate, FieldTest, Find, KubeCapture, KubeCondition, Operand, Read,
        ReadBasis, Target, Test,
    },
};

use super::{
    GpuDriver, notices,
    recipe::{GPU, driver_pods},
    rolls::PoolRoll,
};
use crate::{
    component::HopCx,
    lower::{
        Draft, Lowering,
        drivers::{self, REQUIRED, SKIP_POINTER, daemon_set, policy_ref, state},
        need, node_work, nodes,
        quarantine::Quarantine,
        verify,
    },
    owner::{Adopts, Asked, Desired, DesiredRelease},
    predicted::Predicted,
};

/// How long the operator may take to follow its ClusterPolicy.
const OPERATOR: Seconds = Seconds::minutes(10);
/// How long nodes may take to say what they said before, once their drivers are done.
const SETTLED: Seconds = Seconds::minutes(20);
/// How long a look may take.
pub(super) const LOOK: Seconds = Seconds::minutes(5);
/// What a look takes as a rule.
pub(super) const QUICK: Estimate = Estimate::seconds(2, 30);

const READY: &str = "ready";
const RELEASE: &str = "policy";

/// Lowers one hop. What is missing is said once and the hop left out: no plan comes out then.
pub(super) fn hop(at: &HopCx<'_, GpuDriver>, predicted: &mut Predicted<'_>, out: &mut Lowering) {
    let spec = &at.doc.spec;
    let place = || at.cx.label(at.doc.doc, "/spec/to", "this driver");
    let Some(release) = at.cx.index.release(&spec.release) else { return };
    let Some(render) = at.cx.render(&spec.release, &release.chart_version, place()) else { return };
    only_the_driver(at, &release.objects, render);
    if let Some(test) = &spec.smoke_test {
        let nodes = at.own.section.nodes.iter().map(|node| (node.name.as_str(), &node.allocatable));
        let place = at.cx.label(at.doc.doc, "/spec/smokeTest", "would wait for it");
        node_work::check_offers(at.cx, test, GPU, nodes, place);
    }
    notices::add(at, out);
    let quarantine = Quarantine::of(at.cx, &place());
    let opt_out = quarantine.as_ref().and_then(|found| found.opt_out(at.cx, &place()));
    if let Some(quarantine) = &quarantine {
        quarantine
            .say_quarantined(at.cx, at.cx.label(at.doc.doc, "/spec/to", "would move their driver, too"));
    }
    let rolls =
        at.own.pools.iter().map(|pool| PoolRoll { at, pool, quarantine: quarantine.as_ref(), opt_out });
    Road { at, render, quarantine: quarantine.as_ref(), rolls: rolls.collect() }.build(predicted, out);
}

/// The chart as it is deployed changes nothing but the driver: all else would move with it, unseen by whoever asked for a driver.
fn only_the_driver(at: &HopCx<'_, GpuDriver>, before: &[Value], render: &Render) {
    let without = |objects: &[Value]| {
        let mut policy = drivers::policy(objects).cloned().unwrap_or_default();
        if let Some(driver) = policy.pointer_mut("/spec/driver").and_then(Value::as_object_mut) {
            driver.remove("version");
        }
        policy
    };
    let named = drivers::policy(&render.objects)
        .and_then(|policy| crate::objects::text(policy, "/spec/driver/version"));
    let message = if named != Some(at.hop.to.as_str()) {
        format!(
            "chart {} {} does not give its ClusterPolicy the driver {}",
            render.chart.name, render.chart.version, at.hop.to
        )
    } else if without(before) != without(&render.objects) {
        format!(
            "chart {} {} changes more of the ClusterPolicy than its driver",
            render.chart.name, render.chart.version
        )
    } else {
        return;
    };
    let place = at.cx.label(at.doc.doc, "/spec/charts", "renders something else");
    let help =
        "`switchback plan` shows the changes of the release; take the chart from where it was deployed from";
    at.findings.say(Diagnostic::error(codes::PLAN_NOT_READY, message).at(place).help(help));
}

/// The hop, with who has to be kept from what.
pub(super) struct Road<'a> {
    at: &'a HopCx<'a, GpuDriver>,
    render: &'a Render,
    quarantine: Option<&'a Quarantine>,
    rolls: Vec<PoolRoll<'a>>,
}

impl<'a> Deref for Road<'a> {
    type Target = HopCx<'a, GpuDriver>;

    fn deref(&self) -> &HopCx<'a, GpuDriver> {
        self.at
    }
}

impl Road<'_> {
    fn build(&self, predicted: &mut Predicted<'_>, out: &mut Lowering) {
        let ready = self.ready(predicted, out);
        let frozen = self.freeze(&ready, predicted, out);
        let (holds, held) = match self.own.automatic {
            true => self.hold(&ready, predicted, out),
            false => (Vec::new(), ready.clone()),
        };
        let mut before: Vec<StepId> =
            frozen.iter().map(crate::lower::suspension::SuspensionDraft::suspended_by_step).collect();
        before.push(held.clone());
        let seen: Vec<StepId> = self.rolls.iter().map(|roll| self.min_ready(roll, &before, out)).collect();
        let needs: Vec<StepId> = before.iter().chain(&seen).cloned().collect();
        let Some(driver) = self.policy(&needs, &held, predicted, out) else { return };
        if let Some(from) = &self.hop.from {
            for (roll, seen) in self.rolls.iter().zip(&seen) {
                roll.add_rollback(from, (seen, &driver), out);
            }
            self.guard_rollback(&driver, &held, out);
        }
        let mut previous: Option<StepId> = None;
        for roll in &self.rolls {
            previous = Some(roll.add(std::slice::from_ref(&driver), previous.as_ref(), out));
        }
        let last = previous.unwrap_or(driver);
        let mut ends = Vec::new();
        for hold in &holds {
            let lifted = Self::lifted(&hold.0.name);
            hold.1.declare_unless(lifted, Condition::All(self.well()), out);
            let Some(resume) = hold.1.resume_step(&self.scope) else { continue };
            let resume =
                out.add(resume.after([need(&last, "every node of its pool has the new driver", None)]));
            state::restore(&hold.1.suspended_by_step(), &resume, out);
            ends.push(resume);
        }
        ends.push(last);
        let done = self.done(&ends, out);
        for freeze in &frozen {
            freeze.declare(nodes::none_drifted(&std::collections::BTreeMap::new()), out);
            let thaw = freeze.resume_step(&self.scope);
            thaw.map(|thaw| out.add(thaw.needs(&done, "no node of it is empty or cordoned any more", None)));
        }
    }

    /// Looks that no driver is being moved, that the ClusterPolicy is as it was observed, and that NVSentinel is at rest.
    fn ready(&self, predicted: &Predicted<'_>, out: &mut Lowering) -> StepId {
        let mut of = vec![drivers::none_busy()];
        if self.hop.from.is_some() {
            let named = Test::Equals(Operand::Value(json!(self.own.driver.as_str())));
            of.push(self.of_policy("/spec/driver/version", named));
        }
        of.push(self.of_policy(
            "/spec/driver/upgradePolicy/autoUpgrade",
            match self.own.automatic {
                true => Test::Equals(Operand::Value(json!(true))),
                // Left out, it is off.
                false => Test::Differs(Operand::Value(json!(true))),
            },
        ));
        of.extend(self.quarantine.and_then(Quarantine::watched));
        if self.quarantine.is_some() {
            of.push(none_in_repair());
        }
        let count = self.own.section.nodes.len();
        let title = format!("check that no driver of {count} GPU nodes is being upgraded");
        let look = self.scope.look(READY, title, Condition::All(of), predicted.take_reads());
        out.add(look.time(Seconds::minutes(10), QUICK))
    }

    fn of_policy(&self, pointer: &str, is: Test) -> Condition {
        let object = Target::Object(policy_ref(&self.own.policy));
        Condition::Kube(KubeCondition::Field { object, pointer: pointer.to_owned(), is })
    }

    /// Looks at a pool before anything moves.
    fn min_ready(&self, roll: &PoolRoll<'_>, before: &[StepId], out: &mut Lowering) -> StepId {
        let pool = &roll.pool.pool;
        let look = nodes::counted(
            (self.cx, &self.scope),
            (pool, roll.min_ready()),
            self.hop.from.is_some(),
            (before, "nothing moves nodes while they are counted"),
        );
        out.pools.push(pool.clone());
        out.add(look.time(LOOK, QUICK))
    }

    /// The release names the new driver, while every node is held: no driver pod moves.
    fn policy(
        &self,
        needs: &[StepId],
        held: &StepId,
        predicted: &mut Predicted<'_>,
        out: &mut Lowering,
    ) -> Option<StepId> {
        let why = match self.own.automatic {
            true => "every driver is held before the ClusterPolicy names another one",
            false => "nothing is in the middle when the ClusterPolicy names another driver",
        };
        let needs = needs.iter().map(|step| need(step, why, Some("recorded"))).collect();
        let asked = Asked {
            cx: self.cx,
            owners: self.owners,
            scope: &self.scope,
            part: RELEASE,
            title: format!("set driver.version of release {} to {}", self.render.release, self.hop.to),
            desired: Desired::Release(DesiredRelease {
                render: self.render,
                within: OPERATOR,
                with_crds: false,
                deletes: None,
                installs: false,
                adopts: Adopts::default(),
            }),
            needs,
            place: self.cx.label(self.doc.doc, "/spec/to", "this driver"),
        };
        if self.hop.finishes && asked.is_there(predicted) {
            return Some(held.clone());
        }
        let mut draft = asked.change(predicted, out)?;
        for (number, set) in self.own.daemon_sets.iter().enumerate() {
            let object = Target::Object(daemon_set(set));
            let what = KubeCapture::Field { object, pointer: "/spec/template".to_owned() };
            draft = draft.captures(&template(number), CaptureKind::Kube(what));
        }
        Some(out.add(draft.verify([self.none_moved()])))
    }

    /// The operator has followed, and no driver pod has: for longer than the time between two of its looks.
    fn none_moved(&self) -> switchback_schemas::plan::Verify {
        let mut of: Vec<Condition> = self.own.daemon_sets.iter().map(|set| self.names(set)).collect();
        if let Some(from) = &self.hop.from {
            let pods = driver_pods(self.facts, self.own, from);
            of.extend(self.own.running(from).map(|node| {
                let stays = KubeCondition::DaemonPods {
                    node: Target::Object(drivers::node(&node.name)),
                    pods: pods.clone(),
                };
                Condition::Any(vec![drivers::gone(&node.name), Condition::Kube(stays)])
            }));
        }
        let title = "the operator has the new driver in its template, and no driver pod has moved";
        verify(title, Condition::All(of), self.settle(), SETTLED)
    }

    /// The template of a DaemonSet has the new driver.
    fn names(&self, set: &ObjectName) -> Condition {
        Condition::Kube(KubeCondition::Field {
            object: Target::Object(daemon_set(set)),
            pointer: "/spec/template/spec/containers/0/image".to_owned(),
            is: Test::Contains(json!(self.hop.to.as_str())),
        })
    }

    /// Longer than the time in which the operator looks at every node.
    fn settle(&self) -> Seconds {
        let every = self.facts.look.every.0.0;
        Seconds(every + every / 2)
    }

    /// Before the release goes back every node is held again, and the operator has its old template before any is let go of.
    fn guard_rollback(&self, driver: &StepId, held: &StepId, out: &mut Lowering) {
        let holding: Vec<StepId> = self.rolls.iter().map(PoolRoll::holding).collect();
        let Some(undo) = out.rollback.iter_mut().find(|undo| undo.id == *driver) else { return };
        if self.own.automatic {
            undo.after.extend(holding);
            let basis = ReadBasis::After(held.clone());
            undo.work.reads.push(Read { condition: drivers::all_held(), basis });
        }
        for (number, set) in self.own.daemon_sets.iter().enumerate() {
            let captured = Operand::Captured { step: driver.clone(), name: template(number) };
            let object = daemon_set(set);
            let title = format!("{object} has its old template");
            let same = Condition::Kube(KubeCondition::Field {
                object: Target::Object(object),
                pointer: "/spec/template".to_owned(),
                is: Test::Equals(captured),
            });
            undo.work.verify.push(verify(title, same, self.settle(), SETTLED));
        }
    }

    /// What must hold of nodes before they are left to themselves: no driver waits for anything, and every pod is of its template.
    fn well(&self) -> Vec<Condition> {
        let mut of = vec![drivers::none_busy()];
        of.extend(
            self.own.daemon_sets.iter().map(|set| {
                Condition::Kube(KubeCondition::Rollout { object: Target::Object(daemon_set(set)) })
            }),
        );
        of.extend(drivers::offers_as_before(&self.own.section.nodes));
        of.extend(self.quarantine.map(|_| Quarantine::dcgm_well()));
        of.extend(self.quarantine.and_then(Quarantine::watched));
        of
    }

    /// Every driver is the new one, and nothing of ours is left on a node.
    fn done(&self, after: &[StepId], out: &mut Lowering) -> StepId {
        let mut of = self.well();
        of.push(drivers::none_in([REQUIRED]));
        of.extend(self.own.daemon_sets.iter().map(|set| self.names(set)));
        of.extend(self.own.section.nodes.iter().map(|node| {
            let free = KubeCondition::Field {
                object: Target::Object(drivers::node(&node.name)),
                pointer: SKIP_POINTER.to_owned(),
                is: Test::Absent {},
            };
            Condition::Any(vec![drivers::gone(&node.name), Condition::Kube(free)])
        }));
        let title = format!("every GPU node has driver {} and offers what it offered", self.hop.to);
        let settled = verify(title, Condition::All(of.clone()), self.settle(), SETTLED);
        let title = format!("verify that driver {} runs on every GPU node, and none is held", self.hop.to);
        let mut look: Draft = self
            .scope
            .look("done", title, Condition::All(of), Vec::new())
            .verify([settled])
            .verify(self.cx.verifications(&self.scope.hop, &self.doc.spec.verify))
            .time(SETTLED, Estimate::seconds(180, 600));
        for step in after {
            look = look.needs(step, "nodes have moved, and none is held any more", None);
        }
        out.add(look)
    }
}

/// The name of the capture of a DaemonSet's template.
fn template(number: usize) -> String {
    format!("driver-template-{number}")
}

/// NVSentinel is at work on no node: it would reset GPUs or deploy operands under the upgrade.
fn none_in_repair() -> Condition {
    Condition::Kube(KubeCondition::Count {
        find: Find {
            api_version: "v1".to_owned(),
            kind: "Node".to_owned(),
            namespace: None,
            labels: std::collections::BTreeMap::from([(drivers::PRESENT.to_owned(), "true".to_owned())]),
        },
        each: vec![FieldTest {
            pointer: "/metadata/labels/dgxc.nvidia.com~1nvsentinel-state".to_owned(),
            is: Test::Present {},
        }],
        at_least: None,
        at_most: Some(0),
    })
}
