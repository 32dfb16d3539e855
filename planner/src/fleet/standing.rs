//! Who stands on the nodes of each pool that moves, in which class, what it may lose, and what needs a decision.

use std::collections::{BTreeMap, BTreeSet};

use switchback_schemas::{
    Diagnostic, Seconds, codes,
    inventory::{Node, Pod, karpenter::Karpenter},
    name::{ObjectName, ObjectRef},
    plan::{
        Action, Count, Objection, OnDrain, Pool, Refit, Roll, Standing, StandingWorkload, Step, WorkloadClass,
    },
};

use super::{Moves, by_node, names, refit::Fleet};
use crate::{
    context::Cx,
    index::nodes_of,
    lower::checks::{by_eks, class_of, is_evicted},
};

/// What is looked at for every pool.
struct Look<'a, 'c> {
    cx: &'a Cx<'c>,
    /// Pods that a drain moves, by node.
    pods: BTreeMap<&'a str, Vec<&'a Pod>>,
    fleet: Fleet<'a>,
}

/// Pods of one workload and one class.
type Group<'a> = BTreeMap<(ObjectRef, Option<&'a str>), Vec<&'a Pod>>;

/// Who stands there, by pool.
pub(super) fn all(cx: &Cx<'_>, moves: &Moves<'_>) -> Vec<Standing> {
    let karpenter = cx.sections.get::<Karpenter>("karpenter").ok().flatten();
    let leave = names(cx.inventory, moves.pools);
    let fleet = Fleet::new(cx.inventory, karpenter.as_deref(), &leave);
    let look = Look { cx, pods: by_node(cx.inventory), fleet };
    let mut seen = BTreeSet::new();
    let pools = moves.pools.iter().filter(|pool| seen.insert(&pool.name));
    let standing = pools.map(|pool| Standing {
        pool: pool.name.clone(),
        workloads: look.workloads(pool, roll_of(moves.steps, pool)),
    });
    let mut standing: Vec<Standing> = standing.collect();
    standing.sort_by(|a, b| a.pool.cmp(&b.pool));
    standing
}

/// The roll that moves a pool, where it is ours.
fn roll_of<'a>(steps: &'a [Step], pool: &Pool) -> Option<&'a Roll> {
    let rolls = steps.iter().filter_map(|step| match &step.work.action {
        Action::Roll(roll) => Some(roll),
        Action::Effect(_) => None,
    });
    rolls.into_iter().find(|roll| roll.pool == pool.name)
}

