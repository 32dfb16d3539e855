//! What is done to each node: emptied under our own cordon, its label moved to the new driver, looked at until that works, and given back.
//!
//! Kernel Module Management unloads and loads a driver when the label of its node is the version of the Module. Nothing else moves it, so
//! the label is moved on an empty node. It goes on saying so when the driver could not be unloaded, so what is loaded is looked at.

use std::collections::BTreeMap;

use serde_json::json;
use switchback_schemas::{
    Seconds, Version,
    manifest::{Reboot, SmokeTest},
    plan::{
        Condition, DaemonPods, Disruption, Effect, Estimate, FieldTest, KubeCondition, KubeEffect, KubePatch,
        NodeUndo, Offers, Operand, RecipeStep, SetField, Target, Test, Verify, Wait, Work,
    },
};

use super::site::Site;
use crate::lower::{
    node_work::{self, REBOOT, SMOKE_TEST},
    nodes, verify,
};

/// The resource that a test asks for without a word.
pub(super) const GPU: &str = "amd.com/gpu";
/// What the resources begin with that nodes offer.
const RESOURCES: &str = "amd.com/";
/// How long pods that hold a driver may take to be gone, once the node is drained.
const UNUSED_WITHIN: Seconds = Seconds::minutes(30);
/// How long operands may take on top of their driver.
const OPERANDS: Seconds = Seconds::minutes(20);
/// How long a driver and its operands have to be well before they are believed.
const STAYS: Seconds = Seconds(30);
/// How long a node that is let go of may take to show that its driver did not change.
const UNCHANGED: Seconds = Seconds::minutes(5);

/// The names of the recipe's steps.
const CORDON: &str = "cordon";
const DRAIN: &str = "drain";
const UNUSED: &str = "unused";
const MOVE: &str = "move";
const UNCORDON: &str = "uncordon";

/// What a recipe is made for.
pub(super) struct Recipe<'a> {
    pub(super) site: &'a Site,
    /// The driver that a node has before.
    pub(super) from: &'a Version,
    /// The driver that it gets.
    pub(super) to: &'a Version,
    pub(super) reboot: Option<&'a Reboot>,
    pub(super) test: Option<&'a SmokeTest>,
    pub(super) drain_within: Seconds,
    pub(super) driver_within: Seconds,
}

/// The driver of a version is loaded on a node, and the label says so by which operands are deployed.
pub(super) fn loaded(site: &Site, node: &Target, version: &Version) -> Condition {
    let ready =
        KubeCondition::Field { object: node.clone(), pointer: site.ready_pointer(), is: Test::Present {} };
    let module = KubeCondition::KernelModule { node: node.clone(), module: site.kernel_module(version) };
    Condition::All(vec![Condition::Kube(module), Condition::Kube(ready)])
}

impl Recipe<'_> {
    /// All of it, in order.
    pub(super) fn steps(&self) -> Vec<RecipeStep> {
        let none = BTreeMap::new();
        let mut steps = nodes::emptied_after(&[], &none, self.drain_within);
        steps.extend([self.unused(), self.moved()]);
        let mut last = MOVE;
        if let Some(reboot) = self.reboot {
            let boot = node_work::reboot(reboot, self.site.namespace(), &[last]);
            steps.push(boot.with(|work| Work { verify: self.works(), ..work }));
            last = REBOOT;
        }
        if let Some(test) = self.test {
            steps.push(node_work::smoke_test(test, (self.site.namespace(), GPU), &[last]));
            last = SMOKE_TEST;
        }
        let undo = nodes::stays("a node that takes pods again is drained anew, not cordoned behind them");
        let title = "uncordon the node, if this run cordoned it";
        steps.push(nodes::step(UNCORDON, title, nodes::cordon(false, &none), &[last], undo));
        steps
    }

    /// Nobody is left that keeps the driver from being unloaded. Let go of, the node is given back only where its driver did not change: a
    /// new one nobody has looked at yet.
    fn unused(&self) -> RecipeStep {
        let until = Condition::Kube(KubeCondition::DevicesFree {
            node: Target::ItemNode {},
            holders: self.site.holders(),
        });
        let runs = format!("driver {} is loaded on the node", self.from);
        let title =
            format!("check that the driver of the node is still {}; it stays cordoned otherwise", self.from);
        // Verified and not waited for: what has changed by then does not change back.
        let unchanged = Work {
            verify: vec![verify(
                runs,
                loaded(self.site, &Target::ItemNode {}, self.from),
                Seconds(0),
                UNCHANGED,
            )],
            ..Work::effect(title, Effect::Wait(Wait { until: Condition::All(Vec::new()) }))
        };
        let undo = NodeUndo::Rollback(Box::new(unchanged));
        let title = "verify that no pod on the node holds its driver";
        // The undo of what it needs waits for that of this step.
        let step = nodes::step(UNUSED, title, Effect::Wait(Wait { until }), &[CORDON, DRAIN], undo);
        step.with(|work| Work { timeout: UNUSED_WITHIN, ..work })
    }

    /// Asks for the new driver. Where the node boots anew afterwards, what comes of it is verified then.
    fn moved(&self) -> RecipeStep {
        let pointer = self.site.label_pointer();
        let to = || Operand::Value(json!(self.to.as_str()));
        let effect = Effect::Kube(KubeEffect::Patch(KubePatch {
            object: Target::ItemNode {},
            subresource: None,
            // A node that somebody uncordoned takes pods, and they would lose the driver under them.
            only_if: vec![
                FieldTest { pointer: pointer.clone(), is: Test::Differs(to()) },
                nodes::takes_no_pods(),
            ],
            set: vec![SetField { pointer, to: to() }],
        }));
        let undo = nodes::stays(
            "a label that is set back loads nothing while the DeviceConfig names another driver",
        );
        let title = format!("let Kernel Module Management load driver {} on the node", self.to);
        nodes::step(MOVE, &title, effect, &[UNUSED], undo).with(|work| Work {
            verify: if self.reboot.is_some() { Vec::new() } else { self.works() },
            disruption: Disruption::Restart,
            estimate: Estimate::seconds(360, 2100),
            ..work
        })
    }

    /// The new driver is loaded, what stands on it works, and the node offers what it offered.
    fn works(&self) -> Vec<Verify> {
        let node = || Target::ItemNode {};
        let title = format!("driver {} is loaded on the node", self.to);
        let driver = verify(title, loaded(self.site, &node(), self.to), STAYS, self.driver_within);
        let pods = DaemonPods {
            namespace: self.site.namespace().to_owned(),
            labels: BTreeMap::new(),
            version: None,
        };
        let all = Condition::All(vec![
            Condition::Kube(KubeCondition::DaemonPods { node: node(), pods }),
            Condition::Kube(KubeCondition::Offers { node: node(), offers: offers(self.site) }),
        ]);
        let title = "the operands of the node are Ready, and it offers what it offered";
        vec![driver, verify(title, all, STAYS, self.driver_within + OPERANDS)]
    }
}

/// What nodes offered of `amd.com/*` when they were observed.
fn offers(site: &Site) -> Offers {
    let offering = site.config.nodes.iter().filter(|node| !node.allocatable.is_empty());
    Offers {
        resources: RESOURCES.to_owned(),
        observed: offering.map(|node| (node.name.clone(), node.allocatable.clone())).collect(),
    }
}
