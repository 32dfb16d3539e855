//! Drivers of GPU nodes on the twin, judged by what stands there afterwards: which driver runs where, what is cordoned, held and opted
//! out, and whose pods were moved.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    gpu::{OPT_OUT, SENTINEL, SKIP, STATE, labels},
    support::{
        gpus::{cordoned, everywhere, gpu_nodes, inference, killed_at, platform, rankers, running, text},
        journal::{Events, record},
        projection::same,
        scene::Scene,
    },
};

const UPGRADE: &str = "apiVersion: switchback.dev/v1alpha1
kind: GpuDriverUpgrade
metadata: {name: gpu-driver}
spec:
  target: cluster
  to: '580.95.05'
  release: {namespace: gpu-operator, name: gpu-operator}
  charts: {directory: ../charts}
";

/// What else stands on GPU nodes.
const OPERATORS: &str =
    "    - {name: operators, select: {namespaces: [gpu-operator, nvsentinel]}, onDrain: {evict: {}}}\n";

const OLD: &str = "580.82.07";
const NEW: &str = "580.95.05";
/// What the operator takes for a cordon that was there before it, and what marks a node as ours.
const ANNOTATIONS: [&str; 4] = [
    "nvidia.com/gpu-driver-upgrade.node-initial-state.unschedulable",
    "switchback.dev/cordoned-by",
    "switchback.dev/opted-out",
    "switchback.dev/opted-out-before",
];

fn scene(world: impl FnOnce(String) -> String) -> Scene {
    asked("", world)
}

fn asked(more: &str, world: impl FnOnce(String) -> String) -> Scene {
    let upgrade = format!("{UPGRADE}{more}");
    let platform = format!("{}{OPERATORS}", platform("gpu-small"));
    let manifests = [("platform.yaml", platform.as_str()), ("driver.yaml", upgrade.as_str())];
    Scene::on_world("gpu-small.yaml", &manifests, world)
}

/// The same where the image of the new driver cannot be pulled.
fn broken(world: String) -> String {
    let image = format!("settings:\n  brokenImages: [\"nvcr.io/nvidia/driver:{NEW}\"]\n");
    inference(world).replacen("settings:\n", &image, 1)
}

/// The driver of each GPU node, by the image of its pod.
fn drivers(scene: &Scene) -> BTreeMap<String, String> {
    let pods = scene.objects("Pod").into_iter();
    let ours = pods.filter(|pod| pod["metadata"]["labels"]["app"] == "nvidia-driver-daemonset");
    ours.map(|pod| {
        let image = text(&pod["spec"]["containers"][0]["image"]);
        let tag = image.rsplit_once(':').map(|(_, tag)| tag.to_owned()).unwrap_or_default();
        (text(&pod["spec"]["nodeName"]), tag)
    })
    .collect()
}

/// No node is cordoned, held or marked, every driver is done and every GPU offered.
fn at_rest(scene: &Scene, what: &str) {
    assert_eq!(cordoned(scene), [""; 0], "{what}");
    assert_eq!(labels(scene, SKIP), [""; 3], "{what}");
    assert_eq!(labels(scene, STATE), ["upgrade-done"; 3], "{what}");
    for node in gpu_nodes(scene) {
        let meta = &node["metadata"];
        assert_eq!(node["status"]["allocatable"]["nvidia.com/gpu"], "8", "{what}: {}", meta["name"]);
        for key in ANNOTATIONS {
            assert!(meta["annotations"].get(key).is_none(), "{what}: {key} is left on {}", meta["name"]);
        }
    }
}

/// How often a pod of the training job has succeeded and failed.
fn training(scene: &Scene) -> (u64, u64) {
    let job =
        scene.objects("Job").into_iter().find(|job| job["metadata"]["name"] == "llm-7b").expect("the Job");
    let count = |field: &str| job["status"][field].as_u64().unwrap_or_default();
    (count("succeeded"), count("failed"))
}

