//! The same road on a real API server with real helms, and the training job of gangs.rs, each under the roles alone that
//! `switchback permissions` prints for its plan. Pods and nodes are played by kwok, Karpenter by a stand-in. Real minutes pass, so each case has a control plane of its own and all run side by side; what each
//! helm does alone is held by the drivers' own suite.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use switchback_schemas::{
    journal::End,
    report::{RunState, StepStatus},
};

use crate::support::{
    bins::root,
    journal::{Events, record},
    karpenter::StandIn,
    kubectl::{Cluster, Own},
    manifests::{all, borrowed, changed, without_nodes},
    scene::Scene,
};

const OURS: [&str; 2] = ["karpenter", "apps"];
const TRAINING: &str = "training";

/// What the world of the example holds.
fn objects() -> Vec<Value> {
    let world =
        std::fs::read_to_string(root().join("fixtures/worlds/karpenter-small.yaml")).expect("the world");
    let world: Value = serde_yaml::from_str(&world).expect("YAML");
    world["objects"].as_array().expect("objects").clone()
}

/// What is there for the training job alone: its pool, and itself.
fn trains(object: &Value) -> bool {
    object["metadata"]["name"] == "gpu" || object["kind"] == "Job"
}

/// The example's platform in a real cluster, without its GPU pool.
fn platform(cluster: &Cluster, helm: &str) -> StandIn {
    for namespace in OURS {
        cluster.create(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}));
    }
    let room = json!({"cpu": "64", "memory": "256Gi", "pods": "110"});
    cluster.create(&json!({"apiVersion": "v1", "kind": "Node",
        "metadata": {"name": "system-0", "labels": {"kubernetes.io/os": "linux"}, "annotations": {"kwok.x-k8s.io/node": "fake"}},
        "status": {"capacity": room, "allocatable": room}}));
    let charts = root().join("fixtures/charts");
    for name in ["karpenter-crd", "karpenter"] {
        let chart = charts.join(name).join("1.5.8");
        cluster.helm(helm, &["install", name, &chart.to_string_lossy(), "--namespace", "karpenter"]);
    }
    cluster.kubectl(&["wait", "crd", "--all", "--for=condition=Established", "--timeout=60s"]);
    for object in objects().iter().filter(|object| !trains(object) && object["kind"] != "Namespace") {
        cluster.create(object);
    }
    let stand_in = StandIn::keeps(cluster, "general", 4);
    for deployment in ["web", "api"] {
        cluster.kubectl(&[
            "-n",
            "apps",
            "rollout",
            "status",
            &format!("deployment/{deployment}"),
            "--timeout=120s",
        ]);
    }
    stand_in
}

