//! Argo Workflows by the charts 0.47.5 and 1.0.18 with a Workflow in flight: waited for, killed in its middle, rolled back.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use switchback_cluster::Controller;
use switchback_schemas::report::{RunState, StepStatus};

use crate::support::{
    beside::{AtWork, Says},
    bins::root,
    journal::{Events, record},
    kubectl::{Cluster, Own},
    scene::Scene,
};

const PLATFORM: &str = "apiVersion: switchback.dev/v1alpha1
kind: Platform
metadata: {name: flows}
spec:
  targets:
    main: {cluster: {}}
";

const UPGRADE: &str = "apiVersion: switchback.dev/v1alpha1
kind: ArgoWorkflowsUpgrade
metadata: {name: flows}
spec:
  target: main
  to: '1.0.18'
  release: {namespace: argo, name: argo-workflows}
  charts: {directory: ../charts}
";

const OLD: &str = "v3.7.11";
const NEW: &str = "v4.0.6";
/// On the template of a pod: at which look it ends.
const LOOKS: &str = "wire.switchback.test/looks";
/// On the template of a pod: it is not looked at before its Workflow is suspended.
const ONCE_SUSPENDED: &str = "wire.switchback.test/once-suspended";

/// The controller with the executor that its Deployment names. Metrics have a fixed port, so it does not get the release's own ConfigMap.
const CONTROLLER: Says = Says {
    deployment: ("argo", "argo-workflows-workflow-controller"),
    arguments: |args| {
        let executor = args.iter().skip_while(|arg| *arg != "--executor-image").take(2).cloned();
        std::iter::once("--configmap=beside".to_owned()).chain(executor).collect()
    },
};

/// Ends pods of Workflows whose time is over, and reports it as their executors do.
fn end_pods(cluster: &Cluster, seen: &mut BTreeMap<String, u64>) {
    let of = ["-l", "workflows.argoproj.io/workflow", "--field-selector=status.phase=Running"];
    for pod in cluster.items(&[&["get", "pods", "--all-namespaces"][..], &of].concat()) {
        let metadata = &pod["metadata"];
        let Some(most) = metadata["annotations"][LOOKS].as_str() else { continue };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let namespace = text(&metadata["namespace"]);
        if metadata["annotations"][ONCE_SUSPENDED] == "true" {
            let workflow = text(&metadata["labels"]["workflows.argoproj.io/workflow"]);
            if cluster.get(&["-n", &namespace, "workflow", &workflow])["spec"]["suspend"] != true {
                continue;
            }
        }
        let looks = seen.entry(metadata["uid"].to_string()).or_default();
        *looks += 1;
        if most.parse::<u64>().expect("a number") > *looks {
            continue;
        }
        cluster.create(&json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowTaskResult",
            "metadata": {"name": metadata["annotations"]["workflows.argoproj.io/node-id"], "namespace": metadata["namespace"],
                "labels": {"workflows.argoproj.io/workflow": metadata["labels"]["workflows.argoproj.io/workflow"],
                    "workflows.argoproj.io/report-outputs-completed": "true"}}}));
        let ended = |container: &Value| {
            json!({"name": container["name"], "image": container["image"], "imageID": "", "ready": false,
                "restartCount": 0, "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}})
        };
        let containers: Vec<Value> =
            pod["spec"]["containers"].as_array().expect("containers").iter().map(ended).collect();
        let status = json!({"status": {"phase": "Succeeded", "containerStatuses": containers}}).to_string();
        let patch = ["--subresource=status", "--type=merge", "-p", &status];
        cluster
            .kubectl(&[&["patch", "pod", &text(&metadata["name"]), "-n", &namespace][..], &patch].concat());
    }
}

