//! The small Karpenter platform of the fixtures, as drivers and the observer see it.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::json;
use switchback_executor::ports::{Call, Fleet, Kube as _};
use switchback_kube::{KubeDriver, Observing, observe};
use switchback_schemas::{
    Seconds,
    inventory::karpenter::Karpenter,
    journal::{Outcome, WaitsFor},
    name::{ObjectName, ObjectRef},
    plan::{
        BoundObject, Count, KubeEffect, MigrateStorage, NodeCordon, NodeDrain, OnDrain, PodSelector, Roll,
        Stale, WorkloadClass,
    },
};
use switchback_twin::{ProgramCall, Twin, World};

use crate::scene::{call, charts, done};

fn platform() -> Twin {
    let path = charts().join("../worlds/karpenter-small.yaml");
    let twin = Twin::new(World::open(&path).unwrap());
    twin.advance_by(std::time::Duration::from_mins(5));
    twin
}

fn client(twin: &Twin) -> kube::Client {
    kube::Client::new(twin.kube(), "default")
}

#[tokio::test]
async fn an_inventory_holds_what_the_karpenter_component_asks_for() {
    let twin = platform();
    let inventory = observe(client(&twin), &Observing::at(twin.now())).await.unwrap();
    let section: Karpenter = inventory.section(&"karpenter".parse().unwrap()).unwrap().unwrap();
    assert_eq!(section.deployment, ObjectName::namespaced("karpenter", "karpenter"));
    assert_eq!(section.version, "1.5.8".parse().unwrap());
    let pools: Vec<_> =
        section.node_pools.iter().map(|pool| (pool.name.as_str(), pool.claims, pool.drifted)).collect();
    assert_eq!(pools, [("general", 6, 0), ("gpu", 4, 0)]);
    assert_eq!(section.node_pools[0].budgets, json!([{"nodes": "1"}]));
    assert_eq!(section.node_classes[0].ami_aliases, ["al2023@v20261110"]);
    let gpu: Vec<_> = inventory.nodes.iter().filter(|node| !node.gpus.is_empty()).collect();
    assert_eq!(gpu.len(), 4);
    assert!(gpu.iter().all(|node| node.node_claim.as_ref().is_some_and(|claim| !claim.drifted)));
    let charts: Vec<_> = inventory.releases.iter().map(|release| release.chart.as_str()).collect();
    assert_eq!(charts, ["karpenter", "karpenter-crd"]);
    let crd = inventory.crds.iter().find(|crd| crd.name == "nodepools.karpenter.sh").unwrap();
    assert_eq!((crd.storage.as_str(), crd.objects), ("v1", Some(2)));
    assert_eq!(crd.release, Some(ObjectName::namespaced("karpenter", "karpenter-crd")));
}

