//! Managed node groups of EKS: how they are called, of which pools they are, whether there is room for a second one, and how one takes
//! over from another.

pub mod capacity;
pub mod cluster;
pub mod names;
pub mod replace;
mod replacing;

use std::collections::BTreeMap;

use serde_json::json;
use switchback_schemas::{
    inventory::{Node, eks::Nodegroup},
    plan::{Condition, FieldTest, Find, KubeCondition, Pool, Test},
};

use self::names::NODEGROUP;
pub use self::replacing::{NewImage, Replacing};
use crate::{context::Cx, index::nodes_of};

/// The pools of a group: by the labels that it gives its nodes, and by the nodes that are there.
pub fn pools_of<'a>(cx: &'a Cx<'_>, group: &Nodegroup, nodes: &[&Node]) -> Vec<&'a Pool> {
    let mut given = group.labels.clone();
    given.insert(NODEGROUP.to_owned(), group.name.clone());
    let has = |labels: &BTreeMap<String, String>, pool: &Pool| {
        pool.labels.iter().all(|(key, value)| labels.get(key) == Some(value))
    };
    let inside = |pool: &&Pool| has(&given, pool) || nodes.iter().any(|node| has(&node.labels, pool));
    cx.pools.iter().filter(inside).collect()
}

/// Nodes of a group, as observed.
pub fn nodes_in<'a>(cx: &Cx<'a>, group: &str) -> Vec<&'a Node> {
    let of_group = |node: &&Node| node.labels.get(NODEGROUP).is_some_and(|name| name == group);
    cx.inventory.nodes.iter().filter(of_group).collect()
}

/// Ready nodes of a pool, as observed.
pub fn ready_in(cx: &Cx<'_>, pool: &Pool) -> u64 {
    let seen = nodes_of(cx.inventory, pool);
    seen.iter().filter(|node| node.ready && node.schedulable).count() as u64
}

/// So many nodes with these labels are Ready.
pub fn ready(labels: &BTreeMap<String, String>, at_least: u64) -> Condition {
    let is = Test::Contains(json!({"type": "Ready", "status": "True"}));
    so_many(labels, vec![FieldTest { pointer: "/status/conditions".to_owned(), is }], at_least)
}

/// So many nodes with these labels pass tests of their fields.
pub fn so_many(labels: &BTreeMap<String, String>, each: Vec<FieldTest>, at_least: u64) -> Condition {
    Condition::Kube(KubeCondition::Count {
        find: nodes(labels),
        each,
        at_least: Some(at_least),
        at_most: None,
    })
}

/// Nodes with these labels.
pub fn nodes(labels: &BTreeMap<String, String>) -> Find {
    Find { api_version: "v1".to_owned(), kind: "Node".to_owned(), namespace: None, labels: labels.clone() }
}