/// The release, two schedules of which somebody has suspended one, and a Workflow of two steps whose first one runs, for so many looks.
/// How long a plan takes until it suspends is the machine's affair, so a step can be made to last until then.
fn platform(own: &Own, (looks, once_suspended): (&str, bool)) -> AtWork {
    let cluster = &own.cluster;
    for namespace in ["argo", "ml"] {
        cluster.create(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}));
    }
    let room = json!({"cpu": "64", "memory": "256Gi", "pods": "110"});
    cluster.create(&json!({"apiVersion": "v1", "kind": "Node",
        "metadata": {"name": "system-0", "labels": {"kubernetes.io/os": "linux"}, "annotations": {"kwok.x-k8s.io/node": "fake"}},
        "status": {"capacity": room, "allocatable": room}}));
    let chart = root().join("fixtures/charts/argo-workflows/0.47.5");
    // What helm 4 installs it applies at the server, and there no Deployment goes from RollingUpdate to Recreate, as this chart's does.
    let helm = &cluster.helm3;
    cluster.helm(helm, &["install", "argo-workflows", &chart.to_string_lossy(), "--namespace", "argo"]);
    cluster.kubectl(&["wait", "crd", "--all", "--for=condition=Established", "--timeout=60s"]);
    let controller = "deployment/argo-workflows-workflow-controller";
    cluster.kubectl(&["-n", "argo", "rollout", "status", controller, "--timeout=120s"]);
    cluster.create(
        &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "beside", "namespace": "argo"},
        "data": {"config": "metricsConfig: {enabled: false}\n"}}),
    );
    let mut seen = BTreeMap::new();
    let pods = move |cluster: &Cluster| end_pods(cluster, &mut seen);
    let argo = AtWork::as_deployed(own, Controller::ArgoWorkflows, CONTROLLER, pods);
    let schedule = |name: &str, spec: Value| {
        let mut spec = spec;
        spec["workflowSpec"] =
            json!({"entrypoint": "main", "templates": [{"name": "main", "suspend": {"duration": "1"}}]});
        json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "CronWorkflow",
            "metadata": {"name": name, "namespace": "ml"}, "spec": spec})
    };
    cluster
        .create(&schedule("nightly", json!({"schedules": ["30 2 1 1 *"], "startingDeadlineSeconds": 600})));
    cluster.create(&schedule("paused", json!({"schedules": ["* * * * *"], "suspend": true})));
    let pod = |name: &str, looks: &str, once_suspended: bool| {
        json!({"name": name, "metadata": {"annotations": {LOOKS: looks, ONCE_SUSPENDED: once_suspended.to_string()}},
            "container": {"image": "example.invalid/train:1", "command": ["train"]}})
    };
    cluster.create(&json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow",
        "metadata": {"name": "train-7b", "namespace": "ml"}, "spec": {"entrypoint": "main", "templates": [
            {"name": "main", "steps": [[{"name": "prepare", "template": "prepare"}], [{"name": "train", "template": "train"}]]},
            pod("prepare", looks, once_suspended), pod("train", "30", false)]}}));
    let running = "--for=jsonpath={.status.phase}=Running";
    cluster.kubectl(&["-n", "ml", "wait", "workflow/train-7b", running, "--timeout=120s"]);
    argo
}

fn scene(cluster: &Cluster, helm: &str, more: &str) -> Scene {
    let upgrade = format!("{UPGRADE}{more}");
    Scene::on_cluster(&[("platform.yaml", PLATFORM), ("argo.yaml", &upgrade)], cluster, helm)
}

fn tag(cluster: &Cluster) -> String {
    let deployment = cluster.get(&["-n", "argo", "deployment", "argo-workflows-workflow-controller"]);
    let image = deployment["spec"]["template"]["spec"]["containers"][0]["image"].as_str().expect("an image");
    image.rsplit_once(':').expect("a tag").1.to_owned()
}

fn full(cluster: &Cluster) -> bool {
    let crd = cluster.get(&["crd", "workflows.argoproj.io"]);
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"].is_object()
}

/// The spec of every schedule, by its name.
fn schedules(cluster: &Cluster) -> BTreeMap<String, Value> {
    let crons = cluster.items(&["get", "cronworkflows", "-n", "ml"]).into_iter();
    crons.map(|cron| (cron["metadata"]["name"].to_string(), cron["spec"].clone())).collect()
}

/// Names and phases of all Workflows.
fn workflows(cluster: &Cluster) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = cluster.items(&["get", "workflows", "--all-namespaces"]).into_iter();
    all.map(|workflow| (text(&workflow["metadata"]["name"]), text(&workflow["status"]["phase"]))).collect()
}

