//! KServe on the small platform: two charts, three services, two GPUs that are free.

use serde_json::{Value, json};
use switchback_schemas::{
    ComponentName, Diagnostic,
    inventory::{Conversion, Crd, Inventory, OwnerEvidence, Ownership},
    lock::Lock,
    manifest::OwnerKind,
    name::{ObjectName, ObjectRef},
    plan::Plan,
};

use crate::world::{PLATFORM, compiled_with, inventory, release, render};

pub(crate) const KSERVE: &str = r"
apiVersion: switchback.dev/v1alpha1
kind: KserveUpgrade
metadata: {name: kserve}
spec:
  target: cluster
  to: '0.16.0'
  release: {namespace: kserve, name: kserve}
  crdRelease: {namespace: kserve, name: kserve-crd}
  charts: {oci: 'oci://registry.example/charts'}
";

const CRDS: [(&str, &str, u64); 5] = [
    ("inferenceservices", "InferenceService", 3),
    ("servingruntimes", "ServingRuntime", 0),
    ("clusterservingruntimes", "ClusterServingRuntime", 2),
    ("inferencegraphs", "InferenceGraph", 1),
    ("clusterstoragecontainers", "ClusterStorageContainer", 1),
];

pub(crate) fn name(name: &str) -> ObjectName {
    ObjectName::namespaced("kserve", name)
}

fn version_of(kind: &str) -> &'static str {
    if kind == "InferenceService" { "v1beta1" } else { "v1alpha1" }
}

/// What the chart of CRDs holds.
pub(crate) fn crd_objects() -> Vec<Value> {
    let crd = |(plural, kind, _): &(&str, &str, u64)| {
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
               "metadata": {"name": format!("{plural}.serving.kserve.io")},
               "spec": {"group": "serving.kserve.io", "names": {"kind": kind},
                        "versions": [{"name": version_of(kind), "served": true, "storage": true}]}})
    };
    CRDS.iter().map(crd).collect()
}

/// What the chart of the controller holds.
pub(crate) fn objects(version: &str) -> Vec<Value> {
    let image = json!({"image": format!("kserve/storage-initializer:v{version}")});
    vec![
        json!({"apiVersion": "apps/v1", "kind": "Deployment",
               "metadata": {"name": "kserve-controller-manager", "namespace": "kserve"},
               "spec": {"template": {"spec": {"containers": [
                   {"name": "manager", "image": format!("kserve/kserve-controller:v{version}"), "args": ["--leader-elect"]}]}}}}),
        json!({"apiVersion": "v1", "kind": "ConfigMap",
               "metadata": {"name": "inferenceservice-config", "namespace": "kserve"},
               "data": {"storageInitializer": image.to_string()}}),
        json!({"apiVersion": "serving.kserve.io/v1alpha1", "kind": "ClusterServingRuntime",
               "metadata": {"name": "sklearn"}, "spec": {"containers": [{"name": "kserve-container", "image": "sklearn:1"}]}}),
        json!({"apiVersion": "serving.kserve.io/v1alpha1", "kind": "ClusterServingRuntime",
               "metadata": {"name": "vllm"},
               "spec": {"containers": [{"name": "kserve-container", "image": format!("vllm:v{version}")}]}}),
    ]
}

/// A service with one Deployment.
pub(crate) fn service(own: &str, mode: Option<&str>, fetches: bool, gpus: u64) -> Value {
    json!({"name": {"namespace": "ml", "name": own}, "ready": true, "url": format!("http://{own}.ml.example"),
           "mode": mode, "modeSeen": mode, "runtime": if gpus > 0 { "vllm" } else { "sklearn" }, "fetches": fetches,
           "predictors": [{"deployment": {"namespace": "ml", "name": format!("{own}-predictor")},
                           "replicas": 2, "surge": 1, "gpus": gpus}]})
}

