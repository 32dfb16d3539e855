//! A managed group that is replaced: a copy of it takes over, our own drain empties the old one, and that is kept at size 0 as the
//! rollback until it is deleted.

use std::collections::BTreeMap;

use switchback_schemas::{
    Seconds, StepId,
    plan::{
        Action, CaptureKind, CloudCapture, CloudRef, Condition, Count, Disruption, Effect,
        EksCreateNodegroup, EksDeleteNodegroup, EksEffect, EksScaleNodegroup, Estimate, NodegroupSize,
        Operand, Read, Retention, Roll, Stale, Work,
    },
};

use super::{
    Replacing,
    names::{NODEGROUP, absent, copied, is, says},
    ready, ready_in,
};
use crate::lower::{Draft, Lowering, Rollback, Undoing, nodes as rolls, opting_out, verify};

/// Names of captures, and where in a group's description they stand.
const SIZE: [(&str, &str); 3] = [
    ("min", "/scalingConfig/minSize"),
    ("desired", "/scalingConfig/desiredSize"),
    ("max", "/scalingConfig/maxSize"),
];
const WITHIN: Seconds = Seconds::minutes(60);

/// Adds the replacement of one group, after other steps. Says the step that empties the old group, and the last one.
pub fn steps(
    this: &Replacing<'_>,
    after: &[StepId],
    reads: Vec<Read>,
    out: &mut Lowering,
) -> (StepId, StepId) {
    out.pools.push(this.pool.clone());
    this.copy(after, reads, out);
    let sized = this.size_up(out);
    this.empty_again(&sized, out);
    let grown = this.grow(&sized, out);
    let open = this.open(&grown, out);
    let roll = this.roll(&open, &grown, out);
    let last = this.settle(&roll, out);
    (roll, last)
}

