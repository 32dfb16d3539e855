use serde_json::json;

use crate::row::rows;
use crate::server::objects::name;
use crate::server::{MERGE, Server};

rows! {
    dry_run_is_only_asked: "a dry-run of an allowed eviction answers 201 and neither evicts nor spends the budget", "kube: drain, blocked pods before the run";
    an_eviction_is_a_graceful_delete: "an allowed eviction answers 201; the pod goes and is replaced", "kube: drain";
    the_budget_is_spent_at_once: "a second eviction past the budget is 429 with cause DisruptionBudget naming it, before any controller acts", "kube: drain, classify";
    a_budget_of_zero_refuses: "maxUnavailable 0 refuses with 429, its dry-run too", "kube: drain, blocked";
    another_uid_conflicts: "a uid precondition that does not match is 409", "kube: drain by uid";
    two_budgets_break_it: "two budgets on one pod answer 500, not 429", "kube: drain, classify";
    a_missing_pod_is_gone: "a pod that is not there is 404", "kube: drain, gone is done";
    budget_status_follows: "a budget's status counts healthy, desired, expected pods and says whether one may go", "kube: drain, gates";
    unready_pods_go_when_always_allowed: "with AlwaysAllow a pod that is not ready can be evicted past the budget; by default it cannot", "kube: drain";
}

async fn evict(s: &Server, pod: &str, query: &str) -> crate::server::Answer {
    s.post(&format!("{}{query}", s.path(&format!("pods/{pod}/eviction"))), &s.eviction(pod, None)).await
}

fn selector() -> serde_json::Value {
    json!({"matchLabels": {"app": "web"}})
}

async fn dry_run_is_only_asked(s: &Server) {
    let node = s.node("n").await;
    let pods = s.deployed("web", 2).await;
    s.budget("web", &json!({"minAvailable": 1, "selector": selector()}), 1).await;
    for pod in &pods {
        let out = evict(s, name(pod), "?dryRun=All").await.expect(201);
        assert_eq!(out["status"], "Success");
        assert!(
            s.get(&s.path(&format!("pods/{}", name(pod)))).await.expect(200)["metadata"]["deletionTimestamp"]
                .is_null()
        );
    }
    s.remove_node(&node).await;
}

async fn an_eviction_is_a_graceful_delete(s: &Server) {
    let node = s.node("n").await;
    let pods = s.deployed("web", 1).await;
    let pod = name(&pods[0]);
    let uid = &pods[0]["metadata"]["uid"];
    let body = s.eviction(pod, Some(json!({"gracePeriodSeconds": 5, "preconditions": {"uid": uid}})));
    let out = s.post(&s.path(&format!("pods/{pod}/eviction")), &body).await.expect(201);
    assert_eq!((out["kind"].as_str(), out["status"].as_str()), (Some("Status"), Some("Success")));
    s.wait_gone(&s.path(&format!("pods/{pod}")), 60).await;
    s.rolled_out("web", 1).await;
    s.remove_node(&node).await;
}

async fn the_budget_is_spent_at_once(s: &Server) {
    let node = s.node("n").await;
    let pods = s.deployed("web", 3).await;
    s.budget("web", &json!({"minAvailable": 3, "selector": selector()}), 0).await;
    s.patch(&s.path("policy:v1/poddisruptionbudgets/web"), MERGE, &json!({"spec": {"minAvailable": 2}}))
        .await
        .expect(200);
    s.wait(&s.path("policy:v1/poddisruptionbudgets/web"), 30, |b| b["status"]["disruptionsAllowed"] == 1)
        .await;
    // A pod that came in its place would refill the budget.
    s.patch(&format!("/api/v1/nodes/{node}"), MERGE, &json!({"spec": {"unschedulable": true}}))
        .await
        .expect(200);
    evict(s, name(&pods[0]), "").await.expect(201);
    let answer = evict(s, name(&pods[1]), "").await;
    assert_eq!(answer.status, 429, "{}", answer.body);
    assert_eq!(answer.body["message"], "Cannot evict pod as it would violate the pod's disruption budget.");
    assert_eq!(answer.body["reason"], "TooManyRequests");
    let cause = &answer.body["details"]["causes"][0];
    assert_eq!(cause["reason"], "DisruptionBudget");
    assert!(cause["message"].as_str().unwrap().starts_with("The disruption budget web "), "{cause}");
    s.remove_node(&node).await;
}

