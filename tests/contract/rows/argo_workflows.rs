use serde_json::{Value, json};
use switchback_cluster::Controller;

use crate::row::rows;
use crate::server::answer::text;
use crate::server::objects::name;
use crate::server::{MERGE, Server};

rows! {
    on super::beside;
    a_workflow_runs_its_steps: "a Workflow says Running, its pods carry its name and have not completed; steps follow each other; at its end it and its pods say that they have completed", "argo-workflows: what has not finished";
    pods_carry_the_executor_of_their_controller: "a pod runs the executor of the controller that made it, and goes on when its controller is restarted with another; the next pod runs that one", "argo-workflows: executors in flight";
    nothing_moves_without_a_controller: "without a controller a new Workflow has no label and no phase, pods run on and end, and nothing follows them; the next controller takes it up where it stands", "argo-workflows: what has not finished";
    a_suspended_workflow_starts_no_pod: "a suspended Workflow starts no pod, and what it has started goes on; resumed, it goes on by itself; it says Running all the time", "argo-workflows: inFlight suspend";
    a_suspended_schedule_starts_nothing: "a CronWorkflow with suspend starts nothing; resumed, it starts the last one that it missed within startingDeadlineSeconds, once", "argo-workflows: suspended schedules";
    a_wait_needs_no_pod: "a Workflow that waits for a second succeeds without a pod", "argo-workflows: the check";
    a_deleted_pod_fails_its_workflow: "a pod that is deleted fails its Workflow, and none comes in its place", "argo-workflows: drain, pods without a retry";
    a_silent_executor_strands_nothing: "a pod that ends without a report of its executor ends its Workflow", "argo-workflows: executors in flight";
}

async fn beside(row: &str) -> Server {
    Server::beside(Controller::ArgoWorkflows, row).await
}

const COMPLETED: &str = "workflows.argoproj.io/completed";
const PHASE: &str = "workflows.argoproj.io/phase";
const EXECUTOR: &str = "quay.io/argoproj/argoexec";
/// What the controller's program is; an executor of it is no newer.
const VERSION: &str = "v3.7.3";
const DEPLOYMENT: &str = "apps:v1/deployments/workflow-controller";

/// A controller at work on a node that takes whatever comes.
async fn at_work(s: &Server) {
    s.plain_node(&format!("{}-n", s.id), &json!({}), &json!({"cpu": "32", "memory": "256Gi", "pods": "110"}))
        .await;
    s.definitions("argo-workflows/1.0.18/files/crds/full").await;
    s.namespace("argo").await;
    // Its metrics have a fixed port.
    let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "beside", "namespace": "argo"},
        "data": {"config": "metricsConfig: {enabled: false}\n"}});
    s.post("/api/v1/namespaces/argo/configmaps", &config).await.expect(201);
    works(s, VERSION).await;
}

/// The controller works, and puts an executor of this version into the pods that it makes.
async fn works(s: &Server, executor: &str) {
    let mut deployment = s.deployment("workflow-controller", 1);
    let executor = format!("{EXECUTOR}:{executor}");
    deployment["spec"]["template"]["spec"] = json!({"containers": [{"name": "controller",
        "image": format!("quay.io/argoproj/workflow-controller:{VERSION}"),
        "args": ["--configmap=beside", "--executor-image", executor]}]});
    s.applied(&s.path(DEPLOYMENT), &deployment).await;
    s.rolled_out("workflow-controller", 1).await;
    s.program_works(&["--configmap=beside".to_owned(), "--executor-image".to_owned(), executor]);
}

/// No controller works.
async fn rests(s: &Server) {
    s.program_rests();
    s.patch(&s.path(DEPLOYMENT), MERGE, &json!({"spec": {"replicas": 0}})).await.expect(200);
    s.wait(&s.path(DEPLOYMENT), 60, |d| d["status"]["replicas"].as_u64().unwrap_or(0) == 0).await;
}

fn workflow(s: &Server, name: &str) -> String {
    s.path(&format!("argoproj.io:v1alpha1/workflows/{name}"))
}

