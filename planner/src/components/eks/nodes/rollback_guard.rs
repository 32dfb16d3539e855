//! The rollback of a control plane past Karpenter. It makes nodes at the control plane's own minor, and EKS takes no control plane back
//! under newer nodes: first no new node may be made, then the newer ones go, then the control plane goes, then nodes may be made
//! again. All of that undoes the update of the control plane, and comes where that came, so that a node which joins at any time after
//! it is found.

use serde_json::json;
use switchback_schemas::{
    Seconds, StepId,
    inventory::karpenter::NodePool,
    name::{ObjectName, ObjectRef},
    plan::{
        Action, CaptureKind, Condition, Disruption, Effect, Estimate, FieldTest, KubeCapture, KubeCondition,
        KubeEffect, KubePatch, Operand, Pool, Roll, SetField, Stale, Target, Test, Work,
    },
};

use super::{
    super::context::Road,
    karpenter::{ending, moving, node_pools, rule},
};
use crate::lower::{Draft, Lowering, Rollback, nodes as rolls};

const LIMITS: &str = "/spec/limits";

/// What is kept of every NodePool before the control plane moves, as captures of that step.
pub(in crate::components::eks) fn captures(road: &Road<'_>, mut draft: Draft) -> Draft {
    for node_pool in all_node_pools(road) {
        let what =
            CaptureKind::Kube(KubeCapture::Field { object: object(node_pool), pointer: LIMITS.to_owned() });
        draft = draft.captures(&capture(node_pool), what);
    }
    draft
}

/// What comes before the control plane rolls back.
pub(in crate::components::eks) fn before(road: &Road<'_>, moved: &StepId, out: &mut Lowering) -> Vec<StepId> {
    let mut ends = Vec::new();
    for pool in moving(road) {
        let held: Vec<StepId> =
            node_pools(road, pool).into_iter().map(|node_pool| suspending(road, node_pool)).collect();
        let id = ending(road, pool);
        out.rollback.push(Rollback { after: held, ..end(road, pool) }.named(id.clone(), vec![moved.clone()]));
        out.pools.push(pool.clone());
        ends.push(id);
    }
    for node_pool in all_node_pools(road) {
        out.rollback
            .push(suspend(road, node_pool, moved).named(suspending(road, node_pool), vec![moved.clone()]));
        out.rollback
            .push(restore(road, node_pool, moved).named(restoring(road, node_pool), vec![moved.clone()]));
    }
    ends
}

/// Ends the nodes of a pool that are newer than the control plane that is rolled back to.
fn end(road: &Road<'_>, pool: &Pool) -> Rollback {
    let (rule, nodes) = rule(road, pool);
    let back = Roll {
        stale: Stale::KubeletAtLeast(road.hop.to.clone()),
        canary: None,
        min_ready: 0,
        verify: Vec::new(),
        ..rule
    };
    let title = format!(
        "drain and terminate the nodes of pool {} at {} or newer; their pods stay Pending until the control plane is rolled back",
        pool.name, road.hop.to
    );
    Rollback {
        needs_capacity: true,
        ..Rollback::new(Work {
            timeout: Seconds::hours(24),
            disruption: Disruption::Outage,
            estimate: rolls::estimate(&back, nodes),
            ..Work::new(title, Action::Roll(Roll { observed: 0, ..back }))
        })
    }
}

fn object(node_pool: &NodePool) -> Target {
    Target::Object(ObjectRef::new("karpenter.sh/v1", "NodePool", &ObjectName::cluster(&node_pool.name)))
}

/// Limits under which a NodePool makes no node.
fn nothing() -> serde_json::Value {
    json!({"cpu": "0", "nodes": "0"})
}

fn limits_are(node_pool: &NodePool, is: Test) -> Condition {
    Condition::Kube(KubeCondition::Field { object: object(node_pool), pointer: LIMITS.to_owned(), is })
}

fn set_limits(node_pool: &NodePool, only_if: Test, value: Operand) -> Action {
    Action::Effect(Effect::Kube(KubeEffect::Patch(KubePatch {
        object: object(node_pool),
        subresource: None,
        only_if: vec![FieldTest { pointer: LIMITS.to_owned(), is: only_if }],
        set: vec![SetField { pointer: LIMITS.to_owned(), to: value }],
    })))
}

fn capture(node_pool: &NodePool) -> String {
    format!("limits of {}", node_pool.name)
}

fn captured(node_pool: &NodePool, moved: &StepId) -> Operand {
    Operand::Captured { step: moved.clone(), name: capture(node_pool) }
}

fn suspending(road: &Road<'_>, node_pool: &NodePool) -> StepId {
    road.scope.id(&format!("limits/{}/suspend", node_pool.name))
}

fn restoring(road: &Road<'_>, node_pool: &NodePool) -> StepId {
    road.scope.id(&format!("limits/{}/restore", node_pool.name))
}

/// NodePools of all pools whose nodes follow the control plane.
fn all_node_pools<'r>(road: &'r Road<'_>) -> Vec<&'r NodePool> {
    let mut all: Vec<&NodePool> = Vec::new();
    for pool in moving(road) {
        for node_pool in node_pools(road, pool) {
            if !all.iter().any(|known| known.name == node_pool.name) {
                all.push(node_pool);
            }
        }
    }
    all
}

/// Keeps a NodePool from making nodes at the minor that is left, before its newer nodes go.
fn suspend(road: &Road<'_>, node_pool: &NodePool, moved: &StepId) -> Rollback {
    let zero = || Operand::Value(nothing());
    Rollback {
        lifted_by: Some(restoring(road, node_pool)),
        ..Rollback::new(Work {
            done_when: Some(limits_are(node_pool, Test::Equals(zero()))),
            disruption: Disruption::Outage,
            estimate: Estimate::seconds(2, 10),
            ..Work::new(
                format!(
                    "set the limits of NodePool {} to 0: it makes no nodes at {}",
                    node_pool.name, road.hop.to
                ),
                set_limits(node_pool, Test::Equals(captured(node_pool, moved)), zero()),
            )
        })
    }
}

/// Gives a NodePool its limits back, when the control plane is back.
fn restore(road: &Road<'_>, node_pool: &NodePool, moved: &StepId) -> Rollback {
    let zero = || Test::Equals(Operand::Value(nothing()));
    let held = suspending(road, node_pool);
    Rollback {
        after: vec![moved.clone(), held],
        ..Rollback::new(Work {
            done_when: Some(limits_are(node_pool, Test::Differs(Operand::Value(nothing())))),
            estimate: Estimate::seconds(2, 10),
            ..Work::new(
                format!("restore the limits of NodePool {}", node_pool.name),
                set_limits(node_pool, zero(), captured(node_pool, moved)),
            )
        })
    }
}
