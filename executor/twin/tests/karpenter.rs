//! The small world: what it starts as, and how Karpenter reacts in it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may"
)]

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use switchback_twin::{Key, ProgramCall, Twin, World};

fn small() -> World {
    World::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/worlds/karpenter-small.yaml"))
        .unwrap()
}

fn is(object: &Value, condition: &str) -> bool {
    object["status"]["conditions"]
        .as_array()
        .is_some_and(|all| all.iter().any(|c| c["type"] == condition && c["status"] == "True"))
}

fn claims(world: &World, pool: &str) -> Vec<String> {
    world
        .list("karpenter.sh", "nodeclaims", None)
        .filter(|(_, c)| c["metadata"]["labels"]["karpenter.sh/nodepool"] == pool && is(c, "Ready"))
        .map(|(k, _)| k.name.to_string())
        .collect()
}

fn running(world: &World, namespace: &str) -> usize {
    world.list("", "pods", Some(namespace)).filter(|(_, p)| is(p, "Ready")).count()
}

fn change(twin: &Twin, key: &Key, change: impl FnOnce(&mut Value)) {
    twin.with(|w| assert!(w.modify(key, change)));
}

const HOUR: Duration = Duration::from_hours(1);

#[test]
fn the_v1beta1_world_has_objects_that_no_newer_definition_takes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/worlds/karpenter-v1beta1.yaml");
    let twin = Twin::new(World::open(&path).unwrap());
    twin.with(|world| {
        assert_eq!(
            (claims(world, "general").len(), running(world, "apps"), running(world, "karpenter")),
            (3, 6, 2)
        );
        for (group, resource) in [
            ("karpenter.sh", "nodepools"),
            ("karpenter.sh", "nodeclaims"),
            ("karpenter.k8s.aws", "ec2nodeclasses"),
        ] {
            let name = format!("{resource}.{group}");
            let crd =
                world.get(&Key::new("apiextensions.k8s.io", "customresourcedefinitions", "", &name)).unwrap();
            assert_eq!(crd["status"]["storedVersions"], json!(["v1beta1", "v1"]), "{name}");
            let mut objects = world.list(group, resource, None);
            assert!(objects.all(|(_, o)| o["apiVersion"] == format!("{group}/v1beta1")), "{name}");
        }
    });
    let upgrade = [
        "helm",
        "upgrade",
        "karpenter-crd",
        "karpenter-crd",
        "--version",
        "1.8.8",
        "--namespace",
        "karpenter",
    ];
    let out = twin.run_program(&ProgramCall::new(upgrade));
    assert_eq!(out.exit, 1);
    assert!(out.stderr.contains("v1beta1 was previously a storage version"), "{}", out.stderr);
}

#[test]
fn the_small_world_has_settled() {
    let world = small();
    assert_eq!(world.now().to_string(), "2026-11-20T10:00:00Z");
    assert_eq!(world.list("", "nodes", None).filter(|(_, n)| is(n, "Ready")).count(), 12);
    assert_eq!((claims(&world, "general").len(), claims(&world, "gpu").len()), (6, 4));
    assert_eq!(
        (running(&world, "apps"), running(&world, "training"), running(&world, "karpenter")),
        (9, 4, 2)
    );
    assert_eq!(world.list("", "pods", Some("kube-system")).count(), 12);
    assert!(world.list("karpenter.sh", "nodeclaims", None).all(|(_, c)| !is(c, "Drifted")));
    let again = small();
    assert_eq!(world.to_json(), again.to_json(), "the same file gives the same world");
}

#[test]
fn a_snapshot_reads_back_and_goes_on_the_same() {
    let mut world = small();
    let pool = Key::new("karpenter.sh", "nodepools", "", "general");
    world.modify(&pool, |p| p["spec"]["template"]["metadata"] = json!({"labels": {"x": "y"}}));
    let mut copy = World::from_yaml(&world.to_json()).unwrap();
    assert_eq!(copy.to_json(), world.to_json());
    world.advance_by(HOUR);
    copy.advance_by(HOUR);
    assert_eq!(copy.to_json(), world.to_json());
}

#[test]
fn a_frozen_pool_drifts_and_stays() {
    let twin = Twin::new(small());
    let pool = Key::new("karpenter.sh", "nodepools", "", "gpu");
    let before = claims(&twin.snapshot(), "gpu");
    change(&twin, &pool, |p| {
        p["spec"]["disruption"]["budgets"] =
            json!([{"nodes": "0", "reasons": ["Drifted", "Underutilized", "Empty"]}]);
        p["spec"]["template"]["metadata"]["labels"]["driver"] = json!("new");
    });
    twin.advance_by(HOUR);
    let world = twin.snapshot();
    assert_eq!(claims(&world, "gpu"), before);
    assert!(
        world
            .list("karpenter.sh", "nodeclaims", None)
            .filter(|(k, _)| k.name.starts_with("gpu"))
            .all(|(_, c)| is(c, "Drifted"))
    );
    assert_eq!(running(&world, "training"), 4);
}

