//! A small EKS platform at 1.31, built in code: two managed groups, three add-ons, and Karpenter where it is asked for.

use std::collections::BTreeMap;

use serde_json::json;
use switchback_planner::manifest;
use switchback_schemas::{
    ComponentName, Diagnostic,
    inventory::{
        ApiUse, Inventory, Node, Pod,
        eks::{Addon, EksCluster, EksSection, Insight, InsightStatus, Nodegroup, Subnet, Support},
    },
    lock::{AddonVersions, Lock},
    name::{ObjectName, ObjectRef},
    plan::{Arn, Count, InsightCategory, Plan},
};

use crate::world::{compiled_of, inventory, label, lock, registry, v};

pub(crate) const PLATFORM: &str = r"
apiVersion: switchback.dev/v1alpha1
kind: Platform
metadata: {name: mlops}
spec:
  targets: {cluster: {cluster: {eks: {name: mlops-dev, region: eu-central-1, account: '111122223333'}}}}
  pools:
    - {name: system, matchLabels: {pool: system}, tier: 0, capacity: on-demand, strategy: group-update}
    - {name: gpu, matchLabels: {pool: gpu}, tier: 1, capacity: on-demand, strategy: replace-group}
  workloads:
    - {name: training, select: {ownerKinds: [Job]}, onDrain: {wait: {max: 4h, then: park}}, gang: true}
";

/// A pool of Karpenter beside the two groups.
pub(crate) const CLAIMED: &str = "    - {name: general, matchLabels: {karpenter.sh/nodepool: general}, tier: 2, capacity: spot, strategy: nodeclaim}\n";

pub(crate) const EKS: &str = r"
apiVersion: switchback.dev/v1alpha1
kind: EksUpgrade
metadata: {name: dev}
spec:
  target: cluster
  to: '1.32'
";

/// The platform with Karpenter's pool.
pub(crate) fn with_karpenter() -> String {
    PLATFORM.replace("  workloads:\n", &format!("{CLAIMED}  workloads:\n"))
}

