//! Effects on one node: a Job that runs to its end there, pods of DaemonSets that are restarted.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use switchback_executor::ports::Call;
use switchback_schemas::{
    Seconds,
    journal::{Class, Outcome, WaitsFor},
    plan::{BoundObject, DaemonPods, KubeEffect, NodeCordon, NodeJob, NodeJobEnd, NodePods},
};

use crate::scene::{Scene, call, done, on_both};

on_both!(
    a_job_runs_to_its_end_on_a_cordoned_node,
    a_job_that_fails_is_reported_once_and_run_anew,
    only_pods_of_another_version_are_restarted,
    a_node_that_takes_pods_is_not_booted,
    a_reboot_has_its_time_and_is_ours,
);

fn job(scene: &Scene, node: &BoundObject) -> KubeEffect<Value, BoundObject> {
    KubeEffect::NodeJob(NodeJob {
        node: node.clone(),
        namespace: scene.ns.clone(),
        name: "smoke-test".to_owned(),
        pod: json!({"containers": [{"name": "test", "image": "example.invalid/test:1"}]}),
        within: Seconds::minutes(10),
        until: NodeJobEnd::Succeeded,
    })
}

/// Calls an effect until it waits for nothing more.
async fn ended(scene: &Scene, call: &Call, effect: &KubeEffect<Value, BoundObject>) -> Outcome {
    for _ in 0..300 {
        let outcome = scene.apply(call, effect).await;
        let Outcome::Blocked { waits_for } = &outcome else { return outcome };
        assert!(matches!(waits_for[..], [WaitsFor::Operation { .. }]), "{waits_for:?}");
        scene.moment().await;
    }
    panic!("it goes on and on")
}

fn path(scene: &Scene) -> String {
    format!("/apis/batch/v1/namespaces/{}/jobs/smoke-test-token", scene.ns)
}

async fn a_job_runs_to_its_end_on_a_cordoned_node(scene: &Scene) {
    let node = scene.node("n").await;
    done(&scene.apply(&call(), &KubeEffect::Cordon(NodeCordon::new(node.clone(), true))).await);
    let outcome = scene.apply(&call(), &job(scene, &node)).await;
    assert!(matches!(outcome, Outcome::Blocked { .. }), "{outcome:?}");
    let uid = scene.get(&path(scene)).await.expect("a Job")["metadata"]["uid"].clone();
    assert!(done(&ended(scene, &call(), &job(scene, &node)).await).contains("has come to its end"));
    let made = scene.get(&path(scene)).await.expect("it stays for a day");
    assert_eq!(made["metadata"]["uid"], uid, "it was begun once");
    assert_eq!(made["spec"]["ttlSecondsAfterFinished"], 86400);
    done(&scene.apply(&call(), &job(scene, &node)).await);
    scene.call("DELETE", &format!("/api/v1/nodes/{}", node.object.name), None).await;
}

