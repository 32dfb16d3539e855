//! Images of GPU nodes on the twin, judged by what stands there afterwards: which groups are there and with which release, which driver
//! their nodes say, and whose pods were moved.

use std::collections::BTreeMap;

use serde_json::Value;
use switchback_schemas::{journal::End, report::RunState};

use crate::{
    gpu::{OPT_OUT, SENTINEL, labels},
    support::{
        gpus::text,
        journal::Events,
        mlops::{all, only},
        projection::same,
        scene::Scene,
    },
};

const UPGRADE: &str = "apiVersion: switchback.dev/v1alpha1
kind: GpuNodeImageUpgrade
metadata: {name: gpu}
spec:
  target: main
  to: '1.32.9-20261112'
  nodeGroups: [gpu-inference]
  driver: {branch: '580'}
";

/// What the world lacks: the drivers of two releases, the older one on the group, and the DaemonSet that offers its GPUs.
const DRIVERS: &str = "  eks:
    versions: {\"1.32\": {drivers: {1.32.9-20261023: 570.133.20, 1.32.9-20261112: 580.105.08}}}
    clusters:
";
const PLUGIN: &str = "before:
  - apiVersion: apps/v1
    kind: DaemonSet
    metadata: {name: nvidia-device-plugin-daemonset, namespace: kube-system, labels: {name: nvdp}}
    spec:
      selector: {matchLabels: {name: nvdp}}
      template:
        metadata: {labels: {name: nvdp}}
        spec:
          nodeSelector: {pool: gpu-inference}
          tolerations: [{operator: Exists}]
          containers: [{name: ctr, image: \"nvcr.io/nvidia/k8s-device-plugin:v0.17.4\", resources: {requests: {cpu: 25m}}}]
";

/// A training job on the other GPU node, which runs for two hours.
const TRAINING: &str = "  - apiVersion: batch/v1
    kind: Job
    metadata: {name: tuning, namespace: training, labels: {workload: training}}
    spec:
      parallelism: 1
      completions: 1
      backoffLimit: 0
      template:
        metadata: {annotations: {twin.switchback.dev/run-seconds: \"7200\"}}
        spec:
          restartPolicy: Never
          nodeSelector: {pool: gpu-inference}
          tolerations: [{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}]
          containers:
            - {name: train, image: \"example.invalid/tune:1\", resources: {limits: {nvidia.com/gpu: \"1\"}, requests: {cpu: \"2\"}}}
claims:
";

const OLD: (&str, &str) = ("1.32.9-20261023", "570.133.20");
const NEW: (&str, &str) = ("1.32.9-20261112", "580.105.08");
const GROUP: &str = "gpu-inference";
const COPY: &str = "gpu-inference-ami-1-32-9-20261112";

fn scene(world: impl FnOnce(String) -> String) -> Scene {
    asked("", world)
}

fn asked(more: &str, world: impl FnOnce(String) -> String) -> Scene {
    let mut manifests = only(all(), &[]);
    manifests.retain(|(name, _)| *name == "platform.yaml");
    let (_, platform) = manifests.pop().expect("the platform");
    let platform = platform.replace("requeue: {}", "wait: {max: 4h, then: park}");
    let upgrade = format!("{UPGRADE}{more}");
    let manifests = [("platform.yaml", platform.as_str()), ("image.yaml", upgrade.as_str())];
    Scene::on_world("mlops-platform.yaml", &manifests, |text| world(with_drivers(&text)))
}

fn with_drivers(world: &str) -> String {
    let release = format!("amiType: AL2023_x86_64_NVIDIA\n            release: {}", OLD.0);
    world
        .replacen("  eks:\n    clusters:\n", DRIVERS, 1)
        .replacen("amiType: AL2023_x86_64_NVIDIA", &release, 1)
        .replacen("before:\n", PLUGIN, 1)
}

/// Release and size of each GPU group that is there.
fn groups(scene: &Scene) -> BTreeMap<String, (String, i64)> {
    let cloud = scene.cloud();
    let all =
        cloud["eks"]["clusters"]["mlops-platform-dev"]["nodegroups"].as_object().expect("groups").clone();
    let gpu = all.into_iter().filter(|(name, _)| name.starts_with(GROUP));
    gpu.map(|(name, group)| {
        let size = group["scaling"]["desired"].as_i64().expect("a size");
        (name, (text(&group["release"]), size))
    })
    .collect()
}

fn gpu_nodes(scene: &Scene) -> Vec<Value> {
    let nodes = scene.objects("Node").into_iter();
    nodes.filter(|node| node["metadata"]["labels"]["pool"] == GROUP).collect()
}

/// The group and the driver of each GPU node, as its labels say them.
fn drivers(scene: &Scene) -> Vec<(String, String)> {
    let labels = |node: &Value| {
        let labels = &node["metadata"]["labels"];
        (text(&labels["eks.amazonaws.com/nodegroup"]), text(&labels["nvidia.com/cuda.driver-version.full"]))
    };
    let mut found: Vec<(String, String)> = gpu_nodes(scene).iter().map(labels).collect();
    found.sort();
    found
}

fn of(group: &str, driver: &str) -> Vec<(String, String)> {
    vec![(group.to_owned(), driver.to_owned()); 2]
}

/// No GPU node is cordoned, each offers its GPU, and a pod of the device plugin stands on it.
fn at_rest(scene: &Scene, what: &str) {
    let pods = scene.objects("Pod");
    for node in gpu_nodes(scene) {
        let name = text(&node["metadata"]["name"]);
        assert!(node["spec"].get("unschedulable").is_none(), "{what}: {name} is cordoned");
        assert_eq!(node["status"]["allocatable"]["nvidia.com/gpu"], "1", "{what}: {name}");
        let plugin = pods.iter().any(|pod| {
            pod["metadata"]["labels"]["name"] == "nvdp" && pod["spec"]["nodeName"] == name.as_str()
        });
        assert!(plugin, "{what}: no device plugin on {name}");
    }
}

/// The node and the UID of the pod that serves.
fn vision(scene: &Scene) -> (String, String) {
    let pods = scene.objects("Pod").into_iter().filter(|pod| pod["metadata"]["labels"]["app"] == "vision");
    let running: Vec<Value> = pods
        .filter(|pod| pod["status"]["phase"] == "Running" && pod["metadata"]["deletionTimestamp"].is_null())
        .collect();
    let [pod] = running.as_slice() else { panic!("one pod serves, not {}", running.len()) };
    (text(&pod["spec"]["nodeName"]), text(&pod["metadata"]["uid"]))
}

#[test]
fn a_group_moves_to_another_release_and_a_training_pod_runs_to_its_end() {
    let scene = asked("  rollout: {drainWithin: 5h}\n", |world| world.replacen("claims:\n", TRAINING, 1));
    assert_eq!(drivers(&scene), of(GROUP, OLD.1));
    scene.plan();
    let script = scene.switchback("show plan.json --by-hand").exits(0).stdout;
    assert!(script.contains("--release-version 1.32.9-20261112 "), "{script}");
    scene.apply().exits(0);
    let expected = [(GROUP, (OLD.0, 0)), (COPY, (NEW.0, 2))];
    let expected = expected.map(|(name, (release, size))| (name.to_owned(), (release.to_owned(), size)));
    assert_eq!(groups(&scene), expected.into());
    assert_eq!(drivers(&scene), of(COPY, NEW.1), "as the nodes say it");
    at_rest(&scene, "after the upgrade");
    let tuning =
        scene.objects("Job").into_iter().find(|job| job["metadata"]["name"] == "tuning").expect("it");
    assert_eq!((&tuning["status"]["succeeded"], tuning["status"]["failed"].as_u64()), (&1.into(), None));
    let kubelets =
        gpu_nodes(&scene).into_iter().map(|node| text(&node["status"]["nodeInfo"]["kubeletVersion"]));
    assert!(kubelets.into_iter().all(|kubelet| kubelet.starts_with("v1.32.9")));
    vision(&scene);
    let report = scene.report();
    assert_eq!(report.state, RunState::Ended { end: End::Complete });
    assert!(report.residue.is_empty(), "{:?}", report.residue);
    assert_eq!(report.retained.len(), 1, "the old group: {:?}", report.retained);
}

#[test]
fn a_rollback_gives_the_group_its_nodes_and_its_driver_again() {
    let scene = scene(|world| world);
    let before = scene.settled();
    let there = groups(&scene);
    scene.plan();
    scene.apply().exits(0);
    assert_eq!(drivers(&scene), of(COPY, NEW.1));
    scene.on_store("rollback --to start --reason test").exits(0);
    assert_eq!(groups(&scene), there, "and the copy is gone");
    assert_eq!(drivers(&scene), of(GROUP, OLD.1));
    at_rest(&scene, "after the rollback");
    vision(&scene);
    same(&before, &scene.settled(), "the world after rolling back");
}

/// The release holds another driver than its branch let expect. Nobody is moved onto it, and a rollback ends it.
#[test]
fn a_driver_that_is_not_the_expected_one_moves_nobody() {
    let scene = scene(|world| world.replacen(NEW.1, "570.195.03", 1));
    let before = scene.settled();
    let served = vision(&scene);
    scene.plan();
    let held = scene.apply().exits(4);
    assert!(held.stdout.contains("a driver of branch 580"), "it is said which: {}", held.stdout);
    assert_eq!(vision(&scene), served, "nobody was moved");
    assert_eq!(groups(&scene)[GROUP], (OLD.0.to_owned(), 2), "the old group has its nodes");
    at_rest(&scene, "while the run holds");
    scene.on_store("rollback --to start --reason test").exits(0);
    assert_eq!(drivers(&scene), of(GROUP, OLD.1));
    assert_eq!(vision(&scene), served);
    same(&before, &scene.settled(), "the world after rolling back");
}

/// The node of the pod that trains is opted out of NVSentinel and cordoned while the run waits for the pod, and is given back as it was.
#[test]
fn a_rollback_while_a_training_pod_is_waited_for_leaves_the_pod_and_gives_its_node_back() {
    let scene = asked("  rollout: {drainWithin: 10m}\n", |world| {
        let job = TRAINING.replace("7200", "172800");
        world.replacen("objects:\n", SENTINEL, 1).replacen("claims:\n", &job, 1)
    });
    let before = scene.settled();
    let trains = |scene: &Scene| -> Vec<(String, String)> {
        let pods = scene.objects("Pod").into_iter();
        let ours = pods.filter(|pod| pod["metadata"]["labels"]["job-name"] == "tuning");
        ours.map(|pod| (text(&pod["metadata"]["uid"]), text(&pod["status"]["phase"]))).collect()
    };
    let training = trains(&scene);
    assert_eq!(training.len(), 1, "{training:?}");
    scene.plan();
    scene.apply().exits(3);
    let cordoned = gpu_nodes(&scene).into_iter().filter(|node| node["spec"]["unschedulable"] == true).count();
    assert_eq!(cordoned, 1, "the node of the pod");
    assert_eq!(labels(&scene, OPT_OUT).iter().filter(|label| *label == "false").count(), 1);
    scene.on_store("rollback --to start --reason test").exits(0);
    assert_eq!(trains(&scene), training, "nobody ended its pod");
    assert_eq!(drivers(&scene), of(GROUP, OLD.1));
    assert_eq!(labels(&scene, OPT_OUT), ["", ""]);
    at_rest(&scene, "after the rollback");
    same(&before, &scene.settled(), "the world after rolling back");
}

/// Wherever a run dies, another process reaches the end, and the way back its beginning.
#[test]
fn p34_killed_at_its_records_a_second_process_reaches_the_end_and_the_beginning() {
    for nth in (3..).step_by(17) {
        let scene = scene(|world| world);
        let before = scene.settled();
        scene.plan();
        let mut child = scene.applying();
        let mut seen = 0;
        let reached = Events::of(&mut child).until(|event| {
            seen += usize::from(event["kind"] == "recorded");
            seen == nth
        });
        child.kill().expect("killed");
        child.wait().expect("ended");
        scene.wait(3600);
        scene.apply().exits(0);
        assert_eq!(drivers(&scene), of(COPY, NEW.1), "killed at record {nth}");
        at_rest(&scene, &format!("killed at record {nth}"));
        scene.on_store("rollback --to start --reason test").exits(0);
        assert_eq!(drivers(&scene), of(GROUP, OLD.1), "back, killed at record {nth}");
        same(&before, &scene.settled(), &format!("back, killed at record {nth}"));
        if !reached {
            assert!(nth > 30, "the plan has more than {nth} records");
            return;
        }
    }
}