/// The executor of each step's pod.
fn executors(cluster: &Cluster) -> BTreeMap<String, String> {
    let pods = cluster.items(&["get", "pods", "-n", "ml"]).into_iter();
    let one = |pod: Value| {
        let containers = pod["spec"]["containers"].as_array().expect("containers").clone();
        let wait = containers.into_iter().find(|container| container["name"] == "wait").expect("an executor");
        let name =
            pod["metadata"]["annotations"]["workflows.argoproj.io/node-name"].as_str().expect("a node");
        let image = wait["image"].as_str().expect("an image");
        let step = name.rsplit_once('.').map_or(name, |(_, step)| step);
        (step.to_owned(), image.rsplit_once(':').expect("a tag").1.to_owned())
    };
    pods.map(one).collect()
}

/// Waits for the Workflow in flight; dies while the release moves; another process goes on; all is taken back.
#[test]
#[ignore = "starts a control plane: `tests/cluster/controllers`"]
fn waited_for_killed_in_the_release_and_rolled_back() {
    let own = Own::start();
    let (cluster, helm) = (&own.cluster, &own.cluster.helm3);
    let _argo = platform(&own, ("90", false));
    let before = schedules(cluster);
    let scene = scene(cluster, helm, "");
    let plan = scene.plan();
    assert_eq!(plan.suspensions.len(), 1, "somebody else has suspended the other");
    scene.under_roles(cluster);
    let preflight = scene.on_store("preflight plan.json").exits(0);
    assert!(preflight.stdout.contains("0 wrong"), "{}", preflight.stdout);

    let mut child = scene.applying();
    let released = |event: &Value| {
        record(event, "intent").is_some_and(|intent| {
            intent["at"]["step"].as_str().is_some_and(|step| step.ends_with("/release"))
        })
    };
    assert!(Events::of(&mut child).until(released), "the release begins to move");
    child.kill().expect("killed");
    child.wait().expect("ended");
    assert_eq!(workflows(cluster), [("train-7b".to_owned(), "Succeeded".to_owned())], "nobody ended it");
    assert_eq!(schedules(cluster)["\"nightly\""]["suspend"], true);

    scene.apply().exits(0);
    let report = scene.report();
    let done = |status: &StepStatus| matches!(status, StepStatus::Done | StepStatus::Skipped);
    assert!(report.steps.iter().all(|step| done(&step.status)), "{report:?}");
    assert!(report.residue.is_empty() && report.left_suspended.is_empty(), "{report:?}");
    assert_eq!((tag(cluster).as_str(), full(cluster)), (NEW, true));
    assert_eq!(schedules(cluster), before);
    assert_eq!(workflows(cluster), [("train-7b".to_owned(), "Succeeded".to_owned())], "the check is gone");
    assert!(executors(cluster).values().all(|executor| executor == OLD), "{:?}", executors(cluster));

    scene.on_store("rollback --to start --reason test").exits(0);
    assert!(matches!(scene.report().state, RunState::Ended { .. }), "{:?}", scene.report().state);
    assert_eq!((tag(cluster).as_str(), full(cluster)), (OLD, false));
    assert_eq!(schedules(cluster), before);
    assert_eq!(workflows(cluster), [("train-7b".to_owned(), "Succeeded".to_owned())]);
}

/// The Workflow in flight stands still while the controller moves, and its second step runs under the new one.
#[test]
#[ignore = "starts a control plane: `tests/cluster/controllers`"]
fn suspended_and_resumed_under_the_new_controller() {
    let own = Own::start();
    let (cluster, helm) = (&own.cluster, &own.cluster.helm4);
    let _argo = platform(&own, ("10", true));
    let before = schedules(cluster);
    let scene = scene(cluster, helm, "  inFlight: {suspend: {max: 30m}}\n");
    scene.plan();
    scene.under_roles(cluster);
    scene.apply().exits(0);
    assert_eq!((tag(cluster).as_str(), full(cluster)), (NEW, true));
    assert_eq!(schedules(cluster), before);
    let succeeded = "--for=jsonpath={.status.phase}=Succeeded";
    cluster.kubectl(&["-n", "ml", "wait", "workflow/train-7b", succeeded, "--timeout=120s"]);
    let executors = executors(cluster);
    assert_eq!(executors["prepare"], OLD, "{executors:?}");
    assert_eq!(executors["train"], NEW, "{executors:?}");
}
