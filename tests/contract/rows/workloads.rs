use serde_json::{Value, json};

use crate::row::rows;
use crate::server::answer::condition;
use crate::server::objects::name;
use crate::server::{MERGE, STRATEGIC, Server};

rows! {
    a_rollout_moves_pods: "an image change runs generation ahead of observedGeneration, then replaces the pods and counts a revision", "kube: readiness probe step";
    rolling_keeps_availability: "with maxUnavailable 0 a rollout whose pods never become ready keeps the old ones and is not done", "kube: readiness probe step";
    recreate_stops_first: "Recreate takes the old pods away before the new ones come", "mlflow, argo: single controllers";
    paused_and_deadline: "a rollout past progressDeadlineSeconds says ProgressDeadlineExceeded", "kube: readiness probe step";
    jobs_complete: "a Job gets its defaults, runs, and ends Complete with succeeded counted", "kube: jobs, migrations";
    jobs_fail: "a Job whose pod fails past backoffLimit ends Failed, BackoffLimitExceeded", "kube: jobs, classify";
    evictions_count_as_failures: "an evicted pod of a Job carries DisruptionTarget and counts against backoffLimit: the Job ends Failed, and its other pods with it", "kube: drain";
    a_job_may_ignore_disruptions: "with a podFailurePolicy that ignores DisruptionTarget an evicted pod counts nothing and is replaced once it is gone", "kube: drain";
    job_templates_are_immutable: "a change of a Job's template is 422 field is immutable", "kube: jobs";
    suspended_jobs_stop: "suspend takes the pods away and says Suspended; resume brings them back", "kube: suspensions on workloads";
    daemons_run_on_every_node: "a DaemonSet runs on each node that fits, a cordoned one too, and replaces its pods on a change", "gpu: driver daemons";
    foreground_waits_for_what_is_owned: "a foreground delete shows its finalizer and ends when the pods are gone", "kube: delete";
    background_takes_what_is_owned: "a background delete takes ReplicaSets and pods along later; Orphan leaves them", "kube: delete";
    cronjobs_suspend: "a CronJob keeps spec.suspend through a patch and back", "kube: suspensions on cron workflows";
}

async fn image(s: &Server, image: &str) -> Value {
    let patch = json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "image": image}]}}}});
    s.patch(&s.path("apps:v1/deployments/web"), STRATEGIC, &patch).await.expect(200)
}

