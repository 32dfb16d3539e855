use serde_json::json;

use crate::row::rows;
use crate::server::objects::{name, tainted};
use crate::server::{JSON_PATCH, MERGE, STRATEGIC, Server};

rows! {
    cordon_with_a_mark: "one strategic patch cordons and annotates; the taint follows, uncordon by null takes it away", "kube: cordon, uncordon what is ours";
    stale_label_conflicts: "a label patch with a stale resourceVersion is 409", "kube: labels";
    label_compare_and_set: "a JSON patch with a failing test, or that removes what is not there, is 422", "kube: labels, suspensions";
    cordon_keeps_pods: "pods of a cordoned node stay; new ones go elsewhere", "kube: drain, fillNoMore";
    deleted_node_takes_its_pods: "a node deleted for good takes its pods along, and they are replaced", "karpenter: nodes that vanish";
    gpu_requests_are_counted: "a pod that asks for more GPUs than are left waits, unschedulable, and starts when they are free", "kube: capacity, gangs";
}

async fn cordon_with_a_mark(s: &Server) {
    let node = s.node("n").await;
    let path = format!("/api/v1/nodes/{node}?fieldManager=sb");
    let patch = json!({"spec": {"unschedulable": true}, "metadata": {"annotations": {"switchback.dev/cordoned-by": "run-1"}}});
    let out = s.patch(&path, STRATEGIC, &patch).await.expect(200);
    assert_eq!(out["spec"]["unschedulable"], true);
    assert_eq!(out["metadata"]["annotations"]["switchback.dev/cordoned-by"], "run-1");
    assert!(out["metadata"]["generation"].is_null(), "nodes count no generation");
    let plain = format!("/api/v1/nodes/{node}");
    s.wait(&plain, 20, |n| tainted(n, "node.kubernetes.io/unschedulable")).await;
    let patch = json!({"spec": {"unschedulable": null}, "metadata": {"annotations": {"switchback.dev/cordoned-by": null}}});
    let out = s.patch(&path, STRATEGIC, &patch).await.expect(200);
    assert!(out["spec"]["unschedulable"].is_null());
    assert!(out["metadata"]["annotations"]["switchback.dev/cordoned-by"].is_null());
    s.wait(&plain, 20, |n| !tainted(n, "node.kubernetes.io/unschedulable")).await;
    s.remove_node(&node).await;
}

async fn stale_label_conflicts(s: &Server) {
    let node = s.node("n").await;
    let path = format!("/api/v1/nodes/{node}");
    let patch = json!({"metadata": {"resourceVersion": "1", "labels": {"x": "y"}}});
    let message = s.patch(&path, STRATEGIC, &patch).await.refused(409, "Conflict");
    assert!(message.starts_with(&format!("Operation cannot be fulfilled on nodes \"{node}\"")), "{message}");
    s.remove_node(&node).await;
}

async fn label_compare_and_set(s: &Server) {
    let node = s.node("n").await;
    let path = format!("/api/v1/nodes/{node}?fieldManager=sb");
    let bad = json!([{"op": "test", "path": "/metadata/labels/type", "value": "other"}, {"op": "add", "path": "/metadata/labels/x", "value": "y"}]);
    s.patch(&path, JSON_PATCH, &bad).await.refused(422, "Invalid");
    s.patch(&path, JSON_PATCH, &json!([{"op": "remove", "path": "/metadata/labels/nope"}]))
        .await
        .refused(422, "Invalid");
    let good = json!([{"op": "test", "path": "/metadata/labels/type", "value": "kwok"}, {"op": "add", "path": "/metadata/labels/x", "value": "y"}]);
    assert_eq!(s.patch(&path, JSON_PATCH, &good).await.expect(200)["metadata"]["labels"]["x"], "y");
    s.remove_node(&node).await;
}

async fn cordon_keeps_pods(s: &Server) {
    let one = s.node("one").await;
    let pods = s.deployed("web", 2).await;
    let two = s.node("two").await;
    s.patch(&format!("/api/v1/nodes/{one}"), MERGE, &json!({"spec": {"unschedulable": true}}))
        .await
        .expect(200);
    s.patch(&s.path("apps:v1/deployments/web"), MERGE, &json!({"spec": {"replicas": 4}})).await.expect(200);
    s.rolled_out("web", 4).await;
    let after = s.pods("web").await;
    for pod in &pods {
        let same = after.iter().find(|p| name(p) == name(pod)).expect("the pod stayed");
        assert_eq!(same["spec"]["nodeName"], json!(one));
    }
    let fresh = after.iter().filter(|p| p["spec"]["nodeName"] == json!(two)).count();
    assert_eq!(fresh, 2);
    s.remove_node(&one).await;
    s.remove_node(&two).await;
}

async fn deleted_node_takes_its_pods(s: &Server) {
    let one = s.node("one").await;
    let pods = s.deployed("web", 1).await;
    let two = s.node("two").await;
    s.remove_node(&one).await;
    s.wait_gone(&s.path(&format!("pods/{}", name(&pods[0]))), 120).await;
    s.wait(&format!("{}?labelSelector=app%3Dweb", s.path("pods")), 60, |list| {
        let pods = list["items"].as_array().expect("pods");
        pods.iter().any(|p| p["spec"]["nodeName"] == json!(two) && p["status"]["phase"] == "Running")
    })
    .await;
    s.remove_node(&two).await;
}

async fn gpu_requests_are_counted(s: &Server) {
    let node = s.node("n").await;
    let pod = |name: &str, count: &str| {
        let mut spec = s.pod_spec("example.invalid/train:1");
        spec["containers"][0]["resources"] = json!({"limits": {"nvidia.com/gpu": count}});
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
    };
    s.post(&s.path("pods"), &pod("one", "6")).await.expect(201);
    s.wait(&s.path("pods/one"), 30, |p| p["status"]["phase"] == "Running").await;
    s.post(&s.path("pods"), &pod("two", "4")).await.expect(201);
    let waiting = s
        .wait(&s.path("pods/two"), 30, |p| {
            p["status"]["conditions"]
                .as_array()
                .is_some_and(|c| c.iter().any(|c| c["reason"] == "Unschedulable"))
        })
        .await;
    assert_eq!(waiting["status"]["phase"], "Pending");
    s.delete(&s.path("pods/one")).await.expect(200);
    s.wait(&s.path("pods/two"), 60, |p| p["status"]["phase"] == "Running").await;
    s.remove_node(&node).await;
}