impl Replacing<'_> {
    fn old(&self) -> CloudRef {
        self.names.group(self.name)
    }

    fn fresh(&self) -> CloudRef {
        self.names.group(&self.new)
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
        let target = self.names.target.clone();
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

    fn copying(&self) -> StepId {
        self.scope.id(&format!("{}/copy", self.part))
    }

    /// A copy of the group at the new minor, without nodes: taken back before it has some, it can be deleted as it is.
    fn copy(&self, after: &[StepId], reads: Vec<Read>, out: &mut Lowering) {
        let (new, image) = (&self.new, &self.image);
        let effect = Effect::Eks(EksEffect::CreateNodegroup(EksCreateNodegroup {
            target: self.names.target.clone(),
            nodegroup: new.clone(),
            like: self.name.to_owned(),
            kubernetes: image.minor.clone(),
            release: image.release.map(|release| release.as_str().to_owned()),
            ami_type: image.ami_type.map(str::to_owned),
            size: NodegroupSize {
                desired: Operand::Value(serde_json::json!(0)),
                ..Self::size(&self.copying(), Operand::Value(serde_json::json!(0)))
            },
        }));
        let delete = Effect::Eks(EksEffect::DeleteNodegroup(EksDeleteNodegroup {
            target: self.names.target.clone(),
            nodegroup: new.clone(),
        }));
        let undo = Rollback::new(Work {
            done_when: Some(absent(&self.fresh())),
            timeout: WITHIN,
            estimate: self.takes,
            ..Work::effect(format!("delete the empty node group {new}"), delete)
        });
        let becomes = image.ami_type.map_or_else(String::new, |ami| {
            format!(" with the image {ami} instead of {}", image.ami_type_before)
        });
        let title = format!(
            "make node group {new} at {} as a copy of {}, without nodes{becomes}",
            image.to, self.name
        );
        let mut active = vec![
            says(&self.fresh(), "/status", "ACTIVE"),
            says(&self.fresh(), "/version", image.minor.as_str()),
            copied(&self.fresh(), self.name),
        ];
        active.extend(image.release.map(|release| says(&self.fresh(), "/releaseVersion", release.as_str())));
        let draft = self
            .scope
            .step(&format!("{}/copy", self.part), title, effect, Undoing::by(undo), reads)
            .done_when(Condition::All(active))
            .time(WITHIN, self.takes)
            .idempotent();
        let mut draft = self.captures(draft);
        for step in after {
            draft = draft.needs(step, self.why.0, self.why.1);
        }
        out.add(draft);
    }

    /// Gives the copy its size, and so its nodes. Its undo comes last before the copy is deleted, when its nodes are drained and
    /// gone: what is left then are machines that have not joined yet, which nothing stands on and which no drain would find.
    fn size_up(&self, out: &mut Lowering) -> StepId {
        let (new, nodes) = (&self.new, self.observed.desired);
        let zero = || Operand::Value(serde_json::json!(0));
        let none = NodegroupSize { desired: zero(), ..Self::size(&self.copying(), zero()) };
        let empty = is(&self.fresh(), "/scalingConfig/desiredSize", zero());
        let undo = Rollback {
            after: vec![self.emptying()],
            ..Rollback::new(Work {
                done_when: Some(Condition::Any(vec![empty, absent(&self.fresh())])),
                timeout: Seconds::minutes(30),
                estimate: Estimate::seconds(30, 120),
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
            .scope
            .step(
                &format!("{}/size", self.part),
                format!("scale node group {new} to {nodes} nodes"),
                self.scale(new, Self::size(&self.copying(), zero())),
                Undoing::by(undo),
                Vec::new(),
            )
            .needs(&self.copying(), "the group is there", None)
            .time(Seconds::minutes(30), Estimate::seconds(30, 120))
            .idempotent();
        out.add(draft)
    }

    /// Sees the nodes of the copy before an old one goes (user-pain P-05).
    fn grow(&self, sized: &StepId, out: &mut Lowering) -> StepId {
        let (new, nodes) = (&self.new, self.observed.desired);
        let there = ready(&Self::labels(new), nodes);
        let up = verify(
            format!("{nodes} nodes of group {new} are Ready"),
            there.clone(),
            Seconds::minutes(2),
            WITHIN,
        );
        let title =
            format!("wait until the {nodes} nodes of node group {new} are Ready{}", self.settled_title);
        let draft = self
            .scope
            .look(&format!("{}/wait-ready", self.part), title, there, Vec::new())
            .needs(sized, "the group has its size", None)
            .verify([up])
            .verify(self.settled.iter().cloned())
            .time(WITHIN, self.takes);
        out.add(draft)
    }

    fn emptying(&self) -> StepId {
        self.scope.id(&format!("{}/empty", self.part))
    }

    /// Empties the copy, after the old group has its nodes again and before the copy's size is taken from it. The smallest size stays
    /// 0 until the end, so that it can.
    fn empty_again(&self, sized: &StepId, out: &mut Lowering) {
        let (new, nodes) = (&self.new, self.observed.desired);
        let back = Roll { canary: None, ..self.rule((new, &self.emptying()), self.image.new.clone()) };
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
        let name = self.name;
        let part = format!("{}/allow-empty", self.part);
        let id = self.scope.id(&part);
        let undo = Rollback {
            needs_capacity: true,
            ..Rollback::new(Work {
                done_when: Some(Condition::All(
                    SIZE.map(|(name, at)| is(&self.old(), at, Self::captured(&id, name))).to_vec(),
                )),
                verify: vec![verify(
                    format!("{} nodes of group {name} are Ready", self.observed.desired),
                    ready(&Self::labels(name), self.observed.desired),
                    Seconds(30),
                    WITHIN,
                )],
                timeout: WITHIN,
                estimate: self.takes,
                ..Work::effect(
                    format!("restore the size of node group {name}: its own nodes at {}", self.image.from),
                    self.scale(name, Self::size(&id, Self::captured(&id, "min"))),
                )
            })
        };
        let title = format!("set minSize of node group {name} to 0");
        let effect = self.scale(name, Self::size(&id, Operand::Value(serde_json::json!(0))));
        // No `done when`: a group whose smallest size is 0 already is to be given its nodes back all the same.
        let draft = self
            .scope
            .step(&part, title, effect, Undoing::by(undo), Vec::new())
            .needs(grown, "no old node is drained before the new ones are Ready", None)
            .time(Seconds::minutes(30), Estimate::seconds(30, 120))
            .idempotent();
        out.add(self.captures(draft))
    }

    /// The rule by which the nodes of one of the two groups leave: all of them, under the budget of the manifest, while the pool
    /// keeps its min ready by the nodes of the other.
    fn rule(&self, (group, roll): (&str, &StepId), stale: Stale) -> Roll {
        let (nodes, rollout) = (self.observed.desired, self.rollout);
        let rule = rolls::roll_for(self.cx, self.scope, self.pool, rollout, stale, (nodes, nodes));
        // Shares are of the group as it is now: they would shrink with it.
        let most = self.at_most.unwrap_or(u64::MAX);
        let fixed = |count: Count| Count::Nodes(count.of(nodes).min(most).max(1));
        let min_ready = rolls::min_ready(rollout, ready_in(self.cx, self.pool));
        let before: Vec<_> = self.opt_out.map(|opt_out| opting_out::out(roll, opt_out)).into_iter().collect();
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
            recipe: rolls::instances(&self.names.target, before, rolls::drain_within(rollout)),
            verify: [
                vec![rolls::ready(self.pool, min_ready.max(1), Seconds::minutes(20))],
                self.watched.clone(),
            ]
            .concat(),
            ..rule
        }
    }

    fn roll(&self, open: &StepId, grown: &StepId, out: &mut Lowering) -> StepId {
        let (name, part) = (self.name, format!("{}/roll", self.part));
        let rule = self.rule((name, &self.scope.id(&part)), self.image.old.clone());
        // The old group gets its nodes back by its size, and those of the copy are drained.
        let undo = Undoing::With(self.emptying());
        let takes = rolls::estimate(&rule, self.observed.desired);
        let draft = self
            .scope
            .roll(&part, format!("empty node group {name} of pool {}", self.pool.name), rule, undo)
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
        let min = || Self::captured(&self.copying(), "min");
        let (_, pointer) = SIZE[0];
        let zero = || Operand::Value(serde_json::json!(0));
        let undo = Rollback::new(Work {
            done_when: Some(Condition::Any(vec![is(&self.fresh(), pointer, zero()), absent(&self.fresh())])),
            timeout: Seconds::minutes(30),
            estimate: Estimate::seconds(30, 120),
            ..Work::effect(
                format!("set minSize of node group {new} to 0"),
                self.scale(new, Self::size(&self.copying(), zero())),
            )
        });
        let title = format!("set minSize of node group {new} to that of {}", self.name);
        let effect = self.scale(new, Self::size(&self.copying(), min()));
        let draft = self
            .scope
            .step(&format!("{}/restore-min", self.part), title, effect, Undoing::by(undo), Vec::new())
            .needs(roll, "the new group takes over after the old one is empty", None)
            .done_when(is(&self.fresh(), pointer, min()))
            .time(Seconds::minutes(30), Estimate::seconds(30, 120))
            .idempotent();
        out.add(draft)
    }

    /// The old group, kept for so long after the roll.
    pub fn retention(&self, roll: &StepId, keep: Seconds) -> Retention {
        let name = self.name;
        Retention {
            what: format!("node group {name}, at size 0"),
            why: format!("rollback of pool {} to {} needs it", self.pool.name, self.image.from),
            step: roll.clone(),
            by_undo: false,
            keep,
            removal: Work {
                done_when: Some(absent(&self.old())),
                timeout: WITHIN,
                estimate: self.takes,
                ..Work::effect(
                    format!("delete the empty node group {name}"),
                    Effect::Eks(EksEffect::DeleteNodegroup(EksDeleteNodegroup {
                        target: self.names.target.clone(),
                        nodegroup: name.to_owned(),
                    })),
                )
            },
        }
    }
}
