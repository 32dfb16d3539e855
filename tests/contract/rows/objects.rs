use serde_json::{Value, json};

use crate::row::rows;
use crate::server::{MERGE, STRATEGIC, Server};

rows! {
    a_finalizer_holds: "a delete of an object with a finalizer answers 200 with deletionTimestamp; taking it away ends it; none can be added", "kube: delete, karpenter claims";
    a_namespace_takes_everything: "a deleted namespace is Terminating, refuses new objects (403 NamespaceTerminating) and takes its objects along", "kube: namespaces";
    a_missing_namespace_is_404: "a create in a namespace that is not there is 404 for the namespace", "kube: classify";
    secrets_keep_their_type: "stringData becomes data, a type cannot change, fieldSelector type finds releases", "helm: releases";
    bad_names_are_refused: "a name that is no DNS name is 422", "kube: classify";
    create_twice_conflicts: "a second create is 409 AlreadyExists; generateName makes names", "kube: create, idempotency";
    services_get_an_address: "a Service gets its defaults and keeps its clusterIP through a patch", "kube: before-images";
    services_list_their_pods: "a Service with a selector has an EndpointSlice that names its pods, their nodes, whether they are ready, and the pods' ports", "kube: gates on webhooks";
    pods_delete_gracefully: "a pod that is being deleted carries deletionTimestamp and its grace period; grace 0 removes it at once", "kube: drain";
}

async fn a_finalizer_holds(s: &Server) {
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m", "finalizers": ["switchback.dev/hold"]}});
    s.post(&s.path("configmaps"), &map).await.expect(201);
    let path = s.path("configmaps/m");
    let out = s.delete(&path).await.expect(200);
    assert_eq!(out["kind"], "ConfigMap");
    assert!(!out["metadata"]["deletionTimestamp"].is_null());
    let more = json!({"metadata": {"finalizers": ["switchback.dev/hold", "switchback.dev/more"]}});
    s.patch(&path, MERGE, &more).await.refused(422, "Invalid");
    s.patch(&path, MERGE, &json!({"metadata": {"finalizers": null}})).await.expect(200);
    assert_eq!(s.get(&path).await.status, 404);
}

async fn a_namespace_takes_everything(s: &Server) {
    let name = format!("{}-2", s.ns);
    let hold = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m", "finalizers": ["switchback.dev/hold"]}});
    s.post(
        "/api/v1/namespaces",
        &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}),
    )
    .await
    .expect(201);
    s.post(&format!("/api/v1/namespaces/{name}/configmaps"), &hold).await.expect(201);
    let path = format!("/api/v1/namespaces/{name}");
    let out = s.delete(&path).await.expect(200);
    assert_eq!(out["status"]["phase"], "Terminating");
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "n"}});
    let answer = s.post(&format!("{path}/configmaps"), &map).await;
    assert_eq!(answer.body["details"]["causes"][0]["reason"], "NamespaceTerminating");
    let message = answer.refused(403, "Forbidden");
    assert!(message.contains("because it is being terminated"), "{message}");
    s.wait(&format!("{path}/configmaps/m"), 60, |m| !m["metadata"]["deletionTimestamp"].is_null()).await;
    s.patch(&format!("{path}/configmaps/m"), MERGE, &json!({"metadata": {"finalizers": null}}))
        .await
        .expect(200);
    s.wait_gone(&path, 90).await;
}

async fn a_missing_namespace_is_404(s: &Server) {
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "n"}});
    let message = s.post("/api/v1/namespaces/nowhere/configmaps", &map).await.refused(404, "NotFound");
    assert_eq!(message, "namespaces \"nowhere\" not found");
}

async fn secrets_keep_their_type(s: &Server) {
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "r", "labels": {"owner": "helm"}},
        "type": "helm.sh/release.v1", "stringData": {"release": "x"}});
    let out = s.post(&s.path("secrets"), &secret).await.expect(201);
    assert_eq!(out["data"]["release"], "eA==");
    assert!(out["stringData"].is_null());
    let list =
        s.get(&format!("{}?fieldSelector=type%3Dhelm.sh/release.v1", s.path("secrets"))).await.expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    s.patch(&s.path("secrets/r"), MERGE, &json!({"type": "Opaque"})).await.refused(422, "Invalid");
}

async fn bad_names_are_refused(s: &Server) {
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "Bad_Name"}});
    let message = s.post(&s.path("configmaps"), &map).await.refused(422, "Invalid");
    assert!(message.contains("metadata.name: Invalid value: \"Bad_Name\""), "{message}");
}

async fn create_twice_conflicts(s: &Server) {
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "n"}});
    s.post(&s.path("configmaps"), &map).await.expect(201);
    let message = s.post(&s.path("configmaps"), &map).await.refused(409, "AlreadyExists");
    assert_eq!(message, "configmaps \"n\" already exists");
    let generated = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "g-"}});
    let one = s.post(&s.path("configmaps"), &generated).await.expect(201);
    let two = s.post(&s.path("configmaps"), &generated).await.expect(201);
    assert_ne!(one["metadata"]["name"], two["metadata"]["name"]);
    assert!(one["metadata"]["name"].as_str().unwrap().starts_with("g-"));
}

