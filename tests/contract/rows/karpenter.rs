use serde_json::{Value, json};
use switchback_cluster::Controller;

use crate::row::rows;
use crate::server::answer::{condition, text};
use crate::server::objects::{name, tainted};
use crate::server::{MERGE, Server};

rows! {
    on super::beside;
    a_waiting_pod_gets_a_node: "a pod that fits nowhere gets a claim of its NodePool and a Ready node, and runs on it", "karpenter: capacity";
    drift_waits_for_a_budget: "under a budget of 0 a changed template makes every claim Drifted, and none is touched", "karpenter: freeze";
    drift_spares_protected_pods: "drift replaces a node before it drains the old one, and leaves alone a node whose pod says do-not-disrupt or whose budget allows none", "karpenter: nodes, objections";
    grace_is_of_the_claim: "terminationGracePeriod in a template is not taken over by claims that stand already", "karpenter: what a claim lets itself be waited for";
    a_deleted_claim_waits_for_protected_pods: "a deleted claim taints its node and waits for a pod with do-not-disrupt, and for a budget, without end; when both are lifted the pods are evicted, replaced, and node and claim go", "karpenter: drain";
    grace_ends_protected_pods: "a claim with terminationGracePeriod ends its protected pods when that is over", "karpenter: drain";
    grace_makes_drift_pass_protection: "drift takes a protected node where its claim has a terminationGracePeriod", "karpenter: nodes, objections";
}

async fn beside(row: &str) -> Server {
    Server::beside(Controller::Karpenter, row).await
}

const POOL: &str = "gpu";
const POOLS: &str = "/apis/karpenter.sh/v1/nodepools";
const CLAIMS: &str = "/apis/karpenter.sh/v1/nodeclaims";
const PLAIN: &str = "plain";
const KEPT: &str = "kept";
const BUDGETED: &str = "budgeted";

