//! Nodes.

use serde_json::Value;
use switchback_schemas::inventory::{ClaimRef, Node};

use crate::{
    claims::{self, Claim},
    fields::{text, texts},
    nodes::{self, is_cordoned, is_ready},
    pods::{gpus, needs},
};

pub(super) fn read(objects: &[Value], claims: &[Claim]) -> Vec<Node> {
    let mut nodes: Vec<Node> = objects.iter().map(|object| node(object, claims)).collect();
    nodes.sort_by(|a, b| a.name.cmp(&b.name));
    nodes
}

fn node(object: &Value, claims: &[Claim]) -> Node {
    let provider_id = text(object, "/spec/providerID");
    let claim = claims::of_node(claims, object);
    Node {
        name: text(object, "/metadata/name").to_owned(),
        uid: text(object, "/metadata/uid").to_owned(),
        provider_id: (!provider_id.is_empty()).then(|| provider_id.to_owned()),
        labels: texts(object, "/metadata/labels"),
        kubelet: text(object, "/status/nodeInfo/kubeletVersion").parse().ok(),
        ready: is_ready(object),
        schedulable: !is_cordoned(object),
        gpus: gpus::of_node(object),
        node_claim: claim.map(|claim| ClaimRef {
            name: claim.name.clone(),
            uid: claim.uid.clone(),
            drifted: claim.drifted,
        }),
        objections: nodes::objections(object),
        taints: needs::taints(needs::list(object, "/spec/taints")),
        capacity: needs::amounts(object.pointer("/status/capacity")),
    }
}