fn section(mode: Option<&str>) -> Value {
    json!({
        "controller": {"deployment": {"namespace": "kserve", "name": "kserve-controller-manager"}, "replicas": 1,
                       "leaderElect": true, "recreate": false, "labels": {"control-plane": "kserve-controller-manager"}},
        "services": [service("chat", mode, true, 2), service("echo", None, false, 0), service("iris", mode, true, 0)],
        "others": [{"object": {"apiVersion": "serving.kserve.io/v1alpha1", "kind": "InferenceGraph", "namespace": "ml", "name": "both"},
                    "ready": true}],
    })
}

/// KServe at a version, with services whose mode has a word.
pub(crate) fn platform(version: &str, mode: Option<&str>) -> Inventory {
    let mut inventory = inventory("1.8.8");
    let split = version.starts_with("0.17") || version.starts_with("0.18") || version.starts_with("0.2");
    let chart = if split { "kserve-resources" } else { "kserve" };
    let tag = format!("v{version}");
    inventory.releases.push(release(name("kserve-crd"), "kserve-crd", &tag, crd_objects()));
    inventory.releases.push(release(name("kserve"), chart, &tag, objects(version)));
    inventory.crds.extend(CRDS.iter().map(|(plural, kind, count)| Crd {
        name: format!("{plural}.serving.kserve.io"),
        kind: (*kind).to_owned(),
        namespaced: !kind.starts_with("Cluster"),
        uid: format!("uid-{plural}"),
        served: vec![version_of(kind).to_owned()],
        storage: version_of(kind).to_owned(),
        stored: vec![version_of(kind).to_owned()],
        conversion: Conversion::None {},
        objects: Some(*count),
        release: Some(name("kserve-crd")),
        keep: false,
    }));
    let owned = |own: &str| Ownership {
        object: ObjectRef::new(
            "serving.kserve.io/v1beta1",
            "InferenceService",
            &ObjectName::namespaced("ml", own),
        ),
        evidence: vec![OwnerEvidence { owner: OwnerKind::Kubectl, because: "field manager".to_owned() }],
    };
    inventory.owners.extend(["chat", "echo", "iris"].map(owned));
    put(&mut inventory, section(mode));
    inventory
}

/// Puts a section in place of the one that is there.
pub(crate) fn put(inventory: &mut Inventory, section: Value) {
    inventory.components.insert(ComponentName::new("kserve").expect("a name"), section);
}

/// Changes the section.
pub(crate) fn change(inventory: &mut Inventory, change: impl FnOnce(&mut Value)) {
    let own = ComponentName::new("kserve").expect("a name");
    change(inventory.components.get_mut(&own).expect("the section"));
}

/// Adds both charts at a version.
pub(crate) fn resolved(lock: &mut Lock, inventory: &Inventory, version: &str) {
    let chart = inventory.releases.iter().find(|release| release.name == name("kserve"));
    let chart = chart.map_or("kserve", |release| release.chart.as_str());
    let tag = format!("v{version}");
    lock.renders.push(render(name("kserve-crd"), "kserve-crd", &tag, crd_objects()));
    lock.renders.push(render(name("kserve"), chart, &tag, objects(version)));
}

/// Compiles a manifest of KServe with both charts at a version.
pub(crate) fn planned(
    manifest: &str,
    inventory: &Inventory,
    version: &str,
) -> (Option<Plan>, Vec<Diagnostic>) {
    planned_with(manifest, inventory, version, |_| ())
}

/// The same with a lock that somebody changed.
pub(crate) fn planned_with(
    manifest: &str,
    inventory: &Inventory,
    version: &str,
    change: impl FnOnce(&mut Lock),
) -> (Option<Plan>, Vec<Diagnostic>) {
    let files = [("platform.yaml", PLATFORM), ("kserve.yaml", manifest)];
    compiled_with(&files, inventory, &[], |lock| {
        resolved(lock, inventory, version);
        change(lock);
    })
}
