//! Members of a roll: the nodes of its pool, and what the roll's rule and order look at.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;
use switchback_executor::ports::{Call, Classify as _, Failure, Member};
use switchback_schemas::{
    Version,
    journal::{Class, Evidence, Item, NodeClaimRef},
    name::ItemKey,
    plan::{Objection, Roll, Stale, WorkloadClass},
};

use crate::{
    api::{Kinds, Query, Reader},
    claims::{self, Claim},
    classify::CallError,
    conditions::daemon_pods,
    fields::text,
    nodes::{self, built_in},
    pods::{
        classes::{self, PodTraits},
        filters::{Standing, daemon_set, standing},
        gpus, objections,
        owners::{Chain, Owners},
    },
};

pub(crate) async fn members(api: &Reader, call: &Call, roll: &Roll) -> Result<Vec<Member>, Failure> {
    let read = |error: CallError| error.failure();
    let kinds = Kinds::new(api);
    let node = built_in("v1", "Node").map_err(read)?;
    let found = api.list(&node, &Query::labelled(&roll.labels)).await.map_err(read)?;
    let claims = claims::all(api, &kinds).await.map_err(read)?;
    let mut loads = loads(api, &kinds, call, &found).await.map_err(read)?;
    let daemons = match &roll.stale {
        Stale::PodsNot(pods) => daemon_pods::list(api, pods).await.map_err(read)?,
        _ => Vec::new(),
    };
    found
        .iter()
        .map(|node| {
            let name = text(node, "/metadata/name");
            let load = loads.remove(name).unwrap_or_default();
            let daemons = daemons.iter().filter(|pod| text(pod, "/spec/nodeName") == name).collect();
            let begun = nodes::cordoned_by(node) == Some(call.run.as_str());
            let claim = claims::of_node(&claims, node);
            member(node, &Beside { claim, daemons, begun }, &roll.stale, load)
        })
        .collect()
}

/// What tells whether a node has to move, beside the node itself.
#[derive(Debug, Default)]
struct Beside<'a> {
    /// Its NodeClaim.
    claim: Option<&'a Claim>,
    /// Its pods of the DaemonSets that the rule asks about.
    daemons: Vec<&'a Value>,
    /// Whether this run has cordoned it, and not uncordoned it since.
    begun: bool,
}

/// What stands on a node.
#[derive(Debug, Default)]
struct Load {
    pods: u64,
    protected: u64,
    gangs: BTreeSet<String>,
    /// UIDs of the topmost controllers of its pods, of pods without any, and of its DaemonSets.
    workloads: BTreeSet<String>,
}

async fn loads(
    api: &Reader,
    kinds: &Kinds<'_>,
    call: &Call,
    nodes: &[Value],
) -> Result<BTreeMap<String, Load>, CallError> {
    let by_name: BTreeMap<&str, &Value> =
        nodes.iter().map(|node| (text(node, "/metadata/name"), node)).collect();
    let mut owners = Owners::new(api, kinds);
    // Most chains go through a ReplicaSet; one list is cheaper than one read each.
    match api.list(&built_in("apps/v1", "ReplicaSet")?, &Query::all()).await {
        Ok(sets) => owners.know(&sets),
        Err(error) if error.is_forbidden() => {}
        Err(error) => return Err(error),
    }
    let mut loads: BTreeMap<String, Load> = BTreeMap::new();
    for pod in api.list(&nodes::pods()?, &Query::all()).await? {
        let Some(node) = by_name.get(text(&pod, "/spec/nodeName")) else { continue };
        if standing(&pod) == Standing::Stays {
            // A drain leaves it there; what becomes of the node becomes of it, and who counts has to know whose doing that was.
            let load = loads.entry(text(&pod, "/spec/nodeName").to_owned()).or_default();
            load.workloads.extend(daemon_set(&pod).map(|set| text(set, "/uid").to_owned()));
            continue;
        }
        let chain = owners.chain(&pod).await?;
        let on_gpu_node = nodes::has_gpus(node, &call.fleet.pools) || gpus::held_by(&pod);
        let seen = PodTraits { pod: &pod, owner_kinds: chain.kinds(), on_gpu_node };
        let class = classes::class_of(&call.fleet.classes, &seen);
        let load = loads.entry(text(&pod, "/spec/nodeName").to_owned()).or_default();
        load.pods += 1;
        let uid =
            chain.top().map_or_else(|| text(&pod, "/metadata/uid").to_owned(), |owner| owner.uid.clone());
        load.workloads.insert(uid);
        load.protected += u64::from(classes::protects(class, &seen) || holds(class, &pod, &chain));
        // A gang that may move in parts keeps no nodes together.
        if class.is_some_and(|class| class.gang && !class.overrides.contains(&Objection::GangBudget)) {
            load.gangs.extend(chain.top().map(|owner| owner.object.to_string()));
        }
    }
    // A node that somebody said no to comes last, whatever stands on it.
    for node in nodes.iter().filter(|node| !nodes::objections(node).is_empty()) {
        loads.entry(text(node, "/metadata/name").to_owned()).or_default().protected += 1;
    }
    Ok(loads)
}

/// Whether a pod holds its node until somebody decides.
fn holds(class: Option<&WorkloadClass>, pod: &Value, chain: &Chain) -> bool {
    chain.unread.is_some() || !WorkloadClass::unresolved(class, &objections::of_pod(pod)).is_empty()
}

