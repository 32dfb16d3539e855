//! Pools of Karpenter (`nodeclaim`) under a new minor. Where the image of a NodeClass goes by an alias it follows the control plane,
//! so Karpenter drifts every node of it: it is frozen before, and the nodes are rolled here (user-pain P-14).
//!
//! Karpenter makes a node at the control plane's own minor, always, and EKS takes no control plane back under newer nodes. So on the
//! way back the NodePools are kept from making any, the newer nodes are drained and go, and what stood on them waits until the
//! control plane is back: an outage of the pool, and the plan says so.

use serde_json::json;
use switchback_schemas::{
    Diagnostic, Seconds, StepId, codes,
    inventory::karpenter::{Karpenter, NodeClass, NodePool},
    manifest::LastNodes,
    name::{ObjectName, ObjectRef},
    plan::{
        Action, BlindSpot, CaptureKind, Condition, Disruption, Effect, Estimate, FieldTest, KubePatch,
        Operand, Pool, Roll, SetField, Stale, Strategy, Target, Test, Undo, UndoStep, Wait,
    },
};

use super::{lower::Road, names::NODEPOOL, nodes};
use crate::{
    context::Cx,
    lower::{Lowering, checks, nodes as rolls, permission, undo_step},
};

const LIMITS: &str = "/spec/limits";
const CAPTURE: &str = "limits";

/// NodeClasses of a pool: by the NodePools that its labels or its nodes name.
fn classes<'k>(cx: &Cx<'_>, section: &'k Karpenter, pool: &Pool) -> Vec<&'k NodeClass> {
    let nodes = checks::nodes_of(cx.inventory, pool);
    let named = |name: &str| {
        pool.labels.get(NODEPOOL).is_some_and(|label| label == name)
            || nodes.iter().any(|node| node.labels.get(NODEPOOL).is_some_and(|label| label == name))
    };
    let of: Vec<&str> = section
        .node_pools
        .iter()
        .filter(|node_pool| named(&node_pool.name))
        .map(|node_pool| node_pool.node_class.as_str())
        .collect();
    section.node_classes.iter().filter(|class| of.contains(&class.name.as_str())).collect()
}

fn pools<'a>(cx: &'a Cx<'_>) -> impl Iterator<Item = &'a Pool> {
    cx.pools.iter().filter(|pool| pool.strategy == Strategy::Nodeclaim)
}

/// Pools whose image goes by an alias: their nodes follow the control plane.
pub(super) fn moving<'a>(cx: &'a Cx<'_>, section: Option<&Karpenter>) -> Vec<&'a Pool> {
    let Some(section) = section else { return Vec::new() };
    let follows = |pool: &&Pool| classes(cx, section, pool).iter().any(|class| !class.ami_aliases.is_empty());
    pools(cx).filter(follows).collect()
}

/// Says what pools of Karpenter cannot do that the manifest asks for.
pub(super) fn observed(cx: &Cx<'_>, road: &Road<'_>) {
    let place = |text: &str| cx.label(road.doc.doc, "/spec/nodes", text);
    let Some(section) = &road.karpenter else {
        if let Some(pool) = pools(cx).next() {
            let message =
                format!("pool {} is Karpenter's, and the inventory holds nothing about Karpenter", pool.name);
            cx.findings.say(
                Diagnostic::error(codes::PLAN_INVENTORY_MISSING, message)
                    .at(cx.label(cx.manifests.platform.doc, "/spec/pools", "needs it"))
                    .help("observe again with credentials that may list NodePools and NodeClaims"),
            );
        }
        return;
    };
    let moving = moving(cx, Some(section));
    for pool in pools(cx) {
        let names: Vec<&str> = classes(cx, section, pool).iter().map(|class| class.name.as_str()).collect();
        let names = names.join(", ");
        if !moving.contains(&pool) {
            let message = format!(
                "nodes of pool {} stay at their minor: the image of EC2NodeClass {names} goes by no alias",
                pool.name
            );
            cx.findings.say_about(
                pool.name.as_str(),
                Diagnostic::warning(codes::PLAN_STRATEGY, message)
                    .at(cx.label(cx.manifests.platform.doc, "/spec/pools", "one of these"))
                    .help("point it to an image of the new minor yourself after the plan, and upgrade Karpenter's nodes then"),
            );
        } else if road.doc.spec.nodes == LastNodes::Stay {
            let message = format!(
                "nodes of pool {} cannot stay behind: EC2NodeClass {names} takes its image by an alias, which follows the \
                 control plane, and Karpenter replaces them as soon as it may",
                pool.name
            );
            cx.findings.say(
                Diagnostic::error(codes::PLAN_STRATEGY, message)
                    .at(place("these do not stay"))
                    .help("let nodes follow, or select its image by id before the plan is made"),
            );
        }
    }
}