pub(crate) fn node(group: &str, pool: &str, number: u64, kubelet: &str) -> Node {
    let name = format!("{pool}-{number}");
    let labels: BTreeMap<String, String> = [
        ("eks.amazonaws.com/nodegroup", group),
        ("pool", pool),
        (
            "topology.kubernetes.io/zone",
            if number.is_multiple_of(2) { "eu-central-1a" } else { "eu-central-1b" },
        ),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into();
    Node {
        uid: format!("uid-{name}"),
        provider_id: Some(format!("aws:///eu-central-1a/i-{name}")),
        labels,
        kubelet: Some(v(kubelet)),
        ready: true,
        schedulable: true,
        gpus: if pool == "gpu" { [("nvidia.com/gpu".to_owned(), 8)].into() } else { BTreeMap::new() },
        node_claim: None,
        objections: [].into(),
        taints: Vec::new(),
        capacity: BTreeMap::new(),
        name,
    }
}

pub(crate) fn group(name: &str, pool: &str, ami: &str, nodes: u64) -> Nodegroup {
    Nodegroup {
        name: name.to_owned(),
        version: v("1.31"),
        release: "1.31.13-20261023".to_owned(),
        ami_type: ami.to_owned(),
        capacity_type: "ON_DEMAND".to_owned(),
        status: "ACTIVE".to_owned(),
        instance_types: vec!["m6i.large".to_owned()],
        min: 1,
        desired: nodes,
        max: nodes * 2,
        max_unavailable: Count::Nodes(1),
        update_strategy: "DEFAULT".to_owned(),
        labels: [("pool".to_owned(), pool.to_owned())].into(),
        launch_template: false,
        issues: Vec::new(),
    }
}

pub(crate) fn insight(name: &str, minor: &str, status: InsightStatus) -> Insight {
    Insight {
        id: format!("id-{name}"),
        name: name.to_owned(),
        category: InsightCategory::UpgradeReadiness,
        kubernetes: Some(v(minor)),
        status,
        reason: String::new(),
        refreshed: Some("2026-11-20T04:00:00Z".parse().expect("an instant")),
        deprecated: Vec::new(),
    }
}

fn support(minor: &str, standard: &str, extended: &str) -> Support {
    let day = |text: &str| text.parse().expect("a day");
    Support { version: v(minor), standard_until: day(standard), extended_until: day(extended) }
}

fn cluster() -> EksCluster {
    let addon = |name: &str, version: &str| Addon {
        name: name.to_owned(),
        version: version.to_owned(),
        status: "ACTIVE".to_owned(),
        issues: Vec::new(),
    };
    let subnet = |id: &str, free: u64| Subnet { id: id.to_owned(), zone: format!("zone-{id}"), free };
    EksCluster {
        arn: Arn::eks_cluster("eu-central-1", "111122223333", "mlops-dev"),
        version: v("1.31"),
        platform_version: "eks.30".to_owned(),
        status: "ACTIVE".to_owned(),
        endpoint: "https://example.eks".to_owned(),
        support_policy: "EXTENDED".to_owned(),
        auto_mode: false,
        fargate_profiles: 0,
        nodegroups: vec![
            group("gpu", "gpu", "AL2023_x86_64_NVIDIA", 4),
            group("system", "system", "AL2023_x86_64_STANDARD", 3),
        ],
        addons: vec![
            addon("coredns", "v1.11.4-eksbuild.2"),
            addon("kube-proxy", "v1.31.7-eksbuild.7"),
            addon("vpc-cni", "v1.18.5-eksbuild.1"),
        ],
        insights: ["1.32", "1.33"]
            .map(|minor| insight("Kubelet version skew", minor, InsightStatus::Passing))
            .into(),
        subnets: vec![subnet("subnet-a", 40), subnet("subnet-b", 12)],
        in_progress: Vec::new(),
        upgraded_at: None,
        calendar: vec![
            support("1.30", "2025-07-23", "2026-07-23"),
            support("1.31", "2025-11-26", "2026-11-26"),
            support("1.32", "2026-03-23", "2027-03-23"),
            support("1.33", "2026-07-29", "2027-07-29"),
            support("1.34", "2026-12-02", "2027-12-02"),
        ],
        reserved: BTreeMap::new(),
    }
}

/// The platform as it was observed; nothing of Karpenter.
pub(crate) fn eks() -> Inventory {
    let mut observed = inventory("1.5.8");
    observed.cluster.version = v("1.31.13");
    observed.cluster.apis = vec!["apps/v1".to_owned(), "flowcontrol.apiserver.k8s.io/v1beta3".to_owned()];
    observed.nodes = (0..3).map(|n| node("system", "system", n, "1.31.13")).collect();
    observed.nodes.extend((0..4).map(|n| node("gpu", "gpu", n, "1.31.13")));
    observed.pods = vec![pod("train-0", "gpu-0", "Job")];
    observed.releases.clear();
    observed.crds.clear();
    observed.components.clear();
    observed.api_use = ApiUse { requested: Some(Vec::new()), written: Some(Vec::new()) };
    put(&mut observed, cluster());
    observed
}

/// A pod in the namespace `ml`.
pub(crate) fn pod(name: &str, node: &str, owner: &str) -> Pod {
    Pod {
        name: ObjectName::namespaced("ml", name),
        node: node.to_owned(),
        labels: BTreeMap::new(),
        owners: vec![ObjectRef::new("batch/v1", owner, &ObjectName::namespaced("ml", "owner"))],
        gpu: true,
        workload: "uid-owner".to_owned(),
        owner_unread: None,
        started: None,
        objections: [].into(),
        needs: None,
    }
}

/// The same with Karpenter 1.8.8 and five nodes of its own.
pub(crate) fn eks_and_karpenter() -> Inventory {
    let mut observed = eks();
    let section = json!({
        "deployment": {"namespace": "kube-system", "name": "karpenter"}, "version": "1.8.8",
        "nodePools": [{"name": "general", "apiVersion": "karpenter.sh/v1", "budgets": [{"nodes": "10%"}], "nodeClass": "default",
                       "ready": true, "claims": 5, "drifted": 0}],
        "nodeClasses": [{"name": "default", "amiAliases": ["al2023@v20261101"], "ready": true}],
    });
    observed.components.insert(ComponentName::new("karpenter").expect("a name"), section);
    let claimed = |number: u64| Node {
        labels: [("karpenter.sh/nodepool".to_owned(), "general".to_owned())].into(),
        ..node("none", "general", number, "1.31.13")
    };
    observed.nodes.extend((0..5).map(claimed));
    observed
}

fn put(observed: &mut Inventory, cluster: EksCluster) {
    let section = EksSection([(label("cluster"), cluster)].into());
    let value = serde_json::to_value(section).expect("JSON");
    observed.components.insert(ComponentName::new("eks").expect("a name"), value);
}

/// Changes the cluster of an inventory.
pub(crate) fn change(observed: &mut Inventory, change: impl FnOnce(&mut EksCluster)) {
    let name = ComponentName::new("eks").expect("a name");
    let section: EksSection = observed.section(&name).expect("readable").expect("there");
    let mut cluster = section.0.into_values().next().expect("one cluster");
    change(&mut cluster);
    put(observed, cluster);
}

/// What `DescribeAddonVersions` says of the minors up to 1.34.
pub(crate) fn addons() -> Vec<AddonVersions> {
    let row = |addon: &str, minor: &str, versions: &[&str]| AddonVersions {
        target: label("cluster"),
        addon: addon.to_owned(),
        kubernetes: v(minor),
        default: versions.first().map(|version| (*version).to_owned()),
        versions: versions.iter().map(|version| (*version).to_owned()).collect(),
    };
    let cni = ["v1.20.1-eksbuild.3", "v1.19.6-eksbuild.1", "v1.19.5-eksbuild.1", "v1.18.5-eksbuild.1"];
    vec![
        row("vpc-cni", "1.32", &cni),
        row("vpc-cni", "1.33", &cni),
        row("kube-proxy", "1.32", &["v1.32.3-eksbuild.7", "v1.31.7-eksbuild.7"]),
        row("kube-proxy", "1.33", &["v1.33.10-eksbuild.13", "v1.32.3-eksbuild.7"]),
        row("coredns", "1.32", &["v1.11.4-eksbuild.22", "v1.11.4-eksbuild.2"]),
        row("coredns", "1.33", &["v1.12.3-eksbuild.1", "v1.11.4-eksbuild.22"]),
    ]
}

/// Compiles manifests against an inventory and versions of add-ons.
pub(crate) fn compiled(
    files: &[(&str, &str)],
    inventory: &Inventory,
    addons: Vec<AddonVersions>,
) -> (Option<Plan>, Vec<Diagnostic>) {
    let (manifests, diagnostics) = manifest::read(registry().kinds(), files.iter().copied());
    let Some(manifests) = manifests else { return (None, diagnostics) };
    let lock = Lock { addons, ..lock(inventory, manifests.digest, &["1.8.8"]) };
    compiled_of(registry(), &manifests, inventory, &lock)
}
