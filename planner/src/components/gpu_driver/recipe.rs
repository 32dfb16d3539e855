//! What is done to each node: emptied under our own cordon, let go of by its hold, looked at until its new driver works, and given back.
//!
//! The operator moves a driver as soon as nothing holds its node. It uncordons the node afterwards unless that was cordoned before, which an
//! annotation says; so cordon and annotation are one write. And it says that it is done by a label that goes on saying so when the pod is
//! made anew; so the pod is looked at.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use switchback_schemas::{
    Seconds, StepId, Version,
    manifest::SmokeTest,
    plan::{
        Condition, DaemonPods, DeviceHolders, Disruption, Effect, Estimate, FieldTest, KubeCondition,
        KubeEffect, KubePatch, NodePods, NodeUndo, Offers, Operand, RecipeStep, SetField, Target, Test,
        Verify, Wait, Work,
    },
};

use super::{facts::DriverFacts, site::Site};
use crate::{
    lower::{
        drivers::{DONE, RESOURCES, SKIP_POINTER, STATE_POINTER},
        node_work::{self, SMOKE_TEST},
        nodes, opting_out,
        quarantine::OptOut,
        verify,
    },
    objects::token,
};

/// How long pods that hold a driver may take to be gone, once the node is drained.
const UNUSED: Seconds = Seconds::minutes(30);
/// How long operands may take on top of their driver.
const OPERANDS: Seconds = Seconds::minutes(20);
/// How long a driver and its operands have to be well before they are believed.
const STAYS: Seconds = Seconds(30);
/// How long a node that is let go of may take to show that its driver did not change.
const UNCHANGED: Seconds = Seconds::minutes(5);

/// The resource that a test asks for without a word.
pub(super) const GPU: &str = "nvidia.com/gpu";

/// The names of the recipe's steps.
const CORDON: &str = "cordon";
const DRAIN: &str = "drain";
const UNUSED_PART: &str = "unused";
const LIFT: &str = "lift-hold";
const RESTART: &str = "restart";
const UNCORDON: &str = "uncordon";

/// What a recipe is made for.
pub(super) struct Recipe<'a> {
    pub(super) facts: &'a DriverFacts,
    pub(super) site: &'a Site,
    /// The roll's step, under which captures stand.
    pub(super) roll: StepId,
    /// The driver that a node has before.
    pub(super) from: &'a Version,
    /// The driver that it gets.
    pub(super) to: &'a Version,
    /// How NVSentinel is kept from it.
    pub(super) opt_out: Option<&'static OptOut>,
    /// What the node has to pass before it takes pods again.
    pub(super) test: Option<&'a SmokeTest>,
    pub(super) drain_within: Seconds,
    pub(super) driver_within: Seconds,
}

/// The driver pods of all nodes, with a version.
pub(super) fn driver_pods(facts: &DriverFacts, site: &Site, version: &Version) -> DaemonPods {
    DaemonPods {
        namespace: site.namespace.clone(),
        labels: BTreeMap::from([(facts.pods.label.clone(), facts.pods.value.clone())]),
        version: Some(version.as_str().to_owned()),
    }
}

/// A field of the node passes a test.
fn field(pointer: String, is: Test) -> Condition {
    Condition::Kube(KubeCondition::Field { object: Target::ItemNode {}, pointer, is })
}

fn is(value: Value) -> Test {
    Test::Equals(Operand::Value(value))
}

/// Sets the label that holds the driver of the node.
fn hold(from: Test, to: Value) -> Effect {
    Effect::Kube(KubeEffect::Patch(KubePatch {
        object: Target::ItemNode {},
        subresource: None,
        only_if: vec![FieldTest { pointer: SKIP_POINTER.to_owned(), is: from }],
        set: vec![SetField { pointer: SKIP_POINTER.to_owned(), to: Operand::Value(to) }],
    }))
}

