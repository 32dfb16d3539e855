//! Observation.

use serde_json::json;
use switchback_executor::ports::Driver;
use switchback_kube::{Observing, observe};
use switchback_schemas::{inventory::Unread, manifest::OwnerKind, plan::Proof};

use crate::scene::{Scene, on_both};

on_both!(an_inventory_says_what_is_there, two_observations_of_one_state_are_the_same);

async fn an_inventory_says_what_is_there(scene: &Scene) {
    scene.node("n").await;
    let deployment = scene.deployment("web", 2).await;
    scene.budget("web", "web", &json!({"maxUnavailable": 1}), 1).await;
    let at = "2026-11-20T10:00:00Z".parse().unwrap();
    let inventory = observe(scene.client.clone(), &Observing::at(at)).await.unwrap();
    // The twin says itself what it does not play; a real cluster leaves nothing unread.
    let played = |unread: &&Unread| scene.twin.is_none() || !unread.why.contains("not simulated");
    assert_eq!(inventory.unread.iter().filter(played).collect::<Vec<_>>(), Vec::<&Unread>::new());
    let shown = scene.driver().proof(&"c".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(shown, Proof::KubeSystem { uid: inventory.cluster.kube_system_uid.clone() });
    assert!(inventory.cluster.apis.iter().any(|api| api == "apps/v1"));
    let name = format!("{}-n", scene.id);
    let node = inventory.nodes.iter().find(|node| node.name == name).unwrap();
    assert!(node.ready && node.schedulable);
    let pods: Vec<_> = inventory.pods.iter().filter(|pod| pod.node == name).collect();
    assert_eq!(pods.len(), 2);
    let owners: Vec<&str> = pods[0].owners.iter().map(|owner| owner.kind.as_str()).collect();
    assert_eq!(owners, ["ReplicaSet", "Deployment"]);
    let workload = inventory.workloads.iter().find(|workload| workload.object == deployment).unwrap();
    assert_eq!((workload.replicas, workload.ready), (2, 2));
    assert_eq!(workload.containers[0].image, "example.invalid/app:1");
    let budget = inventory.budgets.iter().find(|b| b.name.namespace.as_ref() == Some(&scene.ns)).unwrap();
    assert_eq!((budget.pods.len(), budget.allowed, budget.expected), (2, 1, 2));
    let owner = inventory.owners.iter().find(|ownership| ownership.object == deployment).unwrap();
    assert_eq!(owner.evidence[0].owner, OwnerKind::Operator);
    assert_eq!(owner.evidence[0].because, "field manager somebody");
    scene.call("DELETE", &format!("/api/v1/nodes/{name}"), None).await;
}

async fn two_observations_of_one_state_are_the_same(scene: &Scene) {
    // Other tests change a shared real cluster all the time, so only what is this test's own is compared there.
    let at = "2026-11-20T10:00:00Z".parse().unwrap();
    let first = observe(scene.client.clone(), &Observing::at(at)).await.unwrap();
    let second = observe(scene.client.clone(), &Observing::at(at)).await.unwrap();
    if scene.twin.is_some() {
        assert_eq!(first.to_json().unwrap(), second.to_json().unwrap());
    }
    assert_eq!((first.cluster, first.observation), (second.cluster, second.observation));
}
