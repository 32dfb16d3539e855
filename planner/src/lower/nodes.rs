//! Lowering of pools whose nodes we drain ourselves: canary first, then batches. What ends an empty node differs: its NodeClaim is
//! deleted and Karpenter replaces it, or its instance is terminated and another group has its replacement.

use std::collections::BTreeMap;

use switchback_schemas::{
    Seconds, StepId,
    manifest::{BatchSize, MinReady, Rollout},
    name::Label,
    plan::{
        Action, Canary, Condition, Count, Disruption, Effect, EksEffect, EksTerminateNode, Estimate,
        FieldTest, Find, KubeCondition, KubeDelete, KubeEffect, NodeCordon, NodeDrain, NodeUndo, Operand,
        OrderKey, Pool, RecipeStep, Roll, Stale, Strategy, Target, Test, Verify, Wait, Work,
    },
};

use super::{Draft, HopScope, Rollback, Undoing, checks, verify};
use crate::context::Cx;

/// Passes after which a roll that still finds old nodes fails to converge: something keeps making them.
const MAX_PASSES: u32 = 5;
/// What one node takes as a rule, and nine times out of ten at most: a drain without long waits, and a new node.
const NODE: Estimate = Estimate::seconds(240, 900);

fn count(size: Option<BatchSize>) -> Count {
    match size {
        Some(BatchSize::Nodes(n)) => Count::Nodes(n),
        Some(BatchSize::Percent(percent)) => Count::Percent(percent),
        None => Count::Nodes(1),
    }
}

fn seconds(length: Option<switchback_schemas::seconds::Length>, default: Seconds) -> Seconds {
    length.map_or(default, |length| length.0)
}

/// How many nodes may be away at once.
fn unavailable(rollout: &Rollout) -> Count {
    rollout.max_unavailable.map_or_else(|| count(rollout.batch), |size| count(Some(size)))
}

/// Ready nodes below which nothing more is started. Without a word, what the budget leaves of the pool as it was observed.
pub fn min_ready(rollout: &Rollout, nodes: u64) -> u64 {
    match rollout.min_ready {
        Some(MinReady::Nodes(n)) => n,
        None => nodes.saturating_sub(unavailable(rollout).of(nodes)),
    }
}

/// The roll of a pool as its manifest says it: `observed` of its `nodes` were to move when the platform was observed.
pub fn roll_for(
    cx: &Cx<'_>,
    scope: &HopScope,
    pool: &Pool,
    rollout: &Rollout,
    stale: Stale,
    (observed, nodes): (u64, u64),
) -> Roll {
    let batch = count(rollout.batch);
    let canary = |nodes, verify, soak| Canary { nodes, verify, soak: seconds(soak, Seconds::minutes(2)) };
    let canary = match &rollout.canary {
        Some(spec) if spec.nodes == 0 => None,
        Some(spec) => Some(canary(spec.nodes, cx.verifications(&scope.hop, &spec.verify), spec.soak)),
        None => Some(canary(1, Vec::new(), None)),
    };
    let max_unavailable = unavailable(rollout);
    let min_ready = min_ready(rollout, nodes);
    Roll {
        pool: pool.name.clone(),
        labels: pool.labels.clone(),
        stale,
        order: vec![OrderKey::LeastProtected, OrderKey::FewestPods, OrderKey::ZoneSpread, OrderKey::Oldest],
        canary,
        batch,
        max_unavailable,
        min_ready,
        recipe: claims(drain_within(rollout)),
        verify: vec![min_ready_kept(pool, min_ready, nodes, Seconds::minutes(20))],
        soak: seconds(rollout.soak, Seconds(0)),
        max_passes: MAX_PASSES,
        observed,
    }
}

/// How long one node may take to be empty before the run parks.
pub fn drain_within(rollout: &Rollout) -> Seconds {
    seconds(rollout.drain_within, Seconds::hours(1))
}

/// How long a roll that replaces nodes takes: batches one after the other, and the soak after each.
pub fn estimate(roll: &Roll, nodes: u64) -> Estimate {
    takes(roll, nodes, NODE)
}

/// The same where one node takes so long.
pub fn takes(roll: &Roll, nodes: u64, node: Estimate) -> Estimate {
    let size = roll.batch.of(nodes).max(1);
    let batches = roll.observed.div_ceil(size);
    let soak = roll.soak.0 * batches + roll.canary.as_ref().map_or(0, |canary| canary.soak.0);
    let soak = if roll.observed == 0 { 0 } else { soak };
    Estimate::seconds(10 + batches * node.expected.0 + soak, 60 + batches * node.p90.0 + soak)
}

fn part(name: &str) -> Label {
    Label::sanitized(name)
}

/// A step of a recipe with nothing special about it.
pub fn step(name: &str, title: &str, effect: Effect, needs: &[&str], undo: NodeUndo) -> RecipeStep {
    RecipeStep {
        name: part(name),
        work: Work {
            timeout: Seconds::minutes(5),
            estimate: Estimate::seconds(5, 30),
            ..Work::effect(title, effect)
        },
        needs: needs.iter().map(|need| part(need)).collect(),
        undo,
    }
}