/// Submits a Workflow whose steps follow each other, each one pod that runs until it is ended.
async fn submit(s: &Server, name: &str, steps: &[&str]) {
    let of = |step: &&str| json!([{"name": *step, "template": "pod"}]);
    let main = json!({"name": "main", "steps": steps.iter().map(of).collect::<Vec<_>>()});
    // On the twin a pod ends by itself otherwise.
    let pod = json!({"name": "pod", "metadata": {"annotations": {"twin.switchback.dev/run-seconds": "86400"}},
        "container": {"image": "example.invalid/train:1", "command": ["train"]}});
    let object = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": name},
        "spec": {"entrypoint": "main", "templates": [main, pod]}});
    s.post(&s.path("argoproj.io:v1alpha1/workflows"), &object).await.expect(201);
}

/// Pods of a Workflow.
fn pods(s: &Server, workflow: &str) -> String {
    format!("{}?labelSelector=workflows.argoproj.io%2Fworkflow%3D{workflow}", s.path("pods"))
}

fn running(list: &Value) -> impl Iterator<Item = &Value> {
    list["items"].as_array().into_iter().flatten().filter(|pod| pod["status"]["phase"] == "Running")
}

/// The one pod of a Workflow that runs.
async fn pod_of(s: &Server, workflow: &str) -> Value {
    let list = s.wait(&pods(s, workflow), 90, |list| running(list).count() == 1).await;
    running(&list).next().expect("a pod").clone()
}

fn executor(pod: &Value) -> &str {
    let containers = pod["spec"]["containers"].as_array().expect("containers");
    text(containers.iter().find(|one| one["name"] == "wait").expect("an executor"), "/image")
}

/// Ends a pod, as its kubelet and its executor do.
async fn end(s: &Server, pod: &Value) {
    let node = text(pod, "/metadata/annotations/workflows.argoproj.io~1node-id");
    let labels = json!({"workflows.argoproj.io/workflow": pod["metadata"]["labels"]["workflows.argoproj.io/workflow"],
        "workflows.argoproj.io/report-outputs-completed": "true"});
    let report = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowTaskResult",
        "metadata": {"name": if node.is_empty() { name(pod) } else { node }, "labels": labels}});
    s.post(&s.path("argoproj.io:v1alpha1/workflowtaskresults"), &report).await.expect(201);
    end_silently(s, pod).await;
}

/// Ends a pod whose executor reports nothing.
async fn end_silently(s: &Server, pod: &Value) {
    let ended = |container: &Value| {
        json!({"name": container["name"], "image": container["image"], "ready": false, "restartCount": 0,
            "imageID": "", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}})
    };
    let containers: Vec<Value> =
        pod["spec"]["containers"].as_array().expect("containers").iter().map(ended).collect();
    let status = json!({"status": {"phase": "Succeeded", "containerStatuses": containers}});
    let path = s.path(&format!("pods/{}", name(pod)));
    s.patch(&format!("{path}/status"), MERGE, &status).await.expect(200);
}

/// Lets some seconds pass.
async fn seconds(s: &Server, count: u32) {
    for _ in 0..count * 10 {
        s.moment().await;
    }
}

async fn succeeded(s: &Server, name: &str) -> Value {
    s.wait(&workflow(s, name), 60, |w| w["status"]["phase"] == "Succeeded").await
}