/// Karpenter at work with one NodePool whose nodes hold one pod each.
async fn at_work(s: &Server, budget: &str, grace: Option<&str>) {
    s.definitions("karpenter-crd/1.8.8/templates").await;
    s.namespace("karpenter").await;
    s.plain_node("system", &json!({}), &json!({"cpu": "2", "memory": "16Gi", "pods": "110"})).await;
    // The actor of the twin works while a pod of its Deployment is ready.
    let mut deployment = s.deployment("karpenter", 1);
    deployment["metadata"]["labels"] =
        json!({"app.kubernetes.io/name": "karpenter", "app.kubernetes.io/version": "1.8.2"});
    deployment["spec"]["template"]["spec"] =
        json!({"containers": [{"name": "controller", "image": "example.invalid/karpenter:1.8.2"}]});
    s.applied(&s.path("apps:v1/deployments/karpenter"), &deployment).await;
    s.rolled_out("karpenter", 1).await;
    s.program_works(&[]);
    // Who makes machines differs, and with that the class of nodes and the names of what holds four processors.
    let found = json!([{"tags": {"karpenter.sh/discovery": "row"}}]);
    let (class, instance, class_spec) = match s.twin {
        Some(_) => (
            ("karpenter.k8s.aws", "v1", "EC2NodeClass", "ec2nodeclasses"),
            "m5.xlarge",
            json!({"amiFamily": "AL2023", "role": "row", "amiSelectorTerms": [{"alias": "al2023@v20261110"}],
                "subnetSelectorTerms": found, "securityGroupSelectorTerms": found}),
        ),
        None => (
            ("karpenter.kwok.sh", "v1alpha1", "KWOKNodeClass", "kwoknodeclasses"),
            "c-4x-amd64-linux",
            json!({}),
        ),
    };
    let (group, version, kind, plural) = class;
    let object = json!({"apiVersion": format!("{group}/{version}"), "kind": kind, "metadata": {"name": "default"}, "spec": class_spec});
    s.post(&format!("/apis/{group}/{version}/{plural}"), &object).await.expect(201);
    let mut spec = json!({
        "nodeClassRef": {"group": group, "kind": kind, "name": "default"}, "expireAfter": "Never",
        "requirements": [
            {"key": "node.kubernetes.io/instance-type", "operator": "In", "values": [instance]},
            {"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["on-demand"]}]});
    if let Some(grace) = grace {
        spec["terminationGracePeriod"] = grace.into();
    }
    let pool = json!({"apiVersion": "karpenter.sh/v1", "kind": "NodePool", "metadata": {"name": POOL}, "spec": {
        "disruption": {"consolidationPolicy": "WhenEmpty", "consolidateAfter": "Never", "budgets": [{"nodes": budget}]},
        "template": {"metadata": {"labels": {"made": "first"}}, "spec": spec}}});
    s.post(POOLS, &pool).await.expect(201);
    s.wait(&format!("{POOLS}/{POOL}"), 60, |p| condition(p, "Ready") == "True").await;
}

/// A Deployment of one pod that fills a node of the pool, once it runs.
async fn deployed(s: &Server, app: &str) {
    let mut deployment = s.deployment(app, 1);
    let template = &mut deployment["spec"]["template"];
    template["spec"] = json!({"nodeSelector": {"karpenter.sh/nodepool": POOL}, "containers": [{"name": "c",
        "image": "example.invalid/app:1", "resources": {"requests": {"cpu": "3"}}}]});
    if app == KEPT {
        template["metadata"]["annotations"] = json!({"karpenter.sh/do-not-disrupt": "true"});
    }
    s.post(&s.path("apps:v1/deployments"), &deployment).await.expect(201);
    s.wait(&s.path(&format!("apps:v1/deployments/{app}")), 120, |d| d["status"]["readyReplicas"] == 1).await;
}

/// Three nodes with one pod each: one that may go, one that says that it must not, one whose budget allows none to go.
async fn three(s: &Server) -> [Stand; 3] {
    for app in [PLAIN, KEPT, BUDGETED] {
        deployed(s, app).await;
    }
    let selector = json!({"matchLabels": {"app": BUDGETED}});
    s.budget("none", &json!({"maxUnavailable": 0, "selector": selector}), 0).await;
    [stand(s, PLAIN).await, stand(s, KEPT).await, stand(s, BUDGETED).await]
}

/// Where the pod of an app stands.
#[derive(Debug, PartialEq, Eq)]
struct Stand {
    pod: String,
    node: String,
    claim: String,
}

async fn stand(s: &Server, app: &str) -> Stand {
    let pods = s.pods(app).await;
    let running: Vec<&Value> = pods.iter().filter(|pod| pod["status"]["phase"] == "Running").collect();
    let [pod] = running[..] else { panic!("{app}: {pods:#?}") };
    let node = text(pod, "/spec/nodeName").to_owned();
    // A pod may run before the claim of its node says which node that is.
    let of_node = |claim: &&Value| text(claim, "/status/nodeName") == node;
    let claims = s
        .wait(CLAIMS, 60, |list| {
            list["items"].as_array().is_some_and(|all| all.iter().any(|one| of_node(&one)))
        })
        .await;
    let claim = claims["items"].as_array().and_then(|all| all.iter().find(of_node)).expect("a claim");
    Stand { pod: text(pod, "/metadata/uid").to_owned(), claim: name(claim).to_owned(), node }
}

async fn change_template(s: &Server) {
    let template = json!({"spec": {"template": {"metadata": {"labels": {"made": "second"}}}}});
    s.patch(&format!("{POOLS}/{POOL}"), MERGE, &template).await.expect(200);
}

async fn budget(s: &Server, nodes: &str) {
    let budgets = json!({"spec": {"disruption": {"budgets": [{"nodes": nodes}]}}});
    s.patch(&format!("{POOLS}/{POOL}"), MERGE, &budgets).await.expect(200);
}

async fn drifted(s: &Server, claims: &[&Stand]) {
    for stand in claims {
        let path = format!("{CLAIMS}/{}", stand.claim);
        s.wait(&path, 120, |claim| condition(claim, "Drifted") == "True").await;
    }
}

async fn seconds(s: &Server, count: u32) {
    for _ in 0..count * 10 {
        s.moment().await;
    }
}

async fn a_waiting_pod_gets_a_node(s: &Server) {
    at_work(s, "0", None).await;
    assert!(s.items(CLAIMS).await.is_empty());
    deployed(s, PLAIN).await;
    let claims = s.items(CLAIMS).await;
    assert_eq!(claims.len(), 1);
    let claim = s
        .wait(&format!("{CLAIMS}/{}", name(&claims[0])), 60, |claim| condition(claim, "Ready") == "True")
        .await;
    assert_eq!(claim["metadata"]["labels"]["karpenter.sh/nodepool"], POOL);
    assert_eq!(claim["metadata"]["finalizers"], json!(["karpenter.sh/termination"]));
    let node = s.get(&format!("/api/v1/nodes/{}", text(&claim, "/status/nodeName"))).await.expect(200);
    let labels = &node["metadata"]["labels"];
    assert_eq!(labels["karpenter.sh/nodepool"], POOL);
    assert_eq!((&labels["karpenter.sh/registered"], &labels["made"]), (&json!("true"), &json!("first")));
    assert_eq!(node["spec"]["providerID"], claim["status"]["providerID"]);
    assert_eq!(condition(&node, "Ready"), "True");
}

async fn drift_waits_for_a_budget(s: &Server) {
    at_work(s, "0", None).await;
    let before = three(s).await;
    change_template(s).await;
    drifted(s, &before.iter().collect::<Vec<_>>()).await;
    seconds(s, 30).await;
    assert_eq!([stand(s, PLAIN).await, stand(s, KEPT).await, stand(s, BUDGETED).await], before);
    assert_eq!(s.items(CLAIMS).await.len(), 3);
}

async fn drift_spares_protected_pods(s: &Server) {
    at_work(s, "0", None).await;
    let [plain, kept, budgeted] = three(s).await;
    change_template(s).await;
    drifted(s, &[&plain, &kept, &budgeted]).await;
    budget(s, "3").await;
    // When the old one begins to go, another one is there.
    let mut others = 0;
    for _ in 0..1200 {
        let claims = s.items(CLAIMS).await;
        let (old, rest): (Vec<_>, Vec<_>) = claims.iter().partition(|claim| name(claim) == plain.claim);
        if old.iter().all(|old| !old["metadata"]["deletionTimestamp"].is_null()) {
            others = rest.iter().filter(|claim| condition(claim, "Initialized") == "True").count();
            break;
        }
        s.moment().await;
    }
    s.wait_gone(&format!("/api/v1/nodes/{}", plain.node), 60).await;
    s.wait(&s.path(&format!("apps:v1/deployments/{PLAIN}")), 120, |d| d["status"]["readyReplicas"] == 1)
        .await;
    let moved = stand(s, PLAIN).await;
    assert_ne!(moved.claim, plain.claim);
    assert_eq!(others, 3, "the replacement was initialized before");
    let node = s.get(&format!("/api/v1/nodes/{}", moved.node)).await.expect(200);
    assert_eq!(node["metadata"]["labels"]["made"], "second");
    seconds(s, 30).await;
    assert_eq!((stand(s, KEPT).await, stand(s, BUDGETED).await), (kept, budgeted));
    assert_eq!(s.items(CLAIMS).await.len(), 3);
}

async fn grace_is_of_the_claim(s: &Server) {
    at_work(s, "0", None).await;
    deployed(s, PLAIN).await;
    let before = stand(s, PLAIN).await;
    let template = json!({"spec": {"template": {"spec": {"terminationGracePeriod": "20s"}}}});
    s.patch(&format!("{POOLS}/{POOL}"), MERGE, &template).await.expect(200);
    seconds(s, 15).await;
    let claim = s.get(&format!("{CLAIMS}/{}", before.claim)).await.expect(200);
    assert!(claim["spec"]["terminationGracePeriod"].is_null(), "{claim:#}");
    deployed(s, KEPT).await;
    let after = stand(s, KEPT).await;
    let claim = s.get(&format!("{CLAIMS}/{}", after.claim)).await.expect(200);
    assert_eq!(claim["spec"]["terminationGracePeriod"], "20s");
}

async fn a_deleted_claim_waits_for_protected_pods(s: &Server) {
    at_work(s, "0", None).await;
    let [plain, kept, budgeted] = three(s).await;
    for stand in [&kept, &budgeted] {
        s.delete(&format!("{CLAIMS}/{}", stand.claim)).await.expect(200);
    }
    for stand in [&kept, &budgeted] {
        s.wait(&format!("/api/v1/nodes/{}", stand.node), 60, |n| tainted(n, "karpenter.sh/disrupted")).await;
    }
    seconds(s, 45).await;
    assert_eq!(
        [stand(s, PLAIN).await, stand(s, KEPT).await, stand(s, BUDGETED).await],
        [plain, kept, budgeted]
    );
    let [kept, budgeted] = [stand(s, KEPT).await, stand(s, BUDGETED).await];
    let pods = s.pods(KEPT).await;
    let lift = json!({"metadata": {"annotations": {"karpenter.sh/do-not-disrupt": null}}});
    s.patch(&s.path(&format!("pods/{}", name(&pods[0]))), MERGE, &lift).await.expect(200);
    let open = json!({"spec": {"maxUnavailable": 1}});
    s.patch(&s.path("policy:v1/poddisruptionbudgets/none"), MERGE, &open).await.expect(200);
    for stand in [&kept, &budgeted] {
        s.wait_gone(&format!("{CLAIMS}/{}", stand.claim), 120).await;
        s.wait_gone(&format!("/api/v1/nodes/{}", stand.node), 60).await;
    }
    for app in [KEPT, BUDGETED] {
        s.wait(&s.path(&format!("apps:v1/deployments/{app}")), 120, |d| d["status"]["readyReplicas"] == 1)
            .await;
    }
    let claims = s.items(CLAIMS).await;
    assert_eq!(claims.len(), 3, "others came in their place: {claims:#?}");
}

async fn grace_ends_protected_pods(s: &Server) {
    at_work(s, "0", Some("40s")).await;
    deployed(s, KEPT).await;
    let kept = stand(s, KEPT).await;
    s.delete(&format!("{CLAIMS}/{}", kept.claim)).await.expect(200);
    seconds(s, 5).await;
    assert_eq!(stand(s, KEPT).await, kept, "it has its time");
    s.wait_gone(&format!("{CLAIMS}/{}", kept.claim), 120).await;
    s.wait(&s.path(&format!("apps:v1/deployments/{KEPT}")), 120, |d| d["status"]["readyReplicas"] == 1).await;
    assert_ne!(stand(s, KEPT).await.pod, kept.pod);
}

async fn grace_makes_drift_pass_protection(s: &Server) {
    at_work(s, "3", Some("20s")).await;
    let [_, kept, budgeted] = three(s).await;
    change_template(s).await;
    for stand in [&kept, &budgeted] {
        s.wait_gone(&format!("{CLAIMS}/{}", stand.claim), 300).await;
    }
    for app in [KEPT, BUDGETED] {
        s.wait(&s.path(&format!("apps:v1/deployments/{app}")), 120, |d| d["status"]["readyReplicas"] == 1)
            .await;
    }
    assert_ne!(stand(s, KEPT).await.pod, kept.pod);
    assert_ne!(stand(s, BUDGETED).await.pod, budgeted.pod);
}