async fn a_rollout_moves_pods(s: &Server) {
    let node = s.node("n").await;
    let before = s.deployed("web", 3).await;
    let settled = s.get(&s.path("apps:v1/deployments/web")).await.expect(200);
    assert_eq!(settled["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "1");
    assert_eq!(condition(&settled, "Available"), "True");
    let changed = image(s, "example.invalid/app:2").await;
    assert_eq!(
        changed["metadata"]["generation"].as_u64().unwrap(),
        settled["metadata"]["generation"].as_u64().unwrap() + 1
    );
    assert_eq!(changed["status"]["observedGeneration"], settled["status"]["observedGeneration"]);
    let after = s.rolled_out("web", 3).await;
    assert_eq!(after["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "2");
    let progressing = after["status"]["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .find(|c| c["type"] == "Progressing")
        .unwrap();
    assert_eq!(progressing["reason"], "NewReplicaSetAvailable");
    let pods = s.pods("web").await;
    assert!(pods.iter().all(|p| p["spec"]["containers"][0]["image"] == "example.invalid/app:2"));
    assert!(pods.iter().all(|p| before.iter().all(|b| name(b) != name(p))));
    s.remove_node(&node).await;
}

async fn rolling_keeps_availability(s: &Server) {
    let node = s.node("n").await;
    let mut body = s.deployment("web", 2);
    body["spec"]["strategy"] =
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}});
    s.post(&s.path("apps:v1/deployments"), &body).await.expect(201);
    s.rolled_out("web", 2).await;
    let patch = json!({"spec": {"template": {"metadata": {"annotations": {"cluster.switchback.test/pod": "unready"}}}}});
    s.patch(&s.path("apps:v1/deployments/web"), MERGE, &patch).await.expect(200);
    let stuck = s
        .wait(&s.path("apps:v1/deployments/web"), 40, |d| {
            d["status"]["observedGeneration"] == d["metadata"]["generation"] && d["status"]["replicas"] == 3
        })
        .await;
    assert_eq!(stuck["status"]["updatedReplicas"], 1);
    assert_eq!(stuck["status"]["availableReplicas"], 2);
    assert_eq!(stuck["status"]["unavailableReplicas"], 1);
    assert_eq!(condition(&stuck, "Available"), "True");
    s.remove_node(&node).await;
}

async fn recreate_stops_first(s: &Server) {
    let node = s.node("n").await;
    let mut body = s.deployment("web", 1);
    body["spec"]["strategy"] = json!({"type": "Recreate"});
    body["spec"]["template"]["metadata"]["annotations"] =
        json!({"cluster.switchback.test/delete-after": "10s"});
    s.post(&s.path("apps:v1/deployments"), &body).await.expect(201);
    s.rolled_out("web", 1).await;
    let old = s.pods("web").await;
    image(s, "example.invalid/app:2").await;
    let gone = s.path(&format!("pods/{}", name(&old[0])));
    s.wait(&gone, 20, |p| !p["metadata"]["deletionTimestamp"].is_null()).await;
    assert!(s.pods("web").await.is_empty(), "nothing new while the old pod goes");
    s.rolled_out("web", 1).await;
    s.remove_node(&node).await;
}

async fn paused_and_deadline(s: &Server) {
    let node = s.node("n").await;
    let mut body = s.deployment("web", 1);
    body["spec"]["progressDeadlineSeconds"] = 2.into();
    body["spec"]["template"]["metadata"]["annotations"] = json!({"cluster.switchback.test/pod": "unready"});
    s.post(&s.path("apps:v1/deployments"), &body).await.expect(201);
    let late = s
        .wait(&s.path("apps:v1/deployments/web"), 40, |d| {
            d["status"]["conditions"]
                .as_array()
                .is_some_and(|c| c.iter().any(|c| c["reason"] == "ProgressDeadlineExceeded"))
        })
        .await;
    assert_eq!(condition(&late, "Progressing"), "False");
    assert_eq!(condition(&late, "Available"), "False");
    s.remove_node(&node).await;
}

fn job(s: &Server, behaviour: Option<&str>, spec: Value) -> Value {
    let mut pod = s.pod_spec("example.invalid/job:1");
    pod["restartPolicy"] = "Never".into();
    let mut body =
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "mig"}, "spec": spec});
    body["spec"]["template"] = json!({"metadata": {"labels": {"app": "mig"}}, "spec": pod});
    if let Some(behaviour) = behaviour {
        body["spec"]["template"]["metadata"]["annotations"] =
            json!({"cluster.switchback.test/pod": behaviour});
    }
    body
}

async fn jobs_complete(s: &Server) {
    let node = s.node("n").await;
    let body = job(s, None, json!({"backoffLimit": 0, "activeDeadlineSeconds": 600}));
    let made = s.post(&s.path("batch:v1/jobs"), &body).await.expect(201);
    assert_eq!(made["spec"]["completions"], 1);
    assert_eq!(made["spec"]["completionMode"], "NonIndexed");
    assert_eq!(
        made["spec"]["selector"]["matchLabels"]["batch.kubernetes.io/controller-uid"],
        made["metadata"]["uid"]
    );
    let done = s.wait(&s.path("batch:v1/jobs/mig"), 60, |j| condition(j, "Complete") == "True").await;
    assert_eq!(done["status"]["succeeded"], 1);
    assert_eq!(condition(&done, "SuccessCriteriaMet"), "True");
    assert!(!done["status"]["startTime"].is_null());
    assert!(!done["status"]["completionTime"].is_null());
    s.remove_node(&node).await;
}

async fn jobs_fail(s: &Server) {
    let node = s.node("n").await;
    s.post(&s.path("batch:v1/jobs"), &job(s, Some("fail"), json!({"backoffLimit": 0}))).await.expect(201);
    let done = s.wait(&s.path("batch:v1/jobs/mig"), 60, |j| condition(j, "Failed") == "True").await;
    assert_eq!(done["status"]["failed"], 1);
    let failed =
        done["status"]["conditions"].as_array().unwrap().iter().find(|c| c["type"] == "Failed").unwrap();
    assert_eq!(failed["reason"], "BackoffLimitExceeded");
    s.remove_node(&node).await;
}