/// Adds the roll of one pool.
pub(super) fn steps(road: &Road<'_>, pool: &Pool, after: &[StepId], to: &mut Lowering) -> StepId {
    let cx = road.cx;
    let minor = &road.hop.to;
    let inside = checks::nodes_of(cx.inventory, pool);
    let old =
        inside.iter().filter(|node| node.kubelet.as_ref().is_none_or(|kubelet| kubelet < minor)).count();
    let (nodes, observed) = (inside.len() as u64, old as u64);
    let rollout = &road.doc.spec.rollout;
    let canary = rollout.canary.as_ref().map(|canary| cx.verifications(&canary.verify)).unwrap_or_default();
    let mut rule: Roll = rolls::roll(rolls::RollPlan {
        pool,
        stale: Stale::KubeletBelow(minor.clone()),
        observed,
        nodes,
        rollout,
        canary_verify: canary,
        batch_verify: Vec::new(),
    });
    rule.verify = vec![rolls::ready(pool, rule.floor.max(1).min(nodes), Seconds::minutes(20))];
    let baseline = baseline(road, pool, &rule, nodes, after, to);
    let held = hold(road, pool, &baseline, to);
    let part = format!("nodes/{}/roll", pool.name);
    let undo = match road.hop.from {
        Some(_) => Undo::CoveredBy {
            step: baseline.clone(),
            why: "on the way back every node that is newer than the control plane goes".to_owned(),
        },
        None => Undo::ReadOnly {
            why: "a node that is gone is not put back: Karpenter makes nodes at the control plane's minor"
                .to_owned(),
        },
    };
    let takes = rolls::estimate(&rule, nodes);
    let mut draft = road
        .scope
        .roll(&part, format!("move the nodes of pool {} to {minor}", pool.name), rule, undo)
        .needs(&baseline, "the pool had its floor before", None)
        .time(Seconds::hours(24), takes)
        .idempotent()
        .disrupts(Disruption::Drain, Some(pool.tier))
        .permits(rolls::permissions());
    for step in &held {
        draft = draft.needs(step, "the way back begins by keeping new nodes from being made", None);
    }
    to.pools.push(pool.clone());
    to.blind_spots.push(BlindSpot {
        what: format!("which image Karpenter gives to nodes of pool {} at {minor}", pool.name),
        why: "its alias is resolved by Karpenter when the control plane has moved".to_owned(),
    });
    to.add(draft.done())
}

/// The pool has its floor before its nodes move. Its undo ends those that are newer than the control plane that is gone back to.
fn baseline(
    road: &Road<'_>,
    pool: &Pool,
    rule: &Roll,
    nodes: u64,
    after: &[StepId],
    to: &mut Lowering,
) -> StepId {
    let floor = nodes::floor(road, nodes);
    let until = Condition::NodesReady { pool: pool.name.clone(), at_least: floor };
    let title = format!("see that pool {} has its floor of {floor} Ready nodes", pool.name);
    let back = Roll {
        stale: Stale::KubeletAtLeast(road.hop.to.clone()),
        canary: None,
        floor: 0,
        verify: Vec::new(),
        ..rule.clone()
    };
    let undo = match &road.hop.from {
        Some(from) => Undo::Step(Box::new(UndoStep {
            timeout: Seconds::hours(24),
            disruption: Disruption::Outage,
            estimate: rolls::estimate(&back, nodes),
            needs_capacity: true,
            permissions: rolls::permissions(),
            ..undo_step(
                format!(
                    "drain and end the nodes of pool {} that are newer than {from}; what stood on them waits for the control plane",
                    pool.name
                ),
                Action::Roll(Roll { observed: 0, ..back }),
            )
        })),
        None => Undo::ReadOnly { why: "it only looks".to_owned() },
    };
    let mut draft = road
        .scope
        .step(&format!("nodes/{}/baseline", pool.name), title, Effect::Wait(Wait { until }), undo, Vec::new())
        .time(Seconds::minutes(10), Estimate::seconds(5, 30))
        .idempotent();
    for step in after {
        draft = draft.needs(step, nodes::ONE_BY_ONE, None);
    }
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
            let undo = UndoStep {
                done_when: Some(limits_are(node_pool, Test::Differs(Operand::Value(nothing())))),
                estimate: Estimate::seconds(2, 10),
                permissions: permissions(),
                ..undo_step(
                    format!("let NodePool {} make nodes again", node_pool.name),
                    set_limits(node_pool, zero(), captured),
                )
            };
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
    if road.hop.from.is_none() {
        return Vec::new();
    }
    let mut held = Vec::new();
    for node_pool in node_pools(road, pool) {
        let limits = road.scope.id(&limits_part(node_pool));
        let captured = || Operand::Captured { step: limits.clone(), name: CAPTURE.to_owned() };
        let zero = || Operand::Value(nothing());
        let undo = UndoStep {
            done_when: Some(limits_are(node_pool, Test::Equals(zero()))),
            disruption: Disruption::Outage,
            estimate: Estimate::seconds(2, 10),
            permissions: permissions(),
            ..undo_step(
                format!("keep NodePool {} from making nodes at {}", node_pool.name, road.hop.to),
                set_limits(node_pool, Test::Equals(captured()), zero()),
            )
        };
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