/// The topmost owner of a pod that is known, or the pod.
fn top(pod: &Pod) -> ObjectRef {
    pod.owners.last().cloned().unwrap_or_else(|| ObjectRef::new("v1", "Pod", &pod.name))
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

impl<'a> Look<'a, '_> {
    fn workloads(&'a self, pool: &Pool, roll: Option<&Roll>) -> Vec<StandingWorkload> {
        let nodes = nodes_of(self.cx.inventory, pool);
        let mut groups: Group<'_> = BTreeMap::new();
        for pod in nodes.iter().filter_map(|node| self.pods.get(node.name.as_str())).flatten() {
            let class = class_of(pod, &self.cx.classes).map(|class| class.name.as_str());
            groups.entry((top(pod), class)).or_default().push(pod);
        }
        let away = roll.map(|roll| (roll.max_unavailable, count(nodes.len())));
        let mut found: Vec<StandingWorkload> =
            groups.iter().map(|((object, _), pods)| self.workload(pool, object, pods, away)).collect();
        found.extend(nodes.into_iter().filter_map(|node| self.node(node)));
        for workload in &found {
            self.decide(pool, workload);
        }
        found.sort_by(|a, b| {
            (&a.object.kind, &a.object, &a.class).cmp(&(&b.object.kind, &b.object, &b.class))
        });
        found
    }

    fn workload(
        &self,
        pool: &Pool,
        object: &ObjectRef,
        pods: &[&Pod],
        away: Option<(Count, u64)>,
    ) -> StandingWorkload {
        let class = pods.first().and_then(|pod| class_of(pod, &self.cx.classes));
        let nodes = count(pods.iter().map(|pod| &pod.node).collect::<BTreeSet<_>>().len());
        let mut objections: BTreeSet<Objection> =
            pods.iter().flat_map(|pod| &pod.objections).copied().collect();
        if pods.iter().any(|pod| self.is_stuck(pod)) {
            objections.insert(Objection::Budget);
        }
        let gang = class.is_some_and(|class| class.gang);
        if away.is_some_and(|(budget, total)| gang && nodes > budget.of(total)) {
            objections.insert(Objection::GangBudget);
        }
        let undecided = WorkloadClass::unresolved(class, &objections);
        let gpu_seconds: u64 = pods.iter().map(|pod| gpus(pod).saturating_mul(self.age(pod).0)).sum();
        let through = pods.first().map(|pod| pod.owners.as_slice()).unwrap_or_default();
        StandingWorkload {
            object: object.clone(),
            uid: pods.first().map(|pod| pod.workload.clone()).unwrap_or_default(),
            through: through.iter().filter(|owner| *owner != object).cloned().collect(),
            class: class.map(|class| class.name.clone()),
            pods: count(pods.len()),
            nodes,
            gpus: pods.iter().map(|pod| gpus(pod)).sum(),
            since: pods.iter().filter_map(|pod| pod.started).min(),
            gpu_hours: gpu_seconds / 3600,
            refit: self.refit(pool, pods),
            overridden: objections.difference(&undecided).copied().collect(),
            undecided,
            unread: pods.iter().find_map(|pod| pod.owner_unread.clone()),
        }
    }

    /// A node that somebody said no to: all that stands on it has to be of a class that overrides it.
    fn node(&self, node: &Node) -> Option<StandingWorkload> {
        let pods = self.pods.get(node.name.as_str()).map(Vec::as_slice).unwrap_or_default();
        let overrides = |pod: &&Pod, objection: &Objection| {
            class_of(pod, &self.cx.classes).is_some_and(|class| class.overrides.contains(objection))
        };
        let overridden =
            |objection: &&Objection| !pods.is_empty() && pods.iter().all(|pod| overrides(pod, objection));
        let (overridden, undecided): (BTreeSet<Objection>, BTreeSet<Objection>) =
            node.objections.iter().partition(|objection| overridden(objection));
        (!node.objections.is_empty()).then(|| StandingWorkload {
            object: ObjectRef::new("v1", "Node", &ObjectName::cluster(&node.name)),
            uid: node.uid.clone(),
            through: Vec::new(),
            class: None,
            pods: count(pods.len()),
            nodes: 1,
            gpus: 0,
            since: None,
            gpu_hours: 0,
            refit: Refit::Fits {},
            undecided,
            overridden,
            unread: None,
        })
    }

    /// What is true of the pod that fits worst.
    fn refit(&self, pool: &Pool, pods: &[&Pod]) -> Refit {
        let mut asked = Vec::new();
        let mut worst = Refit::Fits {};
        for pod in pods.iter().filter(|pod| is_evicted(pool, pod, &self.cx.classes)) {
            if asked.contains(&&pod.needs) {
                continue;
            }
            asked.push(&pod.needs);
            match self.fleet.refit(pod.needs.as_ref()) {
                cannot @ Refit::Cannot(_) => return cannot,
                unknown @ Refit::Unknown(_) => worst = unknown,
                Refit::Fits {} => {}
            }
        }
        worst
    }

    fn is_stuck(&self, pod: &Pod) -> bool {
        self.cx.inventory.budgets.iter().any(|budget| {
            budget.name.namespace == pod.name.namespace
                && budget.expected > 0
                && budget.desired_healthy >= budget.expected
                && budget.pods.contains(&pod.name.name)
        })
    }

    /// How long a pod has run.
    fn age(&self, pod: &Pod) -> Seconds {
        let taken = self.cx.inventory.taken_at;
        let seconds = pod.started.map_or(0, |started| taken.as_second().saturating_sub(started.as_second()));
        Seconds(u64::try_from(seconds).unwrap_or(0))
    }

    /// Says what needs a decision before the workload moves.
    fn decide(&self, pool: &Pool, workload: &StandingWorkload) {
        let object = &workload.object;
        if let Refit::Cannot(why) = &workload.refit {
            let message = format!("{object} would not start again when pool {} moves: {why}", pool.name);
            self.cx.findings.say_about(
                &object.to_string(),
                Diagnostic::error(codes::PLAN_NO_REFIT, message).at(self.cx.pool_label(pool, "its nodes move")).help(
                    "give it a node that stays or can be made (a selector, a toleration, a size, a volume in a zone with nodes), or a \
                     workload class whose onDrain is never or wait",
                ),
            );
        }
        let class = self.cx.classes.iter().find(|class| Some(&class.name) == workload.class.as_ref());
        self.may_lose(workload, class);
        // A budget that never allows an eviction is a finding of its own.
        let undecided: BTreeSet<Objection> =
            workload.undecided.iter().filter(|objection| **objection != Objection::Budget).copied().collect();
        let undecided = &undecided;
        if undecided.is_empty() && workload.unread.is_none() {
            return;
        }
        let says: Vec<&str> = undecided.iter().map(|objection| objection.says()).collect();
        let why = workload.unread.as_ref().map(|unread| format!("whose it is, is unknown ({unread})"));
        let why: Vec<&str> = why.iter().map(String::as_str).chain(says).collect();
        let message =
            format!("{object} on pool {} needs a decision before it moves: {}", pool.name, why.join("; "));
        let held = if by_eks(pool) {
            "EKS drains this pool by itself and asks no class"
        } else {
            "until then the run parks at its nodes"
        };
        let resolve = match (&workload.unread, object.kind.as_str(), workload.pods) {
            (Some(_), ..) => "let the credentials of `observe` and `apply` read its owners".to_owned(),
            (None, "Node", 0) => {
                "nothing stands on it: uncordon it, take the annotation away, or delete the node".to_owned()
            }
            (None, "Node", _) => {
                format!("give the classes of all that stands on it `{}`", Objection::line(undecided))
            }
            _ if undecided.contains(&Objection::GangBudget) => format!(
                "raise `rollout.maxUnavailable` so that it moves as a whole, or give it a class that says `{}`",
                Objection::line(undecided)
            ),
            _ => format!(
                "give it a class under `workloads:` of the Platform that says `{}`",
                Objection::line(undecided)
            ),
        };
        // A gang that is evicted and larger than the budget never moves; one that is waited for ends.
        let waited =
            class.is_some_and(|class| matches!(class.on_drain, OnDrain::Wait { .. } | OnDrain::Never {}));
        let never = by_eks(pool) || (undecided.contains(&Objection::GangBudget) && !waited);
        let found = match never {
            true => Diagnostic::error(codes::PLAN_DECISION, message),
            false => Diagnostic::warning(codes::PLAN_DECISION, message),
        };
        let place = self.cx.pool_label(pool, "its nodes move");
        self.cx.findings.say(found.at(place).help(format!("{resolve}; {held}")));
    }

    /// Says what would lose more than its class lets it.
    fn may_lose(&self, workload: &StandingWorkload, class: Option<&WorkloadClass>) {
        let Some((class, most)) = class.and_then(|class| Some((class, class.may_lose?))) else { return };
        let moved = !matches!(
            class.on_drain,
            OnDrain::Never {} | OnDrain::Wait { then: switchback_schemas::plan::Then::Park, .. }
        );
        let taken = self.cx.inventory.taken_at;
        let ran = workload.since.map_or(0, |since| taken.as_second().saturating_sub(since.as_second()));
        let ran = Seconds(u64::try_from(ran).unwrap_or(0));
        if !moved || ran <= most {
            return;
        }
        let message = format!(
            "{} has run for {ran}, and pods of class {} may lose {most}: whether it goes on from a checkpoint is not known",
            workload.object, class.name
        );
        self.cx.findings.say_about(
            &workload.object.to_string(),
            Diagnostic::warning(codes::PLAN_DECISION, message).help(
                "let it write a checkpoint before its pool moves, or give its class `onDrain: {wait: …}`",
            ),
        );
    }
}

/// GPUs that a pod holds.
fn gpus(pod: &Pod) -> u64 {
    let requests = pod.needs.iter().flat_map(|needs| &needs.requests);
    let devices =
        requests.filter(|(name, _)| pod.gpu && name.contains('/') && !name.starts_with("vpc.amazonaws.com"));
    devices.map(|(_, count)| count).sum()
}
