//! Refit is no scheduler, and never contradicts one: over random worlds it says *cannot* of no pod that is bound when every node that
//! Karpenter made has gone.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use jiff::Timestamp;
use serde_json::{Value, json};
use switchback_executor::store::sim::SimDisk;
use switchback_kube::{Observing, observe};
use switchback_planner::fleet::{refit::Fleet, stays};
use switchback_schemas::{ComponentName, inventory::karpenter::Karpenter, plan::Refit};
use switchback_twin::World;

use crate::support::{
    block_on,
    platform::{Platform, root},
    time::Random,
};

/// Seeds that are run.
const SEEDS: std::ops::Range<u64> = 1..41;
/// NodePools of a world.
const POOLS: u64 = 3;
/// Deployments of a world.
const WORKLOADS: u64 = 12;

const ZONES: [&str; 3] = ["eu-central-1a", "eu-central-1b", "eu-central-1c"];
const TYPES: [&str; 3] = ["m6i.large", "m6i.xlarge", "m6i.4xlarge"];
const TIERS: [&str; 2] = ["front", "batch"];

fn one<'a>(random: &mut Random, of: &[&'a str]) -> &'a str {
    of[usize::try_from(random.below(of.len() as u64)).expect("small")]
}

fn sometimes(random: &mut Random, of: u64) -> bool {
    random.below(of) == 0
}

fn requirement(key: &str, values: &[&str]) -> Value {
    json!({"key": key, "operator": "In", "values": values})
}

/// A NodePool; a strict one has labels and taints of its own.
fn node_pool(random: &mut Random, name: &str, strict: bool) -> Value {
    let mut requirements = vec![
        requirement("node.kubernetes.io/instance-type", &[one(random, &TYPES)]),
        requirement("karpenter.sh/capacity-type", &["on-demand"]),
    ];
    if sometimes(random, 2) {
        requirements.push(requirement("topology.kubernetes.io/zone", &[one(random, &ZONES)]));
    }
    let labels =
        if strict || sometimes(random, 2) { json!({"tier": one(random, &TIERS)}) } else { json!({}) };
    let taints = match strict || sometimes(random, 3) {
        true => json!([{"key": "dedicated", "value": one(random, &TIERS), "effect": "NoSchedule"}]),
        false => json!([]),
    };
    json!({"apiVersion": "karpenter.sh/v1", "kind": "NodePool", "metadata": {"name": name}, "spec": {
        "template": {"metadata": {"labels": labels}, "spec": {
            "nodeClassRef": {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default"},
            "expireAfter": "Never", "requirements": requirements, "taints": taints}},
        "disruption": {"consolidationPolicy": "WhenEmpty", "consolidateAfter": "Never", "budgets": [{"nodes": "0"}]}}})
}

fn workload(random: &mut Random, name: &str) -> Value {
    let mut spec = json!({"containers": [{"name": "c", "image": "example.invalid/x:1",
        "resources": {"requests": {"cpu": one(random, &["100m", "1500m", "3", "12"]), "memory": "256Mi"}}}]});
    match random.below(5) {
        0 => spec["nodeSelector"] = json!({"tier": one(random, &TIERS)}),
        1 => spec["nodeSelector"] = json!({"topology.kubernetes.io/zone": one(random, &ZONES)}),
        2 => {
            let (key, operator) = (
                one(random, &["tier", "karpenter.sh/nodepool"]),
                one(random, &["NotIn", "Exists", "DoesNotExist"]),
            );
            let values =
                if operator == "NotIn" { json!([one(random, &["front", "p0", "p1"])]) } else { json!([]) };
            let terms = json!([{"matchExpressions": [{"key": key, "operator": operator, "values": values}]}]);
            spec["affinity"] = json!({"nodeAffinity":
                {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}});
        }
        3 => spec["nodeSelector"] = json!({"kubernetes.io/arch": "amd64"}),
        _ => {}
    }
    if sometimes(random, 2) {
        spec["tolerations"] = json!([{"key": "dedicated", "operator": "Exists"}]);
    }
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "apps"}, "spec": {
        "replicas": 1, "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}}, "spec": spec}}})
}

/// A platform on which Karpenter makes what pods need, settled.
fn world(random: &mut Random) -> World {
    let mut objects = vec![
        json!({"apiVersion": "karpenter.k8s.aws/v1", "kind": "EC2NodeClass", "metadata": {"name": "default"},
        "spec": {"amiFamily": "AL2023", "role": "r", "amiSelectorTerms": [{"alias": "al2023@v20261110"}],
            "subnetSelectorTerms": [{"tags": {"a": "b"}}], "securityGroupSelectorTerms": [{"tags": {"a": "b"}}]}}),
    ];
    objects.extend((0..POOLS).map(|n| node_pool(random, &format!("p{n}"), false)));
    objects.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "apps"}}));
    objects.extend((0..WORKLOADS).map(|n| workload(random, &format!("w{n}"))));
    let release = |name: &str| {
        json!({"name": name, "namespace": "karpenter",
        "chart": format!("oci://public.ecr.aws/karpenter/{name}"), "version": "1.5.8",
        "values": {"settings": {"clusterName": "small", "interruptionQueue": "small"}}})
    };
    let file = json!({"format": "switchback.world/1.0", "clock": "2026-11-20T10:00:00Z", "include": ["charts.yaml"],
        "settings": {"kubernetes": "v1.32.3"},
        "nodes": [{"name": "system", "count": 2, "labels": {"topology.kubernetes.io/zone": ZONES[0]},
            "taints": [{"key": "system", "value": "only", "effect": "NoSchedule"}],
            "capacity": {"cpu": "8", "memory": "32Gi", "pods": "110"}}],
        "releases": [release("karpenter-crd"), release("karpenter")], "objects": objects});
    let folder: PathBuf = root().join("fixtures/worlds");
    // Karpenter itself stands on the nodes that stay.
    let untainted = file
        .to_string()
        .replace(r#""effect":"NoSchedule","key":"system""#, r#""effect":"PreferNoSchedule","key":"system""#);
    World::from_yaml_with(&untainted, |name| {
        Ok(std::fs::read_to_string(folder.join(name)).expect("an included file"))
    })
    .expect("a world")
}

