//! The strategy `replace-group`: a copy of the group takes over, our own drain empties the old one, and that is kept at size 0 as
//! the rollback until the next minor begins.

use std::collections::BTreeMap;

use switchback_schemas::{
    Seconds, StepId,
    plan::{
        Action, CaptureKind, CloudCapture, CloudRef, Condition, Count, Disruption, Effect,
        EksCreateNodegroup, EksDeleteNodegroup, EksEffect, EksScaleNodegroup, NodegroupSize, Operand, Pool,
        Retention, Roll, Stale, Work,
    },
};

use super::super::{
    context::{ONE_BY_ONE, Road},
    kubelets::ready,
    node_groups::{Group, part, read},
    refs::{NODEGROUP, absent, copied, is, says, successor},
};
use crate::{
    lower::{Draft, Lowering, Rollback, Undoing, nodes as rolls, verify},
    predicted::Predicted,
};

/// Names of captures, and where in a group's description they stand.
const SIZE: [(&str, &str); 3] = [
    ("min", "/scalingConfig/minSize"),
    ("desired", "/scalingConfig/desiredSize"),
    ("max", "/scalingConfig/maxSize"),
];
const WITHIN: Seconds = Seconds::minutes(60);

/// A group that is replaced, and the one that replaces it.
struct Replacing<'a> {
    road: &'a Road<'a>,
    pool: &'a Pool,
    group: &'a Group<'a>,
    /// The new group's name.
    new: String,
    part: String,
    copy: StepId,
    /// Whether all nodes of its pool are its own.
    alone: bool,
}