/// Takes the label away, and only from a node that takes no pods: the operator deletes those that stand there.
fn let_go() -> Effect {
    match hold(is(json!("true")), Value::Null) {
        Effect::Kube(KubeEffect::Patch(mut patch)) => {
            patch.only_if.push(nodes::takes_no_pods());
            Effect::Kube(KubeEffect::Patch(patch))
        }
        other => other,
    }
}

fn held() -> Condition {
    field(SKIP_POINTER.to_owned(), is(json!("true")))
}

/// The one step by which nodes are held again before their rollback.
pub(super) fn hold_again() -> Vec<RecipeStep> {
    let again = hold(Test::Differs(Operand::Value(json!("true"))), json!("true"));
    let undo = nodes::stays("a node that is held again is let go of when its driver is rolled back");
    let step = nodes::step("hold", "hold the driver of the node again", again, &[], undo);
    vec![step.with(|work| Work { done_when: Some(held()), ..work })]
}

fn look(name: &str, title: &str, until: Condition, needs: &[&str], within: Seconds) -> RecipeStep {
    let undo = NodeUndo::Unneeded { why: "it only reads".to_owned() };
    let step = nodes::step(name, title, Effect::Wait(Wait { until }), needs, undo);
    step.with(|work| Work { timeout: within, ..work })
}