/// Changes what NodePools make, as somebody does before nodes are moved: their nodes drift.
async fn change_pools(platform: &Platform, random: &mut Random) {
    for n in 0..POOLS {
        let pool = node_pool(random, &format!("p{n}"), true);
        put(platform, &format!("/apis/karpenter.sh/v1/nodepools/p{n}"), &pool).await;
    }
}

async fn put(platform: &Platform, path: &str, object: &Value) {
    let path = format!("{path}?fieldManager=test&force=true");
    let request = http::Request::patch(path)
        .header("content-type", "application/apply-patch+yaml")
        .body(object.to_string().into_bytes())
        .expect("a request");
    platform.client().request::<Value>(request).await.expect("it is applied");
}

async fn get(platform: &Platform, path: &str) -> Value {
    let request = http::Request::get(path).body(Vec::new()).expect("a request");
    platform.client().request(request).await.expect("it answers")
}

/// Deployments of which a pod is bound.
async fn bound(platform: &Platform) -> BTreeSet<String> {
    let pods = get(platform, "/api/v1/namespaces/apps/pods").await;
    let bound =
        pods["items"].as_array().expect("a list").iter().filter(|pod| {
            pod["spec"]["nodeName"].is_string() && pod["metadata"]["deletionTimestamp"].is_null()
        });
    bound.map(|pod| pod["metadata"]["labels"]["app"].as_str().expect("an app").to_owned()).collect()
}

/// How often each answer was given.
#[derive(Debug, Default)]
struct Count {
    cannot: u32,
    fits: u32,
    unknown: u32,
}

async fn seed(seed: u64, count: &mut Count) {
    let mut random = Random::of(seed);
    let platform = Platform::of(world(&mut random), SimDisk::new()).await;
    change_pools(&platform, &mut random).await;
    let at: Timestamp = platform.twin.now();
    let inventory = observe(platform.client(), &Observing::at(at)).await.expect("it is observed");
    let section: Karpenter = inventory
        .section(&ComponentName::new("karpenter").expect("a name"))
        .expect("readable")
        .expect("there");
    let made = inventory.nodes.iter().filter(|node| node.labels.contains_key("karpenter.sh/nodepool"));
    let leave: BTreeSet<&str> = made.map(|node| node.name.as_str()).collect();
    let fleet = Fleet::new(&inventory, Some(&section), &leave);
    let mut cannot = BTreeSet::new();
    let moving = inventory.pods.iter().filter(|pod| !stays(pod) && leave.contains(pod.node.as_str()));
    for pod in moving.filter(|pod| pod.name.namespace.as_deref() == Some("apps")) {
        match fleet.refit(pod.needs.as_ref()) {
            Refit::Cannot(why) => {
                count.cannot += 1;
                cannot.insert((pod.labels["app"].clone(), why));
            }
            Refit::Fits {} => count.fits += 1,
            Refit::Unknown(_) => count.unknown += 1,
        }
    }
    let claims = get(&platform, "/apis/karpenter.sh/v1/nodeclaims").await;
    for claim in claims["items"].as_array().expect("a list") {
        let path = format!(
            "/apis/karpenter.sh/v1/nodeclaims/{}",
            claim["metadata"]["name"].as_str().expect("a name")
        );
        let request = http::Request::delete(path).body(Vec::new()).expect("a request");
        platform.client().request::<Value>(request).await.expect("it is deleted");
    }
    platform.twin.advance_by(Duration::from_hours(1));
    let bound = bound(&platform).await;
    for (app, why) in cannot {
        assert!(
            !bound.contains(&app),
            "seed {seed}: {app} is bound, and refit said that it cannot be: {why}"
        );
    }
}

#[test]
fn a05_refit_says_cannot_of_nothing_that_is_bound_afterwards() {
    let mut count = Count::default();
    block_on(async {
        for number in SEEDS {
            Box::pin(seed(number, &mut count)).await;
        }
    });
    assert!(count.cannot >= 30 && count.fits >= 30, "the worlds ask nothing: {count:?}");
}
