//! Objects that rows make.

use serde_json::{Value, json};

use super::Server;
use super::answer::{condition, text};

impl Server {
    /// A path in the row's namespace.
    pub(crate) fn path(&self, rest: &str) -> String {
        match rest.split_once('/') {
            Some((group, rest)) if group.contains(':') => {
                format!("/apis/{}/namespaces/{}/{rest}", group.replace(':', "/"), self.ns)
            }
            _ => format!("/api/v1/namespaces/{}/{rest}", self.ns),
        }
    }

    /// A node of the row's own; only pods that tolerate it come there.
    pub(crate) async fn node(&self, name: &str) -> String {
        let name = format!("{}-{name}", self.id);
        let node = json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": name, "labels": {"row": self.id, "kubernetes.io/hostname": name, "type": "kwok"},
                "annotations": {"kwok.x-k8s.io/node": "fake"}},
            "spec": {"taints": [{"key": "row", "value": self.id, "effect": "NoSchedule"}]},
            "status": {"capacity": resources(), "allocatable": resources()},
        });
        self.post("/api/v1/nodes", &node).await.expect(201);
        self.wait(&format!("/api/v1/nodes/{name}"), 30, |n| {
            condition(n, "Ready") == "True" && !tainted(n, "node.kubernetes.io/not-ready")
        })
        .await;
        name
    }

    pub(crate) async fn remove_node(&self, name: &str) {
        self.delete(&format!("/api/v1/nodes/{name}")).await;
    }

    /// A pod spec that comes to the row's nodes only.
    pub(crate) fn pod_spec(&self, image: &str) -> Value {
        json!({
            "nodeSelector": {"row": self.id},
            "tolerations": [{"key": "row", "operator": "Equal", "value": self.id, "effect": "NoSchedule"}],
            "containers": [{"name": "c", "image": image}],
        })
    }

    pub(crate) fn deployment(&self, name: &str, replicas: u32) -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": self.ns},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": {
                "metadata": {"labels": {"app": name}}, "spec": self.pod_spec("example.invalid/app:1")}},
        })
    }

    /// A Deployment, rolled out; returns its pods.
    pub(crate) async fn deployed(&self, name: &str, replicas: u32) -> Vec<Value> {
        self.post(&self.path("apps:v1/deployments"), &self.deployment(name, replicas)).await.expect(201);
        self.rolled_out(name, replicas).await;
        self.pods(name).await
    }

    pub(crate) async fn rolled_out(&self, name: &str, replicas: u32) -> Value {
        self.wait(&self.path(&format!("apps:v1/deployments/{name}")), 60, |d| {
            d["status"]["observedGeneration"] == d["metadata"]["generation"]
                && d["status"]["availableReplicas"].as_u64().unwrap_or(0) == u64::from(replicas)
                && d["status"]["updatedReplicas"].as_u64().unwrap_or(0) == u64::from(replicas)
                && d["status"]["replicas"].as_u64().unwrap_or(0) == u64::from(replicas)
        })
        .await
    }

    /// Pods of an app that are not being deleted.
    pub(crate) async fn pods(&self, app: &str) -> Vec<Value> {
        let list = self.get(&format!("{}?labelSelector=app%3D{app}", self.path("pods"))).await.expect(200);
        let items = list["items"].as_array().cloned().unwrap_or_default();
        items.into_iter().filter(|p| p["metadata"]["deletionTimestamp"].is_null()).collect()
    }

    /// A budget on an app, once its status knows `allowed`.
    pub(crate) async fn budget(&self, name: &str, spec: &Value, allowed: u32) {
        let body = json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name}, "spec": spec});
        self.post(&self.path("policy:v1/poddisruptionbudgets"), &body).await.expect(201);
        self.wait(&self.path(&format!("policy:v1/poddisruptionbudgets/{name}")), 30, |b| {
            b["status"]["observedGeneration"] == b["metadata"]["generation"]
                && b["status"]["disruptionsAllowed"] == allowed
                && b["status"]["expectedPods"].as_u64().unwrap_or(0) > 0
        })
        .await;
    }

    pub(crate) fn eviction(&self, pod: &str, options: Option<Value>) -> Value {
        let mut body = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": self.ns}});
        if let Some(options) = options {
            body["deleteOptions"] = options;
        }
        body
    }
}

fn resources() -> Value {
    json!({"cpu": "32", "memory": "256Gi", "pods": "110", "nvidia.com/gpu": "8"})
}

pub(crate) fn tainted(node: &Value, key: &str) -> bool {
    node.pointer("/spec/taints").and_then(Value::as_array).is_some_and(|t| t.iter().any(|t| t["key"] == key))
}

pub(crate) fn name(object: &Value) -> &str {
    text(object, "/metadata/name")
}
