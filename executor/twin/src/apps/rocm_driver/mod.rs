//! AMD's GPU Operator and the Kernel Module Management beneath it: a Module that follows a DeviceConfig, drivers that follow the labels of
//! nodes, and upgrades that the operator makes by itself.
//!
//! It follows ROCm/gpu-operator @6df13c17 (`upgrademgr.go`, `kmmmodule.go`) and rh-ecosystem-edge/kernel-module-management @0419e2f0
//! (`ordered_upgrade.md`, `module_reconciler.go`, `nmc_reconciler.go`, `node.go`). No row of the contract holds it to them: neither runs without GPUs.

use jiff::SignedDuration;
use serde_json::{Map, Value, json};

use crate::kube::controllers::scheduler::tolerates;
use crate::world::key::{list, number, set, text};
use crate::world::{Actor, Change, ChangeKind, Key, Wakes, World, labels};

mod modules;
mod upgrades;

const GROUP: &str = "amd.com";
const KMM: &str = "kmm.sigs.x-k8s.io";
/// How soon it sees what it watches.
const SOON: SignedDuration = SignedDuration::from_secs(5);
/// The taint of a node that the operator upgrades by itself.
const TAINT: &str = "amd-gpu-driver-upgrade";
/// The label of nodes that a DeviceConfig without a selector selects.
const DEFAULT: &str = "feature.node.kubernetes.io/amd-gpu";

/// The key under which it looks at everything.
fn everything() -> Key {
    Key::new(GROUP, "deviceconfigs", "", "")
}

/// Who it is.
pub(crate) const ACTOR: Actor = Actor { name: "rocm-driver", notice, act };

fn notice(world: &World, change: &Change) -> Wakes {
    let key = &change.key;
    let itself = key.is("apps", "deployments") && is_operator(&change.object);
    let node = key.is("", "nodes") && moved(change);
    let installed = world.kind(GROUP, "v1alpha1", "deviceconfigs").is_some();
    if installed && (*key.group == *GROUP || itself || node) {
        vec![(everything(), SOON)]
    } else {
        Vec::new()
    }
}

/// Whether a node changed in what is looked at, and not in its heartbeat.
fn moved(change: &Change) -> bool {
    let seen = |node: &Value| {
        ["/metadata/labels", "/spec", "/status/nodeInfo/bootID"].map(|at| node.pointer(at).cloned())
    };
    change.kind != ChangeKind::Modified
        || change.before.as_ref().is_none_or(|before| seen(before) != seen(&change.object))
}

fn is_operator(deployment: &Value) -> bool {
    labels(deployment).get("app.kubernetes.io/component") == Some(&json!("amd-gpu"))
}

fn act(world: &mut World, _: &Key) {
    let runs = |d: &Value| is_operator(d) && number(d, "/status/readyReplicas").unwrap_or(0) > 0;
    if !world.list("apps", "deployments", None).any(|(_, d)| runs(d)) {
        return;
    }
    let configs: Vec<(Key, Value)> =
        world.list(GROUP, "deviceconfigs", None).map(|(k, c)| (k.clone(), c.as_ref().clone())).collect();
    let mut busy = false;
    for (key, config) in configs {
        if config.pointer("/spec/driver/enable") == Some(&json!(false)) {
            continue;
        }
        let of = Of { key, config };
        of.module(world);
        of.plugin(world);
        let nodes = of.nodes(world);
        for node in &nodes {
            busy |= of.follow(world, node);
        }
        busy |= of.upgrade(world, &nodes);
    }
    if busy {
        world.plan(ACTOR.name, everything(), SOON);
    }
}

/// A DeviceConfig.
struct Of {
    key: Key,
    config: Value,
}

impl Of {
    fn version(&self) -> &str {
        text(&self.config, "/spec/driver/version")
    }

    fn part(&self) -> String {
        format!("{}.{}", self.key.namespace, self.key.name)
    }

    /// The label that says which driver a node is to have.
    fn asks(&self) -> String {
        format!("kmm.node.kubernetes.io/version-module.{}", self.part())
    }

    /// The label that says that it is loaded.
    fn ready(&self) -> String {
        format!("kmm.node.kubernetes.io/{}.ready", self.part())
    }

    fn selector(&self) -> Map<String, Value> {
        let given = self.config.pointer("/spec/selector").and_then(Value::as_object).cloned();
        given.filter(|given| !given.is_empty()).unwrap_or_else(|| {
            let mut all = Map::new();
            all.insert(DEFAULT.to_owned(), json!("true"));
            all
        })
    }