/// The job runs to its end on the node on which it began, whose driver moves last.
#[test]
fn drivers_move_node_by_node_and_a_training_pod_runs_to_its_end() {
    let scene = asked("  rollout: {drainWithin: 5h}\n", |world| {
        world.replace(
            "annotations: {cluster.switchback.test/pod: hold}",
            "annotations: {twin.switchback.dev/run-seconds: \"14400\"}",
        )
    });
    assert_eq!(training(&scene), (0, 0), "it runs");
    let plan = scene.plan();
    assert_eq!(plan.suspensions.len(), 3, "each driver is held, and let go of");
    scene.apply().exits(0);
    assert_eq!(drivers(&scene), everywhere(NEW));
    at_rest(&scene, "after the upgrade");
    assert_eq!(training(&scene), (1, 0), "nobody ended its pod");
    assert_eq!(rankers(&scene), 2);
    scene.wait(7200);
    assert_eq!(drivers(&scene), everywhere(NEW));
    at_rest(&scene, "two hours later");
}

#[test]
fn a_rollback_leads_every_node_back_to_the_driver_that_it_had() {
    let scene = scene(inference);
    let before = scene.settled();
    scene.plan();
    scene.apply().exits(0);
    assert_eq!(drivers(&scene), everywhere(NEW));
    scene.on_store("rollback --to start --reason test").exits(0);
    assert_eq!(drivers(&scene), everywhere(OLD));
    at_rest(&scene, "after the rollback");
    assert_eq!(rankers(&scene), 2);
    scene.wait(7200);
    assert_eq!(drivers(&scene), everywhere(OLD), "nobody takes a node up again");
    same(&before, &scene.settled(), "the world after rolling back");
}

/// The canary's driver is never Ready: it stays cordoned and held, by name; nothing else moves, and a rollback mends it.
#[test]
fn a_driver_that_is_never_ready_holds_the_run_with_one_node_and_a_rollback_mends_it() {
    let scene = scene(broken);
    let before = scene.settled();
    scene.plan();
    let held = scene.apply().exits(4);
    let moved: Vec<String> =
        drivers(&scene).into_iter().filter(|(_, driver)| driver == NEW).map(|(node, _)| node).collect();
    let [canary] = moved.as_slice() else { panic!("one node, not {moved:?}") };
    assert_eq!(cordoned(&scene), [canary.as_str()], "what does not work is not given back");
    assert_eq!(labels(&scene, SKIP), ["true"; 3], "every node is held");
    assert!(held.stdout.contains(canary.as_str()), "it is named: {}", held.stdout);
    assert_eq!(rankers(&scene), 2);
    scene.wait(7200);
    assert_eq!(drivers(&scene).into_values().filter(|driver| driver == NEW).count(), 1, "nothing goes on");

    scene.on_store("rollback --to start --reason test").exits(0);
    assert_eq!(drivers(&scene), everywhere(OLD));
    at_rest(&scene, "after the rollback");
    scene.wait(7200);
    same(&before, &scene.settled(), "the world after rolling back");
}

/// A driver pod that somebody deletes comes back at the new version, held or not: it is counted, and moves back with the others.
#[test]
fn a_node_that_took_the_new_driver_outside_of_a_batch_moves_back_with_the_others() {
    let scene = scene(broken);
    scene.plan();
    scene.apply().exits(4);
    let other = drivers(&scene).into_iter().find(|(_, driver)| driver == OLD).expect("an old one").0;
    let pods = scene.objects("Pod").into_iter();
    let pod = pods
        .filter(|pod| pod["metadata"]["labels"]["app"] == "nvidia-driver-daemonset")
        .find(|pod| pod["spec"]["nodeName"] == other.as_str())
        .expect("its driver");
    let path = format!("/api/v1/namespaces/gpu-operator/pods/{}", text(&pod["metadata"]["name"]));
    scene.send("DELETE", &path, ("application/json", "{}"));
    scene.wait(600);
    assert_eq!(drivers(&scene).get(&other).map(String::as_str), Some(NEW));
    scene.on_store("rollback --to start --reason test").exits(0);
    assert_eq!(drivers(&scene), everywhere(OLD));
    at_rest(&scene, "after the rollback");
}