/// The example without its GPU pool.
fn manifests(of: Vec<(&'static str, String)>) -> Vec<(&'static str, String)> {
    in_real_time(changed(of, "platform.yaml", |text| {
        let (head, rest) = text.split_once("    - name: gpu").expect("the GPU pool");
        let (_, tail) = rest.split_once("  workloads:").expect("what follows");
        format!("{head}  workloads:{tail}")
    }))
}

/// With less patience, and a waiver for the cluster's own minor.
fn in_real_time(mut of: Vec<(&'static str, String)>) -> Vec<(&'static str, String)> {
    of.push(("waiver.yaml", WAIVER.to_owned()));
    changed(of, "verifications.yaml", |text| {
        text.replace("settle: 30s", "settle: 2s").replace("ready: 5}", "ready: 3}")
    })
}

/// The cluster is newer than what these lines of Karpenter support; nothing of Karpenter itself runs in it.
const WAIVER: &str = r"
apiVersion: switchback.dev/v1alpha1
kind: Waiver
metadata: {name: test-cluster}
spec:
  finding: SB0306
  about: Karpenter 1.8 requires EKS >=1.26 <1.35
  evidence: its controller is played by a stand-in
  by: this test
  expires: 2099-01-01T00:00:00Z
";

fn version(cluster: &Cluster) -> String {
    let deployment = cluster.get(&["-n", "karpenter", "deployment", "karpenter"]);
    deployment["metadata"]["labels"]["app.kubernetes.io/version"].as_str().unwrap_or_default().to_owned()
}

fn budget(cluster: &Cluster) -> Value {
    cluster.get(&["nodepool", "general"])["spec"]["disruption"]["budgets"][0]["nodes"].clone()
}

/// Parks in the middle, and rolls back to the start.
#[test]
#[ignore = "starts a control plane: `tests/cluster/suite`"]
fn the_road_is_gone_up_parked_and_gone_back() {
    let own = Own::start();
    let (cluster, helm) = (&own.cluster, &own.cluster.helm3);
    let _stand_in = platform(cluster, helm);
    let manifests = manifests(without_nodes());
    let scene = Scene::on_cluster(&borrowed(&manifests), cluster, helm);
    scene.plan();
    scene.under_roles(cluster);
    let before = settings(cluster);
    let preflight = scene.on_store("preflight plan.json").exits(0);
    assert!(preflight.stdout.contains("0 wrong"), "{}", preflight.stdout);
    let mut child = scene.applying();
    let mut events = Events::of(&mut child);
    // The health of the new controller is watched for a minute.
    let watched = |event: &Value| {
        record(event, "intent")
            .is_some_and(|intent| intent["at"]["step"].as_str().is_some_and(|step| step.ends_with("/health")))
    };
    assert!(events.until(watched), "the controller comes to be watched");
    let sent = crate::support::bins::program("kill").args(["-s", "TERM", &child.id().to_string()]).status();
    assert!(sent.expect("kill runs").success());
    events.until(|_| false);
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert_eq!((version(cluster).as_str(), budget(cluster)), ("1.8.8", json!("0")));

    scene.on_store("rollback --to start --reason test").exits(0);
    assert_eq!(scene.report().state, RunState::Ended { end: End::RolledBack });
    let after = settings(cluster);
    let differs = |key: &&String| before.get(*key) != after.get(*key);
    let differ: BTreeSet<&String> = before.keys().chain(after.keys()).filter(differs).collect();
    assert!(differ.is_empty(), "{differ:?} are not as they were");
}

/// What people and charts set on the platform: labels, specs and data of whatever an upgrade may touch.
fn settings(cluster: &Cluster) -> BTreeMap<String, Value> {
    let kinds = "deployments,daemonsets,services,serviceaccounts,configmaps,poddisruptionbudgets,nodepools,ec2nodeclasses,crds";
    let items = cluster.items(&["get", kinds, "--all-namespaces"]).into_iter();
    let ours = |item: &Value| {
        let namespace = item["metadata"]["namespace"].as_str();
        namespace.is_none_or(|namespace| OURS.contains(&namespace))
    };
    let set = |item: Value| {
        let metadata = &item["metadata"];
        let key = format!("{} {} {}", item["kind"], metadata["namespace"], metadata["name"]);
        // Of a definition the versions that are stored are part of what is promised.
        let stored = &item["status"]["storedVersions"];
        (
            key,
            json!({"labels": metadata["labels"], "spec": item["spec"], "data": item["data"], "stored": stored}),
        )
    };
    items.filter(ours).map(set).collect()
}

/// Dies in the middle of its nodes; another process moves the rest.
#[test]
#[ignore = "starts a control plane: `tests/cluster/suite`"]
fn the_road_is_gone_on_with_when_its_process_was_killed() {
    let own = Own::start();
    let (cluster, helm) = (&own.cluster, &own.cluster.helm4);
    let _stand_in = platform(cluster, helm);
    let manifests = changed(manifests(all()), "karpenter.yaml", |text| text.replace("soak: 2m", "soak: 1s"));
    let scene = Scene::on_cluster(&borrowed(&manifests), cluster, helm);
    let before: Vec<Value> = cluster.items(&["get", "nodes", "-l", "karpenter.sh/nodepool"]);
    scene.plan();
    scene.under_roles(cluster);
    let mut child = scene.applying();
    let drains = |event: &Value| {
        record(event, "intent").is_some_and(|intent| intent["at"]["item"]["recipe"] == "drain")
    };
    assert!(Events::of(&mut child).until(drains), "a node is drained");
    child.kill().expect("killed");
    child.wait().expect("ended");

    scene.apply().exits(0);
    let report = scene.report();
    assert_eq!(report.state, RunState::Ended { end: End::Complete });
    assert!(report.residue.is_empty(), "{report:?}");
    assert!(report.left_suspended.is_empty(), "{report:?}");
    assert!(
        report.steps.iter().all(|step| matches!(step.status, StepStatus::Done | StepStatus::Skipped)),
        "{report:?}"
    );
    assert_eq!((version(cluster).as_str(), budget(cluster)), ("1.8.8", json!("1")));
    let after = cluster.items(&["get", "nodes", "-l", "karpenter.sh/nodepool"]);
    let uid = |node: &Value| node["metadata"]["uid"].clone();
    assert!(
        after.iter().all(|node| !before.iter().any(|old| uid(old) == uid(node))),
        "every node is another one"
    );
    assert!(after.iter().all(|node| node["spec"].get("unschedulable").is_none()), "no node is left cordoned");
    let web = cluster.get(&["-n", "apps", "deployment", "web"]);
    assert_eq!(web["spec"]["template"]["spec"]["containers"][0]["image"], "example.invalid/web:2");
}

/// Sixteen pods that train without a budget. Waited for, none of them is touched and the run parks by their name; with
/// leave to be requeued they move together.
#[test]
#[ignore = "starts a control plane: `tests/cluster/suite`"]
fn a_gang_is_waited_for_then_moves() {
    let own = Own::start();
    let (cluster, helm) = (&own.cluster, &own.cluster.helm3);
    let _stand_in = platform(cluster, helm);
    cluster.create(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": TRAINING}}));
    for mut object in objects().into_iter().filter(trains) {
        if object["kind"] == "Job" {
            object["spec"]["parallelism"] = 16.into();
            object["spec"]["completions"] = 16.into();
        }
        cluster.create(&object);
    }
    let gpus = StandIn::keeps(cluster, "gpu", 16);
    let ready = "--for=jsonpath={.status.ready}=16";
    cluster.kubectl(&["-n", TRAINING, "wait", "job/llm-7b", ready, "--timeout=120s"]);
    let trained = training(cluster);
    assert_eq!(trained.len(), 16);
    let manifests = gang_alone();
    let waiting = changed(manifests.clone(), "platform.yaml", |text| {
        text.replace("requeue: {}", "wait: {max: 5s, then: park}")
    });
    let scene = Scene::on_cluster(&borrowed(&waiting), cluster, helm);
    scene.plan();
    scene.under_roles(cluster);
    let out = scene.apply().exits(3);
    assert!(out.stdout.contains("Job training/llm-7b"), "{}", out.stdout);
    assert_eq!(training(cluster), trained, "not one pod was touched");
    scene.on_store("rollback --to start --reason requeued").exits(0);
    assert_eq!(training(cluster), trained, "nor on the rollback");

    let scene = Scene::on_cluster(&borrowed(&manifests), cluster, helm);
    scene.plan();
    // Its controller lets up to ten minutes pass before it makes sixteen pods again, which nobody waits for here; the run does.
    let out = scene.on_store("apply plan.json --max-runtime 4m").exits(3);
    assert!(!out.stdout.contains("complete"), "it is not back: {}", out.stdout);
    let chosen = out.stdout.lines().filter(|line| line.contains("selected") && line.contains("/gpu/"));
    assert_eq!(chosen.count(), 1, "all sixteen are one batch: {}", out.stdout);
    let left = training(cluster);
    assert!(left.iter().all(|uid| !trained.contains(uid)), "every pod has moved");
    let job = cluster.get(&["-n", TRAINING, "job", "llm-7b"]);
    assert!(job["status"].get("failed").is_none(), "{job:#}");
    assert!(job["status"].get("conditions").is_none(), "{job:#}");
    drop(gpus);
}

/// The example with its GPU pool alone, all of whose nodes may move at once.
fn gang_alone() -> Vec<(&'static str, String)> {
    let of = all().into_iter().filter(|(name, _)| *name != "web.yaml").collect();
    let of = changed(of, "platform.yaml", |text| {
        let (head, rest) = text.split_once("    - name: general").expect("the other pool");
        let (_, tail) = rest.split_once("    - name: gpu").expect("the GPU pool");
        format!("{head}    - name: gpu{tail}")
    });
    let of = changed(of, "karpenter.yaml", |text| {
        let all = "maxUnavailable: {nodes: 16}\n    drainWithin: 5s";
        text.replace("soak: 2m", "soak: 1s").replace("maxUnavailable: {nodes: 4}", all)
    });
    in_real_time(changed(of, "verifications.yaml", |text| {
        text.replace("{pool: general, ready: 5}", "{pool: gpu, ready: 16}")
    }))
}

/// UIDs of the pods that train.
fn training(cluster: &Cluster) -> Vec<String> {
    let pods = cluster.items(&["-n", TRAINING, "get", "pods", "--field-selector=status.phase=Running"]);
    let mut uids: Vec<String> =
        pods.iter().map(|pod| pod["metadata"]["uid"].as_str().expect("a uid").to_owned()).collect();
    uids.sort();
    uids
}
