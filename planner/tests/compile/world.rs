//! A small platform, built in code: what the compiler is given in these tests.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use switchback_planner::{
    compile::{Sources, compile},
    components::built_in,
    manifest::{self, Manifests},
    registry::Registry,
};
use switchback_schemas::{
    ComponentName, Diagnostic, Digest, Version,
    format::Document,
    inventory::{
        ApiUse, Budget, ClaimRef, Cluster, Container, Conversion, Crd, Inventory, Node, OwnerEvidence,
        Ownership, Pod, Release, Revision, Workload,
    },
    lock::{Lock, Render},
    manifest::OwnerKind,
    name::{Label, ObjectName, ObjectRef},
    plan::{Chart, Plan},
};

/// The components of this build.
pub(crate) fn registry() -> &'static Registry<'static> {
    built_in().expect("the catalog")
}

pub(crate) fn v(text: &str) -> Version {
    text.parse().expect(text)
}

pub(crate) fn label(text: &str) -> Label {
    Label::new(text).expect(text)
}

fn at() -> jiff::Timestamp {
    "2026-11-20T09:12:00Z".parse().expect("an instant")
}

pub(crate) fn karpenter() -> ObjectName {
    ObjectName::namespaced("kube-system", "karpenter")
}

pub(crate) fn crds() -> ObjectName {
    ObjectName::namespaced("kube-system", "karpenter-crd")
}

fn deployment(name: &ObjectName, version: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name.name, "namespace": name.namespace, "labels": {"app.kubernetes.io/version": version}},
        "spec": {"replicas": 2, "template": {"spec": {"containers": [
            {"name": "controller", "image": format!("registry.example/karpenter/controller:{version}")}]}}},
    })
}

const CRDS: [(&str, &str); 3] = [
    ("nodepools.karpenter.sh", "NodePool"),
    ("nodeclaims.karpenter.sh", "NodeClaim"),
    ("ec2nodeclasses.karpenter.k8s.aws", "EC2NodeClass"),
];

fn crd_objects(versions: &[(&str, bool)]) -> Vec<Value> {
    let version = |(name, storage): &(&str, bool)| json!({"name": name, "served": true, "storage": storage});
    let crd = |(name, kind): &(&str, &str)| {
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": name},
               "spec": {"names": {"kind": kind}, "versions": versions.iter().map(version).collect::<Vec<_>>()}})
    };
    CRDS.iter().map(crd).collect()
}

fn served(version: &str) -> Vec<(&'static str, bool)> {
    match v(version) {
        version if version < v("1.0") => vec![("v1beta1", true)],
        version if version < v("1.1") => vec![("v1", true), ("v1beta1", false)],
        _ => vec![("v1", true)],
    }
}

pub(crate) fn release(name: ObjectName, chart: &str, version: &str, objects: Vec<Value>) -> Release {
    let crds = objects.iter().filter(|o| o["kind"] == "CustomResourceDefinition");
    let crds = crds.filter_map(|o| o["metadata"]["name"].as_str().map(str::to_owned)).collect();
    Release {
        name,
        chart: chart.to_owned(),
        chart_version: v(version),
        app_version: version.to_owned(),
        values: json!({"replicas": 2}),
        values_digest: Digest::of("values"),
        objects,
        custom: Vec::new(),
        revisions: vec![Revision {
            number: 3,
            status: "deployed".to_owned(),
            chart_version: v(version),
            crds,
        }],
    }
}

