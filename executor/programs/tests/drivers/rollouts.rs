//! Rollouts that somebody has to lend a hand to.

use serde_json::{Value, json};
use switchback_schemas::{
    journal::Verdict,
    name::{ObjectName, ObjectRef},
    plan::{BoundObject, KubeCondition},
};

use crate::scene::{Scene, call, on_both};

on_both!(an_on_delete_rollout_is_done_when_its_pods_were_deleted);

/// The template is new at once and its pods are not: the condition says so, and holds when the last was replaced.
async fn an_on_delete_rollout_is_done_when_its_pods_were_deleted(scene: &Scene) {
    scene.node("n").await;
    let set = |image: &str| {
        json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db", "namespace": scene.ns},
            "spec": {"replicas": 1, "serviceName": "db", "selector": {"matchLabels": {"app": "db"}},
                "updateStrategy": {"type": "OnDelete"}, "template": {
                "metadata": {"labels": {"app": "db"}}, "spec": {
                    "nodeSelector": {"row": scene.id},
                    "tolerations": [{"key": "row", "operator": "Equal", "value": scene.id, "effect": "NoSchedule"}],
                    "terminationGracePeriodSeconds": 0,
                    "containers": [{"name": "c", "image": image}]}}}})
    };
    let path = format!("/apis/apps/v1/namespaces/{}/statefulsets/db", scene.ns);
    let object = ObjectRef::new("apps/v1", "StatefulSet", &ObjectName::namespaced(&scene.ns, "db"));
    let rolled = KubeCondition::Rollout { object: BoundObject::named(object) };
    scene.put(set("example.invalid/app:1")).await;
    scene.wait(&path, |found| found["status"]["availableReplicas"] == 1).await;
    assert!(scene.check(&call(), &rolled).await.is_holding());

    scene.put(set("example.invalid/app:2")).await;
    let seen = |found: &Value| found["status"]["observedGeneration"] == found["metadata"]["generation"];
    scene.wait(&path, |found| seen(found) && found["metadata"]["generation"] == 2).await;
    let Verdict::Fails { evidence } = scene.check(&call(), &rolled).await else { panic!("one pod is old") };
    assert!(evidence.0[0].contains("0 of 1 replicas updated (OnDelete"), "{evidence:?}");

    let pod = format!("/api/v1/namespaces/{}/pods/db-0", scene.ns);
    scene.call("DELETE", &pod, None).await;
    scene
        .wait(&path, |found| {
            found["status"]["updatedReplicas"] == 1 && found["status"]["availableReplicas"] == 1
        })
        .await;
    let verdict = scene.check(&call(), &rolled).await;
    assert!(verdict.is_holding(), "{verdict:?}");
}