#[test]
fn an_open_pool_replaces_what_drifted_within_its_budget() {
    let twin = Twin::new(small());
    let class = Key::new("karpenter.k8s.aws", "ec2nodeclasses", "", "default");
    let gpu = Key::new("karpenter.sh", "nodepools", "", "gpu");
    let before = claims(&twin.snapshot(), "general");
    change(&twin, &gpu, |p| p["spec"]["disruption"]["budgets"] = json!([{"nodes": "0"}]));
    change(&twin, &class, |c| c["spec"]["amiSelectorTerms"] = json!([{"alias": "al2023@v20261118"}]));
    let mut least = usize::MAX;
    for _ in 0..720 {
        twin.advance_by(Duration::from_secs(10));
        least = least.min(running(&twin.snapshot(), "apps"));
    }
    let world = twin.snapshot();
    let after = claims(&world, "general");
    assert_eq!(after.len(), 6);
    assert!(after.iter().all(|name| !before.contains(name)), "{after:?}");
    assert!(
        world
            .list("karpenter.sh", "nodeclaims", None)
            .filter(|(k, _)| k.name.starts_with("general"))
            .all(|(_, c)| !is(c, "Drifted"))
    );
    assert!(least >= 7, "two budgets of one pod each were held: {least}");
    assert_eq!(running(&world, "apps"), 9);
    assert_eq!(claims(&world, "gpu").len(), 4, "frozen");
}

#[test]
fn a_deleted_claim_drains_and_comes_back_for_its_pods() {
    let twin = Twin::new(small());
    let world = twin.snapshot();
    let node =
        world.list("", "pods", Some("apps")).map(|(_, p)| p["spec"]["nodeName"].clone()).next().unwrap();
    let (claim, _) = world
        .list("karpenter.sh", "nodeclaims", None)
        .find(|(_, c)| c["status"]["nodeName"] == node)
        .unwrap();
    let claim = claim.clone();
    twin.with(|w| w.delete(&claim, switchback_twin::DeleteOptions::default()));
    twin.advance_by(HOUR);
    let world = twin.snapshot();
    assert!(world.get(&claim).is_none());
    assert!(world.get(&Key::core("nodes", "", node.as_str().unwrap())).is_none());
    assert_eq!(running(&world, "apps"), 9);
}

#[test]
fn without_a_ready_controller_nothing_moves() {
    let twin = Twin::new(small());
    let controller = Key::new("apps", "deployments", "karpenter", "karpenter");
    change(&twin, &controller, |d| d["spec"]["replicas"] = json!(0));
    twin.advance_by(Duration::from_mins(2));
    let claim = twin.snapshot().list("karpenter.sh", "nodeclaims", None).next().unwrap().0.clone();
    twin.with(|w| w.delete(&claim, switchback_twin::DeleteOptions::default()));
    twin.advance_by(HOUR);
    assert!(twin.snapshot().get(&claim).is_some(), "its finalizer holds it");
    change(&twin, &controller, |d| d["spec"]["replicas"] = json!(2));
    twin.advance_by(HOUR);
    assert!(twin.snapshot().get(&claim).is_none());
}

#[test]
fn helm_moves_the_controller() {
    let twin = Twin::new(small());
    let run = |argv: &[&str]| {
        let out = twin.run_program(&ProgramCall::new(argv.iter().copied()));
        assert_eq!(out.exit, 0, "{}", out.stderr);
        out
    };
    for chart in ["karpenter-crd", "karpenter"] {
        let out = run(&[
            "helm",
            "upgrade",
            chart,
            &format!("oci://public.ecr.aws/karpenter/{chart}"),
            "--version",
            "1.8.8",
            "--namespace",
            "karpenter",
            "--reuse-values",
            "--timeout",
            "5m0s",
        ]);
        assert!(out.took > Duration::ZERO);
    }
    twin.advance_by(Duration::from_mins(1));
    let world = twin.snapshot();
    let controller = world.get(&Key::new("apps", "deployments", "karpenter", "karpenter")).unwrap();
    assert_eq!(controller["metadata"]["labels"]["app.kubernetes.io/version"], "1.8.8");
    assert_eq!(controller["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"], "small");
    assert_eq!((running(&world, "karpenter"), claims(&world, "general").len()), (2, 6));
    run(&["helm", "rollback", "karpenter", "1", "--namespace", "karpenter"]);
    twin.advance_by(Duration::from_mins(1));
    let world = twin.snapshot();
    let controller = world.get(&Key::new("apps", "deployments", "karpenter", "karpenter")).unwrap();
    assert_eq!(
        controller["spec"]["template"]["spec"]["containers"][0]["image"],
        "example.invalid/karpenter/controller:1.5.8"
    );
    assert!(world.list("karpenter.sh", "nodeclaims", None).all(|(_, c)| !is(c, "Drifted")));
}
