//! Observation.

use serde_json::json;
use switchback_executor::ports::Kube as _;
use switchback_kube::{Observing, observe};
use switchback_schemas::{
    ComponentName,
    inventory::{
        Cluster, Unread,
        servers::{MlflowSection, VariableFrom},
    },
    manifest::OwnerKind,
    name::ObjectName,
    plan::Proof,
};

use crate::{
    kube_effects,
    scene::{Scene, on_both},
};

on_both!(
    an_inventory_says_what_is_there,
    two_observations_of_one_state_are_the_same,
    a_tracking_server_is_observed_without_its_secrets,
    managers_that_write_in_an_early_version_are_found,
);

/// Groups of custom resources that tests beside these define on a shared cluster.
fn of_others() -> [String; 2] {
    ["demo.switchback.test".to_owned(), kube_effects::group()]
}

async fn an_inventory_says_what_is_there(scene: &Scene) {
    scene.node("n").await;
    let deployment = scene.deployment("web", 2).await;
    scene.budget("web", "web", &json!({"maxUnavailable": 1}), 1).await;
    let at = "2026-11-20T10:00:00Z".parse().unwrap();
    let inventory = observe(scene.client.clone(), &Observing::at(at)).await.unwrap();
    // The twin says itself what it does not play. A real cluster leaves nothing unread but what comes and goes with other tests.
    let known = |unread: &&Unread| match scene.twin {
        Some(_) => unread.why.contains("not simulated"),
        None => of_others().iter().any(|group| unread.what.to_string().ends_with(group.as_str())),
    };
    let unread: Vec<&Unread> = inventory.unread.iter().filter(|unread| !known(unread)).collect();
    assert_eq!(unread, Vec::<&Unread>::new());
    let shown = scene.driver().proof().await.unwrap();
    assert_eq!(shown, Proof::KubeSystem { uid: inventory.cluster.kube_system_uid.clone() });
    assert!(inventory.cluster.apis.iter().any(|api| api == "apps/v1"));
    let name = format!("{}-n", scene.id);
    let node = inventory.nodes.iter().find(|node| node.name == name).unwrap();
    assert!(node.ready);
    assert!(node.schedulable);
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
    let settled = |mut cluster: Cluster| {
        cluster.apis.retain(|api| !of_others().iter().any(|group| api.starts_with(&format!("{group}/"))));
        cluster
    };
    assert_eq!((settled(first.cluster), first.observation), (settled(second.cluster), second.observation));
}

/// A password that stands in three places.
const PASSWORD: &str = "hunter2";

async fn a_tracking_server_is_observed_without_its_secrets(scene: &Scene) {
    scene.node("n").await;
    scene.deployment("flow", 1).await;
    let address = format!("postgresql://u:{PASSWORD}@db.c0ffee.eu-central-1.rds.amazonaws.com:5432/other");
    let settings = json!({"spec": {"template": {"spec": {"containers": [{
    "name": "c", "image": "example.invalid/team/mlflow:v3.8.0",
    "command": ["mlflow", "server", "--backend-store-uri", "$(DATABASE_URL)"],
    "env": [
        {"name": "DATABASE_URL", "valueFrom": {"secretKeyRef": {"name": "flow-db", "key": "uri"}}},
        {"name": "TOKEN", "value": PASSWORD},
        {"name": "AUDIT", "value": address},
    ]}]}}}});
    let path = format!("/apis/apps/v1/namespaces/{}/deployments/flow", scene.ns);
    scene.patch(&path, &settings).await;
    let told = format!("http://u:{PASSWORD}@flow.{}.svc:5000", scene.ns);
    scene
        .put(
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "flow", "namespace": scene.ns},
            "spec": {"selector": {"app": "flow"}, "ports": [{"port": 5000}]}}),
        )
        .await;
    scene
        .put(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "train", "namespace": scene.ns},
            "spec": {"containers": [{"name": "t", "image": "example.invalid/train:1",
                "env": [{"name": "MLFLOW_TRACKING_URI", "value": told}]}]}}))
        .await;
    let at = "2026-11-20T10:00:00Z".parse().unwrap();
    let inventory = observe(scene.client.clone(), &Observing::at(at)).await.unwrap();
    let mlflow = ComponentName::new("mlflow").unwrap();
    let section = inventory.section::<MlflowSection>(&mlflow).unwrap().unwrap();
    let here = ObjectName::namespaced(&scene.ns, "flow");
    let server = section.servers.iter().find(|server| server.deployment == here).unwrap();
    assert_eq!(server.strategy, "RollingUpdate");
    assert_eq!(server.services, [format!("flow.{}", scene.ns)]);
    assert_eq!(server.pods.labels, [("app".to_owned(), "flow".to_owned())].into());
    assert_eq!(server.pods.tolerations.len(), 1);
    let settings = &server.containers["c"];
    assert_eq!(settings.options["backend-store-uri"], "$(DATABASE_URL)");
    let secret = VariableFrom::Secret { name: "flow-db".to_owned(), key: "uri".to_owned() };
    assert_eq!(settings.env["DATABASE_URL"], secret);
    let loggers: Vec<_> =
        section.loggers.iter().filter(|l| l.workload.namespace.as_ref() == Some(&scene.ns)).collect();
    assert_eq!(loggers.len(), 1);
    assert_eq!((loggers[0].workload.kind.as_str(), loggers[0].pods), ("Pod", 1));
    assert_eq!(loggers[0].server, format!("http://flow.{}.svc:5000", scene.ns));
    let users: Vec<_> =
        section.databases.iter().filter(|user| user.workload.namespace.as_ref() == Some(&scene.ns)).collect();
    assert_eq!(users.len(), 1);
    assert_eq!(
        (users[0].host.as_str(), users[0].database.as_str()),
        ("db.c0ffee.eu-central-1.rds.amazonaws.com", "other")
    );
    let written = String::from_utf8(inventory.to_json().unwrap()).unwrap();
    assert!(!written.contains(PASSWORD), "a password is in the inventory");
}

async fn managers_that_write_in_an_early_version_are_found(scene: &Scene) {
    scene
        .put(json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "old", "namespace": scene.ns},
            "spec": {"suspend": true, "template": {"spec": {"restartPolicy": "Never",
                "containers": [{"name": "c", "image": "example.invalid/app:1"}]}}}}))
        .await;
    let at = "2026-11-20T10:00:00Z".parse().unwrap();
    let inventory = observe(scene.client.clone(), &Observing::at(at)).await.unwrap();
    // Managers of stable versions are nobody's trouble, whatever else a shared cluster holds.
    let written = inventory.api_use.written.unwrap();
    assert!(written.iter().all(|by| by.object.namespace.as_ref() != Some(&scene.ns)), "{written:#?}");
    assert!(written.iter().all(|by| by.api_version.contains("beta") || by.api_version.contains("alpha")));
    assert!(inventory.api_use.requested.is_some(), "both have metrics");
}
