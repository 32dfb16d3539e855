//! Nodes that no pool of the Platform has, or that no roll of the plan moves: each is in exactly one pool, or in a line that says what
//! becomes of it.

use std::collections::{BTreeMap, BTreeSet};

use switchback_schemas::{
    Diagnostic, codes,
    inventory::{
        Node,
        eks::EksSection,
        karpenter::{Karpenter, NodePool},
    },
    name::Label,
    plan::{
        Action, Condition, Effect, EksEffect, Fate, KubeCondition, Outside, Pool, Step, Strategy, Target,
    },
};

use super::{Moves, NODE_GROUP, NODE_POOL, names};
use crate::{context::Cx, index::nodes_of};

/// Names that are listed of nodes that nothing groups.
const LISTED: usize = 5;

/// Says which pools select the same nodes, and which select nothing.
pub(super) fn pools(cx: &Cx<'_>) {
    let place = |text: &str| cx.label(cx.manifests.platform.doc, "/spec/pools", text);
    let mut shared: BTreeMap<(&Label, &Label), Vec<&str>> = BTreeMap::new();
    for node in &cx.inventory.nodes {
        let of = |pool: &&Pool| pool.labels.iter().all(|(key, value)| node.labels.get(key) == Some(value));
        let mut inside = cx.pools.iter().filter(of);
        if let (Some(one), Some(other)) = (inside.next(), inside.next()) {
            shared.entry((&one.name, &other.name)).or_default().push(&node.name);
        }
    }
    for ((one, other), nodes) in shared {
        let message = format!("pools {one} and {other} select the same {}", counted(&nodes));
        cx.findings.say(
            Diagnostic::error(codes::PLAN_POOLS, message)
                .at(place("two of these"))
                .help("narrow `matchLabels` of one of them: a node moves with one pool"),
        );
    }
    for pool in cx.pools.iter().filter(|pool| !is_known(cx, pool)) {
        let labels: Vec<String> = pool.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let message = format!(
            "pool {} selects nothing: no node, NodePool or node group has {}",
            pool.name,
            labels.join(", ")
        );
        let help = "correct its `matchLabels`, or take the pool out";
        let found = match pool.strategy {
            Strategy::Keep => Diagnostic::warning(codes::PLAN_POOLS, message),
            _ => Diagnostic::error(codes::PLAN_POOLS, message),
        };
        cx.findings.say_about(pool.name.as_str(), found.at(place("one of these")).help(help));
    }
}

fn counted(nodes: &[&str]) -> String {
    let listed = nodes.iter().take(LISTED).copied().collect::<Vec<_>>().join(", ");
    let more = if nodes.len() > LISTED { ", …" } else { "" };
    let noun = if nodes.len() == 1 { "node" } else { "nodes" };
    format!("{} {noun} ({listed}{more})", nodes.len())
}

/// Whether a pool selects nodes, or something that may make some.
fn is_known(cx: &Cx<'_>, pool: &Pool) -> bool {
    let karpenter = cx.sections.get::<Karpenter>("karpenter").ok().flatten();
    let eks = cx.sections.get::<EksSection>("eks").ok().flatten();
    let of_template = |made: &NodePool| {
        let labels = made.template.as_ref().map(|template| &template.labels);
        pool.labels.iter().all(|(key, value)| {
            (key == NODE_POOL && *value == made.name)
                || labels.is_some_and(|labels| labels.get(key) == Some(value))
        })
    };
    let groups = eks.iter().flat_map(|section| section.0.values()).flat_map(|cluster| &cluster.nodegroups);
    !nodes_of(cx.inventory, pool).is_empty()
        || karpenter.iter().flat_map(|section| &section.node_pools).any(of_template)
        || groups.into_iter().any(|group| {
            pool.labels.iter().all(|(key, value)| {
                (key == NODE_GROUP && *value == group.name) || group.labels.get(key) == Some(value)
            })
        })
}

