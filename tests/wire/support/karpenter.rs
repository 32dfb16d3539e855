//! A stand-in for Karpenter on a cluster that has no machines: it keeps a pool at its size. A claim that is deleted loses its
//! node, and another claim with another node comes in its place.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{JoinHandle, sleep},
    time::Duration,
};

use serde_json::{Value, json};

use super::kubectl::Cluster;

/// How often it looks.
const LOOK: Duration = Duration::from_millis(500);

const FINALIZER: &str = "karpenter.sh/termination";

/// Karpenter, as far as an upgrade sees it, until it is dropped.
pub(crate) struct StandIn {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What it works on.
struct Pool {
    cluster: Cluster,
    name: &'static str,
    made: AtomicUsize,
}

impl StandIn {
    /// Fills a pool, and keeps it full.
    pub(crate) fn keeps(cluster: &Cluster, pool: &'static str, size: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let pool = Pool { cluster: cluster.clone(), name: pool, made: AtomicUsize::new(0) };
        (0..size).for_each(|_| pool.launch());
        pool.says_ready();
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::SeqCst) {
                pool.replace();
                sleep(LOOK);
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // A stand-in that failed has failed its test already.
            drop(thread.join());
        }
    }
}

impl Pool {
    /// A machine and its claim.
    fn launch(&self) {
        let number = self.made.fetch_add(1, Ordering::SeqCst);
        let name = format!("{}-{number}", self.name);
        let labels = json!({
            "karpenter.sh/nodepool": self.name, "karpenter.sh/registered": "true", "kubernetes.io/os": "linux",
            "kubernetes.io/hostname": name, "node.kubernetes.io/instance-type": "m6i.xlarge",
            "topology.kubernetes.io/zone": "eu-central-1a",
        });
        let mut room = json!({"cpu": "16", "memory": "64Gi", "pods": "110"});
        if self.name == "gpu" {
            room["nvidia.com/gpu"] = "8".into();
        }
        let id = format!("aws:///eu-central-1a/i-{name}");
        self.cluster.create(&json!({"apiVersion": "karpenter.sh/v1", "kind": "NodeClaim",
            "metadata": {"name": name, "labels": labels, "finalizers": [FINALIZER]},
            "spec": {"nodeClassRef": {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default"}, "requirements": []}}));
        self.cluster.create(&json!({"apiVersion": "v1", "kind": "Node",
            "metadata": {"name": name, "labels": labels, "annotations": {"kwok.x-k8s.io/node": "fake"}},
            "spec": {"providerID": id}, "status": {"capacity": room, "allocatable": room, "nodeInfo": {"kubeletVersion": "v1.32.3"}}}));
        let status = json!({"status": {"nodeName": name, "providerID": id, "conditions": [condition()]}});
        self.cluster.kubectl(&[
            "patch",
            "nodeclaim",
            &name,
            "--subresource=status",
            "--type=merge",
            "-p",
            &status.to_string(),
        ]);
    }

    /// Pools and classes are Ready where their controller says so.
    fn says_ready(&self) {
        let status = json!({"status": {"conditions": [condition()]}}).to_string();
        for object in [format!("nodepool/{}", self.name), "ec2nodeclass/default".to_owned()] {
            self.cluster.kubectl(&["patch", &object, "--subresource=status", "--type=merge", "-p", &status]);
        }
    }

    /// Machines of deleted claims go, and others come.
    fn replace(&self) {
        let ours = format!("karpenter.sh/nodepool={}", self.name);
        let claims = self.cluster.items(&["get", "nodeclaims", "-l", &ours]);
        for claim in claims.iter().filter(|claim| claim["metadata"].get("deletionTimestamp").is_some()) {
            let name = claim["metadata"]["name"].as_str().expect("a name");
            self.cluster.kubectl(&["delete", "node", name, "--ignore-not-found", "--wait=false"]);
            self.cluster.kubectl(&[
                "patch",
                "nodeclaim",
                name,
                "--type=merge",
                "-p",
                r#"{"metadata":{"finalizers":null}}"#,
            ]);
            self.launch();
        }
    }
}

fn condition() -> Value {
    json!({"type": "Ready", "status": "True", "reason": "Ready", "message": "", "lastTransitionTime": "2026-11-20T10:00:00Z"})
}