/// Karpenter at a version on a cluster of 1.33: two NodePools, six and four nodes, one plain Deployment.
pub(crate) fn inventory(version: &str) -> Inventory {
    let versions = served(version);
    let stored: Vec<String> = versions.iter().rev().map(|(name, _)| (*name).to_owned()).collect();
    let storage = versions.iter().find(|(_, storage)| *storage).map_or("v1", |(name, _)| name).to_owned();
    let served: Vec<String> = versions.iter().map(|(name, _)| (*name).to_owned()).collect();
    let crd = |(name, kind): &(&str, &str)| Crd {
        name: (*name).to_owned(),
        kind: (*kind).to_owned(),
        uid: format!("uid-{name}"),
        served: served.clone(),
        storage: storage.clone(),
        stored: stored.clone(),
        conversion: Conversion::None {},
        objects: Some(10),
        release: Some(crds()),
        namespaced: false,
        keep: false,
    };
    let owner = |object: ObjectRef, owner| Ownership {
        object,
        evidence: vec![OwnerEvidence { owner, because: "field manager".to_owned() }],
    };
    let api = if v(version) < v("1.0") { "karpenter.sh/v1beta1" } else { "karpenter.sh/v1" };
    let pool_ref = |name: &str| ObjectRef::new(api, "NodePool", &ObjectName::cluster(name));
    let web = ObjectRef::new("apps/v1", "Deployment", &ObjectName::namespaced("shop", "web"));
    let mut sections = BTreeMap::new();
    sections.insert(ComponentName::new("karpenter").expect("a name"), section(api));
    Inventory {
        format: Document::Inventory.current(),
        observation: label("obs-1"),
        taken_at: at(),
        api_use: ApiUse::default(),
        cluster: Cluster {
            version: v(if v(version) < v("1.0") { "1.29.4" } else { "1.33.2" }),
            kube_system_uid: "c0ffee".to_owned(),
            apis: vec!["apps/v1".to_owned(), api.to_owned()],
        },
        nodes: [("general", 6, false), ("gpu", 4, true)]
            .into_iter()
            .flat_map(|(pool, count, gpu)| (0..count).map(move |n| node(pool, n, gpu)))
            .collect(),
        pods: vec![pod("shop", "web-1", "general-0", "Deployment"), pod("ml", "train-0", "gpu-0", "Job")],
        workloads: vec![Workload {
            object: web.clone(),
            replicas: 3,
            ready: 3,
            paused: false,
            survives: None,
            labels: BTreeMap::new(),
            containers: vec![Container {
                name: "web".to_owned(),
                image: "registry.example/web:1.4".to_owned(),
            }],
        }],
        budgets: vec![Budget {
            name: ObjectName::namespaced("shop", "web"),
            pods: vec!["web-1".to_owned()],
            allowed: 1,
            expected: 3,
            desired_healthy: 2,
        }],
        releases: vec![
            release(karpenter(), "karpenter", version, vec![deployment(&karpenter(), version)]),
            release(crds(), "karpenter-crd", version, crd_objects(&versions)),
        ],
        crds: CRDS.iter().map(crd).collect(),
        webhooks: Vec::new(),
        owners: vec![
            owner(pool_ref("general"), OwnerKind::Kubectl),
            owner(pool_ref("gpu"), OwnerKind::Kubectl),
            owner(web, OwnerKind::Kubectl),
        ],
        components: sections,
        unread: Vec::new(),
        carry_over: None,
    }
}

fn section(api: &str) -> Value {
    let pool = |name: &str| {
        json!({"name": name, "apiVersion": api, "budgets": [{"nodes": "10%"}], "expireAfter": "720h",
               "nodeClass": "default", "ready": true, "claims": 5, "drifted": 0})
    };
    json!({
        "deployment": {"namespace": "kube-system", "name": "karpenter"}, "version": "1.5.8",
        "nodePools": [pool("general"), pool("gpu")],
        "nodeClasses": [{"name": "default", "amiAliases": ["al2023@v20261101"], "ready": true}],
    })
}

fn node(pool: &str, number: usize, gpu: bool) -> Node {
    let name = format!("{pool}-{number}");
    Node {
        uid: format!("uid-{name}"),
        provider_id: None,
        labels: [("karpenter.sh/nodepool".to_owned(), pool.to_owned())].into(),
        kubelet: Some(v("1.33.1")),
        ready: true,
        schedulable: true,
        gpus: if gpu { [("nvidia.com/gpu".to_owned(), 8)].into() } else { BTreeMap::new() },
        node_claim: Some(ClaimRef { name: name.clone(), uid: format!("claim-{name}"), drifted: false }),
        objections: [].into(),
        taints: Vec::new(),
        capacity: BTreeMap::new(),
        name,
    }
}

