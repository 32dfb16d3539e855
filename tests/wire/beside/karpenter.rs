//! Karpenter by the charts 1.5.8 and 1.8.8 on nodes of its own making: killed while a node is drained, gone on with, rolled back. Whichever
//! chart is there, what makes and ends the nodes is one core of it with its provider for kwok.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use switchback_cluster::Controller;
use switchback_schemas::report::{RunState, StepStatus};

use crate::support::{
    beside::{AtWork, Says, definitions},
    bins::root,
    journal::{Events, record},
    kubectl::{Cluster, Own},
    scene::Scene,
};

const PLATFORM: &str = "apiVersion: switchback.dev/v1alpha1
kind: Platform
metadata: {name: karpenter-small}
spec:
  targets: {main: {cluster: {}}}
  pools:
    - {name: general, matchLabels: {karpenter.sh/nodepool: general}, tier: 1, capacity: on-demand, strategy: nodeclaim}
";

const UPGRADE: &str = "apiVersion: switchback.dev/v1alpha1
kind: KarpenterUpgrade
metadata: {name: karpenter}
spec:
  target: main
  to: '1.8.8'
  release: {namespace: karpenter, name: karpenter}
  crdRelease: {namespace: karpenter, name: karpenter-crd}
  charts: {directory: ../charts}
  nodes: all
  rollout:
    canary: {nodes: 1, verify: [web-answers], soak: 1s}
    batch: {nodes: 1}
    maxUnavailable: {nodes: 1}
  verify: [web-answers]
---
apiVersion: switchback.dev/v1alpha1
kind: Verification
metadata: {name: web-answers}
spec:
  check: {pods: {namespace: apps, matchLabels: {app: web}, ready: 3}}
  settle: 2s
---
apiVersion: switchback.dev/v1alpha1
kind: Waiver
metadata: {name: test-cluster}
spec:
  finding: SB0306
  about: Karpenter 1.8 requires EKS >=1.26 <1.35
  evidence: its core makes and ends nodes here
  by: this test
  expires: 2099-01-01T00:00:00Z
";

const POOL: &str = "karpenter.sh/nodepool=general";
const KARPENTER: Says = Says { deployment: ("karpenter", "karpenter"), arguments: |_| Vec::new() };

/// Both releases, a NodePool, and a Deployment whose three pods fill a node each, once Karpenter has made those.
fn platform(own: &Own, helm: &str) -> AtWork {
    let cluster = &own.cluster;
    for namespace in ["karpenter", "apps"] {
        cluster.create(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}));
    }
    let room = json!({"cpu": "16", "memory": "64Gi", "pods": "110"});
    cluster.create(&json!({"apiVersion": "v1", "kind": "Node",
        "metadata": {"name": "system-0", "labels": {"kubernetes.io/os": "linux"}, "annotations": {"kwok.x-k8s.io/node": "fake"}},
        "status": {"capacity": room, "allocatable": room}}));
    let charts = root().join("fixtures/charts");
    for name in ["karpenter-crd", "karpenter"] {
        let chart = charts.join(name).join("1.5.8");
        cluster.helm(helm, &["install", name, &chart.to_string_lossy(), "--namespace", "karpenter"]);
    }
    // The class of nodes that this provider makes is in no chart.
    definitions(cluster, Controller::Karpenter, "kwok");
    cluster.kubectl(&["wait", "crd", "--all", "--for=condition=Established", "--timeout=60s"]);
    let karpenter = AtWork::as_deployed(own, Controller::Karpenter, KARPENTER, |_| {});
    let class = json!({"group": "karpenter.kwok.sh", "kind": "KWOKNodeClass", "name": "default"});
    cluster.create(&json!({"apiVersion": "karpenter.kwok.sh/v1alpha1", "kind": "KWOKNodeClass",
        "metadata": {"name": "default"}, "spec": {}}));
    cluster.create(&json!({"apiVersion": "karpenter.sh/v1", "kind": "NodePool", "metadata": {"name": "general"}, "spec": {
        "disruption": {"consolidationPolicy": "WhenEmpty", "consolidateAfter": "Never", "budgets": [{"nodes": "1"}]},
        "template": {"spec": {"nodeClassRef": class, "expireAfter": "Never", "requirements": [
            {"key": "node.kubernetes.io/instance-type", "operator": "In", "values": ["c-4x-amd64-linux"]},
            {"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["on-demand"]}]}}}}));
    let pod = json!({"nodeSelector": {"karpenter.sh/nodepool": "general"}, "containers": [{"name": "web",
        "image": "example.invalid/web:1", "resources": {"requests": {"cpu": "3"}}}]});
    cluster.create(&json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "apps"},
        "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": pod}}}));
    cluster.create(&json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
        "metadata": {"name": "web", "namespace": "apps"},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "web"}}}}));
    cluster.kubectl(&["-n", "apps", "rollout", "status", "deployment/web", "--timeout=240s"]);
    cluster.kubectl(&["wait", "nodeclaim", "--all", "--for=condition=Ready", "--timeout=60s"]);
    karpenter
}

