//! The hop of a driver, as steps: look, suspend what would move nodes by itself, let the DeviceConfig name the new driver, move node by
//! node.

use std::ops::Deref;

use serde_json::json;
use switchback_schemas::{
    Seconds, StepId, Version,
    plan::{Condition, Estimate, FieldTest, Find, KubeCondition, Operand, Target, Test, Verify},
};

use super::{RocmDriver, notices, recipe::loaded, rolls::PoolRoll};
use crate::{
    component::HopCx,
    lower::{Lowering, drivers, need, nodes, verify},
    owner::{Asked, Desired, DesiredField},
    predicted::Predicted,
};

/// How long the operator may take to follow its DeviceConfig.
const SETTLED: Seconds = Seconds::minutes(20);
/// How long a look may take.
const LOOK: Seconds = Seconds::minutes(5);
/// What a look takes as a rule.
const QUICK: Estimate = Estimate::seconds(2, 30);
/// Where a DeviceConfig names its driver, and where a Module has that.
const DRIVER: &str = "/spec/driver/version";
const MODULE: &str = "/spec/moduleLoader/container/version";

/// Lowers one hop.
pub(super) fn hop(at: &HopCx<'_, RocmDriver>, predicted: &mut Predicted<'_>, out: &mut Lowering) {
    notices::add(at, out);
    let rolls = at.own.pools.iter().map(|pool| PoolRoll { at, pool });
    Road { at, rolls: rolls.collect() }.build(predicted, out);
}

/// The hop, with its rolls.
pub(super) struct Road<'a> {
    at: &'a HopCx<'a, RocmDriver>,
    rolls: Vec<PoolRoll<'a>>,
}

impl<'a> Deref for Road<'a> {
    type Target = HopCx<'a, RocmDriver>;

    fn deref(&self) -> &HopCx<'a, RocmDriver> {
        self.at
    }
}

