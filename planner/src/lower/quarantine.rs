//! NVSentinel, kept from nodes whose DCGM goes away on purpose: it takes that for a fault and cordons them.
//!
//! What opts a node out is no feature of NVSentinel but a clause of each of its rule sets, which values of a release replace as a
//! whole. So each rule set that is installed is looked at, and one without the clause is named. The circuit breaker is looked at and
//! watched, and never reset: what it would let through is for people to judge.

use std::{collections::BTreeMap, rc::Rc};

use serde_json::json;
use switchback_schemas::{
    Diagnostic, Label, Seconds, codes,
    inventory::nvsentinel::{Nvsentinel, WatchedNode},
    name::{ObjectName, ObjectRef},
    plan::{
        Action, Condition, Effect, FieldTest, Find, KubeCondition, KubeEffect, Operand, Target, Test, Verify,
        Work,
    },
};

use super::{
    suspension::{Parts, Suspended, Titles},
    verify,
};
use crate::{context::Cx, findings::listed};

/// A label that opts a node out.
pub struct OptOut {
    /// The label.
    pub label: &'static str,
    /// Where it stands in a node.
    pub pointer: &'static str,
    path: &'static str,
}

/// Labels that opt a node out, in the order in which they are taken. The second one also takes monitors off the node and stops its
/// conditions, so it comes where the first one is not honoured.
const OPT_OUTS: [OptOut; 2] = [
    OptOut {
        label: "k8saas.nvidia.com/ManagedByNVSentinel",
        pointer: "/metadata/labels/k8saas.nvidia.com~1ManagedByNVSentinel",
        path: "metadata.labels[k8saas.nvidia.com/ManagedByNVSentinel]",
    },
    OptOut {
        label: "nvsentinel.dgxc.nvidia.com/managed",
        pointer: "/metadata/labels/nvsentinel.dgxc.nvidia.com~1managed",
        path: "metadata.labels[nvsentinel.dgxc.nvidia.com/managed]",
    },
];

/// The label at a pointer into a node, if it is one that opts it out.
pub fn label_at(pointer: &str) -> Option<&'static str> {
    OPT_OUTS.iter().find(|opt_out| opt_out.pointer == pointer).map(|opt_out| opt_out.label)
}

/// Whether some work sets a label that opts a node out.
pub fn opts_out(work: &Work) -> bool {
    let Action::Effect(Effect::Kube(KubeEffect::Patch(patch))) = &work.action else { return false };
    patch.set.iter().any(|field| label_at(&field.pointer).is_some())
}

/// That the breaker of NVSentinel is closed; nothing where it has none, or one that is switched off.
pub fn breaker_closed(section: &Nvsentinel) -> Option<Condition> {
    let breaker = section.breaker.as_ref().filter(|breaker| breaker.enabled)?;
    let name = ObjectName::namespaced(&section.namespace, &breaker.config_map);
    Some(Condition::Kube(KubeCondition::Field {
        object: Target::Object(ObjectRef::new("v1", "ConfigMap", &name)),
        pointer: "/data/status".to_owned(),
        is: Test::Equals(Operand::Value(json!("CLOSED"))),
    }))
}

/// NVSentinel on this platform, where it cordons nodes by itself.
pub struct Quarantine {
    section: Rc<Nvsentinel>,
}

impl Quarantine {
    /// NVSentinel, where it is there and cordons nodes. A section that cannot be read is said.
    pub fn of(cx: &Cx<'_>, place: &Label) -> Option<Self> {
        match cx.sections.get::<Nvsentinel>("nvsentinel") {
            Ok(section) => section.filter(|section| section.quarantines).map(|section| Self { section }),
            Err(error) => {
                let found = Diagnostic::error(codes::PLAN_UNREADABLE, error).at(place.clone());
                cx.findings.say(found.help("observe again with this release"));
                None
            }
        }
    }

    /// What keeps it from every GPU node; what is in the way of that is said.
    pub fn opt_outs(&self, cx: &Cx<'_>, place: &Label) -> Vec<Suspended> {
        self.say_breaker(cx, place);
        let Some(opt_out) = self.honoured(cx, place) else { return Vec::new() };
        self.section.nodes.iter().map(|node| suspended(node, opt_out)).collect()
    }

