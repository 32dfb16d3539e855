use serde_json::{Value, json};

use crate::row::rows;
use crate::server::objects::name;
use crate::server::{MERGE, STRATEGIC, Server};

rows! {
    pods_start_in_order: "a StatefulSet gets its defaults and starts its pods one by one, each when those before it are ready", "kube: rollout condition";
    parallel_waits_for_nobody: "with podManagementPolicy Parallel all pods come at once", "kube: rollout condition";
    a_rollout_keeps_names: "an image change runs generation ahead of observedGeneration and updateRevision ahead of currentRevision, replaces the pods under their names, then both revisions are one", "kube: rollout condition";
    a_broken_rollout_stops_at_the_last: "an update whose pods never become ready takes the last pod only, and the old template does not mend it until that pod is deleted", "kube: rollback of an apply";
    on_delete_waits_for_hands: "with OnDelete pods change when somebody deletes them, and currentRevision never reaches updateRevision", "kube: rollout condition";
    the_last_goes_first: "fewer replicas through scale take the pods with the highest numbers", "kube: scale";
    most_fields_are_forbidden: "a change of serviceName or selector is 422 Forbidden for spec", "helm: charts that change a StatefulSet";
    budgets_count_its_replicas: "a budget with a percentage counts the StatefulSet's replicas", "kube: drain";
}

fn stateful(s: &Server, replicas: u32) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "web"}, "spec": {
        "replicas": replicas, "serviceName": "web", "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": s.pod_spec("example.invalid/app:1")}}})
}

fn path(s: &Server) -> String {
    s.path("apps:v1/statefulsets/web")
}

async fn made(s: &Server, body: &Value) -> Value {
    s.post(&s.path("apps:v1/statefulsets"), body).await.expect(201)
}

async fn image(s: &Server, image: &str) -> Value {
    let patch = json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "image": image}]}}}});
    s.patch(&path(s), STRATEGIC, &patch).await.expect(200)
}

fn seen(set: &Value) -> bool {
    set["status"]["observedGeneration"] == set["metadata"]["generation"]
}

/// Waits for what the rollout condition waits for.
async fn rolled_out(s: &Server, replicas: u32) -> Value {
    s.wait(&path(s), 90, |set| {
        let status = &set["status"];
        seen(set)
            && status["replicas"] == replicas
            && status["updatedReplicas"] == replicas
            && status["availableReplicas"] == replicas
            && status["currentRevision"] == status["updateRevision"]
    })
    .await
}

/// Names of its pods, and which pods they are.
async fn pods(s: &Server) -> Vec<(String, String)> {
    let mut all: Vec<_> =
        s.pods("web").await.iter().map(|p| (name(p).to_owned(), p["metadata"]["uid"].to_string())).collect();
    all.sort();
    all
}

async fn names(s: &Server) -> Vec<String> {
    pods(s).await.into_iter().map(|(name, _)| name).collect()
}

async fn pods_start_in_order(s: &Server) {
    let node = s.node("n").await;
    let mut body = stateful(s, 3);
    body["spec"]["template"]["metadata"]["annotations"] = json!({"cluster.switchback.test/pod": "unready"});
    let new = made(s, &body).await;
    assert_eq!(new["spec"]["podManagementPolicy"], "OrderedReady");
    assert_eq!(new["spec"]["updateStrategy"]["type"], "RollingUpdate");
    assert_eq!(new["spec"]["updateStrategy"]["rollingUpdate"]["partition"], 0);
    assert_eq!(new["spec"]["revisionHistoryLimit"], 10);
    assert_eq!(
        new["spec"]["persistentVolumeClaimRetentionPolicy"],
        json!({"whenDeleted": "Retain", "whenScaled": "Retain"})
    );
    assert_eq!(new["status"], json!({"replicas": 0, "availableReplicas": 0}));
    s.wait(&s.path("pods/web-0"), 30, |p| p["status"]["phase"] == "Running").await;
    let waits = s.wait(&path(s), 30, |set| seen(set) && set["status"]["replicas"] == 1).await;
    assert_eq!(names(s).await, ["web-0"], "nothing more while the first is not ready");
    assert!(waits["status"]["readyReplicas"].is_null());
    s.delete(&path(s)).await.expect(200);
    s.wait_gone(&s.path("pods/web-0"), 60).await;

    made(s, &stateful(s, 3)).await;
    let set = rolled_out(s, 3).await;
    assert_eq!(names(s).await, ["web-0", "web-1", "web-2"]);
    let status = &set["status"];
    assert_eq!((&status["readyReplicas"], &status["currentReplicas"]), (&json!(3), &json!(3)));
    assert_eq!(status["collisionCount"], 0);
    let first = s.get(&s.path("pods/web-0")).await.expect(200);
    assert_eq!(first["metadata"]["labels"]["controller-revision-hash"], status["updateRevision"]);
    assert_eq!(first["metadata"]["labels"]["statefulset.kubernetes.io/pod-name"], "web-0");
    assert_eq!(first["metadata"]["labels"]["apps.kubernetes.io/pod-index"], "0");
    assert_eq!((&first["spec"]["hostname"], &first["spec"]["subdomain"]), (&json!("web-0"), &json!("web")));
    assert_eq!(first["metadata"]["ownerReferences"][0]["kind"], "StatefulSet");
    let list = s.get(&s.path("apps:v1/statefulsets")).await.expect(200);
    assert_eq!((&list["kind"], list["items"].as_array().map(Vec::len)), (&json!("StatefulSetList"), Some(1)));
    s.remove_node(&node).await;
}