/// A Job of two pods that runs until somebody ends it; one of its pods is evicted.
async fn one_of_two_is_evicted(s: &Server, spec: Value) -> Value {
    let mut spec = spec;
    for field in ["parallelism", "completions"] {
        spec[field] = 2.into();
    }
    let mut body = job(s, Some("hold"), spec);
    body["spec"]["template"]["metadata"]["annotations"]["cluster.switchback.test/delete-after"] =
        "10s".into();
    s.post(&s.path("batch:v1/jobs"), &body).await.expect(201);
    let job = s.wait(&s.path("batch:v1/jobs/mig"), 60, |j| j["status"]["ready"] == 2).await;
    let pods = s.pods("mig").await;
    let pod = name(&pods[0]);
    let path = s.path(&format!("pods/{pod}"));
    s.post(&format!("{path}/eviction"), &s.eviction(pod, None)).await.expect(201);
    assert_eq!(condition(&s.get(&path).await.expect(200), "DisruptionTarget"), "True");
    s.wait_gone(&path, 60).await;
    job
}

async fn evictions_count_as_failures(s: &Server) {
    let node = s.node("n").await;
    one_of_two_is_evicted(s, json!({"backoffLimit": 0})).await;
    let failed = s.wait(&s.path("batch:v1/jobs/mig"), 60, |j| condition(j, "Failed") == "True").await;
    let end = failed["status"]["conditions"].as_array().unwrap().iter().find(|c| c["type"] == "Failed");
    assert_eq!(end.unwrap()["reason"], "BackoffLimitExceeded");
    let gone = |list: &Value| list["items"].as_array().is_some_and(Vec::is_empty);
    s.wait(&format!("{}?labelSelector=app%3Dmig", s.path("pods")), 60, gone).await;
    s.remove_node(&node).await;
}

async fn a_job_may_ignore_disruptions(s: &Server) {
    let node = s.node("n").await;
    let policy = json!({"rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]});
    let made = one_of_two_is_evicted(s, json!({"backoffLimit": 0, "podFailurePolicy": policy})).await;
    assert_eq!(made["spec"]["podReplacementPolicy"], "Failed");
    assert_eq!(made["spec"]["podFailurePolicy"]["rules"][0]["onPodConditions"][0]["status"], "True");
    let job = s.wait(&s.path("batch:v1/jobs/mig"), 60, |j| j["status"]["ready"] == 2).await;
    assert!(job["status"]["failed"].is_null(), "{job:#}");
    assert_eq!(condition(&job, "Failed"), "");
    s.remove_node(&node).await;
}

async fn job_templates_are_immutable(s: &Server) {
    s.post(&s.path("batch:v1/jobs"), &job(s, None, json!({"suspend": true}))).await.expect(201);
    let patch = json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "example.invalid/job:2"}]}}}});
    let answer = s
        .patch(&s.path("batch:v1/jobs/mig?dryRun=All"), STRATEGIC, &json!({"spec": {"suspend": false}}))
        .await;
    answer.expect(200);
    s.patch(&s.path("batch:v1/jobs/mig"), MERGE, &json!({"spec": {"suspend": false}})).await.expect(200);
    s.wait(&s.path("batch:v1/jobs/mig"), 20, |j| !j["status"]["startTime"].is_null()).await;
    let answer = s.patch(&s.path("batch:v1/jobs/mig"), STRATEGIC, &patch).await;
    assert_eq!(answer.body["details"]["causes"][0]["field"], "spec.template");
    let message = answer.refused(422, "Invalid");
    assert!(message.starts_with("Job.batch \"mig\" is invalid: spec.template"), "{message}");
    assert!(message.ends_with("field is immutable"), "{message}");
}

async fn suspended_jobs_stop(s: &Server) {
    let node = s.node("n").await;
    s.post(&s.path("batch:v1/jobs"), &job(s, Some("hold"), json!({"parallelism": 2, "completions": 2})))
        .await
        .expect(201);
    let path = s.path("batch:v1/jobs/mig");
    s.wait(&path, 60, |j| j["status"]["active"] == 2 && j["status"]["ready"] == 2).await;
    s.patch(&path, MERGE, &json!({"spec": {"suspend": true}})).await.expect(200);
    let stopped =
        s.wait(&path, 60, |j| condition(j, "Suspended") == "True" && j["status"]["active"].is_null()).await;
    assert!(stopped["status"]["startTime"].is_null());
    s.patch(&path, MERGE, &json!({"spec": {"suspend": false}})).await.expect(200);
    let back = s.wait(&path, 90, |j| j["status"]["active"] == 2 && j["status"]["ready"] == 2).await;
    assert_eq!(condition(&back, "Suspended"), "False");
    s.remove_node(&node).await;
}