    /// The label by which single nodes are opted out; what is in the way of that is said.
    pub fn opt_out(&self, cx: &Cx<'_>, place: &Label) -> Option<&'static OptOut> {
        self.say_breaker(cx, place);
        self.honoured(cx, place)
    }

    /// Nodes that it has quarantined.
    pub fn quarantined(&self) -> impl Iterator<Item = &str> {
        self.section.nodes.iter().filter(|node| node.quarantined).map(|node| node.name.as_str())
    }

    /// Says which nodes it has quarantined: they are in its hands, it drains them, resets their GPUs, or has them repaired.
    pub fn say_quarantined(&self, cx: &Cx<'_>, place: Label) {
        let names: Vec<String> = self.quarantined().map(str::to_owned).collect();
        if names.is_empty() {
            return;
        }
        let message = format!("NVSentinel has quarantined GPU nodes: {}", listed(names.into_iter()));
        let help = "let their repair end, or take them out of the cluster, then observe again";
        cx.findings.say(Diagnostic::error(codes::PLAN_NOT_READY, message).at(place).help(help));
    }

    /// What it has to say after a batch.
    pub fn after_batch(&self) -> Vec<Verify> {
        let within = Seconds::minutes(15);
        let dcgm = "no node says that its DCGM cannot be reached";
        let mut checks = vec![verify(dcgm, Self::dcgm_well(), Seconds::minutes(1), within)];
        let closed = "the circuit breaker of NVSentinel is closed";
        checks.extend(self.watched().map(|is_closed| verify(closed, is_closed, Seconds(0), within)));
        checks
    }

    /// How many of so many GPU nodes may be away at once before its breaker trips, where it has one. `otherwise` is the share where
    /// its Deployment says none.
    pub fn at_most(&self, nodes: u64, otherwise: u64) -> Option<u64> {
        let breaker = self.section.breaker.as_ref().filter(|breaker| breaker.enabled)?;
        Some(nodes.saturating_mul(breaker.percent.unwrap_or(otherwise)) / 100)
    }

    fn say_breaker(&self, cx: &Cx<'_>, place: &Label) {
        let Some(breaker) = self.section.breaker.as_ref().filter(|breaker| breaker.enabled) else { return };
        if breaker.status != "CLOSED" {
            let message = format!(
                "the circuit breaker of NVSentinel is {}: it cordons no node and uncordons none",
                breaker.status
            );
            let help = "find out what tripped it and reset it as its runbook says, then observe again; a plan never resets it";
            let found = Diagnostic::error(codes::PLAN_NOT_READY, message).at(place.clone());
            cx.findings.say(found.help(help));
        }
    }

    /// The label that every rule set honours.
    fn honoured(&self, cx: &Cx<'_>, place: &Label) -> Option<&'static OptOut> {
        let Some(rule_sets) = &self.section.rule_sets else {
            let message = "the rule sets of NVSentinel could not be read, so nothing shows that a node can be opted out";
            let help = "observe again with credentials that may read ConfigMap fault-quarantine";
            let found = Diagnostic::error(codes::PLAN_INVENTORY_MISSING, message).at(place.clone());
            cx.findings.say(found.help(help));
            return None;
        };
        let honours = |opt_out: &&OptOut| {
            rule_sets.iter().all(|rules| rules.opt_out.iter().any(|label| label == opt_out.label))
        };
        let found = OPT_OUTS.iter().find(honours);
        if found.is_none() {
            let first = OPT_OUTS.first().map(|opt_out| opt_out.label).unwrap_or_default();
            let deaf = rule_sets.iter().filter(|rules| rules.opt_out.iter().all(|label| label != first));
            let deaf: Vec<&str> = deaf.map(|rules| rules.name.as_str()).collect();
            let message = format!(
                "rule sets of NVSentinel do not honour the label {first}=false, so it would cordon nodes: {}",
                deaf.join(", ")
            );
            let help = "give each of them the clause of kind Node that the chart's own rule sets have: values of a release replace the whole list";
            let found = Diagnostic::error(codes::PLAN_NOT_READY, message).at(place.clone());
            cx.findings.say(found.help(help));
        }
        found
    }

    /// That its breaker is closed.
    pub fn watched(&self) -> Option<Condition> {
        breaker_closed(&self.section)
    }

    /// That no node says that its DCGM cannot be reached.
    pub fn dcgm_well() -> Condition {
        Condition::Kube(KubeCondition::Count {
            find: Find {
                api_version: "v1".to_owned(),
                kind: "Node".to_owned(),
                namespace: None,
                labels: BTreeMap::new(),
            },
            each: vec![FieldTest {
                pointer: "/status/conditions".to_owned(),
                is: Test::Contains(json!({"type": "GpuDcgmConnectivityFailure", "status": "True"})),
            }],
            at_least: None,
            at_most: Some(0),
        })
    }
}

fn suspended(node: &WatchedNode, opt_out: &'static OptOut) -> Suspended {
    let name = &node.name;
    let what = format!("quarantine of node {name} by NVSentinel");
    Suspended {
        name: name.clone(),
        parts: Parts { suspend: "opt-out", found: "opted-out", resume: "opt-in" },
        object: ObjectRef::new("v1", "Node", &ObjectName::cluster(name)),
        pointer: opt_out.pointer,
        path: opt_out.path,
        capture: "opt-out",
        value: json!("false"),
        observed: json!(node.opt_out.get(opt_out.label)),
        titles: Titles {
            already: format!(
                "node {name} has the label {}=false already, not by this plan, which leaves it so",
                opt_out.label
            ),
            ..Titles::of(&what)
        },
        cannot_stop: vec!["node conditions, which NVSentinel goes on to write".to_owned()],
        owner: "whoever answers for NVSentinel".to_owned(),
    }
}