async fn services_get_an_address(s: &Server) {
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "svc"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}});
    let out = s.post(&s.path("services"), &service).await.expect(201);
    assert_eq!(out["spec"]["type"], "ClusterIP");
    assert_eq!(out["spec"]["ports"][0], json!({"port": 80, "protocol": "TCP", "targetPort": 80}));
    let address = out["spec"]["clusterIP"].clone();
    assert!(!address.as_str().unwrap().is_empty());
    let out = s
        .patch(&s.path("services/svc"), MERGE, &json!({"spec": {"selector": {"app": "other"}}}))
        .await
        .expect(200);
    assert_eq!(out["spec"]["clusterIP"], address);
}

async fn pods_delete_gracefully(s: &Server) {
    let node = s.node("n").await;
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "spec": s.pod_spec("example.invalid/p:1"),
        "metadata": {"name": "p", "annotations": {"cluster.switchback.test/delete-after": "20s"}}});
    s.post(&s.path("pods"), &pod).await.expect(201);
    s.wait(&s.path("pods/p"), 30, |p| p["status"]["phase"] == "Running").await;
    let out = s.delete(&s.path("pods/p")).await.expect(200);
    assert_eq!(out["metadata"]["deletionGracePeriodSeconds"], 30);
    assert!(!out["metadata"]["deletionTimestamp"].is_null());
    s.get(&s.path("pods/p")).await.expect(200);
    s.delete(&format!("{}?gracePeriodSeconds=0", s.path("pods/p"))).await.expect(200);
    assert_eq!(s.get(&s.path("pods/p")).await.status, 404);
    pod["metadata"]["name"] = "q".into();
    pod["spec"]["nodeSelector"] = json!({"row": "none"});
    s.post(&s.path("pods"), &pod).await.expect(201);
    s.delete(&s.path("pods/q")).await.expect(200);
    assert_eq!(s.get(&s.path("pods/q")).await.status, 404, "a pod that runs nowhere needs no grace");
    s.remove_node(&node).await;
}

async fn services_list_their_pods(s: &Server) {
    let node = s.node("n").await;
    let mut body = s.deployment("web", 2);
    body["spec"]["template"]["spec"]["containers"][0]["ports"] =
        json!([{"name": "hook", "containerPort": 9443}]);
    s.post(&s.path("apps:v1/deployments"), &body).await.expect(201);
    for app in ["web", "nobody"] {
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": app}, "spec": {
            "selector": {"app": app},
            "ports": [{"name": "https", "port": 443, "targetPort": "hook"}, {"name": "metrics", "port": 8080}]}});
        s.post(&s.path("services"), &service).await.expect(201);
    }
    let of = |app: &str| {
        s.path(&format!(
            "discovery.k8s.io:v1/endpointslices?labelSelector=kubernetes.io%2Fservice-name%3D{app}"
        ))
    };
    let ready = |list: &Value| {
        let endpoints = list["items"][0]["endpoints"].as_array().cloned().unwrap_or_default();
        endpoints.iter().filter(|e| e["conditions"]["ready"] == true).count()
    };
    let web = s.wait(&of("web"), 60, |list| ready(list) == 2).await;
    assert_eq!(web["items"].as_array().map(Vec::len), Some(1));
    let slice = &web["items"][0];
    assert_eq!(slice["addressType"], "IPv4");
    assert_eq!(
        slice["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"],
        "endpointslice-controller.k8s.io"
    );
    let pods = s.pods("web").await;
    for endpoint in slice["endpoints"].as_array().unwrap() {
        assert_eq!(endpoint["nodeName"], node);
        assert_eq!(endpoint["conditions"], json!({"ready": true, "serving": true, "terminating": false}));
        let pod = pods.iter().find(|p| p["metadata"]["uid"] == endpoint["targetRef"]["uid"]).unwrap();
        assert_eq!(endpoint["addresses"], json!([pod["status"]["podIP"]]));
    }
    let mut ports: Vec<_> = slice["ports"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| (p["name"].to_string(), p["port"].as_u64()))
        .collect();
    ports.sort();
    assert_eq!(ports, [("\"https\"".to_owned(), Some(9443)), ("\"metrics\"".to_owned(), Some(8080))]);

    let unready = json!({"status": {"conditions": [{"type": "Ready", "status": "False"}]}});
    let first = format!("pods/{}/status", pods[0]["metadata"]["name"].as_str().unwrap());
    s.patch(&s.path(&first), STRATEGIC, &unready).await.expect(200);
    let one = s.wait(&of("web"), 60, |list| ready(list) == 1).await;
    assert_eq!(one["items"][0]["endpoints"].as_array().map(Vec::len), Some(2));
    let nobody = s.wait(&of("nobody"), 30, |list| !list["items"][0].is_null()).await;
    assert!(nobody["items"][0]["endpoints"].as_array().is_none_or(Vec::is_empty));
    s.delete(&s.path("services/web")).await.expect(200);
    s.wait(&of("web"), 60, |list| list["items"].as_array().is_some_and(Vec::is_empty)).await;
    s.remove_node(&node).await;
}