    fn nodes(&self, world: &World) -> Vec<Key> {
        let selector = self.selector();
        let selected = |node: &Value| {
            let its = labels(node);
            selector.iter().all(|(key, value)| its.get(key) == Some(value))
        };
        world.list("", "nodes", None).filter(|(_, n)| selected(n)).map(|(k, _)| k.clone()).collect()
    }

    fn tolerations(&self) -> Vec<Value> {
        let mut all = list(&self.config, "/spec/driver/tolerations").to_vec();
        all.push(json!({"key": TAINT, "operator": "Equal", "value": "true", "effect": "NoSchedule"}));
        all.push(json!({"key": "amd-dcm", "operator": "Equal", "value": "up"}));
        all
    }

    /// Whether a pod of the module could be scheduled onto a node.
    fn schedulable(&self, node: &Value) -> bool {
        let mut taints = list(node, "/spec/taints").to_vec();
        if node.pointer("/spec/unschedulable") == Some(&json!(true)) {
            taints.push(json!({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}));
        }
        let tolerations = self.tolerations();
        let keeps_out = |taint: &&Value| matches!(text(taint, "/effect"), "NoSchedule" | "NoExecute");
        taints.iter().filter(keeps_out).all(|taint| tolerations.iter().any(|one| tolerates(one, taint)))
    }

    fn owned(&self, object: &mut Value) {
        let owner = json!([{"apiVersion": "amd.com/v1alpha1", "kind": "DeviceConfig", "name": &*self.key.name,
            "uid": text(&self.config, "/metadata/uid"), "controller": true, "blockOwnerDeletion": true}]);
        set(object, &["metadata", "ownerReferences"], owner);
    }

    /// The Module that Kernel Module Management follows.
    fn module(&self, world: &mut World) {
        let key = Key::new(KMM, "modules", &self.key.namespace, &self.key.name);
        let spec = json!({
            "selector": self.selector(),
            "tolerations": self.tolerations(),
            "moduleLoader": {"container": {"version": self.version(), "modprobe": {"moduleName": "amdgpu"}}},
        });
        if world.get(&key).is_some() {
            world.modify(&key, |module| set(module, &["spec"], spec));
            return;
        }
        let mut module = json!({"apiVersion": "kmm.sigs.x-k8s.io/v1beta1", "kind": "Module",
            "metadata": {"name": &*self.key.name, "namespace": &*self.key.namespace}, "spec": spec});
        self.owned(&mut module);
        world.create(key, module);
    }

    /// The device plugin, where a driver is loaded.
    fn plugin(&self, world: &mut World) {
        let name = format!("{}-device-plugin", self.key.name);
        let key = Key::new("apps", "daemonsets", &self.key.namespace, &name);
        if world.get(&key).is_some() {
            return;
        }
        let mut selector = self.selector();
        selector.insert(self.ready(), json!(""));
        let labels = json!({"daemonset-name": &*self.key.name});
        let mut set = json!({"apiVersion": "apps/v1", "kind": "DaemonSet",
            "metadata": {"name": name, "namespace": &*self.key.namespace, "labels": labels},
            "spec": {"selector": {"matchLabels": labels}, "updateStrategy": {"type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}, "revisionHistoryLimit": 10,
                "template": {"metadata": {"labels": labels}, "spec": {"nodeSelector": selector,
                    "tolerations": [{"key": TAINT, "operator": "Exists", "effect": "NoSchedule"}],
                    "containers": [{"name": "device-plugin", "image": "rocm/k8s-device-plugin:v1"}]}}}});
        self.owned(&mut set);
        world.create(key, set);
    }
}

/// Pods on a node that hold a GPU and that no DaemonSet put there.
fn holders(world: &World, node: &str) -> Vec<Key> {
    let holds = |pod: &Value| {
        let limits = list(pod, "/spec/containers")
            .iter()
            .filter_map(|container| container.pointer("/resources/limits").and_then(Value::as_object));
        let over = matches!(text(pod, "/status/phase"), "Succeeded" | "Failed");
        !over && limits.flatten().any(|(name, count)| name.starts_with("amd.com/") && *count != json!("0"))
    };
    let of_set =
        |pod: &Value| list(pod, "/metadata/ownerReferences").iter().any(|o| text(o, "/kind") == "DaemonSet");
    let pods = world.pods_on(node).into_iter();
    pods.filter(|(_, pod)| holds(pod) && !of_set(pod)).map(|(key, _)| key).collect()
}