async fn a_workflow_runs_its_steps(s: &Server) {
    at_work(s).await;
    submit(s, "two", &["first", "second"]).await;
    let first = pod_of(s, "two").await;
    assert_eq!(first["metadata"]["labels"][COMPLETED], "false");
    assert_eq!(first["metadata"]["ownerReferences"][0]["kind"], "Workflow");
    let under_way = s.wait(&workflow(s, "two"), 30, |w| w["status"]["phase"] == "Running").await;
    let labels = &under_way["metadata"]["labels"];
    assert_eq!((&labels[COMPLETED], &labels[PHASE]), (&json!("false"), &json!("Running")));
    end(s, &first).await;
    let second = pod_of(s, "two").await;
    assert_ne!(first["metadata"]["uid"], second["metadata"]["uid"]);
    end(s, &second).await;
    let done = succeeded(s, "two").await;
    let labels = &done["metadata"]["labels"];
    assert_eq!((&labels[COMPLETED], &labels[PHASE]), (&json!("true"), &json!("Succeeded")));
    assert!(!done["status"]["finishedAt"].is_null());
    s.wait(&pods(s, "two"), 60, |list| {
        let pods = list["items"].as_array().expect("pods");
        pods.len() == 2 && pods.iter().all(|pod| pod["metadata"]["labels"][COMPLETED] == "true")
    })
    .await;
}

async fn pods_carry_the_executor_of_their_controller(s: &Server) {
    at_work(s).await;
    submit(s, "two", &["first", "second"]).await;
    let first = pod_of(s, "two").await;
    assert_eq!(executor(&first), format!("{EXECUTOR}:{VERSION}"));
    works(s, "v3.7.2").await;
    seconds(s, 10).await;
    let same = pod_of(s, "two").await;
    assert_eq!(first["metadata"]["uid"], same["metadata"]["uid"]);
    assert_eq!(executor(&same), format!("{EXECUTOR}:{VERSION}"));
    end(s, &first).await;
    let second = pod_of(s, "two").await;
    assert_eq!(executor(&second), format!("{EXECUTOR}:v3.7.2"));
    end(s, &second).await;
    succeeded(s, "two").await;
}

async fn nothing_moves_without_a_controller(s: &Server) {
    at_work(s).await;
    submit(s, "two", &["first", "second"]).await;
    let first = pod_of(s, "two").await;
    rests(s).await;
    submit(s, "new", &["only"]).await;
    end(s, &first).await;
    seconds(s, 10).await;
    let new = s.get(&workflow(s, "new")).await.expect(200);
    assert!(new["metadata"]["labels"].is_null() && new["status"]["phase"].is_null(), "{new:#}");
    assert_eq!(s.get(&workflow(s, "two")).await.expect(200)["status"]["phase"], "Running");
    assert_eq!(s.items(&pods(s, "two")).await.len(), 1);
    works(s, VERSION).await;
    let second = pod_of(s, "two").await;
    assert_ne!(first["metadata"]["uid"], second["metadata"]["uid"]);
    end(s, &second).await;
    succeeded(s, "two").await;
    end(s, &pod_of(s, "new").await).await;
    succeeded(s, "new").await;
}

async fn a_suspended_workflow_starts_no_pod(s: &Server) {
    at_work(s).await;
    submit(s, "two", &["first", "second"]).await;
    let first = pod_of(s, "two").await;
    s.patch(&workflow(s, "two"), MERGE, &json!({"spec": {"suspend": true}})).await.expect(200);
    seconds(s, 5).await;
    assert_eq!(pod_of(s, "two").await["metadata"]["uid"], first["metadata"]["uid"], "it goes on");
    end(s, &first).await;
    seconds(s, 15).await;
    let stands = s.get(&workflow(s, "two")).await.expect(200);
    assert_eq!(stands["status"]["phase"], "Running");
    assert_eq!(stands["metadata"]["labels"][COMPLETED], "false");
    let all = s.items(&pods(s, "two")).await;
    assert_eq!(all.len(), 1);
    s.patch(&workflow(s, "two"), MERGE, &json!({"spec": {"suspend": null}})).await.expect(200);
    let second = pod_of(s, "two").await;
    end(s, &second).await;
    succeeded(s, "two").await;
    // One that is suspended from the start is under way as well, and has no pod.
    let object = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": "still"},
        "spec": {"suspend": true, "entrypoint": "main", "templates": [{"name": "main", "suspend": {"duration": "1"}}]}});
    s.post(&s.path("argoproj.io:v1alpha1/workflows"), &object).await.expect(201);
    let still = s.wait(&workflow(s, "still"), 30, |w| w["status"]["phase"] == "Running").await;
    assert_eq!(still["metadata"]["labels"][COMPLETED], "false");
    seconds(s, 5).await;
    assert_eq!(s.get(&workflow(s, "still")).await.expect(200)["status"]["phase"], "Running");
}