async fn a_budget_of_zero_refuses(s: &Server) {
    let node = s.node("n").await;
    let pods = s.deployed("web", 2).await;
    s.budget("web", &json!({"maxUnavailable": 0, "selector": selector()}), 0).await;
    for query in ["?dryRun=All", ""] {
        let answer = evict(s, name(&pods[0]), query).await;
        assert_eq!(answer.status, 429, "{}", answer.body);
        let cause = &answer.body["details"]["causes"][0];
        assert_eq!(cause["message"], "The disruption budget web needs 2 healthy pods and has 2 currently");
        assert_eq!(answer.retry_after, None);
    }
    s.remove_node(&node).await;
}

async fn another_uid_conflicts(s: &Server) {
    let node = s.node("n").await;
    let pods = s.deployed("web", 1).await;
    let pod = name(&pods[0]);
    let other = "00000000-0000-0000-0000-000000000000";
    let body = s.eviction(pod, Some(json!({"preconditions": {"uid": other}})));
    let message = s.post(&s.path(&format!("pods/{pod}/eviction")), &body).await.refused(409, "Conflict");
    let uid = pods[0]["metadata"]["uid"].as_str().unwrap();
    assert_eq!(
        message,
        format!(
            "Operation cannot be fulfilled on Pod \"{pod}\": the UID in the precondition ({other}) does not match the UID in record ({uid}). The object might have been deleted and then recreated"
        )
    );
    s.remove_node(&node).await;
}

async fn two_budgets_break_it(s: &Server) {
    let node = s.node("n").await;
    let pods = s.deployed("web", 2).await;
    s.budget("one", &json!({"minAvailable": 1, "selector": selector()}), 1).await;
    s.budget("two", &json!({"minAvailable": 1, "selector": selector()}), 1).await;
    let message = evict(s, name(&pods[0]), "").await.refused(500, "");
    assert_eq!(
        message,
        "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
    );
    s.remove_node(&node).await;
}

async fn a_missing_pod_is_gone(s: &Server) {
    let message = evict(s, "nope", "").await.refused(404, "NotFound");
    assert_eq!(message, "pods \"nope\" not found");
}

async fn budget_status_follows(s: &Server) {
    let node = s.node("n").await;
    s.deployed("web", 3).await;
    s.budget("web", &json!({"maxUnavailable": "34%", "selector": selector()}), 2).await;
    let status = s.get(&s.path("policy:v1/poddisruptionbudgets/web")).await.expect(200)["status"].clone();
    assert_eq!(status["currentHealthy"], 3);
    assert_eq!(status["desiredHealthy"], 1);
    assert_eq!(status["expectedPods"], 3);
    assert_eq!(status["conditions"][0]["type"], "DisruptionAllowed");
    assert_eq!(status["conditions"][0]["reason"], "SufficientPods");
    s.patch(&s.path("apps:v1/deployments/web"), MERGE, &json!({"spec": {"replicas": 1}})).await.expect(200);
    s.wait(&s.path("policy:v1/poddisruptionbudgets/web"), 60, |b| {
        b["status"]["expectedPods"] == 1 && b["status"]["currentHealthy"] == 1
    })
    .await;
    s.remove_node(&node).await;
}

async fn unready_pods_go_when_always_allowed(s: &Server) {
    let node = s.node("n").await;
    let mut body = s.deployment("web", 2);
    body["spec"]["template"]["metadata"]["annotations"] = json!({"cluster.switchback.test/pod": "unready"});
    s.post(&s.path("apps:v1/deployments"), &body).await.expect(201);
    let path = format!("{}?labelSelector=app%3Dweb", s.path("pods"));
    let list = s
        .wait(&path, 60, |l| {
            l["items"]
                .as_array()
                .is_some_and(|p| p.len() == 2 && p.iter().all(|p| p["status"]["phase"] == "Running"))
        })
        .await;
    let pod = name(&list["items"][0]).to_owned();
    s.budget("web", &json!({"minAvailable": 1, "selector": selector()}), 0).await;
    assert_eq!(evict(s, &pod, "?dryRun=All").await.status, 429);
    let patch = json!({"spec": {"unhealthyPodEvictionPolicy": "AlwaysAllow"}});
    s.patch(&s.path("policy:v1/poddisruptionbudgets/web"), MERGE, &patch).await.expect(200);
    evict(s, &pod, "").await.expect(201);
    s.remove_node(&node).await;
}