async fn parallel_waits_for_nobody(s: &Server) {
    let node = s.node("n").await;
    let mut body = stateful(s, 3);
    body["spec"]["podManagementPolicy"] = "Parallel".into();
    body["spec"]["template"]["metadata"]["annotations"] = json!({"cluster.switchback.test/pod": "unready"});
    made(s, &body).await;
    s.wait(&path(s), 30, |set| set["status"]["replicas"] == 3).await;
    assert_eq!(names(s).await, ["web-0", "web-1", "web-2"]);
    s.remove_node(&node).await;
}

async fn a_rollout_keeps_names(s: &Server) {
    let node = s.node("n").await;
    // Pods take their time to go, so that the way between two revisions can be seen.
    let mut body = stateful(s, 2);
    body["spec"]["template"]["metadata"]["annotations"] =
        json!({"cluster.switchback.test/delete-after": "5s"});
    made(s, &body).await;
    let settled = rolled_out(s, 2).await;
    let before = pods(s).await;
    let changed = image(s, "example.invalid/app:2").await;
    assert_eq!(
        changed["metadata"]["generation"].as_u64().unwrap(),
        settled["metadata"]["generation"].as_u64().unwrap() + 1
    );
    assert_eq!(changed["status"], settled["status"]);
    let on_its_way = s.wait(&path(s), 30, seen).await;
    assert_eq!(on_its_way["status"]["currentRevision"], settled["status"]["currentRevision"]);
    assert_ne!(on_its_way["status"]["updateRevision"], settled["status"]["updateRevision"]);
    let after = rolled_out(s, 2).await;
    assert_eq!(after["status"]["updateRevision"], on_its_way["status"]["updateRevision"]);
    let now = pods(s).await;
    assert!(before.iter().zip(&now).all(|(b, n)| b.0 == n.0 && b.1 != n.1), "{before:?} {now:?}");
    assert!(
        s.pods("web").await.iter().all(|p| p["spec"]["containers"][0]["image"] == "example.invalid/app:2")
    );
    let back = image(s, "example.invalid/app:1").await;
    assert_eq!(back["status"]["currentRevision"], after["status"]["updateRevision"]);
    let back = rolled_out(s, 2).await;
    assert_eq!(
        back["status"]["currentRevision"], settled["status"]["currentRevision"],
        "an old revision has its name"
    );
    s.remove_node(&node).await;
}

/// So many pods, the same in two looks. kwok may ask for a pod to go twice, and the second time meets what came in its place.
async fn steady(s: &Server, replicas: usize) -> Vec<(String, String)> {
    let mut before = pods(s).await;
    for _ in 0..300 {
        s.moment().await;
        let now = pods(s).await;
        if now.len() == replicas && now == before {
            return now;
        }
        before = now;
    }
    panic!("pods come and go: {before:?}");
}