/// The nodes of the pool, by their UIDs, each with the claim that it belongs to and whether it is cordoned.
fn nodes(cluster: &Cluster) -> BTreeMap<String, (String, bool)> {
    let claims = cluster.items(&["get", "nodeclaims", "-l", POOL]);
    let of = |node: &Value| {
        let mut held = claims.iter().filter(|claim| claim["status"]["nodeName"] == node["metadata"]["name"]);
        let claim = held.next().map(|claim| claim["metadata"]["name"].to_string());
        (claim.unwrap_or_default(), node["spec"]["unschedulable"] == true)
    };
    let nodes = cluster.items(&["get", "nodes", "-l", POOL]);
    let found = nodes.iter().map(|node| (node["metadata"]["uid"].to_string(), of(node))).collect();
    assert_eq!(nodes.len(), claims.len(), "{found:?}");
    found
}

fn version(cluster: &Cluster) -> String {
    let deployment = cluster.get(&["-n", "karpenter", "deployment", "karpenter"]);
    deployment["metadata"]["labels"]["app.kubernetes.io/version"].as_str().unwrap_or_default().to_owned()
}

fn pool(cluster: &Cluster) -> Value {
    cluster.get(&["nodepool", "general"])["spec"].clone()
}

#[test]
#[ignore = "starts a control plane: `tests/cluster/controllers`"]
fn nodes_are_replaced_by_karpenter_killed_in_a_drain_and_rolled_back() {
    let own = Own::start();
    let (cluster, helm) = (&own.cluster, &own.cluster.helm3);
    let _karpenter = platform(&own, helm);
    let (before, asked) = (nodes(cluster), pool(cluster));
    assert_eq!(before.len(), 3, "{before:?}");
    let scene = Scene::on_cluster(&[("platform.yaml", PLATFORM), ("karpenter.yaml", UPGRADE)], cluster, helm);
    scene.plan();
    scene.under_roles(cluster);
    let preflight = scene.on_store("preflight plan.json").exits(0);
    assert!(preflight.stdout.contains("0 wrong"), "{}", preflight.stdout);

    let mut child = scene.applying();
    let drains = |event: &Value| {
        record(event, "intent").is_some_and(|intent| intent["at"]["item"]["recipe"] == "drain")
    };
    assert!(Events::of(&mut child).until(drains), "a node is drained");
    child.kill().expect("killed");
    child.wait().expect("ended");
    assert_eq!(version(cluster), "1.8.8");
    assert_eq!(
        pool(cluster)["disruption"]["budgets"],
        json!([{"nodes": "0"}]),
        "Karpenter moves none itself"
    );

    scene.apply().exits(0);
    let report = scene.report();
    let done = |status: &StepStatus| matches!(status, StepStatus::Done | StepStatus::Skipped);
    assert!(report.steps.iter().all(|step| done(&step.status)), "{report:?}");
    assert!(report.residue.is_empty() && report.left_suspended.is_empty(), "{report:?}");
    assert_eq!(pool(cluster), asked);
    let after = nodes(cluster);
    assert_eq!(after.len(), 3, "one for one: {after:?}");
    assert!(after.keys().all(|uid| !before.contains_key(uid)), "every node is another one");
    assert!(after.values().all(|(claim, cordoned)| !claim.is_empty() && !cordoned), "{after:?}");

    scene.on_store("rollback --to start --reason test").exits(0);
    assert!(matches!(scene.report().state, RunState::Ended { .. }), "{:?}", scene.report().state);
    assert_eq!(version(cluster), "1.5.8");
    assert_eq!(pool(cluster), asked);
    assert_eq!(nodes(cluster), after, "none has drifted, and none moves");
}