impl Road<'_> {
    fn build(&self, predicted: &mut Predicted<'_>, out: &mut Lowering) {
        let ready = self.ready(predicted, out);
        let quiet = self.quiet(&ready, predicted, out);
        let mut before: Vec<StepId> =
            quiet.iter().map(crate::lower::suspension::SuspensionDraft::suspended_by_step).collect();
        before.push(ready);
        let seen: Vec<StepId> = self.rolls.iter().map(|roll| self.min_ready(roll, &before, out)).collect();
        let needs: Vec<StepId> = before.iter().chain(&seen).cloned().collect();
        let Some(named) = self.version(&needs, predicted, out) else { return };
        if let Some(from) = &self.hop.from {
            for (roll, seen) in self.rolls.iter().zip(&seen) {
                roll.add_rollback(from, seen, out);
            }
            self.guard_rollback(from, &named, out);
        }
        let mut previous: Option<StepId> = None;
        for roll in &self.rolls {
            previous = Some(roll.add(&named, previous.as_ref(), out));
        }
        let done = self.done(&previous.unwrap_or(named), out);
        for draft in &quiet {
            // A policy that is on again upgrades whatever node has another driver than the DeviceConfig names.
            draft.declare(Condition::All(self.settled()), out);
            let resume = draft.resume_step(&self.scope);
            let why = "every node has the driver that the DeviceConfig names";
            resume.map(|resume| out.add(resume.needs(&done, why, Some("operator"))));
        }
    }

    /// Looks that no driver is being moved, and that the DeviceConfig is as it was observed.
    fn ready(&self, predicted: &Predicted<'_>, out: &mut Lowering) -> StepId {
        let mut of = self.at_rest();
        if self.hop.from.is_some() {
            let named = Test::Equals(Operand::Value(json!(self.own.driver.as_str())));
            of.push(self.of_config(DRIVER, named.clone()));
            of.push(self.of_module(named));
        }
        let count = self.own.config.nodes.len();
        let title = format!("check that no driver of {count} GPU nodes is being upgraded");
        let look = self.scope.look("ready", title, Condition::All(of), predicted.take_reads());
        out.add(look.time(Seconds::minutes(10), QUICK))
    }

    /// No node is at work on its driver, has failed at it, or has the operator's taint.
    fn at_rest(&self) -> Vec<Condition> {
        let rest: Vec<_> = self.facts.states.rest.iter().map(|state| json!(state)).collect();
        let states = self.own.config.nodes.iter().map(|node| {
            let pointer = format!("/status/nodeModuleStatus/{}/status", crate::objects::token(&node.name));
            let none = self.of_config(&pointer, Test::Absent {});
            Condition::Any(vec![none, self.of_config(&pointer, Test::OneOf(rest.clone()))])
        });
        let mut of: Vec<Condition> = states.collect();
        of.push(Condition::Kube(KubeCondition::Count {
            find: Find {
                api_version: "v1".to_owned(),
                kind: "Node".to_owned(),
                namespace: None,
                labels: std::collections::BTreeMap::new(),
            },
            each: vec![FieldTest {
                pointer: "/spec/taints".to_owned(),
                is: Test::Contains(json!({"key": "amd-gpu-driver-upgrade"})),
            }],
            at_least: None,
            at_most: Some(0),
        }));
        of
    }

    fn of_module(&self, is: Test) -> Condition {
        let object = Target::Object(self.own.module());
        Condition::Kube(KubeCondition::Field { object, pointer: MODULE.to_owned(), is })
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

    /// The DeviceConfig names the new driver, and no node's label does: nothing moves.
    fn version(&self, needs: &[StepId], predicted: &mut Predicted<'_>, out: &mut Lowering) -> Option<StepId> {
        let why = "the operator would upgrade every node by itself as soon as the DeviceConfig names another driver";
        let object = self.own.object();
        let change = DesiredField {
            pointer: DRIVER.to_owned(),
            path: "spec.driver.version".to_owned(),
            what: format!("the driver of {object}"),
            only_if: Vec::new(),
            before: json!(self.own.driver.as_str()),
            after: json!(self.hop.to.as_str()),
            capture: "version",
            restarts: None,
            object: object.clone(),
        };
        let asked = Asked {
            cx: self.cx,
            owners: self.owners,
            scope: &self.scope,
            part: "version",
            title: format!("let {object} name driver {}", self.hop.to),
            desired: Desired::Field(change),
            needs: needs.iter().map(|step| need(step, why, Some("operator"))).collect(),
            place: self.cx.label(self.doc.doc, "/spec/to", "this driver"),
        };
        if self.hop.finishes && asked.is_there(predicted) {
            return needs.last().cloned();
        }
        let draft = asked.change(predicted, out)?;
        let title =
            "the operator has the new driver in its Module, and no node has another driver than before";
        let moved = self.hop.from.as_ref().map(|from| self.named(&self.hop.to, from));
        let mut verified = vec![Condition::All(vec![self.is_quiet()])];
        verified.extend(moved);
        Some(out.add(draft.verify([verify(title, Condition::All(verified), self.settle(), SETTLED)])))
    }

    /// The Module is of one driver, and the labels of nodes that were observed ask for another one.
    fn named(&self, module: &Version, labels: &Version) -> Condition {
        let is = |version: &Version| Test::Equals(Operand::Value(json!(version.as_str())));
        let mut of = vec![self.of_module(is(module))];
        of.extend(self.own.asking(labels).map(|node| {
            let asks = Condition::Kube(KubeCondition::Field {
                object: Target::Object(drivers::node(&node.name)),
                pointer: self.own.label_pointer(),
                is: is(labels),
            });
            Condition::Any(vec![drivers::gone(&node.name), asks])
        }));
        Condition::All(of)
    }

    /// Longer than the operator takes to look at every node.
    fn settle(&self) -> Seconds {
        Seconds(self.facts.look.every.0.0 * 2)
    }

    /// Before nodes move back, the Module has the old driver again.
    fn guard_rollback(&self, from: &Version, named: &StepId, out: &mut Lowering) {
        let Some(undo) = out.rollback.iter_mut().find(|undo| undo.id == *named) else { return };
        let is = self.of_module(Test::Equals(Operand::Value(json!(from.as_str()))));
        undo.work.verify.push(Verify {
            condition: is,
            settle: self.settle(),
            within: SETTLED,
            title: "the operator has the old driver in its Module".to_owned(),
        });
    }

    /// What must hold before what was suspended goes on: no node has another driver than the DeviceConfig names, on the way up or down.
    fn settled(&self) -> Vec<Condition> {
        let driver = |version: &Version| {
            let mut of = vec![
                self.of_config(DRIVER, Test::Equals(Operand::Value(json!(version.as_str())))),
                self.of_module(Test::Equals(Operand::Value(json!(version.as_str())))),
            ];
            of.extend(self.own.config.nodes.iter().map(|node| {
                let object = Target::Object(drivers::node(&node.name));
                Condition::Any(vec![drivers::gone(&node.name), loaded(self.own, &object, version)])
            }));
            Condition::All(of)
        };
        let mut ways = vec![driver(&self.hop.to)];
        ways.extend(self.hop.from.as_ref().map(driver));
        let mut of = self.at_rest();
        of.push(Condition::Any(ways));
        of
    }

    /// Every driver is the new one, and nodes offer what they offered.
    fn done(&self, after: &StepId, out: &mut Lowering) -> StepId {
        let is = || Test::Equals(Operand::Value(json!(self.hop.to.as_str())));
        let mut of = self.at_rest();
        of.push(self.of_config(DRIVER, is()));
        of.push(self.of_module(is()));
        for node in &self.own.config.nodes {
            let object = Target::Object(drivers::node(&node.name));
            let mut all = vec![loaded(self.own, &object, &self.hop.to)];
            all.extend(node.allocatable.iter().map(|(resource, quantity)| {
                Condition::Kube(KubeCondition::Field {
                    object: object.clone(),
                    pointer: format!("/status/allocatable/{}", crate::objects::token(resource)),
                    is: Test::Equals(Operand::Value(json!(quantity))),
                })
            }));
            of.push(Condition::Any(vec![drivers::gone(&node.name), Condition::All(all)]));
        }
        let title = format!("every GPU node has driver {} and offers what it offered", self.hop.to);
        let settled = verify(title, Condition::All(of.clone()), self.settle(), SETTLED);
        let title = format!("verify that driver {} is loaded on every GPU node", self.hop.to);
        let look = self
            .scope
            .look("done", title, Condition::All(of), Vec::new())
            .verify([settled])
            .verify(self.cx.verifications(&self.scope.hop, &self.doc.spec.verify))
            .time(SETTLED, Estimate::seconds(60, 300))
            .needs(after, "nodes have moved", None);
        out.add(look)
    }
}