/// The second attempt does not take the failure of the first one for its own.
async fn a_job_that_fails_is_reported_once_and_run_anew(scene: &Scene) {
    let node = scene.node("n").await;
    let outcome = scene.apply(&call(), &job(scene, &node)).await;
    assert!(matches!(outcome, Outcome::Blocked { .. }), "{outcome:?}");
    // Just now: what failed days ago is deleted by the API server.
    let now = scene.get(&path(scene)).await.expect("a Job")["metadata"]["creationTimestamp"].clone();
    let failed = json!({"status": {"startTime": now, "active": 0, "ready": 0, "failed": 1, "conditions": [
        {"type": "FailureTarget", "status": "True", "reason": "DeadlineExceeded", "lastTransitionTime": now},
        {"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "lastTransitionTime": now}]}});
    scene.patch(&format!("{}/status", path(scene)), &failed).await;
    let outcome = scene.apply(&call(), &job(scene, &node)).await;
    let Outcome::NotDone { class: Class::Refused, evidence } = outcome else { panic!("{outcome:?}") };
    assert!(
        evidence.0[0].contains("failed on") && evidence.0[0].contains("DeadlineExceeded"),
        "{evidence:?}"
    );
    done(&ended(scene, &call(), &job(scene, &node)).await);
    scene.call("DELETE", &format!("/api/v1/nodes/{}", node.object.name), None).await;
}

/// Somebody uncordoned the node since it was drained: whoever stands there now would lose the driver.
fn assert_stays(outcome: &Outcome) {
    let Outcome::NotDone { class: Class::Refused, evidence } = outcome else { panic!("{outcome:?}") };
    assert!(evidence.0[0].contains("is not cordoned any more"), "{evidence:?}");
}

async fn a_node_that_takes_pods_is_not_booted(scene: &Scene) {
    let node = scene.node("n").await;
    let KubeEffect::NodeJob(job) = job(scene, &node) else { unreachable!("a Job") };
    let reboot = KubeEffect::NodeJob(NodeJob { until: NodeJobEnd::Rebooted, ..job });
    assert_stays(&scene.apply(&call(), &reboot).await);
    assert!(scene.get(&path(scene)).await.is_none(), "nothing was begun");
    scene.call("DELETE", &format!("/api/v1/nodes/{}", node.object.name), None).await;
}

/// The Job's own deadline ends the Job; a node that never comes up is over after the same time, and what is not ours says nothing.
async fn a_reboot_has_its_time_and_is_ours(scene: &Scene) {
    let node = scene.node("n").await;
    done(&scene.apply(&call(), &KubeEffect::Cordon(NodeCordon::new(node.clone(), true))).await);
    let KubeEffect::NodeJob(job) = job(scene, &node) else { unreachable!("a Job") };
    let reboot = KubeEffect::NodeJob(NodeJob { until: NodeJobEnd::Rebooted, ..job });
    let waited = |minutes| Call { waited: Seconds::minutes(minutes), ..call() };
    assert!(matches!(scene.apply(&waited(0), &reboot).await, Outcome::Blocked { .. }));
    assert!(matches!(scene.apply(&waited(10), &reboot).await, Outcome::Blocked { .. }));
    let refused = |outcome: Outcome| match outcome {
        Outcome::NotDone { class: Class::Refused, evidence } => evidence.0.join("; "),
        other => panic!("{other:?}"),
    };
    let said = refused(scene.apply(&waited(11), &reboot).await);
    assert!(said.contains("has not booted anew within 10 min"), "{said}");
    let stripped = json!({"metadata": {"annotations": {"switchback.dev/boot-id": null}}});
    scene.patch(&path(scene), &stripped).await;
    let said = refused(scene.apply(&waited(0), &reboot).await);
    assert!(said.contains("is not one that a run of Switchback began"), "{said}");
    scene.call("DELETE", &format!("/api/v1/nodes/{}", node.object.name), None).await;
}

async fn only_pods_of_another_version_are_restarted(scene: &Scene) {
    let node = scene.node("n").await;
    let labels = json!({"app": "driver"});
    let set = json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "driver", "namespace": scene.ns},
        "spec": {"selector": {"matchLabels": labels}, "updateStrategy": {"type": "OnDelete"}, "template": {
            "metadata": {"labels": labels},
            "spec": {"nodeSelector": {"row": scene.id}, "tolerations": [{"operator": "Exists"}],
                "containers": [{"name": "driver", "image": "example.invalid/driver:1"}]}}}});
    scene.put(set).await;
    let path = format!("/apis/apps/v1/namespaces/{}/daemonsets/driver", scene.ns);
    scene.wait(&path, |set| set["status"]["numberReady"] == 1).await;
    let image = json!({"spec": {"template": {"spec": {"containers": [{"name": "driver", "image": "example.invalid/driver:2"}]}}}});
    let (status, body) =
        scene.call("PATCH", &path, Some(("application/strategic-merge-patch+json", &image))).await;
    assert_eq!(status, 200, "{body}");
    let restart = |version: &str| {
        KubeEffect::RestartPods(NodePods {
            node: node.clone(),
            pods: DaemonPods {
                namespace: scene.ns.clone(),
                labels: BTreeMap::from([("app".to_owned(), "driver".to_owned())]),
                version: Some(version.to_owned()),
            },
        })
    };
    assert_stays(&scene.apply(&call(), &restart("2")).await);
    done(&scene.apply(&call(), &KubeEffect::Cordon(NodeCordon::new(node.clone(), true))).await);
    assert!(done(&scene.apply(&call(), &restart("1")).await).starts_with("0 pods"), "it runs that");
    assert!(done(&scene.apply(&call(), &restart("2")).await).starts_with("1 pods"));
    scene
        .wait(&path, |set| set["status"]["updatedNumberScheduled"] == 1 && set["status"]["numberReady"] == 1)
        .await;
    assert!(done(&scene.apply(&call(), &restart("2")).await).starts_with("0 pods"), "once is enough");
    scene.call("DELETE", &format!("/api/v1/nodes/{}", node.object.name), None).await;
}