pub(crate) fn pod(namespace: &str, name: &str, node: &str, owner: &str) -> Pod {
    Pod {
        name: ObjectName::namespaced(namespace, name),
        node: node.to_owned(),
        labels: BTreeMap::new(),
        owners: vec![ObjectRef::new("batch/v1", owner, &ObjectName::namespaced(namespace, "owner"))],
        gpu: node.starts_with("gpu"),
        workload: "uid-owner".to_owned(),
        owner_unread: None,
        started: None,
        objections: [].into(),
        needs: None,
    }
}

pub(crate) fn render(release: ObjectName, chart: &str, version: &str, objects: Vec<Value>) -> Render {
    Render {
        release,
        chart: Chart {
            name: chart.to_owned(),
            repository: "oci://registry.example/charts".to_owned(),
            version: v(version),
            digest: Digest::of(format!("{chart}-{version}")),
        },
        app_version: version.to_owned(),
        set: json!({}),
        values: Digest::of("values"),
        objects,
        hooks: Vec::new(),
        lookups: Vec::new(),
        crds: Vec::new(),
        images: Vec::new(),
        unstable: false,
    }
}

/// Both charts of Karpenter at some versions.
pub(crate) fn lock(inventory: &Inventory, manifests: Digest, versions: &[&str]) -> Lock {
    let both = |version: &&str| {
        let objects = crd_objects(&served(version));
        [
            render(karpenter(), "karpenter", version, vec![deployment(&karpenter(), version)]),
            render(crds(), "karpenter-crd", version, objects),
        ]
    };
    Lock {
        format: Document::Lock.current(),
        resolved_at: at(),
        observation: inventory.observation.clone(),
        manifests,
        renders: versions.iter().flat_map(both).collect(),
        addons: Vec::new(),
    }
}

/// Compiles manifests against an inventory, with renders of some versions.
pub(crate) fn compiled(
    files: &[(&str, &str)],
    inventory: &Inventory,
    versions: &[&str],
) -> (Option<Plan>, Vec<Diagnostic>) {
    compiled_with(files, inventory, versions, |_| ())
}

/// The same with a lock that somebody changed.
pub(crate) fn compiled_with(
    files: &[(&str, &str)],
    inventory: &Inventory,
    versions: &[&str],
    change: impl FnOnce(&mut Lock),
) -> (Option<Plan>, Vec<Diagnostic>) {
    let (manifests, diagnostics) = manifest::read(registry().kinds(), files.iter().copied());
    let Some(manifests) = manifests else { return (None, diagnostics) };
    let mut lock = lock(inventory, manifests.digest, versions);
    change(&mut lock);
    compiled_of(registry(), &manifests, inventory, &lock)
}

/// Compiles what was read with the components and owners of a registry.
pub(crate) fn compiled_of(
    registry: &Registry<'_>,
    manifests: &Manifests,
    inventory: &Inventory,
    lock: &Lock,
) -> (Option<Plan>, Vec<Diagnostic>) {
    let sources = Sources {
        manifests,
        inventory,
        inventory_digest: Digest::of("inventory"),
        lock,
        lock_digest: Digest::of("lock"),
        as_of: None,
        estimates: None,
        trust: None,
        until: None,
    };
    compile(registry, &sources)
}

pub(crate) const PLATFORM: &str = r"
apiVersion: switchback.dev/v1alpha1
kind: Platform
metadata: {name: karpenter-small}
spec:
  targets: {cluster: {cluster: {}}}
  pools:
    - {name: general, matchLabels: {karpenter.sh/nodepool: general}, tier: 1, capacity: on-demand, strategy: nodeclaim}
    - {name: gpu, matchLabels: {karpenter.sh/nodepool: gpu}, tier: 2, capacity: reserved, strategy: nodeclaim}
  workloads:
    - {name: training, select: {ownerKinds: [Job]}, onDrain: {wait: {max: 4h, then: park}}, gang: true}
";

pub(crate) const KARPENTER: &str = r"
apiVersion: switchback.dev/v1alpha1
kind: KarpenterUpgrade
metadata: {name: karpenter}
spec:
  target: cluster
  to: '1.8.8'
  release: {namespace: kube-system, name: karpenter}
  crdRelease: {namespace: kube-system, name: karpenter-crd}
  charts: {oci: 'oci://registry.example/charts'}
";