impl Recipe<'_> {
    /// All of it, in order.
    pub(super) fn steps(&self) -> Vec<RecipeStep> {
        // Without the first the operator uncordons the node; where it upgrades nothing by itself, nothing asks for it.
        let told =
            self.site.automatic.then(|| (self.facts.initial_state.annotation.clone(), "true".to_owned()));
        let annotations: BTreeMap<String, String> = told.into_iter().collect();
        let mut steps: Vec<RecipeStep> =
            self.opt_out.map(|opt_out| opting_out::out(&self.roll, opt_out)).into_iter().collect();
        let before: &[&str] = if self.opt_out.is_some() { &[opting_out::OUT] } else { &[] };
        steps.extend(nodes::emptied_after(before, &annotations, self.drain_within));
        let (moves, mut last) =
            if self.site.automatic { (self.lift(), LIFT) } else { (self.restart(), RESTART) };
        steps.extend([self.unused(before), moves]);
        if let Some(test) = self.test {
            steps.push(node_work::smoke_test(test, (&self.site.namespace, GPU), &[last]));
            last = SMOKE_TEST;
        }
        let uncordon = nodes::stays("a node that takes pods again is drained anew, not cordoned behind them");
        let title = "uncordon the node, if this run cordoned it";
        steps.push(nodes::step(UNCORDON, title, nodes::cordon(false, &annotations), &[last], uncordon));
        steps.extend(self.opt_out.map(|opt_out| self.opt_in(opt_out)));
        steps
    }

    /// The pod of the driver on the node is of a version, and Ready.
    fn runs(&self, version: &Version) -> Condition {
        let pods = driver_pods(self.facts, self.site, version);
        Condition::Kube(KubeCondition::DaemonPods { node: Target::ItemNode {}, pods })
    }

    /// Nobody is left that keeps the driver from being unloaded. Let go of, the node is given back only where its driver did not change: a
    /// new one nobody has looked at yet.
    fn unused(&self, before: &[&str]) -> RecipeStep {
        let holders = DeviceHolders::of_nvidia(&self.site.namespace);
        let until = Condition::Kube(KubeCondition::DevicesFree { node: Target::ItemNode {}, holders });
        // Verified and not waited for: what has changed by then does not change back.
        let runs = format!("the driver of the node is {} and Ready", self.from);
        let unchanged = Work {
            verify: vec![verify(runs, self.runs(self.from), Seconds(0), UNCHANGED)],
            ..Work::effect(
                format!(
                    "check that the driver of the node is still {}; it stays cordoned otherwise",
                    self.from
                ),
                Effect::Wait(Wait { until: Condition::All(Vec::new()) }),
            )
        };
        let needs: Vec<&str> = [CORDON, DRAIN].into_iter().chain(before.iter().copied()).collect();
        let step =
            look(UNUSED_PART, "verify that no pod on the node holds its driver", until, &needs, UNUSED);
        RecipeStep { undo: NodeUndo::Rollback(Box::new(unchanged)), ..step }
    }

    /// Lets the operator take the node up. What comes of it is verified, not waited for: a driver that does not come up is a failure.
    fn lift(&self) -> RecipeStep {
        let undo = Work {
            done_when: Some(held()),
            ..Work::effect(
                "hold the driver of the node again",
                hold(Test::Differs(Operand::Value(json!("true"))), json!("true")),
            )
        };
        // No `done when`: a hold that somebody has taken off says nothing about the driver.
        nodes::step(
            LIFT,
            &format!("let the operator move the driver of the node to {}", self.to),
            let_go(),
            &[UNUSED_PART],
            NodeUndo::Rollback(Box::new(undo)),
        )
        .with(|work| Work {
            verify: vec![self.driver(), self.operands()],
            disruption: Disruption::Restart,
            estimate: Estimate::seconds(360, 2100),
            ..work
        })
    }

    /// Deletes the driver's pod: the one that comes is of the present template. Nobody else does where the operator upgrades nothing by itself.
    fn restart(&self) -> RecipeStep {
        let pods = driver_pods(self.facts, self.site, self.to);
        let effect = Effect::Kube(KubeEffect::RestartPods(NodePods { node: Target::ItemNode {}, pods }));
        let undo = nodes::stays("a driver that is restarted is the one of the present template");
        let title = format!("restart the driver of the node, which comes up as {}", self.to);
        nodes::step(RESTART, &title, effect, &[UNUSED_PART], undo).with(|work| Work {
            verify: vec![self.driver(), self.operands()],
            disruption: Disruption::Restart,
            estimate: Estimate::seconds(360, 2100),
            ..work
        })
    }

    /// The new driver works, and the operator says that it is done, where it says anything.
    fn driver(&self) -> Verify {
        if !self.site.automatic {
            let title = format!("the driver of the node is {} and Ready", self.to);
            return verify(title, self.runs(self.to), STAYS, self.driver_within);
        }
        let done = field(STATE_POINTER.to_owned(), is(json!(DONE)));
        let title =
            format!("the driver of the node is {} and Ready, and the operator is done with it", self.to);
        verify(title, Condition::All(vec![self.runs(self.to), done]), STAYS, self.driver_within)
    }

    /// What stands on the driver works, and the node offers what it offered.
    fn operands(&self) -> Verify {
        let node = || Target::ItemNode {};
        let pods =
            DaemonPods { namespace: self.site.namespace.clone(), labels: BTreeMap::new(), version: None };
        let deploy = &self.facts.deploy;
        let paused = deploy.operands.iter().map(|operand| {
            let pointer = format!("/metadata/labels/{}", token(&format!("{}{operand}", deploy.prefix)));
            field(pointer, Test::Differs(Operand::Value(json!(deploy.paused))))
        });
        let mut all = vec![Condition::Kube(KubeCondition::DaemonPods { node: node(), pods })];
        all.extend(paused);
        all.push(Condition::Kube(KubeCondition::Offers { node: node(), offers: offers(self.site) }));
        let title = "the operands of the node are Ready, and it offers what it offered";
        verify(title, Condition::All(all), STAYS, self.driver_within + OPERANDS)
    }

    fn opt_in(&self, opt_out: &OptOut) -> RecipeStep {
        let back = opting_out::back(&self.roll, opt_out);
        RecipeStep {
            name: switchback_schemas::name::Label::sanitized("opt-in"),
            needs: vec![switchback_schemas::name::Label::sanitized(UNCORDON)],
            undo: nodes::stays("the label of the node is as it was"),
            work: back,
        }
    }
}

/// What nodes offered of `nvidia.com/*` when they were observed.
fn offers(site: &Site) -> Offers {
    let offering = site.section.nodes.iter().filter(|node| !node.allocatable.is_empty());
    Offers {
        resources: RESOURCES.to_owned(),
        observed: offering.map(|node| (node.name.clone(), node.allocatable.clone())).collect(),
    }
}
