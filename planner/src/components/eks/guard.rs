//! The way back of a control plane past Karpenter. It makes nodes at the control plane's own minor, and EKS takes no control plane back
//! under newer nodes: first no new node may be made, then the newer ones go, then the control plane goes, then nodes may be made
//! again. Steps that look are where those undo steps hang; they stand right beside the control plane, so that a node which joins
//! at any time after it is found.

use serde_json::json;
use switchback_schemas::{
    Seconds, StepId,
    inventory::karpenter::NodePool,
    name::{ObjectName, ObjectRef},
    plan::{
        Action, CaptureKind, Condition, Disruption, Effect, Estimate, FieldTest, KubePatch, Operand, Pool,
        Roll, SetField, Stale, Target, Test, Undo, UndoStep, Wait, Work,
    },
};

use super::{
    claims::{moving, rule},
    lower::Road,
    names::NODEPOOL,
    nodes,
};
use crate::lower::{Lowering, checks, nodes as rolls, permission};

const LIMITS: &str = "/spec/limits";
const CAPTURE: &str = "limits";

/// The step whose undo ends the newer nodes of a pool.
pub(super) fn baseline_id(road: &Road<'_>, pool: &Pool) -> StepId {
    road.scope.id(&baseline_part(pool))
}

fn baseline_part(pool: &Pool) -> String {
    format!("nodes/{}/baseline", pool.name)
}

/// Adds what the way back past the control plane needs of every pool. Says what comes next has to wait for.
pub(super) fn steps(road: &Road<'_>, moved: &StepId, to: &mut Lowering) -> Vec<StepId> {
    let mut last = Vec::new();
    for pool in moving(road.cx, road.karpenter.as_ref()) {
        let baseline = baseline(road, pool, moved, to);
        to.pools.push(pool.clone());
        let held = hold(road, pool, &baseline, to);
        last.extend(if held.is_empty() { vec![baseline] } else { held });
    }
    if last.is_empty() { vec![moved.clone()] } else { last }
}

/// The pool has its floor under the new control plane. Its undo ends the nodes that are newer than the one that is gone back to.
fn baseline(road: &Road<'_>, pool: &Pool, moved: &StepId, to: &mut Lowering) -> StepId {
    let (rule, nodes) = rule(road, pool);
    let floor = nodes::floor(road, nodes);
    let until = Condition::NodesReady { pool: pool.name.clone(), at_least: floor };
    let title = format!(
        "see that pool {} has its floor of {floor} Ready nodes under the new control plane",
        pool.name
    );
    let back = Roll {
        stale: Stale::KubeletAtLeast(road.hop.to.clone()),
        canary: None,
        floor: 0,
        verify: Vec::new(),
        ..rule
    };
    let undo = UndoStep {
        needs_capacity: true,
        ..UndoStep::new(Work {
            timeout: Seconds::hours(24),
            disruption: Disruption::Outage,
            estimate: rolls::estimate(&back, nodes),
            permissions: rolls::permissions(),
            ..Work::new(
                format!(
                    "drain and end the nodes of pool {} at {} or newer; what stood on them waits for the control plane",
                    pool.name, road.hop.to
                ),
                Action::Roll(Roll { observed: 0, ..back }),
            )
        })
    };
    let draft = road
        .scope
        .step(
            &baseline_part(pool),
            title,
            Effect::Wait(Wait { until }),
            Undo::Step(Box::new(undo)),
            Vec::new(),
        )
        .needs(moved, "its nodes are newer than the minor before from here on", None)
        .time(Seconds::minutes(10), Estimate::seconds(5, 30))
        .idempotent();
    to.add(draft.done())
}

/// NodePools whose nodes follow the control plane.
fn node_pools<'r>(road: &'r Road<'_>, pool: &Pool) -> Vec<&'r NodePool> {
    let Some(section) = &road.karpenter else { return Vec::new() };
    let nodes = checks::nodes_of(road.cx.inventory, pool);
    let named = |name: &str| {
        pool.labels.get(NODEPOOL).is_some_and(|label| label == name)
            || nodes.iter().any(|node| node.labels.get(NODEPOOL).is_some_and(|label| label == name))
    };
    section.node_pools.iter().filter(|node_pool| named(&node_pool.name)).collect()
}

fn object(node_pool: &NodePool) -> Target {
    Target::Object(ObjectRef::new("karpenter.sh/v1", "NodePool", &ObjectName::cluster(&node_pool.name)))
}