async fn daemons_run_on_every_node(s: &Server) {
    let one = s.node("one").await;
    s.patch(&format!("/api/v1/nodes/{one}"), MERGE, &json!({"spec": {"unschedulable": true}}))
        .await
        .expect(200);
    let body = json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "web"}, "spec": {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": s.pod_spec("example.invalid/d:1")}}});
    s.post(&s.path("apps:v1/daemonsets"), &body).await.expect(201);
    let path = s.path("apps:v1/daemonsets/web");
    s.wait(&path, 60, |d| d["status"]["numberAvailable"] == 1).await;
    let two = s.node("two").await;
    s.wait(&path, 60, |d| d["status"]["desiredNumberScheduled"] == 2 && d["status"]["numberAvailable"] == 2)
        .await;
    let patch = json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "example.invalid/d:2"}]}}}});
    s.patch(&path, STRATEGIC, &patch).await.expect(200);
    s.wait(&path, 90, |d| {
        d["status"]["observedGeneration"] == d["metadata"]["generation"]
            && d["status"]["updatedNumberScheduled"] == 2
            && d["status"]["numberAvailable"] == 2
    })
    .await;
    assert!(s.pods("web").await.iter().all(|p| p["spec"]["containers"][0]["image"] == "example.invalid/d:2"));
    s.remove_node(&one).await;
    s.remove_node(&two).await;
}

async fn foreground_waits_for_what_is_owned(s: &Server) {
    let node = s.node("n").await;
    let pods = s.deployed("web", 1).await;
    let path = s.path("apps:v1/deployments/web");
    let out = s.delete(&format!("{path}?propagationPolicy=Foreground")).await.expect(200);
    assert_eq!(out["metadata"]["finalizers"], json!(["foregroundDeletion"]));
    assert!(!out["metadata"]["deletionTimestamp"].is_null());
    s.wait_gone(&path, 90).await;
    assert_eq!(s.get(&s.path(&format!("pods/{}", name(&pods[0])))).await.status, 404);
    s.remove_node(&node).await;
}

async fn background_takes_what_is_owned(s: &Server) {
    let node = s.node("n").await;
    let pods = s.deployed("web", 1).await;
    s.delete(&s.path("apps:v1/deployments/web")).await.expect(200);
    assert_eq!(s.get(&s.path("apps:v1/deployments/web")).await.status, 404);
    s.wait_gone(&s.path(&format!("pods/{}", name(&pods[0]))), 90).await;
    s.deployed("keep", 1).await;
    s.delete(&format!("{}?propagationPolicy=Orphan", s.path("apps:v1/deployments/keep"))).await.expect(200);
    s.wait_gone(&s.path("apps:v1/deployments/keep"), 60).await;
    let sets =
        s.get(&format!("{}?labelSelector=app%3Dkeep", s.path("apps:v1/replicasets"))).await.expect(200);
    assert_eq!(sets["items"].as_array().unwrap().len(), 1);
    assert!(sets["items"][0]["metadata"]["ownerReferences"].as_array().is_none_or(Vec::is_empty));
    s.remove_node(&node).await;
}

async fn cronjobs_suspend(s: &Server) {
    let mut pod = s.pod_spec("example.invalid/job:1");
    pod["restartPolicy"] = "Never".into();
    let body = json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "nightly"}, "spec": {
        "schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": {"spec": pod}}}}});
    let made = s.post(&s.path("batch:v1/cronjobs"), &body).await.expect(201);
    assert_eq!(made["spec"]["suspend"], false);
    let path = s.path("batch:v1/cronjobs/nightly");
    assert_eq!(
        s.patch(&path, MERGE, &json!({"spec": {"suspend": true}})).await.expect(200)["spec"]["suspend"],
        true
    );
    let out = s.patch(&path, MERGE, &json!({"spec": {"suspend": false}})).await.expect(200);
    assert_eq!(out["metadata"]["generation"], 3);
}
