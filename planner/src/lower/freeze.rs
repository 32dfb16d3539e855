//! Drift and consolidation of Karpenter, frozen while it moves, or while something moves that drifts its nodes (user-pain P-14).

use serde_json::json;
use switchback_schemas::{
    Diagnostic, Label, codes,
    inventory::karpenter::{Karpenter, NodePool},
    name::{ObjectName, ObjectRef},
};

use super::suspension::{Parts, Suspended, Titles};
use crate::context::Cx;

/// Where a NodePool has its budgets.
pub(crate) const POINTER: &str = "/spec/disruption/budgets";

/// Freezing every NodePool that made one of some nodes: Karpenter replaces a node that is empty or has drifted. A section that cannot be
/// read is said.
pub fn of_nodes(cx: &Cx<'_>, place: Label, is: impl Fn(&str) -> bool) -> Vec<Suspended> {
    let section = match cx.sections.get::<Karpenter>("karpenter") {
        Ok(section) => section,
        Err(error) => {
            let found = Diagnostic::error(codes::PLAN_UNREADABLE, error).at(place);
            cx.findings.say(found.help("observe again with this release"));
            return Vec::new();
        }
    };
    let nodes = cx.inventory.nodes.iter().filter(|node| is(&node.name));
    let made: Vec<&String> = nodes.filter_map(|node| node.labels.get("karpenter.sh/nodepool")).collect();
    let pools =
        section.iter().flat_map(|section| &section.node_pools).filter(|pool| made.contains(&&pool.name));
    pools.map(|pool| of(pool, "karpenter.sh/v1")).collect()
}

/// Freezing a NodePool: a budget of 0 for every reason, so that nothing drifts and nothing is consolidated.
pub fn of(pool: &NodePool, api_version: &str) -> Suspended {
    let name = &pool.name;
    let mut cannot_stop = vec![
        "interruption of spot capacity by the cloud".to_owned(),
        "repair of nodes that Karpenter finds broken".to_owned(),
    ];
    if let Some(after) = pool.expire_after.as_deref().filter(|after| *after != "Never") {
        let expiry = format!("expiry: nodes of the pool expire after {after}, whatever the budgets say");
        cannot_stop.insert(0, expiry);
    }
    Suspended {
        name: name.clone(),
        parts: Parts { suspend: "freeze", found: "frozen", resume: "thaw" },
        object: ObjectRef::new(api_version, "NodePool", &ObjectName::cluster(name)),
        pointer: POINTER,
        path: "spec.disruption.budgets",
        capture: "budgets",
        value: json!([{"nodes": "0"}]),
        observed: pool.budgets.clone(),
        titles: Titles {
            what: format!("drift and consolidation of NodePool {name}"),
            suspend: format!("freeze drift and consolidation of NodePool {name}"),
            found: format!("check that drift and consolidation of NodePool {name} are still frozen"),
            resume: format!("restore the budgets of NodePool {name}"),
            undo_suspend: format!("restore the budgets of NodePool {name}"),
            undo_resume: format!("freeze NodePool {name} again"),
            already: format!(
                "NodePool {name} has a budget of 0 already, not by this plan, which leaves it so"
            ),
        },
        cannot_stop,
        owner: "the owner of the NodePool".to_owned(),
    }
}