/// P-12: CRDs that drop a stored version are refused until every object is written anew; the nodes stay as they are.
#[tokio::test]
async fn p12_a_platform_from_v1beta1_is_migrated_before_its_crds() {
    let twin = Twin::new(World::open(&charts().join("../worlds/karpenter-v1beta1.yaml")).unwrap());
    let argv = [
        "helm",
        "upgrade",
        "karpenter-crd",
        "karpenter-crd",
        "--version",
        "1.8.8",
        "--namespace",
        "karpenter",
    ];
    let upgrade = || twin.run_program(&ProgramCall::new(argv));
    let look = async || observe(client(&twin), &Observing::at(twin.now())).await.unwrap();
    let refused = upgrade();
    assert_eq!(refused.exit, 1);
    assert!(refused.stderr.contains("v1beta1 was previously a storage version"), "{}", refused.stderr);
    let before = look().await;
    let crds = || before.crds.iter().filter(|crd| crd.name.contains("karpenter"));
    let stored: Vec<_> = crds().map(|crd| (crd.name.as_str(), crd.storage.as_str(), crd.objects)).collect();
    assert_eq!(
        stored,
        [
            ("ec2nodeclasses.karpenter.k8s.aws", "v1", Some(1)),
            ("nodeclaims.karpenter.sh", "v1", Some(3)),
            ("nodepools.karpenter.sh", "v1", Some(1))
        ]
    );
    assert!(crds().all(|crd| crd.stored == ["v1beta1", "v1"]));
    for crd in crds() {
        let effect = KubeEffect::MigrateStorage(MigrateStorage { crd: crd.name.clone(), to: "v1".into() });
        let objects = crd.objects.unwrap();
        assert!(
            done(&KubeDriver::over(client(&twin)).apply(&call(), &effect).await)
                .starts_with(&objects.to_string())
        );
    }
    let upgraded = upgrade();
    assert_eq!(upgraded.exit, 0, "{}", upgraded.stderr);
    twin.advance_by(std::time::Duration::from_mins(10));
    let after = look().await;
    assert!(after.crds.iter().all(|crd| crd.stored == ["v1"]));
    let section: Karpenter = after.section(&"karpenter".parse().unwrap()).unwrap().unwrap();
    let pools: Vec<_> = section.node_pools.iter().map(|pool| (pool.claims, pool.drifted)).collect();
    assert_eq!(pools, [(3, 0)]);
    assert_eq!(after.nodes.len(), before.nodes.len());
    assert!(after.unread.is_empty(), "{:?}", after.unread);
}

fn roll(pool: &str) -> Roll {
    Roll {
        pool: pool.parse().unwrap(),
        labels: BTreeMap::from([("karpenter.sh/nodepool".to_owned(), pool.to_owned())]),
        stale: Stale::Drifted {},
        order: Vec::new(),
        canary: None,
        batch: Count::Nodes(1),
        max_unavailable: Count::Nodes(1),
        min_ready: 0,
        recipe: Vec::new(),
        verify: Vec::new(),
        soak: Seconds(0),
        max_passes: 1,
        observed: 0,
    }
}

fn training() -> Fleet {
    let class = WorkloadClass {
        name: "training".parse().unwrap(),
        select: PodSelector { owner_kinds: vec!["Job".into()], ..PodSelector::default() },
        on_drain: OnDrain::Never {},
        gang: true,
        overrides: [].into(),
        may_lose: None,
    };
    Fleet { pools: Vec::new(), classes: vec![class] }
}

#[tokio::test]
async fn the_nodes_of_one_gang_say_so() {
    let twin = platform();
    let call = Call { fleet: Arc::new(training()), ..call() };
    let driver = KubeDriver::over(client(&twin));
    let members = driver.members(&call, &roll("gpu")).await.unwrap();
    assert_eq!(members.len(), 4);
    for member in &members {
        assert_eq!(member.gangs, ["Job training/llm-7b"]);
        assert_eq!((member.pods, member.protected), (1, 1));
        assert_eq!(member.item.hardware, "p4d.24xlarge");
        assert!(member.item.node_claim.is_some());
        assert!(member.available);
        assert!(!member.stale);
    }
}

#[tokio::test]
async fn a_pod_of_no_class_on_a_gpu_node_is_never_evicted() {
    let twin = platform();
    let driver = KubeDriver::over(client(&twin));
    let members = driver.members(&call(), &roll("gpu")).await.unwrap();
    let item = &members[0].item;
    let node = || BoundObject {
        object: ObjectRef::new("v1", "Node", &ObjectName::cluster(&item.name)),
        uid: Some(item.key.to_string()),
        provider_id: item.provider_id.clone(),
    };
    done(&driver.apply(&call(), &KubeEffect::Cordon(NodeCordon::new(node(), true))).await);
    let patient = Call { waited: Seconds::hours(1000), ..call() };
    let outcome = driver.apply(&patient, &KubeEffect::Drain(NodeDrain { node: node() })).await;
    let held = WaitsFor::Workload {
        workload: "Job training/llm-7b".into(),
        class: None,
        node: item.name.clone(),
        why: None,
    };
    assert_eq!(outcome, Outcome::Blocked { waits_for: vec![held] });
}
