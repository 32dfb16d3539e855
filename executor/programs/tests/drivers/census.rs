//! The census: what stands on a cluster, by topmost owner, with how many pods it wants and how many are Ready.

use serde_json::{Value, json};
use switchback_executor::ports::{Kube as _, Look};
use switchback_schemas::journal::{Counted, Progress};

use crate::scene::{Scene, on_both};

on_both!(workloads_are_counted_by_their_topmost_owner, what_depends_on_pods_is_ready_or_not);

async fn look(scene: &Scene) -> Look {
    scene.driver().census().await.unwrap()
}

/// What is counted of an object of the test's namespace.
fn of<'a>(scene: &Scene, look: &'a Look, kind: &str, name: &str) -> Option<&'a Counted> {
    let is = |one: &&Counted| {
        let object = &one.object;
        (object.kind.as_str(), object.name.as_str()) == (kind, name)
            && object.namespace.as_deref() == Some(&scene.ns)
    };
    look.counted.iter().find(is)
}

fn pod_spec(scene: &Scene) -> Value {
    json!({"nodeSelector": {"row": scene.id}, "restartPolicy": "Never",
        "tolerations": [{"key": "row", "operator": "Equal", "value": scene.id, "effect": "NoSchedule"}],
        "containers": [{"name": "c", "image": "example.invalid/app:1"}]})
}

async fn workloads_are_counted_by_their_topmost_owner(scene: &Scene) {
    scene.node("n").await;
    scene.deployment("web", 2).await;
    let mut nowhere = pod_spec(scene);
    nowhere["nodeSelector"] = json!({"row": "nowhere"});
    let job = |name: &str, spec: &Value| {
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "namespace": scene.ns},
            "spec": {"parallelism": 2, "completions": 2, "template": {"spec": spec}}})
    };
    scene.put(job("stuck", &nowhere)).await;
    let cron = scene
        .put(json!({"apiVersion": "batch/v1", "kind": "CronJob",
            "metadata": {"name": "nightly", "namespace": scene.ns},
            "spec": {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": {"spec": pod_spec(scene)}}}}}))
        .await;
    let mut scheduled = job("nightly-1", &pod_spec(scene));
    scheduled["metadata"]["ownerReferences"] = json!([{"apiVersion": "batch/v1", "kind": "CronJob",
        "name": "nightly", "uid": cron["metadata"]["uid"], "controller": true}]);
    scene.put(scheduled).await;
    scene
        .put(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bare", "namespace": scene.ns},
            "spec": pod_spec(scene)}))
        .await;
    let bare = format!("/api/v1/namespaces/{}/pods/bare", scene.ns);
    scene
        .wait(&bare, |pod| pod["status"]["phase"] == "Running" || pod["status"]["phase"] == "Succeeded")
        .await;
    let mut found = look(scene).await;
    for _ in 0..100 {
        let told = of(scene, &found, "Job", "stuck").is_some_and(|job| found.causes.contains_key(&job.uid));
        if told {
            break;
        }
        scene.moment().await;
        found = look(scene).await;
    }
    let web = of(scene, &found, "Deployment", "web").expect("the Deployment");
    assert_eq!((web.desired, web.ready, web.progress), (2, 2, Progress::Lasting));
    assert!(of(scene, &found, "ReplicaSet", "web").is_none());
    let stuck = of(scene, &found, "Job", "stuck").expect("the Job");
    assert_eq!((stuck.desired, stuck.ready, stuck.progress), (2, 0, Progress::Unfinished));
    let cause = &found.causes[&stuck.uid];
    assert!(cause.contains("Unschedulable"), "{cause}");
    assert!(of(scene, &found, "Job", "nightly-1").is_none(), "a CronJob counts as its schedule");
    assert!(of(scene, &found, "CronJob", "nightly").is_none());
    assert!(of(scene, &found, "Pod", "bare").is_some(), "{:?}", found.counted);
}

async fn what_depends_on_pods_is_ready_or_not(scene: &Scene) {
    scene.node("n").await;
    scene.deployment("web", 2).await;
    let service = |name: &str, app: &str| {
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": scene.ns},
            "spec": {"selector": {"app": app}, "ports": [{"port": 80}]}})
    };
    scene.put(service("web", "web")).await;
    scene.put(service("nobody", "nobody")).await;
    scene.budget("loose", "web", &json!({"maxUnavailable": 1}), 1).await;
    scene.budget("tight", "web", &json!({"maxUnavailable": 0}), 0).await;
    let mut found = look(scene).await;
    for _ in 0..100 {
        if of(scene, &found, "Service", "web").is_some_and(|service| service.ready == 1) {
            break;
        }
        scene.moment().await;
        found = look(scene).await;
    }
    let counts = |kind: &str, name: &str| {
        of(scene, &found, kind, name).map(|one| (one.desired, one.ready, one.through.len()))
    };
    assert_eq!(counts("Service", "web"), Some((1, 1, 1)));
    assert_eq!(counts("Service", "nobody"), None, "nothing stands behind it");
    assert_eq!(counts("PodDisruptionBudget", "loose"), Some((1, 1, 1)));
    assert_eq!(counts("PodDisruptionBudget", "tight"), Some((0, 0, 1)), "it is meant to allow nothing");
    let through = &of(scene, &found, "Service", "web").unwrap().through;
    assert!(through.contains(&of(scene, &found, "Deployment", "web").unwrap().uid));
}