fn member(node: &Value, beside: &Beside<'_>, stale: &Stale, load: Load) -> Result<Member, Failure> {
    let name = text(node, "/metadata/name");
    let broken = |what: &str| Failure {
        class: Class::Refused,
        evidence: Evidence::line(switchback_executor::untrusted::text::line(&format!(
            "node {name} has {what}"
        ))),
    };
    let label = |key: &str| {
        let labels = node.pointer("/metadata/labels");
        labels.and_then(|labels| labels.get(key)?.as_str()).unwrap_or_default().to_owned()
    };
    let provider_id = text(node, "/spec/providerID");
    let item = Item {
        key: ItemKey::new(text(node, "/metadata/uid")).map_err(|_| broken("no usable UID"))?,
        name: name.to_owned(),
        provider_id: (!provider_id.is_empty()).then(|| provider_id.to_owned()),
        node_claim: beside
            .claim
            .map(|claim| NodeClaimRef { name: claim.name.clone(), uid: claim.uid.clone() }),
        hardware: label("node.kubernetes.io/instance-type"),
        zone: label("topology.kubernetes.io/zone"),
        workloads: load.workloads,
    };
    let created: Timestamp =
        text(node, "/metadata/creationTimestamp").parse().map_err(|_| broken("no readable creation time"))?;
    Ok(Member {
        item,
        stale: is_stale(node, beside, stale),
        available: nodes::is_ready(node) && !nodes::is_cordoned(node),
        created,
        pods: load.pods,
        protected: load.protected,
        gangs: load.gangs.into_iter().collect(),
    })
}

fn is_stale(node: &Value, beside: &Beside<'_>, stale: &Stale) -> bool {
    match stale {
        Stale::Drifted {} => beside.claim.is_some_and(|claim| claim.drifted),
        // A kubelet that reports no version number is not known to be old.
        Stale::KubeletBelow(version) => kubelet(node).is_some_and(|kubelet| kubelet < *version),
        Stale::KubeletAtLeast(version) => kubelet(node).is_some_and(|kubelet| kubelet >= *version),
        // When the step ended stands in the journal: the executor compares it with `created`.
        Stale::BornBefore(_) => true,
        Stale::LabelNot { key, value, or_left } => {
            let labels = node.pointer("/metadata/labels");
            (*or_left && beside.begun) || labels.and_then(|labels| labels.get(key)?.as_str()) != Some(value)
        }
        // A node that was left in the middle may have its pod again, and has still to be given back.
        Stale::PodsNot(pods) => {
            let mut present = beside.daemons.iter().filter(|pod| daemon_pods::stays(pod));
            let version = pods.version.as_deref();
            beside.begun || version.is_some_and(|version| present.any(|pod| !daemon_pods::runs(pod, version)))
        }
    }
}

fn kubelet(node: &Value) -> Option<Version> {
    text(node, "/status/nodeInfo/kubeletVersion").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn node() -> Value {
        json!({"metadata": {"name": "n", "uid": "u-1", "creationTimestamp": "2026-11-20T10:00:00Z",
            "labels": {"node.kubernetes.io/instance-type": "p5", "topology.kubernetes.io/zone": "z"}},
            "spec": {"providerID": "aws:///z/i-1"},
            "status": {"conditions": [{"type": "Ready", "status": "True"}], "nodeInfo": {"kubeletVersion": "v1.32.9-eks-1"}}})
    }

    #[test]
    fn a_member_says_what_a_roll_looks_at() {
        let claim = Claim {
            name: "c".into(),
            uid: "u-2".into(),
            node: "n".into(),
            provider_id: None,
            drifted: true,
            is_leaving: false,
        };
        let load = Load {
            pods: 2,
            protected: 1,
            gangs: ["Job a/j".to_owned()].into(),
            workloads: ["u-3".to_owned()].into(),
        };
        let beside = Beside { claim: Some(&claim), ..Beside::default() };
        let member = member(&node(), &beside, &Stale::Drifted {}, load).unwrap();
        assert!(member.stale);
        assert!(member.available);
        assert_eq!((member.item.hardware.as_str(), member.item.zone.as_str()), ("p5", "z"));
        assert_eq!(member.item.node_claim.unwrap().uid, "u-2");
        assert_eq!((member.pods, member.protected, member.gangs.len()), (2, 1, 1));
        assert_eq!(member.item.workloads.len(), 1);
    }

    #[test]
    fn staleness_follows_the_rule() {
        let below = |version: &str| {
            is_stale(&node(), &Beside::default(), &Stale::KubeletBelow(version.parse().unwrap()))
        };
        assert!(below("1.33"));
        assert!(!below("1.32"));
        let from = |version: &str| {
            is_stale(&node(), &Beside::default(), &Stale::KubeletAtLeast(version.parse().unwrap()))
        };
        assert!(from("1.32"));
        assert!(!from("1.33"));
        assert!(!is_stale(&node(), &Beside::default(), &Stale::Drifted {}));
    }

    /// The label of a node that says how far its driver is goes on saying so when its pod is made anew.
    #[test]
    fn the_pod_of_a_node_says_whether_it_is_stale() {
        let pod =
            |tag: &str| json!({"metadata": {}, "spec": {"containers": [{"image": format!("driver:{tag}")}]}});
        let going = json!({"metadata": {"deletionTimestamp": "2026-11-20T10:00:00Z"},
            "spec": {"containers": [{"image": "driver:1"}]}});
        let stale = Stale::PodsNot(switchback_schemas::plan::DaemonPods {
            namespace: "gpu-operator".into(),
            labels: BTreeMap::new(),
            version: Some("2".into()),
        });
        let is = |daemons| is_stale(&node(), &Beside { daemons, ..Beside::default() }, &stale);
        let (old, new) = (pod("1-ubuntu22.04"), pod("2-ubuntu22.04"));
        assert!(is(vec![&old]));
        assert!(!is(vec![&new, &going]));
        assert!(!is(Vec::new()), "the one that comes is of the present template");
        let left = Beside { begun: true, ..Beside::default() };
        assert!(is_stale(&node(), &left, &stale), "this run cordoned it, and has not given it back");
    }
}