/// The look whether a pool has its min ready nodes, before anything of it moves. Where something does, what moves its nodes back takes
/// the place of this look.
pub fn counted(
    (cx, scope): (&Cx<'_>, &HopScope),
    (pool, at_least): (&Pool, u64),
    moves: bool,
    (before, why): (&[StepId], &str),
) -> Draft {
    checks::drainable(cx, pool);
    let until = Condition::Kube(KubeCondition::NodesReady { pool: pool.name.clone(), at_least });
    let title = format!("check that pool {} has at least {at_least} Ready nodes", pool.name);
    let undo = match moves {
        true => Undoing::Apart,
        false => Undoing::Unneeded("it only reads".to_owned()),
    };
    let part = format!("nodes/{}/min-ready", pool.name);
    let mut draft = scope.step(&part, title, Effect::Wait(Wait { until }), undo, Vec::new());
    for step in before {
        draft = draft.needs(step, why, None);
    }
    draft.idempotent()
}

/// What a step of a recipe does stays.
pub fn stays(why: &str) -> NodeUndo {
    NodeUndo::Irreversible { why: why.to_owned(), recovery: REPLACED.to_owned() }
}

/// What follows where a step of a recipe is not undone.
const REPLACED: &str = "pods run where their owners place them, and a replacement stays";

/// The node of a recipe takes no pods: what ends or blinds those on it asks for that in the same breath, since somebody may have
/// uncordoned it since it was drained.
pub fn takes_no_pods() -> FieldTest {
    FieldTest {
        pointer: "/spec/unschedulable".to_owned(),
        is: Test::Equals(Operand::Value(serde_json::json!(true))),
    }
}

/// Makes the node of a recipe unschedulable, or schedulable again where this run made it so, with annotations that go along.
pub fn cordon(unschedulable: bool, annotations: &BTreeMap<String, String>) -> Effect {
    let cordon = NodeCordon {
        annotations: annotations.clone(),
        ..NodeCordon::new(Target::ItemNode {}, unschedulable)
    };
    Effect::Kube(KubeEffect::Cordon(cordon))
}

/// What is done to every node first: cordon and drain.
fn emptied(drain_within: Seconds) -> Vec<RecipeStep> {
    emptied_after(&[], &BTreeMap::new(), drain_within)
}

/// The same after other steps of the recipe, with annotations that go along with the cordon.
pub fn emptied_after(
    before: &[&str],
    annotations: &BTreeMap<String, String>,
    drain_within: Seconds,
) -> Vec<RecipeStep> {
    let uncordon = NodeUndo::Rollback(Box::new(Work::effect(
        "uncordon the node, if this run cordoned it",
        cordon(false, annotations),
    )));
    vec![
        step("cordon", "cordon the node", cordon(true, annotations), before, uncordon),
        step(
            "drain",
            "drain the node as the workload classes say",
            Effect::Kube(KubeEffect::Drain(NodeDrain { node: Target::ItemNode {} })),
            &["cordon"],
            stays("pods that moved stay where they are; their owners placed them there"),
        )
        .with(|work| Work {
            timeout: drain_within,
            disruption: Disruption::Drain,
            estimate: Estimate::seconds(120, 600),
            ..work
        }),
    ]
}

/// The last step: the node is gone.
fn gone(after: &str) -> RecipeStep {
    let until = Condition::Kube(KubeCondition::Field {
        object: Target::ItemNode {},
        pointer: String::new(),
        is: Test::Absent {},
    });
    let wait = Effect::Wait(switchback_schemas::plan::Wait { until });
    step(
        "gone",
        "verify that the old node is gone",
        wait,
        &[after],
        NodeUndo::Unneeded { why: "it only reads".to_owned() },
    )
    .with(|work| Work { timeout: Seconds::minutes(20), estimate: Estimate::seconds(110, 260), ..work })
}

/// The recipe for a node that Karpenter made: cordon, drain, delete its NodeClaim, see it gone.
fn claims(drain_within: Seconds) -> Vec<RecipeStep> {
    let mut recipe = emptied(drain_within);
    recipe.push(
        step(
            "delete-claim",
            "let Karpenter replace the empty node",
            Effect::Kube(KubeEffect::Delete(KubeDelete { object: Target::ItemNodeClaim {} })),
            &["drain"],
            stays("a terminated node is not restored"),
        )
        .with(|work| Work {
            done_when: Some(Condition::Kube(KubeCondition::Field {
                object: Target::ItemNodeClaim {},
                pointer: String::new(),
                is: Test::Absent {},
            })),
            ..work
        }),
    );
    recipe.push(gone("delete-claim"));
    recipe
}

/// The recipe for a node of a managed group that another group replaces: cordon, drain, terminate its instance, see it gone.
/// What is done to it before that comes before the cordon.
pub fn instances(target: &Label, before: Vec<RecipeStep>, drain_within: Seconds) -> Vec<RecipeStep> {
    let terminate = EksTerminateNode { target: target.clone(), provider_id: Operand::ItemProviderId {} };
    let earlier: Vec<&str> = before.iter().map(|step| step.name.as_str()).collect();
    let emptied = emptied_after(&earlier, &BTreeMap::new(), drain_within);
    let mut recipe = [before, emptied].concat();
    recipe.push(
        step(
            "terminate",
            "terminate the empty node and do not replace it",
            Effect::Eks(EksEffect::TerminateNode(terminate)),
            &["drain"],
            stays("a terminated instance is not restored; its group scales up again"),
        )
        .with(|work| Work {
            timeout: Seconds::minutes(20),
            estimate: Estimate::seconds(60, 240),
            ..work
        }),
    );
    recipe.push(gone("terminate"));
    recipe
}

/// That a pool has at least so many Ready nodes.
pub fn ready(pool: &Pool, at_least: u64, within: Seconds) -> Verify {
    let condition = Condition::Kube(KubeCondition::NodesReady { pool: pool.name.clone(), at_least });
    verify(
        format!("at least {at_least} nodes of pool {} are Ready", pool.name),
        condition,
        Seconds(10),
        within,
    )
}

/// That a pool of so many nodes has its minimum of Ready ones. Karpenter gives a pool without a minimum the nodes that its pods need: when
/// the job that was waited for has ended, that is none.
pub fn min_ready_kept(pool: &Pool, min_ready: u64, nodes: u64, within: Seconds) -> Verify {
    if pool.strategy != Strategy::Nodeclaim || min_ready > 0 || nodes == 0 {
        return ready(pool, min_ready.max(1).min(nodes), within);
    }
    let one = Condition::Kube(KubeCondition::NodesReady { pool: pool.name.clone(), at_least: 1 });
    let condition = Condition::Any(vec![one, no_claims(&pool.labels, Vec::new())]);
    // Longer than Karpenter takes to make a claim for pods that wait.
    let title = format!("a node of pool {} is Ready, or none is requested", pool.name);
    verify(title, condition, Seconds::minutes(1), within)
}

/// That none of a pool's NodeClaims has drifted.
pub fn none_drifted(labels: &BTreeMap<String, String>) -> Condition {
    let drifted = serde_json::json!({"type": "Drifted", "status": "True"});
    no_claims(
        labels,
        vec![FieldTest { pointer: "/status/conditions".to_owned(), is: Test::Contains(drifted) }],
    )
}

/// That a pool has no NodeClaims that pass these tests.
fn no_claims(labels: &BTreeMap<String, String>, each: Vec<FieldTest>) -> Condition {
    Condition::Kube(KubeCondition::Count {
        find: Find {
            api_version: "karpenter.sh/v1".to_owned(),
            kind: "NodeClaim".to_owned(),
            namespace: None,
            labels: labels.clone(),
        },
        each,
        at_least: None,
        at_most: Some(0),
    })
}

/// What moves nodes when a controller has rolled back: those that have drifted from the restored state move as the plan's own roll does.
pub fn back(pool: &Pool, roll: &Roll) -> Rollback {
    let back = Roll { stale: Stale::Drifted {}, observed: 0, canary: roll.canary.clone(), ..roll.clone() };
    let title = format!("move nodes of pool {} that have drifted from the restored state", pool.name);
    let estimate = estimate(&Roll { observed: roll.observed, ..back.clone() }, roll.observed);
    Rollback {
        needs_capacity: pool.capacity.can_surge(),
        ..Rollback::new(Work {
            timeout: Seconds::hours(24),
            disruption: Disruption::Drain,
            estimate,
            ..Work::new(title, Action::Roll(back))
        })
    }
}

#[cfg(test)]
mod tests {
    use switchback_schemas::plan::Capacity;

    use super::*;

    fn pool(strategy: Strategy) -> Pool {
        Pool {
            name: "training".parse().unwrap(),
            labels: BTreeMap::from([("karpenter.sh/nodepool".to_owned(), "training".to_owned())]),
            tier: 1,
            capacity: Capacity::OnDemand,
            strategy,
            gpu: true,
        }
    }

    /// A roll that waits for a training job ends with a pool that nothing needs any more: Karpenter makes it no nodes.
    #[test]
    fn a_pool_of_karpenter_without_a_floor_may_have_become_empty() {
        let kept = |strategy, min_ready, nodes| {
            min_ready_kept(&pool(strategy), min_ready, nodes, Seconds::minutes(20)).condition
        };
        let ready = |at_least| {
            Condition::Kube(KubeCondition::NodesReady { pool: "training".parse().unwrap(), at_least })
        };
        let Condition::Any(of) = kept(Strategy::Nodeclaim, 0, 2) else { panic!("one or none") };
        assert_eq!(of[0], ready(1));
        assert!(
            matches!(&of[1], Condition::Kube(KubeCondition::Count { each, at_most: Some(0), .. }) if each.is_empty()),
            "{of:?}"
        );
        assert_eq!(kept(Strategy::Nodeclaim, 2, 3), ready(2));
        assert_eq!(kept(Strategy::Nodeclaim, 0, 0), ready(0));
        assert_eq!(kept(Strategy::GroupUpdate, 0, 2), ready(1), "a group keeps its size");
    }
}