/// Limits under which a NodePool makes no node.
fn nothing() -> serde_json::Value {
    json!({"cpu": "0", "nodes": "0"})
}

fn limits_are(node_pool: &NodePool, is: Test) -> Condition {
    Condition::Field { object: object(node_pool), pointer: LIMITS.to_owned(), is }
}

fn set_limits(node_pool: &NodePool, only_if: Test, value: Operand) -> Action {
    Action::Effect(Effect::KubePatch(KubePatch {
        object: object(node_pool),
        subresource: None,
        only_if: vec![FieldTest { pointer: LIMITS.to_owned(), is: only_if }],
        set: vec![SetField { pointer: LIMITS.to_owned(), to: value }],
    }))
}

fn permissions() -> Vec<switchback_schemas::plan::Permission> {
    ["get", "patch"].map(|verb| permission(verb, "karpenter.sh", "nodepools", None)).into()
}

/// The look at a NodePool's limits before the control plane: on the way back they are given back after it.
pub(super) fn limits(road: &Road<'_>, after: &[StepId], to: &mut Lowering) -> Vec<StepId> {
    let mut seen = Vec::new();
    for pool in moving(road.cx, road.karpenter.as_ref()) {
        for node_pool in node_pools(road, pool) {
            let part = limits_part(node_pool);
            let id = road.scope.id(&part);
            if seen.contains(&id) {
                continue;
            }
            let captured = Operand::Captured { step: id.clone(), name: CAPTURE.to_owned() };
            let zero = || Test::Equals(Operand::Value(nothing()));
            let undo = UndoStep::new(Work {
                done_when: Some(limits_are(node_pool, Test::Differs(Operand::Value(nothing())))),
                estimate: Estimate::seconds(2, 10),
                permissions: permissions(),
                ..Work::new(
                    format!("let NodePool {} make nodes again", node_pool.name),
                    set_limits(node_pool, zero(), captured),
                )
            });
            let until = Condition::Field {
                object: object(node_pool),
                pointer: "/metadata/uid".to_owned(),
                is: Test::Present {},
            };
            let title = format!("keep what NodePool {} may make, for the way back", node_pool.name);
            let wait = Effect::Wait(Wait { until });
            let mut draft = road
                .scope
                .step(&part, title, wait, Undo::Step(Box::new(undo)), Vec::new())
                .captures(
                    CAPTURE,
                    CaptureKind::Field { object: object(node_pool), pointer: LIMITS.to_owned() },
                )
                .time(Seconds::minutes(5), Estimate::seconds(2, 10))
                .idempotent()
                .permits(permissions());
            for step in after {
                draft = draft.needs(
                    step,
                    "what is captured is what was there before the control plane moved",
                    None,
                );
            }
            seen.push(to.add(draft.done()));
        }
    }
    seen
}

fn limits_part(node_pool: &NodePool) -> String {
    format!("limits/{}", node_pool.name)
}

/// A step that changes nothing; its undo keeps NodePools from making nodes at the minor that is left, before theirs go.
fn hold(road: &Road<'_>, pool: &Pool, baseline: &StepId, to: &mut Lowering) -> Vec<StepId> {
    let mut held = Vec::new();
    for node_pool in node_pools(road, pool) {
        let limits = road.scope.id(&limits_part(node_pool));
        let captured = || Operand::Captured { step: limits.clone(), name: CAPTURE.to_owned() };
        let zero = || Operand::Value(nothing());
        let undo = UndoStep::new(Work {
            done_when: Some(limits_are(node_pool, Test::Equals(zero()))),
            disruption: Disruption::Outage,
            estimate: Estimate::seconds(2, 10),
            permissions: permissions(),
            ..Work::new(
                format!("keep NodePool {} from making nodes at {}", node_pool.name, road.hop.to),
                set_limits(node_pool, Test::Equals(captured()), zero()),
            )
        });
        let title = format!("see that NodePool {} may make what it could before", node_pool.name);
        let wait = Effect::Wait(Wait { until: limits_are(node_pool, Test::Equals(captured())) });
        let draft = road
            .scope
            .step(
                &format!("nodes/{}/hold/{}", pool.name, node_pool.name),
                title,
                wait,
                Undo::Step(Box::new(undo)),
                Vec::new(),
            )
            .needs(baseline, "the way back ends nodes only when no new one is made", None)
            .time(Seconds::minutes(10), Estimate::seconds(2, 10))
            .idempotent()
            .permits(permissions());
        held.push(to.add(draft.done()));
    }
    held
}
