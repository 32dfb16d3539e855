//! Node groups: updates that drain nodes in an order nobody chose, replacement groups, single instances.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use switchback_twin::{Key, World};

use crate::scene::{CLUSTER, Scene, world};

fn path(rest: &str) -> String {
    format!("/clusters/{CLUSTER}/node-groups{rest}")
}

fn nodes(world: &World, group: &str) -> BTreeSet<String> {
    world
        .list("", "nodes", None)
        .filter(|(_, n)| n["metadata"]["labels"]["eks.amazonaws.com/nodegroup"] == group)
        .map(|(k, _)| k.name.to_string())
        .collect()
}

fn running(world: &World, app: &str) -> usize {
    world
        .list("", "pods", Some("mlops"))
        .filter(|(_, p)| {
            p["metadata"]["labels"]["app"] == app
                && p["metadata"]["deletionTimestamp"].is_null()
                && p["status"]["conditions"]
                    .as_array()
                    .is_some_and(|all| all.iter().any(|c| c["type"] == "Ready" && c["status"] == "True"))
        })
        .count()
}

/// A scene whose control plane is at 1.33.
async fn upgraded(world: World) -> Scene {
    let scene = Scene::of(world).await;
    let answer = scene.eks("POST", &format!("/clusters/{CLUSTER}/updates"), json!({"version": "1.33"})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    scene.minutes(11);
    scene
}

async fn start(scene: &Scene, group: &str, body: Value) -> String {
    let answer = scene.eks("POST", &path(&format!("/{group}/update-version")), body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["update"]["id"].as_str().unwrap().to_owned()
}

async fn describe(scene: &Scene, group: &str) -> Value {
    scene.get(&path(&format!("/{group}"))).await["nodegroup"].clone()
}

fn free(world: &World) -> i64 {
    world.cloud().subnets.values().map(|s| s.free).sum()
}

#[tokio::test]
async fn an_update_replaces_every_node_and_honours_budgets() {
    let scene = upgraded(world()).await;
    let before = nodes(&scene.twin.snapshot(), "general");
    let addresses = free(&scene.twin.snapshot());
    let id = start(&scene, "general", json!({"version": "1.33", "clientRequestToken": "t"})).await;
    assert_eq!(start(&scene, "general", json!({"version": "1.33", "clientRequestToken": "t"})).await, id);
    let again = scene.eks("POST", &path("/general/update-version"), json!({"version": "1.33"})).await;
    assert_eq!(again.error, "ResourceInUseException");
    assert!(again.text.contains(&id));
    let (mut least, mut most) = (usize::MAX, 0);
    let of = "?nodegroupName=general";
    for _ in 0..120 {
        scene.minutes(1);
        let now = scene.twin.snapshot();
        least = least.min(running(&now, "sklearn-iris"));
        most = most.max(nodes(&now, "general").len());
        if scene.update(&id, of).await["status"] != "InProgress" {
            break;
        }
        assert_eq!(describe(&scene, "general").await["status"], "UPDATING");
    }
    assert_eq!(scene.update(&id, of).await["status"], "Successful");
    let now = scene.twin.snapshot();
    let after = nodes(&now, "general");
    assert_eq!(after.len(), 3);
    assert!(before.is_disjoint(&after), "{before:?} {after:?}");
    assert!(least >= 2, "the budget was held: {least}");
    assert_eq!(most, 6, "a surge of as many as there were");
    assert_eq!(free(&now), addresses, "addresses came back");
    for name in &after {
        let node = now.get(&Key::core("nodes", "", name)).unwrap();
        assert!(node["status"]["nodeInfo"]["kubeletVersion"].as_str().unwrap().starts_with("v1.33.5-eks-"));
        assert!(node["spec"]["unschedulable"].is_null());
    }
    let group = describe(&scene, "general").await;
    assert_eq!((&group["version"], &group["releaseVersion"]), (&json!("1.33"), &json!("1.33.5-20261112")));
    assert_eq!((&group["status"], &group["scalingConfig"]["desiredSize"]), (&json!("ACTIVE"), &json!(3)));
}

#[tokio::test]
async fn a_budget_that_never_yields_fails_the_update_after_a_quarter_of_an_hour() {
    let mut world = world();
    let budget = Key::new("policy", "poddisruptionbudgets", "mlops", "sklearn-iris");
    world.modify(&budget, |b| b["spec"]["minAvailable"] = json!(3));
    let scene = upgraded(world).await;
    let id = start(&scene, "general", json!({})).await;
    assert_eq!(describe(&scene, "general").await["version"], "1.32");
    scene.minutes(60);
    let update = scene.update(&id, "?nodegroupName=general").await;
    assert_eq!(update["status"], "Successful", "the release of its own minor is what it has: nothing moves");
    let id = start(&scene, "general", json!({"version": "1.33"})).await;
    scene.minutes(10);
    assert_eq!(scene.update(&id, "?nodegroupName=general").await["status"], "InProgress");
    scene.minutes(50);
    let update = scene.update(&id, "?nodegroupName=general").await;
    assert_eq!(
        (&update["status"], &update["errors"][0]["errorCode"]),
        (&json!("Failed"), &json!("PodEvictionFailure"))
    );
    let named = update["errors"][0]["resourceIds"][0].as_str().unwrap().to_owned();
    let now = scene.twin.snapshot();
    assert!(nodes(&now, "general").contains(&named), "it names the node, which is still there: {named}");
    let cordoned =
        now.list("", "nodes", None).filter(|(_, n)| n["spec"]["unschedulable"] == json!(true)).count();
    assert_eq!(
        (nodes(&now, "general").len(), cordoned),
        (3, 0),
        "nothing is left cordoned, and the surge went"
    );
    assert_eq!(describe(&scene, "general").await["version"], "1.32");
    let forced = start(&scene, "general", json!({"version": "1.33", "force": true})).await;
    scene.minutes(120);
    assert_eq!(scene.update(&forced, "?nodegroupName=general").await["status"], "Successful");
}

#[tokio::test]
async fn a_group_that_spares_capacity_never_has_more_nodes() {
    let scene = upgraded(world()).await;
    let id = start(&scene, "gpu-inference", json!({"version": "1.33"})).await;
    let mut most = 0;
    for _ in 0..30 {
        scene.minutes(1);
        most = most.max(nodes(&scene.twin.snapshot(), "gpu-inference").len());
    }
    assert_eq!(scene.update(&id, "?nodegroupName=gpu-inference").await["status"], "Successful");
    assert_eq!(most, 2);
    assert_eq!(running(&scene.twin.snapshot(), "vision"), 1);
}

#[tokio::test]
async fn the_seed_decides_the_order() {
    let order = async |seed: u64| {
        let mut world = world();
        world.cloud_mut().seed = seed;
        let scene = upgraded(world).await;
        start(&scene, "system", json!({"version": "1.33"})).await;
        let roll = scene.twin.snapshot().cloud().eks.clusters[CLUSTER].nodegroups["system"].roll.clone();
        roll.unwrap().old
    };
    let first = order(1).await;
    assert_eq!(first, order(1).await);
    let mut others = Vec::new();
    for seed in 2..8 {
        others.push(order(seed).await);
    }
    assert!(others.iter().any(|o| *o != first), "another seed, another order");
}

#[tokio::test]
async fn what_node_groups_refuse() {
    let mut world = world();
    world.cloud_mut().eks.clusters.get_mut(CLUSTER).unwrap().nodegroups.get_mut("system").unwrap().ami_type =
        "AL2_x86_64".into();
    let scene = upgraded(world).await;
    let refuse = async |group: &str, what: &str, body: Value| {
        let answer = scene.eks("POST", &path(&format!("/{group}/{what}")), body).await;
        assert_eq!(
            (answer.status, answer.error.as_str()),
            (400, "InvalidParameterException"),
            "{}",
            answer.text
        );
        answer.text
    };
    assert!(refuse("system", "update-version", json!({"version": "1.33"})).await.contains("AL2_x86_64"));
    refuse("general", "update-version", json!({"version": "1.34"})).await;
    refuse("general", "update-version", json!({"version": "1.31"})).await;
    refuse("general", "update-version", json!({"version": "1.33", "releaseVersion": "1.32.9-20261112"}))
        .await;
    refuse(
        "general",
        "update-config",
        json!({"scalingConfig": {"minSize": 4, "maxSize": 8, "desiredSize": 3}}),
    )
    .await;
    let missing = scene.eks("GET", &path("/other"), Value::Null).await;
    assert_eq!((missing.status, missing.error.as_str()), (404, "ResourceNotFoundException"));
}

#[tokio::test]
async fn a_group_is_replaced_by_another_one() {
    let scene = upgraded(world()).await;
    let old = describe(&scene, "general").await;
    let body = json!({
        "nodegroupName": "general-b", "subnets": old["subnets"], "nodeRole": old["nodeRole"], "version": "1.33",
        "instanceTypes": old["instanceTypes"], "labels": old["labels"], "amiType": old["amiType"],
        "scalingConfig": old["scalingConfig"], "clientRequestToken": "made",
    });
    let made = scene.eks("POST", &path(""), body.clone()).await.json();
    assert_eq!(made["nodegroup"]["status"], "CREATING");
    assert_eq!(scene.eks("POST", &path(""), body.clone()).await.status, 200, "the same token");
    let mut other = body;
    other["clientRequestToken"] = json!("another");
    assert_eq!(scene.eks("POST", &path(""), other).await.error, "ResourceInUseException");
    scene.minutes(5);
    assert_eq!(describe(&scene, "general-b").await["status"], "ACTIVE");
    assert_eq!(nodes(&scene.twin.snapshot(), "general-b").len(), 3);
    let groups = scene
        .form(
            "autoscaling",
            "DescribeAutoScalingGroups",
            &[("AutoScalingGroupNames.member.1", &format!("eks-general-{CLUSTER}"))],
        )
        .await;
    let instance = groups.element("InstanceId").to_owned();
    assert_eq!(groups.element("DesiredCapacity"), "3");
    let gone = scene
        .form(
            "autoscaling",
            "TerminateInstanceInAutoScalingGroup",
            &[("InstanceId", &instance), ("ShouldDecrementDesiredCapacity", "true")],
        )
        .await;
    assert_eq!(gone.status, 200, "{}", gone.text);
    let twice = scene
        .form(
            "autoscaling",
            "TerminateInstanceInAutoScalingGroup",
            &[("InstanceId", &instance), ("ShouldDecrementDesiredCapacity", "true")],
        )
        .await;
    assert_eq!(twice.error, "ScalingActivityInProgress");
    scene.minutes(3);
    assert_eq!(describe(&scene, "general").await["scalingConfig"]["desiredSize"], 2);
    assert_eq!(nodes(&scene.twin.snapshot(), "general").len(), 2);
    let unknown = scene
        .form(
            "autoscaling",
            "TerminateInstanceInAutoScalingGroup",
            &[("InstanceId", &instance), ("ShouldDecrementDesiredCapacity", "true")],
        )
        .await;
    assert_eq!((unknown.status, unknown.error.as_str()), (400, "ValidationError"));
    let other = nodes(&scene.twin.snapshot(), "general").into_iter().next().unwrap();
    let instance = scene
        .form(
            "ec2",
            "DescribeInstances",
            &[("Filter.1.Name", "private-dns-name"), ("Filter.1.Value.1", &other)],
        )
        .await;
    let floor = scene
        .form(
            "autoscaling",
            "TerminateInstanceInAutoScalingGroup",
            &[("InstanceId", instance.element("instanceId")), ("ShouldDecrementDesiredCapacity", "true")],
        )
        .await;
    assert!(floor.text.contains("minSize"), "{}", floor.text);
    assert_eq!(
        scene.eks("DELETE", &path("/general"), Value::Null).await.json()["nodegroup"]["status"],
        "DELETING"
    );
    scene.minutes(60);
    assert_eq!(scene.eks("GET", &path("/general"), Value::Null).await.status, 404);
    let now = scene.twin.snapshot();
    assert_eq!(
        (nodes(&now, "general").len(), running(&now, "sklearn-iris"), running(&now, "mlflow")),
        (0, 3, 2)
    );
}

/// Nodes say the driver of their image's release, and those of a release that the world does not know say none.
#[tokio::test]
async fn nodes_say_which_driver_the_release_of_their_image_holds() {
    let mut world = world();
    let minor = world.cloud_mut().eks.versions.get_mut("1.32").unwrap();
    minor.drivers.insert("1.32.9-20261112".into(), "580.105.08".into());
    let scene = Scene::of(world).await;
    let old = describe(&scene, "gpu-inference").await;
    for (name, release) in [("known", "1.32.9-20261112"), ("unknown", "1.32.9-20261023")] {
        let body = json!({
            "nodegroupName": name, "subnets": old["subnets"], "nodeRole": old["nodeRole"], "version": "1.32",
            "releaseVersion": release, "instanceTypes": old["instanceTypes"], "amiType": old["amiType"],
            "scalingConfig": {"minSize": 1, "desiredSize": 1, "maxSize": 1}, "clientRequestToken": name,
        });
        assert_eq!(scene.eks("POST", &path(""), body).await.status, 200);
    }
    scene.minutes(10);
    assert_eq!(describe(&scene, "unknown").await["releaseVersion"], "1.32.9-20261023");
    let now = scene.twin.snapshot();
    let labels = |group: &str| {
        let node = nodes(&now, group).into_iter().next().expect("a node");
        now.get(&Key::core("nodes", "", &node)).unwrap()["metadata"]["labels"].clone()
    };
    assert_eq!(labels("known")["nvidia.com/cuda.driver-version.full"], "580.105.08");
    assert_eq!(labels("known")["nvidia.com/cuda.driver.major"], "580");
    assert!(labels("unknown").get("nvidia.com/cuda.driver-version.full").is_none());
}

#[tokio::test]
async fn scaling_launches_and_drains() {
    let scene = Scene::new().await;
    let scale = async |desired: u32| {
        let body = json!({"scalingConfig": {"desiredSize": desired}});
        let answer = scene.eks("POST", &path("/general/update-config"), body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let id = answer.json()["update"]["id"].as_str().unwrap().to_owned();
        scene.minutes(15);
        assert_eq!(scene.update(&id, "?nodegroupName=general").await["status"], "Successful");
        nodes(&scene.twin.snapshot(), "general").len()
    };
    assert_eq!(scale(5).await, 5);
    assert_eq!(scale(2).await, 2);
    assert_eq!(running(&scene.twin.snapshot(), "sklearn-iris"), 3);
}

#[tokio::test]
async fn machines_that_cannot_be_had() {
    let mut world = world();
    world.cloud_mut().no_capacity = vec!["m6i.xlarge".into()];
    for subnet in world.cloud_mut().subnets.values_mut() {
        subnet.free = 4;
    }
    let scene = upgraded(world).await;
    let id = start(&scene, "system", json!({"version": "1.33"})).await;
    scene.minutes(5);
    let update = scene.update(&id, "?nodegroupName=system").await;
    assert_eq!(update["errors"][0]["errorCode"], "NodeCreationFailure");
    scene.twin.with(|w| {
        for subnet in w.cloud_mut().subnets.values_mut() {
            subnet.free = 0;
        }
    });
    let id = start(&scene, "general", json!({"version": "1.33"})).await;
    scene.minutes(5);
    let update = scene.update(&id, "?nodegroupName=general").await;
    assert_eq!(update["errors"][0]["errorCode"], "InsufficientFreeAddresses");
    let subnets = scene.form("ec2", "DescribeSubnets", &[("SubnetId.1", "subnet-0a1")]).await;
    assert_eq!(subnets.element("availableIpAddressCount"), "0");
    let missing = scene.form("ec2", "DescribeSubnets", &[("SubnetId.1", "subnet-9")]).await;
    assert_eq!(missing.error, "InvalidSubnetID.NotFound");
}

#[tokio::test]
async fn karpenter_drifts_when_the_control_plane_moves() {
    let mut world = world();
    for pool in ["batch", "training"] {
        let key = Key::new("karpenter.sh", "nodepools", "", pool);
        world.modify(&key, |p| p["spec"]["disruption"]["budgets"] = json!([{"nodes": "0"}]));
    }
    let drifted = |world: &World| {
        let is = |c: &Value| c["reason"] == "AMIDrift" && c["status"] == "True";
        let claims = world.list("karpenter.sh", "nodeclaims", None);
        claims.filter(|(_, c)| c["status"]["conditions"].as_array().unwrap().iter().any(is)).count()
    };
    assert_eq!(drifted(&world), 0);
    let scene = upgraded(world).await;
    assert_eq!(
        drifted(&scene.twin.snapshot()),
        4,
        "an alias means another image now, and the pools are frozen"
    );
}

#[tokio::test]
async fn a_world_goes_on_from_its_snapshot() {
    let scene = upgraded(world()).await;
    start(&scene, "general", json!({"version": "1.33"})).await;
    scene.minutes(4);
    let mut copy = World::from_yaml(&scene.twin.snapshot().to_json()).unwrap();
    let mut whole = scene.twin.snapshot();
    for world in [&mut copy, &mut whole] {
        world.advance_by(std::time::Duration::from_hours(1));
    }
    assert_eq!(copy.to_json(), whole.to_json());
    assert_eq!(copy.cloud().eks.clusters[CLUSTER].nodegroups["general"].version, "1.33");
}