/// Adds the replacement of one group. Says its last step.
pub(super) fn steps(
    road: &Road<'_>,
    pool: &Pool,
    group: &Group<'_>,
    after: &[StepId],
    (alone, predicted): (bool, &Predicted<'_>),
    out: &mut Lowering,
) -> StepId {
    let part = part(pool, &group.name);
    let copy = road.scope.id(&format!("{part}/copy"));
    let new = successor(&group.name, &road.hop.to);
    let this = Replacing { road, pool, group, new, part, copy, alone };
    read(predicted, &this.old(), group);
    out.pools.push(pool.clone());
    this.copy(after, predicted, out);
    let sized = this.size_up(out);
    this.empty_again(&sized, out);
    let grown = this.grow(&sized, out);
    let open = this.open(&grown, out);
    let roll = this.roll(&open, &grown, out);
    if road.hop.to == road.doc.spec.to.minor_line() {
        out.retentions.push(this.retention(&roll));
    }
    this.settle(&roll, out)
}

impl Replacing<'_> {
    fn old(&self) -> CloudRef {
        self.road.own.names.group(&self.group.name)
    }

    fn fresh(&self) -> CloudRef {
        self.road.own.names.group(&self.new)
    }

    fn labels(group: &str) -> BTreeMap<String, String> {
        [(NODEGROUP.to_owned(), group.to_owned())].into()
    }

    fn of(&self, group: &str) -> BTreeMap<String, String> {
        let mut labels = self.pool.labels.clone();
        labels.extend(Self::labels(group));
        labels
    }

    fn captured(step: &StepId, name: &str) -> Operand {
        Operand::Captured { step: step.clone(), name: name.to_owned() }
    }

    /// The size that was captured, with another smallest number of nodes.
    fn size(step: &StepId, min: Operand) -> NodegroupSize {
        NodegroupSize { min, desired: Self::captured(step, "desired"), max: Self::captured(step, "max") }
    }

    fn scale(&self, group: &str, size: NodegroupSize) -> Effect {
        let target = self.road.own.names.target.clone();
        Effect::Eks(EksEffect::ScaleNodegroup(EksScaleNodegroup {
            target,
            nodegroup: group.to_owned(),
            size,
        }))
    }

    fn captures(&self, mut draft: Draft) -> Draft {
        for (name, pointer) in SIZE {
            draft = draft.captures(
                name,
                CaptureKind::Cloud(CloudCapture { of: self.old(), pointer: pointer.to_owned() }),
            );
        }
        draft
    }

    fn takes(&self) -> switchback_schemas::plan::Estimate {
        self.road.facts.durations.group.estimate()
    }

    /// A copy of the group at the new minor, without nodes: taken back before it has some, it can be deleted as it is.
    fn copy(&self, after: &[StepId], predicted: &Predicted<'_>, out: &mut Lowering) {
        let (road, group, new) = (self.road, self.group, &self.new);
        let minor = &road.hop.to;
        let ami = road.facts.successor(&group.ami_type, &group.observed.instance_types, minor);
        let effect = Effect::Eks(EksEffect::CreateNodegroup(EksCreateNodegroup {
            target: road.own.names.target.clone(),
            nodegroup: new.clone(),
            like: group.name.clone(),
            kubernetes: minor.clone(),
            ami_type: ami.map(str::to_owned),
            size: NodegroupSize {
                desired: Operand::Value(serde_json::json!(0)),
                ..Self::size(&self.copy, Operand::Value(serde_json::json!(0)))
            },
        }));
        let delete = Effect::Eks(EksEffect::DeleteNodegroup(EksDeleteNodegroup {
            target: road.own.names.target.clone(),
            nodegroup: new.clone(),
        }));
        let undo = Rollback::new(Work {
            done_when: Some(absent(&self.fresh())),
            timeout: WITHIN,
            estimate: self.takes(),
            ..Work::effect(format!("delete the empty node group {new}"), delete)
        });
        let becomes = ami
            .map_or_else(String::new, |ami| format!(" with the image {ami} instead of {}", group.ami_type));
        let title =
            format!("make node group {new} at {minor} as a copy of {}, without nodes{becomes}", group.name);
        let active = Condition::All(vec![
            says(&self.fresh(), "/status", "ACTIVE"),
            says(&self.fresh(), "/version", minor.as_str()),
            copied(&self.fresh(), &group.name),
        ]);
        let draft = road
            .scope
            .step(&format!("{}/copy", self.part), title, effect, Undoing::by(undo), predicted.take_reads())
            .done_when(active)
            .time(WITHIN, self.takes())
            .idempotent();
        let mut draft = self.captures(draft);
        for step in after {
            draft = draft.needs(step, ONE_BY_ONE, Some(&road.facts.parity.source));
        }
        out.add(draft);
    }

    /// Gives the copy its size, and so its nodes. Its undo comes last before the copy is deleted, when its nodes are drained and
    /// gone: what is left then are machines that have not joined yet, which nothing stands on and which no drain would find.
    fn size_up(&self, out: &mut Lowering) -> StepId {
        let (new, nodes) = (&self.new, self.group.observed.desired);
        let zero = || Operand::Value(serde_json::json!(0));
        let none = NodegroupSize { desired: zero(), ..Self::size(&self.copy, zero()) };
        let empty = is(&self.fresh(), "/scalingConfig/desiredSize", zero());
        let undo = Rollback {
            after: vec![self.emptying()],
            ..Rollback::new(Work {
                done_when: Some(Condition::Any(vec![empty, absent(&self.fresh())])),
                timeout: Seconds::minutes(30),
                estimate: switchback_schemas::plan::Estimate::seconds(30, 120),
                ..Work::effect(
                    format!(
                        "scale node group {new} to 0: instances that have not joined the cluster are terminated"
                    ),
                    self.scale(new, none),
                )
            })
        };
        // No `done when`: an autoscaler can give nodes to a group that had none, and the undo is to find them.
        let draft = self
            .road
            .scope
            .step(
                &format!("{}/size", self.part),
                format!("scale node group {new} to {nodes} nodes"),
                self.scale(new, Self::size(&self.copy, zero())),
                Undoing::by(undo),
                Vec::new(),
            )
            .needs(&self.copy, "the group is there", None)
            .time(Seconds::minutes(30), switchback_schemas::plan::Estimate::seconds(30, 120))
            .idempotent();
        out.add(draft)
    }

    /// Sees the nodes of the copy before an old one goes (user-pain P-05).
    fn grow(&self, sized: &StepId, out: &mut Lowering) -> StepId {
        let (new, nodes) = (&self.new, self.group.observed.desired);
        let there = ready(&Self::labels(new), nodes);
        let settled = verify(
            format!("{nodes} nodes of group {new} are Ready"),
            there.clone(),
            Seconds::minutes(2),
            WITHIN,
        );
        let title = format!("wait until the {nodes} nodes of node group {new} are Ready");
        let draft = self
            .road
            .scope
            .look(&format!("{}/wait-ready", self.part), title, there, Vec::new())
            .needs(sized, "the group has its size", None)
            .verify([settled])
            .time(WITHIN, self.takes());
        out.add(draft)
    }

    fn emptying(&self) -> StepId {
        self.road.scope.id(&format!("{}/empty", self.part))
    }

    /// Empties the copy, after the old group has its nodes again and before the copy's size is taken from it. The smallest size stays
    /// 0 until the end, so that it can.
    fn empty_again(&self, sized: &StepId, out: &mut Lowering) {
        let (new, nodes) = (&self.new, self.group.observed.desired);
        let back = Roll { canary: None, ..self.rule(new, Stale::KubeletAtLeast(self.road.hop.to.clone())) };
        let rollback = Rollback::new(Work {
            timeout: Seconds::hours(24),
            disruption: Disruption::Drain,
            estimate: rolls::estimate(&back, nodes),
            ..Work::new(
                format!("drain and terminate the nodes of group {new}"),
                Action::Roll(Roll { observed: 0, ..back }),
            )
        });
        out.rollback.push(rollback.named(self.emptying(), vec![sized.clone()]));
    }

    /// Lets the old group become smaller. Its undo gives it back its size, and so its nodes: first thing on the rollback.
    fn open(&self, grown: &StepId, out: &mut Lowering) -> StepId {
        let name = &self.group.name;
        let part = format!("{}/allow-empty", self.part);
        let id = self.road.scope.id(&part);
        let undo = Rollback {
            needs_capacity: true,
            ..Rollback::new(Work {
                done_when: Some(Condition::All(
                    SIZE.map(|(name, at)| is(&self.old(), at, Self::captured(&id, name))).to_vec(),
                )),
                verify: vec![verify(
                    format!("{} nodes of group {name} are Ready", self.group.observed.desired),
                    ready(&Self::labels(name), self.group.observed.desired),
                    Seconds(30),
                    WITHIN,
                )],
                timeout: WITHIN,
                estimate: self.takes(),
                ..Work::effect(
                    format!("restore the size of node group {name}: its own nodes at {}", self.group.version),
                    self.scale(name, Self::size(&id, Self::captured(&id, "min"))),
                )
            })
        };
        let title = format!("set minSize of node group {name} to 0");
        let effect = self.scale(name, Self::size(&id, Operand::Value(serde_json::json!(0))));
        // No `done when`: a group whose smallest size is 0 already is to be given its nodes back all the same.
        let draft = self
            .road
            .scope
            .step(&part, title, effect, Undoing::by(undo), Vec::new())
            .needs(grown, "no old node is drained before the new ones are Ready", None)
            .time(Seconds::minutes(30), switchback_schemas::plan::Estimate::seconds(30, 120))
            .idempotent();
        out.add(self.captures(draft))
    }

    /// The rule by which the nodes of one of the two groups leave: all of them, under the budget of the manifest, while the pool
    /// keeps its min ready by the nodes of the other.
    fn rule(&self, group: &str, stale: Stale) -> Roll {
        let (road, nodes) = (self.road, self.group.observed.desired);
        let rollout = &road.doc.spec.rollout;
        let rule = rolls::roll_for(road.cx, &road.scope, self.pool, rollout, stale, (nodes, nodes));
        // Shares are of the group as it is now: they would shrink with it.
        let fixed = |count: Count| Count::Nodes(count.of(nodes).max(1));
        let min_ready = road.min_ready(road.ready(self.pool));
        // The nodes of both groups count for the min ready, where the pool has no others that the rule could take, too.
        let (labels, kept) = match self.alone {
            true => (self.pool.labels.clone(), min_ready),
            false => (self.of(group), 0),
        };
        Roll {
            labels,
            batch: fixed(rule.batch),
            max_unavailable: fixed(rule.max_unavailable),
            min_ready: kept,
            recipe: rolls::instances(&road.own.names.target, rolls::drain_within(rollout)),
            verify: vec![rolls::ready(self.pool, min_ready.max(1), Seconds::minutes(20))],
            ..rule
        }
    }

    fn roll(&self, open: &StepId, grown: &StepId, out: &mut Lowering) -> StepId {
        let name = &self.group.name;
        let rule = self.rule(name, Stale::KubeletBelow(self.road.hop.to.clone()));
        // The old group gets its nodes back by its size, and those of the copy are drained.
        let undo = Undoing::With(self.emptying());
        let takes = rolls::estimate(&rule, self.group.observed.desired);
        let draft = self
            .road
            .scope
            .roll(
                &format!("{}/roll", self.part),
                format!("empty node group {name} of pool {}", self.pool.name),
                rule,
                undo,
            )
            .needs(open, "minSize of the group is 0", None)
            .needs(grown, "the new nodes are Ready", None)
            .time(Seconds::hours(24), takes)
            .idempotent()
            .disrupts(Disruption::Drain, Some(self.pool.tier));
        out.add(draft)
    }

    /// Gives the new group the smallest size that the old one had.
    fn settle(&self, roll: &StepId, out: &mut Lowering) -> StepId {
        let new = &self.new;
        let min = || Self::captured(&self.copy, "min");
        let (_, pointer) = SIZE[0];
        let zero = || Operand::Value(serde_json::json!(0));
        let undo = Rollback::new(Work {
            done_when: Some(Condition::Any(vec![is(&self.fresh(), pointer, zero()), absent(&self.fresh())])),
            timeout: Seconds::minutes(30),
            estimate: switchback_schemas::plan::Estimate::seconds(30, 120),
            ..Work::effect(
                format!("set minSize of node group {new} to 0"),
                self.scale(new, Self::size(&self.copy, zero())),
            )
        });
        let title = format!("set minSize of node group {new} to that of {}", self.group.name);
        let effect = self.scale(new, Self::size(&self.copy, min()));
        let draft = self
            .road
            .scope
            .step(&format!("{}/restore-min", self.part), title, effect, Undoing::by(undo), Vec::new())
            .needs(roll, "the new group takes over after the old one is empty", None)
            .done_when(is(&self.fresh(), pointer, min()))
            .time(Seconds::minutes(30), switchback_schemas::plan::Estimate::seconds(30, 120))
            .idempotent();
        out.add(draft)
    }

    fn retention(&self, roll: &StepId) -> Retention {
        let (road, name) = (self.road, &self.group.name);
        let days = road.facts.rollback.days;
        Retention {
            what: format!("node group {name}, at size 0"),
            why: format!("rollback of pool {} to {} needs it", self.pool.name, self.group.version),
            step: roll.clone(),
            by_undo: false,
            keep: Seconds::hours(24 * days),
            removal: Work {
                done_when: Some(absent(&self.old())),
                timeout: WITHIN,
                estimate: self.takes(),
                ..Work::effect(
                    format!("delete the empty node group {name}"),
                    Effect::Eks(EksEffect::DeleteNodegroup(EksDeleteNodegroup {
                        target: road.own.names.target.clone(),
                        nodegroup: name.clone(),
                    })),
                )
            },
        }
    }
}