async fn a_broken_rollout_stops_at_the_last(s: &Server) {
    let node = s.node("n").await;
    made(s, &stateful(s, 3)).await;
    let settled = rolled_out(s, 3).await;
    let before = pods(s).await;
    let mark = |value: Value| json!({"spec": {"template": {"metadata": {"annotations": {"cluster.switchback.test/pod": value}}}}});
    s.patch(&path(s), MERGE, &mark("unready".into())).await.expect(200);
    let stuck = s
        .wait(&path(s), 60, |set| {
            seen(set) && set["status"]["updatedReplicas"] == 1 && set["status"]["readyReplicas"] == 2
        })
        .await;
    let status = &stuck["status"];
    assert_eq!((&status["availableReplicas"], &status["currentReplicas"]), (&json!(2), &json!(2)));
    assert_eq!(status["currentRevision"], settled["status"]["currentRevision"]);
    assert_ne!(status["currentRevision"], status["updateRevision"]);
    let broken = steady(s, 3).await;
    assert_eq!(broken[..2], before[..2]);
    assert_ne!(broken[2], before[2]);
    s.patch(&path(s), MERGE, &mark(Value::Null)).await.expect(200);
    let back = s
        .wait(&path(s), 30, |set| {
            seen(set) && set["status"]["updateRevision"] == settled["status"]["updateRevision"]
        })
        .await;
    assert_eq!(back["status"]["currentRevision"], back["status"]["updateRevision"]);
    for _ in 0..20 {
        s.moment().await;
    }
    assert_eq!(pods(s).await, broken, "the old template is asked for again, and the broken pod stays");
    s.delete(&s.path("pods/web-2")).await.expect(200);
    rolled_out(s, 3).await;
    s.remove_node(&node).await;
}

async fn on_delete_waits_for_hands(s: &Server) {
    let node = s.node("n").await;
    let mut body = stateful(s, 1);
    body["spec"]["updateStrategy"] = json!({"type": "OnDelete"});
    made(s, &body).await;
    s.wait(&path(s), 60, |set| set["status"]["availableReplicas"] == 1).await;
    let before = pods(s).await;
    image(s, "example.invalid/app:2").await;
    let seen_it = s.wait(&path(s), 30, seen).await;
    assert!(seen_it["status"]["updatedReplicas"].is_null());
    assert_eq!(pods(s).await, before);
    s.delete(&s.path("pods/web-0")).await.expect(200);
    let after = s
        .wait(&path(s), 60, |set| {
            set["status"]["updatedReplicas"] == 1 && set["status"]["availableReplicas"] == 1
        })
        .await;
    assert_ne!(after["status"]["currentRevision"], after["status"]["updateRevision"]);
    assert_ne!(pods(s).await, before);
    s.remove_node(&node).await;
}

async fn the_last_goes_first(s: &Server) {
    let node = s.node("n").await;
    made(s, &stateful(s, 3)).await;
    rolled_out(s, 3).await;
    let before = pods(s).await;
    let scale = format!("{}/scale", path(s));
    let out = s.patch(&scale, MERGE, &json!({"spec": {"replicas": 1}})).await.expect(200);
    assert_eq!((&out["kind"], &out["spec"]["replicas"]), (&json!("Scale"), &json!(1)));
    rolled_out(s, 1).await;
    assert_eq!(pods(s).await, before[..1]);
    s.remove_node(&node).await;
}

async fn most_fields_are_forbidden(s: &Server) {
    made(s, &stateful(s, 1)).await;
    for spec in [
        json!({"serviceName": "other"}),
        json!({"selector": {"matchLabels": {"app": "other"}}, "template": {"metadata": {"labels": {"app": "other"}}}}),
    ] {
        let answer = s.patch(&path(s), MERGE, &json!({"spec": spec})).await;
        assert_eq!(answer.body["details"]["causes"][0]["field"], "spec");
        let message = answer.refused(422, "Invalid");
        assert!(
            message.starts_with("StatefulSet.apps \"web\" is invalid: spec: Forbidden: updates to statefulset spec for fields other than 'replicas'"),
            "{message}"
        );
    }
}

async fn budgets_count_its_replicas(s: &Server) {
    let node = s.node("n").await;
    made(s, &stateful(s, 4)).await;
    rolled_out(s, 4).await;
    s.budget("web", &json!({"maxUnavailable": "25%", "selector": {"matchLabels": {"app": "web"}}}), 1).await;
    let budget = s.get(&s.path("policy:v1/poddisruptionbudgets/web")).await.expect(200);
    assert_eq!(budget["status"]["expectedPods"], 4);
    s.remove_node(&node).await;
}