#[test]
fn nvsentinel_is_kept_from_the_nodes_of_a_batch_and_what_somebody_set_stays() {
    let scene = scene(|world| inference(world).replacen("objects:\n", SENTINEL, 1));
    let set = format!(r#"{{"metadata": {{"labels": {{"{OPT_OUT}": "false"}}}}}}"#);
    scene.send("PATCH", "/api/v1/nodes/gpu-2", ("application/merge-patch+json", &set));
    let watched = format!(r#"{{"metadata": {{"labels": {{"{OPT_OUT}": "true"}}}}}}"#);
    scene.send("PATCH", "/api/v1/nodes/gpu-1", ("application/merge-patch+json", &watched));
    scene.plan();
    scene.apply().exits(0);
    assert_eq!(drivers(&scene), everywhere(NEW));
    assert_eq!(labels(&scene, OPT_OUT), ["", "true", "false"]);
    at_rest(&scene, "after the upgrade");
    scene.on_store("rollback --to start --reason test").exits(0);
    assert_eq!(labels(&scene, OPT_OUT), ["", "true", "false"]);
    at_rest(&scene, "after the rollback");
}

/// A node that is left with a broken driver stays opted out, and is opted in as it was when it moves back.
#[test]
fn a_node_that_stays_cordoned_stays_opted_out_until_it_moves_back() {
    let scene = scene(|world| broken(world).replacen("objects:\n", SENTINEL, 1));
    scene.plan();
    scene.apply().exits(4);
    let out = labels(&scene, OPT_OUT);
    assert_eq!(out.iter().filter(|label| *label == "false").count(), 1, "{out:?}");
    scene.on_store("rollback --to start --reason test").exits(0);
    assert_eq!(labels(&scene, OPT_OUT), [""; 3]);
    at_rest(&scene, "after the rollback");
}

const TEST: &str = "  smokeTest: {image: 'example.invalid/vectoradd:1'}\n";

/// Jobs that tested nodes, and how they ended.
fn tests(scene: &Scene) -> Vec<(Value, Value)> {
    let jobs = scene.objects("Job").into_iter();
    let ours = jobs.filter(|job| text(&job["metadata"]["name"]).starts_with("switchback-smoke-test-"));
    ours.map(|job| (job["status"]["succeeded"].clone(), job["status"]["failed"].clone())).collect()
}

#[test]
fn every_node_passes_its_smoke_test_under_its_cordon() {
    let scene = asked(TEST, inference);
    scene.plan();
    scene.apply().exits(0);
    assert_eq!(drivers(&scene), everywhere(NEW));
    at_rest(&scene, "after the upgrade");
    assert_eq!(tests(&scene), vec![(1.into(), Value::Null); 3], "one a node");
}

/// A node whose GPUs answer no program takes no pods, whatever its driver says; when it is mended, another attempt goes on.
#[test]
fn a_node_that_fails_its_smoke_test_takes_no_pods_until_it_passes() {
    let scene = asked(TEST, inference);
    let gpus = |state: &str| {
        let written =
            format!(r#"{{"metadata": {{"annotations": {{"twin.switchback.dev/gpus": {state}}}}}}}"#);
        for node in ["gpu-0", "gpu-1", "gpu-2"] {
            scene.send("PATCH", &format!("/api/v1/nodes/{node}"), ("application/merge-patch+json", &written));
        }
    };
    gpus("\"broken\"");
    scene.plan();
    let held = scene.apply().exits(4);
    assert!(held.stdout.contains("no device answers"), "what the test wrote is shown: {}", held.stdout);
    assert_eq!(cordoned(&scene).len(), 1);
    assert_eq!(rankers(&scene), 2);
    gpus("null");
    scene.on_store("retry --step gpu-driver/gpu-driver@580.95.05/nodes/gpu/roll --reason mended").exits(0);
    scene.apply().exits(0);
    assert_eq!(drivers(&scene), everywhere(NEW));
    at_rest(&scene, "after another attempt");
}

/// The same where the operator upgrades no driver by itself.
fn by_hand(world: String) -> String {
    let release = "version: 25.3.4}";
    let off = "version: 25.3.4, values: {driver: {upgradePolicy: {autoUpgrade: false}}}}";
    inference(world).replacen(release, off, 1)
}

fn without_upgrades(more: &str) -> Scene {
    let scene = asked(more, by_hand);
    let env = r#"{"spec": {"driver": {"manager": {"env": [{"name": "ENABLE_GPU_POD_EVICTION", "value": "false"}]}}}}"#;
    let path = "/apis/nvidia.com/v1/clusterpolicies/cluster-policy";
    scene.send("PATCH", path, ("application/merge-patch+json", env));
    scene
}

#[test]
fn without_automatic_upgrades_pods_of_drivers_are_restarted_node_by_node_and_back() {
    for nth in [5, 20, 40, 1000] {
        let scene = without_upgrades(TEST);
        scene.plan();
        killed_at(&scene, nth);
        scene.wait(3600);
        assert!(cordoned(&scene).len() <= 1, "one node at most is in a batch, killed at record {nth}");
        scene.apply().exits(0);
        assert_eq!(drivers(&scene), everywhere(NEW), "killed at record {nth}");
        assert_eq!(cordoned(&scene), [""; 0], "killed at record {nth}");
        assert_eq!(labels(&scene, STATE), [""; 3], "nobody keeps states");
        scene.on_store("rollback --to start --reason test").exits(0);
        assert_eq!(drivers(&scene), everywhere(OLD), "back, killed at record {nth}");
        assert_eq!(cordoned(&scene), [""; 0], "back, killed at record {nth}");
        assert_eq!(rankers(&scene), 2);
    }
}

/// The run dies when the canary is empty; before another one takes it up, somebody uncordons the node, and a job begins on it. Nothing
/// ends that job.
#[test]
fn a_node_that_somebody_uncordoned_meanwhile_keeps_its_driver_and_its_pods() {
    for restarts in [false, true] {
        let scene = if restarts { without_upgrades("") } else { scene(inference) };
        scene.plan();
        let mut child = scene.applying();
        let mut node = String::new();
        Events::of(&mut child).until(|event| {
            if let Some(frozen) = record(event, "frozen") {
                node = text(&frozen["items"][0]["name"]);
            }
            record(event, "verified").is_some_and(|done| done["at"]["item"]["recipe"] == "unused")
        });
        child.kill().expect("killed");
        child.wait().expect("ended");
        let moved = drivers(&scene).values().any(|driver| driver == NEW);
        assert!(!moved, "{node} was only emptied");
        let open = r#"{"spec": {"unschedulable": null}}"#;
        scene.send("PATCH", &format!("/api/v1/nodes/{node}"), ("application/merge-patch+json", open));
        scene.send("POST", "/apis/batch/v1/namespaces/training/jobs", ("application/json", &job_on(&node)));
        scene.wait(60);
        assert_eq!(running(&scene, of_job), 1, "it runs on {node}");
        let held = scene.apply().exits(4);
        assert_eq!(running(&scene, of_job), 1, "{}", held.stdout);
        assert_eq!(drivers(&scene), everywhere(OLD));
        assert!(held.stdout.contains(&node), "{}", held.stdout);
    }
}

fn of_job(pod: &Value) -> bool {
    pod["metadata"]["ownerReferences"][0]["name"] == "llm-9b"
}

/// A training job that has to run on this node.
fn job_on(node: &str) -> String {
    let labels = json!({"job-name": "llm-9b"});
    json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "llm-9b", "namespace": "training"},
        "spec": {"backoffLimit": 0, "template": {
            "metadata": {"labels": labels, "annotations": {"cluster.switchback.test/pod": "hold"}},
            "spec": {"restartPolicy": "Never", "affinity": {"nodeAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchFields": [
                        {"key": "metadata.name", "operator": "In", "values": [node]}]}]}}},
                "tolerations": [{"operator": "Exists"}],
                "containers": [{"name": "train", "image": "example.invalid/train:1",
                    "resources": {"limits": {"nvidia.com/gpu": "8"}}}]}}}})
    .to_string()
}

/// Wherever a run dies, no node is taken up that no batch has, and another process reaches the end, and the way back its beginning.
#[test]
fn p34_killed_at_its_records_a_second_process_reaches_the_end_and_the_beginning() {
    for nth in (3..).step_by(23) {
        let scene = scene(inference);
        let before = scene.settled();
        scene.plan();
        let reached = killed_at(&scene, nth);
        scene.wait(3600);
        assert!(cordoned(&scene).len() <= 1, "one node at most is in a batch, killed at record {nth}");
        scene.apply().exits(0);
        assert_eq!(drivers(&scene), everywhere(NEW), "killed at record {nth}");
        at_rest(&scene, &format!("killed at record {nth}"));
        scene.on_store("rollback --to start --reason test").exits(0);
        same(&before, &scene.settled(), &format!("back, killed at record {nth}"));
        if !reached {
            assert!(nth > 40, "the plan has more than {nth} records");
            return;
        }
    }
}
