//! Pools of Karpenter (`nodeclaim`) under a new minor. Where the image of a NodeClass goes by an alias it follows the control plane,
//! so Karpenter drifts every node of it: it is frozen before, and the nodes are rolled here (user-pain P-14).
//!
//! Karpenter makes a node at the control plane's own minor, always, and EKS takes no control plane back under newer nodes. So on the
//! rollback the NodePools are kept from making any, the newer nodes are drained and go, and what stood on them waits until the
//! control plane is back: an outage of the pool, and the plan says so.

use switchback_schemas::{
    Diagnostic, Seconds, StepId, codes,
    inventory::{
        Node,
        karpenter::{Karpenter, NodeClass, NodePool},
    },
    plan::{BlindSpot, Disruption, Pool, Roll, Stale, Strategy},
};

use super::super::{
    LastNodes,
    context::{ONE_BY_ONE, Road},
    refs::NODEPOOL,
};
use crate::{
    context::Cx,
    index::nodes_of,
    lower::{Lowering, Undoing, nodes as rolls},
};

/// NodePools of a pool: those that its labels or its nodes name.
fn named<'k>(cx: &Cx<'_>, section: &'k Karpenter, pool: &Pool) -> Vec<&'k NodePool> {
    let nodes = nodes_of(cx.inventory, pool);
    let named = |name: &str| {
        pool.labels.get(NODEPOOL).is_some_and(|label| label == name)
            || nodes.iter().any(|node| node.labels.get(NODEPOOL).is_some_and(|label| label == name))
    };
    section.node_pools.iter().filter(|node_pool| named(&node_pool.name)).collect()
}

/// The same of a hop's Karpenter.
pub(in crate::components::eks) fn node_pools<'r>(road: &'r Road<'_>, pool: &Pool) -> Vec<&'r NodePool> {
    road.own.karpenter.as_deref().map(|section| named(road.cx, section, pool)).unwrap_or_default()
}

/// NodeClasses of a pool.
fn classes<'k>(cx: &Cx<'_>, section: &'k Karpenter, pool: &Pool) -> Vec<&'k NodeClass> {
    let of: Vec<&str> = named(cx, section, pool).iter().map(|found| found.node_class.as_str()).collect();
    section.node_classes.iter().filter(|class| of.contains(&class.name.as_str())).collect()
}

fn pools<'a>(cx: &'a Cx<'_>) -> impl Iterator<Item = &'a Pool> {
    cx.pools.iter().filter(|pool| pool.strategy == Strategy::Nodeclaim)
}

/// Pools whose image goes by an alias: their nodes follow the control plane.
pub(in crate::components::eks) fn moving<'r>(road: &'r Road<'_>) -> Vec<&'r Pool> {
    let cx = road.cx;
    let Some(section) = road.own.karpenter.as_deref() else { return Vec::new() };
    let follows = |pool: &&Pool| classes(cx, section, pool).iter().any(|class| !class.ami_aliases.is_empty());
    pools(cx).filter(follows).collect()
}

/// Nodes that Karpenter makes anew in every hop.
pub(in crate::components::eks) fn claimed<'r>(road: &'r Road<'_>) -> Vec<&'r Node> {
    let pools = moving(road);
    pools.into_iter().flat_map(|pool| nodes_of(road.inventory, pool)).collect()
}

/// Says what pools of Karpenter cannot do that the manifest asks for.
pub(in crate::components::eks) fn observed(road: &Road<'_>) {
    let place = |text: &str| road.label(road.doc.doc, "/spec/nodes", text);
    let Some(section) = road.own.karpenter.as_deref() else {
        if let Some(pool) = pools(road.cx).next() {
            let message =
                format!("pool {} is Karpenter's, and the inventory holds nothing about Karpenter", pool.name);
            road.findings.say(
                Diagnostic::error(codes::PLAN_INVENTORY_MISSING, message)
                    .at(road.pool_label(pool, "needs it"))
                    .help("observe again with credentials that may list NodePools and NodeClaims"),
            );
        }
        return;
    };
    let moving = moving(road);
    for pool in pools(road.cx) {
        let names: Vec<&str> =
            classes(road.cx, section, pool).iter().map(|class| class.name.as_str()).collect();
        let names = names.join(", ");
        if !moving.contains(&pool) {
            let message = format!(
                "nodes of pool {} stay at their minor: the image of EC2NodeClass {names} goes by no alias",
                pool.name
            );
            road.findings.say_about(
                pool.name.as_str(),
                Diagnostic::warning(codes::PLAN_STRATEGY, message)
                    .at(road.pool_label(pool, "this pool"))
                    .help("point it to an image of the new minor yourself after the plan, and upgrade Karpenter's nodes then"),
            );
        } else if road.doc.spec.nodes == LastNodes::Stay {
            let message = format!(
                "nodes of pool {} cannot stay behind: EC2NodeClass {names} takes its image by an alias, which follows the \
                 control plane, and Karpenter replaces them as soon as it may",
                pool.name
            );
            road.findings.say(
                Diagnostic::error(codes::PLAN_STRATEGY, message)
                    .at(place("these do not stay"))
                    .help("let nodes follow, or select its image by id before the plan is made"),
            );
        }
    }
}

/// The rule by which the nodes of a pool move, and how many it has.
pub(in crate::components::eks) fn rule(road: &Road<'_>, pool: &Pool) -> (Roll, u64) {
    let cx = road.cx;
    let minor = &road.hop.to;
    let inside = nodes_of(cx.inventory, pool);
    let old =
        inside.iter().filter(|node| node.kubelet.as_ref().is_none_or(|kubelet| kubelet < minor)).count();
    let (nodes, observed) = (inside.len() as u64, old as u64);
    let stale = Stale::KubeletBelow(minor.clone());
    let rule = rolls::roll_for(cx, &road.scope, pool, &road.doc.spec.rollout, stale, (observed, nodes));
    (rule, nodes)
}

/// The rollback step that ends the newer nodes of a pool.
pub(in crate::components::eks) fn ending(road: &Road<'_>, pool: &Pool) -> StepId {
    road.scope.id(&format!("nodes/{}/terminate", pool.name))
}

/// Adds the roll of one pool.
pub(in crate::components::eks) fn steps(
    road: &Road<'_>,
    pool: &Pool,
    after: &[StepId],
    out: &mut Lowering,
) -> StepId {
    let minor = &road.hop.to;
    let (rule, nodes) = rule(road, pool);
    let undo = match road.hop.from {
        Some(_) => Undoing::With(ending(road, pool)),
        None => Undoing::Unneeded(
            "a terminated node is not restored: Karpenter makes nodes at the control plane's minor"
                .to_owned(),
        ),
    };
    let takes = rolls::estimate(&rule, nodes);
    let part = format!("nodes/{}/roll", pool.name);
    let mut draft = road
        .scope
        .roll(&part, format!("move the nodes of pool {} to {minor}", pool.name), rule, undo)
        .time(Seconds::hours(24), takes)
        .idempotent()
        .disrupts(Disruption::Drain, Some(pool.tier));
    for step in after {
        draft = draft.needs(step, ONE_BY_ONE, None);
    }
    out.pools.push(pool.clone());
    out.blind_spots.push(BlindSpot {
        what: format!("which image Karpenter gives to nodes of pool {} at {minor}", pool.name),
        why: "its alias is resolved by Karpenter when the control plane has moved".to_owned(),
    });
    out.add(draft)
}