/// What becomes of nodes that the plan does not move, where it moves some, or suspends what else would move them.
pub(super) fn all(cx: &Cx<'_>, moves: &Moves<'_>) -> Vec<Outside> {
    let thawed = thawed(moves);
    if moves.pools.is_empty() && thawed.is_empty() {
        return Vec::new();
    }
    let karpenter = cx.sections.get::<Karpenter>("karpenter").ok().flatten();
    let leaving = names(cx.inventory, moves.pools);
    let mut groups: BTreeMap<(String, Option<Label>), Vec<&Node>> = BTreeMap::new();
    let pool_of = |node: &Node| {
        let inside =
            |pool: &&Pool| pool.labels.iter().all(|(key, value)| node.labels.get(key) == Some(value));
        cx.pools.iter().find(inside).map(|pool| pool.name.clone())
    };
    for node in cx.inventory.nodes.iter().filter(|node| !leaving.contains(node.name.as_str())) {
        groups.entry((group(node), pool_of(node))).or_default().push(node);
    }
    // A NodePool without nodes may have some tomorrow.
    for made in karpenter.iter().flat_map(|section| &section.node_pools) {
        let what = format!("NodePool {}", made.name);
        let named = |pool: &Pool| pool.labels.get(NODE_POOL) == Some(&made.name);
        let has_nodes = cx.inventory.nodes.iter().any(|node| node.labels.get(NODE_POOL) == Some(&made.name));
        if !has_nodes && !cx.pools.iter().any(named) {
            groups.entry((what, None)).or_default();
        }
    }
    let mut found: Vec<Outside> = Vec::new();
    for ((what, pool), nodes) in groups {
        let made = nodes.first().and_then(|node| node.labels.get(NODE_POOL));
        let made = made.filter(|name| thawed.contains(name.as_str()));
        let made = made.and_then(|name| {
            karpenter.iter().flat_map(|section| &section.node_pools).find(|made| made.name == *name)
        });
        let fate = made.map_or(Fate::Stay {}, |made| fate(made, &nodes, moves, karpenter.as_deref()));
        if pool.is_some() && fate == (Fate::Stay {}) {
            continue;
        }
        let what = match what.as_str() {
            "" => named(&nodes),
            _ => what,
        };
        found.push(Outside { what, pool, nodes: nodes.len() as u64, fate });
    }
    found.sort();
    for outside in &found {
        warn(cx, outside);
    }
    found
}

/// What nodes are called together; nothing for those that nothing groups.
fn group(node: &Node) -> String {
    let label = |key: &str| node.labels.get(key);
    let pool = label(NODE_POOL).map(|name| format!("NodePool {name}"));
    pool.or_else(|| label(NODE_GROUP).map(|name| format!("node group {name}"))).unwrap_or_default()
}

fn named(nodes: &[&Node]) -> String {
    let names: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
    counted(&names)
}

/// NodePools that the plan suspends and resumes.
fn thawed<'a>(moves: &Moves<'a>) -> BTreeSet<&'a str> {
    let held = moves.suspensions.iter().flat_map(|suspension| suspension.held.leaves());
    held.filter_map(|condition| match condition {
        Condition::Kube(KubeCondition::Field { object: Target::Object(object), .. })
            if object.kind == "NodePool" =>
        {
            Some(object.name.as_str())
        }
        _ => None,
    })
    .collect()
}

/// What drift takes when a NodePool is thawed.
fn fate(made: &NodePool, nodes: &[&Node], moves: &Moves<'_>, karpenter: Option<&Karpenter>) -> Fate {
    let all = nodes.len() as u64;
    let drifted = nodes.iter().filter(|node| node.node_claim.as_ref().is_some_and(|claim| claim.drifted));
    let drifted = drifted.count() as u64;
    let classes = karpenter.iter().flat_map(|section| &section.node_classes);
    let follows =
        classes.into_iter().any(|class| class.name == made.node_class && !class.ami_aliases.is_empty());
    let minor =
        |step: &Step| matches!(step.work.action, Action::Effect(Effect::Eks(EksEffect::UpdateCluster(_))));
    if moves.steps.iter().any(minor) && follows {
        let why = "its image goes by an alias, which follows the control plane".to_owned();
        return Fate::Drift { at_least: all, at_most: all, why };
    }
    let why =
        format!("{drifted} had drifted when observed; what the upgrade makes drift is known afterwards only");
    Fate::Drift { at_least: drifted, at_most: all, why }
}

/// Says what drift takes. What stays as it is stands in the plan.
fn warn(cx: &Cx<'_>, outside: &Outside) {
    let Outside { what, pool, nodes, fate: Fate::Drift { at_least, at_most, why } } = outside else { return };
    let of = match pool {
        Some(pool) => format!("{what} of pool {pool} is not moved by this plan"),
        None => format!("{what} is in no pool of the Platform"),
    };
    let many = match at_least == at_most {
        true => at_least.to_string(),
        false => format!("{at_least} to {at_most}"),
    };
    let message = format!(
        "{of}: when it is thawed Karpenter replaces {many} of its {nodes} nodes by itself, within its own budgets: {why}"
    );
    let help = match pool {
        None => "give these nodes a pool under `pools:`; `strategy: keep` says that they stay",
        Some(_) => "let the pool move with this plan, or leave it to Karpenter",
    };
    cx.findings.say_about(
        what,
        Diagnostic::warning(codes::PLAN_OUTSIDE, message)
            .at(cx.label(cx.manifests.platform.doc, "/spec/pools", "none of these"))
            .help(help),
    );
}