async fn a_suspended_schedule_starts_nothing(s: &Server) {
    at_work(s).await;
    let crons = s.path("argoproj.io:v1alpha1/cronworkflows");
    let cron = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "CronWorkflow", "metadata": {"name": "often"},
        "spec": {"schedules": ["* * * * *"], "concurrencyPolicy": "Forbid", "startingDeadlineSeconds": 600,
            "workflowSpec": {"entrypoint": "main", "templates": [{"name": "main", "suspend": {}}]}}});
    s.post(&crons, &cron).await.expect(201);
    let started = format!(
        "{}?labelSelector=workflows.argoproj.io%2Fcron-workflow%3Doften",
        s.path("argoproj.io:v1alpha1/workflows")
    );
    s.wait(&started, 90, |list| list["items"].as_array().is_some_and(|all| all.len() == 1)).await;
    let path = format!("{crons}/often");
    s.patch(&path, MERGE, &json!({"spec": {"suspend": true}})).await.expect(200);
    let first = s.items(&started).await.remove(0);
    s.delete(&s.path(&format!("argoproj.io:v1alpha1/workflows/{}", name(&first)))).await.expect(200);
    seconds(s, 130).await;
    assert!(s.items(&started).await.is_empty(), "nothing for two minutes");
    let last = s.get(&path).await.expect(200)["status"]["lastScheduledTime"].clone();
    s.patch(&path, MERGE, &json!({"spec": {"suspend": null}})).await.expect(200);
    s.wait(&started, 30, |list| list["items"].as_array().is_some_and(|all| all.len() == 1)).await;
    // Written after the Workflow is made.
    s.wait(&path, 30, |cron| cron["status"]["lastScheduledTime"].as_str() > last.as_str()).await;
}

async fn a_wait_needs_no_pod(s: &Server) {
    at_work(s).await;
    let object = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": "wait"},
        "spec": {"entrypoint": "wait", "templates": [{"name": "wait", "suspend": {"duration": "1"}}]}});
    s.post(&s.path("argoproj.io:v1alpha1/workflows"), &object).await.expect(201);
    succeeded(s, "wait").await;
    assert!(s.items(&pods(s, "wait")).await.is_empty());
}

async fn a_deleted_pod_fails_its_workflow(s: &Server) {
    at_work(s).await;
    submit(s, "one", &["only"]).await;
    let pod = pod_of(s, "one").await;
    // One that has only just come may be unknown to the controller's cache.
    seconds(s, 15).await;
    s.delete(&s.path(&format!("pods/{}", name(&pod)))).await.expect(200);
    let failed =
        s.wait(&workflow(s, "one"), 90, |w| matches!(text(w, "/status/phase"), "Failed" | "Error")).await;
    assert_eq!(failed["metadata"]["labels"][COMPLETED], "true");
    seconds(s, 5).await;
    assert!(s.items(&pods(s, "one")).await.is_empty());
}

async fn a_silent_executor_strands_nothing(s: &Server) {
    at_work(s).await;
    works(s, "v3.5.1").await;
    submit(s, "old", &["only"]).await;
    let pod = pod_of(s, "old").await;
    assert_eq!(executor(&pod), format!("{EXECUTOR}:v3.5.1"));
    // It makes a report of its outputs without the label that says that they are all.
    let node = text(&pod, "/metadata/annotations/workflows.argoproj.io~1node-id");
    let report = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowTaskResult",
        "metadata": {"name": if node.is_empty() { name(&pod) } else { node },
            "labels": {"workflows.argoproj.io/workflow": "old"}}});
    s.post(&s.path("argoproj.io:v1alpha1/workflowtaskresults"), &report).await.expect(201);
    end_silently(s, &pod).await;
    succeeded(s, "old").await;
}
