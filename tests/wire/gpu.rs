//! The GPU Operator on the twin, judged by what stands there afterwards: no driver restarted, no node cordoned, no GPU pod moved, and
//! every GPU offered as before.

use std::collections::BTreeMap;

use crate::support::{
    gpus::{killed_at, platform, text},
    scene::Scene,
};

const UPGRADE: &str = "apiVersion: switchback.dev/v1alpha1
kind: GpuOperatorUpgrade
metadata: {name: gpu-operator}
spec:
  target: cluster
  to: '25.10.1'
  release: {namespace: gpu-operator, name: gpu-operator}
  charts: {directory: ../charts}
";

pub(crate) const STATE: &str = "nvidia.com/gpu-driver-upgrade-state";
pub(crate) const SKIP: &str = "nvidia.com/gpu-driver-upgrade.skip";

fn scene(more: &str) -> Scene {
    let upgrade = format!("{UPGRADE}{more}");
    let platform = platform("gpu-small");
    let manifests = [("platform.yaml", platform.as_str()), ("gpu.yaml", upgrade.as_str())];
    Scene::on_world("gpu-small.yaml", &manifests, |world| world)
}

/// What must not move: UIDs of driver pods and of pods that hold GPUs, cordons, and what each node offers.
fn stands(scene: &Scene) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for pod in scene.objects("Pod") {
        let meta = &pod["metadata"];
        let driver = meta["labels"]["app"] == "nvidia-driver-daemonset";
        let held = pod["spec"]["containers"][0]["resources"]["limits"].get("nvidia.com/gpu").is_some();
        if driver || held {
            found.insert(
                format!("pod {}", text(&meta["name"])),
                format!("{} {}", meta["uid"], pod["status"]["phase"]),
            );
        }
    }
    for node in scene.objects("Node") {
        let line =
            format!("{} {}", node["spec"]["unschedulable"], node["status"]["allocatable"]["nvidia.com/gpu"]);
        found.insert(format!("node {}", text(&node["metadata"]["name"])), line);
    }
    found
}

/// A label of every GPU node.
pub(crate) fn labels(scene: &Scene, key: &str) -> Vec<String> {
    let nodes = scene.objects("Node").into_iter().map(|node| node["metadata"]["labels"].clone());
    let gpus = nodes.filter(|labels| labels["nvidia.com/gpu.present"] == "true");
    gpus.map(|labels| text(&labels[key])).collect()
}

pub(crate) fn image(scene: &Scene, name: &str) -> String {
    let sets = scene.objects("DaemonSet");
    let set = sets.iter().find(|set| set["metadata"]["name"] == name).expect("the DaemonSet");
    text(&set["spec"]["template"]["spec"]["containers"][0]["image"])
}

fn plugin(scene: &Scene) -> String {
    image(scene, "nvidia-device-plugin-daemonset")
}

#[test]
fn an_operator_that_would_restart_every_driver_is_not_moved_by_mistake() {
    let scene = scene("");
    scene.observed();
    scene.on_platform("resolve manifests").exits(0);
    let refused = scene.switchback("plan manifests -o plan.json").exits(1);
    assert!(refused.stderr.contains("SB0432"), "{}", refused.stderr);
    assert!(refused.stderr.contains("driverRestarts: postpone"), "{}", refused.stderr);
}

#[test]
fn operands_move_and_drivers_of_another_template_stay_held_and_back() {
    let scene = scene("  driverRestarts: postpone\n");
    let (before, world) = (stands(&scene), scene.settled());
    assert_eq!(before.len(), 3 + 3 + 5, "drivers, pods with GPUs, nodes: {before:#?}");
    scene.plan();
    scene.apply().exits(0);
    assert_eq!(plugin(&scene), "nvcr.io/nvidia/k8s-device-plugin:v0.18.1");
    assert_eq!(
        image(&scene, "nvidia-driver-daemonset"),
        "nvcr.io/nvidia/driver:580.82.07",
        "the driver is pinned"
    );
    assert_eq!(stands(&scene), before);
    assert_eq!(labels(&scene, STATE), ["upgrade-required"; 3]);
    assert_eq!(labels(&scene, SKIP), ["true"; 3]);
    // However long nobody comes: nothing is taken up.
    scene.wait(7200);
    assert_eq!(stands(&scene), before);

    scene.on_store("rollback --to start --reason test").exits(0);
    assert_eq!(plugin(&scene), "nvcr.io/nvidia/k8s-device-plugin:v0.17.4");
    assert_eq!(
        (labels(&scene, STATE), labels(&scene, SKIP)),
        (vec!["upgrade-done".to_owned(); 3], vec![String::new(); 3])
    );
    scene.wait(7200);
    assert_eq!(stands(&scene), before, "a driver that is let go of is not taken up");
    assert_eq!(scene.world(), world);
}

/// A node that somebody has let go of since runs a driver of the new template: rolled back, the operator would empty it.
#[test]
fn a_driver_that_was_restarted_since_holds_the_rollback() {
    let scene = scene("  driverRestarts: postpone\n");
    scene.plan();
    scene.apply().exits(0);
    let free = format!(r#"{{"metadata": {{"labels": {{"{SKIP}": null}}}}}}"#);
    scene.send("PATCH", "/api/v1/nodes/gpu-1", ("application/merge-patch+json", &free));
    scene.wait(600);
    assert_eq!(labels(&scene, STATE), ["upgrade-required", "upgrade-done", "upgrade-required"]);
    let before = stands(&scene);
    let held = scene.on_store("rollback --to start --reason test");
    assert_ne!(held.code, Some(0), "{held:?}");
    assert_eq!(plugin(&scene), "nvcr.io/nvidia/k8s-device-plugin:v0.18.1", "nothing was rolled back");
    assert_eq!(stands(&scene), before);
}

/// The same where its label is still on: a driver pod that is deleted comes back at the new template, held or not.
#[test]
fn a_driver_pod_that_was_deleted_under_its_hold_holds_the_rollback() {
    let scene = scene("  driverRestarts: postpone\n");
    scene.plan();
    scene.apply().exits(0);
    let pods = scene.objects("Pod").into_iter();
    let driver = pods
        .filter(|pod| pod["metadata"]["labels"]["app"] == "nvidia-driver-daemonset")
        .find(|pod| pod["spec"]["nodeName"] == "gpu-1")
        .expect("the driver of gpu-1");
    let path = format!(
        "/api/v1/namespaces/{}/pods/{}",
        text(&driver["metadata"]["namespace"]),
        text(&driver["metadata"]["name"])
    );
    scene.send("DELETE", &path, ("application/json", "{}"));
    scene.wait(600);
    let before = stands(&scene);
    let held = scene.on_store("rollback --to start --reason test");
    assert_ne!(held.code, Some(0), "{held:?}");
    scene.wait(3600);
    assert_eq!(stands(&scene), before, "no pod with a GPU was moved");
}

#[test]
fn where_no_driver_changes_its_template_every_driver_is_let_go_of_again_and_back() {
    let scene = scene("  set: {operandChart: gpu-operator-25.3.4}\n");
    let (before, world) = (stands(&scene), scene.settled());
    let plan = scene.plan();
    assert_eq!(plan.suspensions.len(), 3);
    scene.apply().exits(0);
    assert_eq!(plugin(&scene), "nvcr.io/nvidia/k8s-device-plugin:v0.18.1");
    assert_eq!(
        (labels(&scene, STATE), labels(&scene, SKIP)),
        (vec!["upgrade-done".to_owned(); 3], vec![String::new(); 3])
    );
    scene.wait(7200);
    assert_eq!(stands(&scene), before);
    scene.on_store("rollback --to start --reason test").exits(0);
    scene.wait(7200);
    assert_eq!((stands(&scene), scene.world()), (before, world));
}

/// What a plan cannot see: an operator that changes the template of its drivers although its ClusterPolicy says the same.
#[test]
fn a_template_that_changes_unseen_is_caught_while_drivers_are_held_and_rolled_back() {
    let manifest = format!("{UPGRADE}  set: {{operandChart: gpu-operator-25.3.4}}\n");
    let platform = platform("gpu-small");
    let manifests = [("platform.yaml", platform.as_str()), ("gpu.yaml", manifest.as_str())];
    let scene = Scene::on_world("gpu-small.yaml", &manifests, |world| {
        world.replace("settings:\n", "settings:\n  gpuOperator: {templateEvents: [\"25.10.1\"]}\n")
    });
    let before = stands(&scene);
    scene.plan();
    let failed = scene.apply();
    assert_ne!(failed.code, Some(0), "{failed:?}");
    assert_eq!(
        plugin(&scene),
        "nvcr.io/nvidia/k8s-device-plugin:v0.17.4",
        "its hop was rolled back: {failed:?}"
    );
    assert_eq!(
        (labels(&scene, STATE), labels(&scene, SKIP)),
        (vec!["upgrade-done".to_owned(); 3], vec![String::new(); 3])
    );
    scene.wait(7200);
    assert_eq!(stands(&scene), before, "no driver was restarted, and none is afterwards");
}

/// NVSentinel beside the operator, with the rule set that its chart ships.
pub(crate) const SENTINEL: &str = r#"objects:
  - apiVersion: v1
    kind: Namespace
    metadata: {name: nvsentinel}
  - apiVersion: v1
    kind: ConfigMap
    metadata: {name: circuit-breaker, namespace: nvsentinel}
    data: {status: CLOSED, cursor: RESUME}
  - apiVersion: v1
    kind: ConfigMap
    metadata: {name: fault-quarantine, namespace: nvsentinel}
    data:
      config.toml: |
        [[rule-sets]]
        name = "GPU fatal error ruleset"
        [[rule-sets.match.all]]
        kind = "HealthEvent"
        expression = "event.isFatal == true"
        [[rule-sets.match.all]]
        kind = "Node"
        expression = """
        !('k8saas.nvidia.com/ManagedByNVSentinel' in node.metadata.labels && node.metadata.labels['k8saas.nvidia.com/ManagedByNVSentinel'] == "false")
        """
  - apiVersion: apps/v1
    kind: Deployment
    metadata: {name: fault-quarantine, namespace: nvsentinel}
    spec:
      replicas: 1
      selector: {matchLabels: {app: fault-quarantine}}
      template:
        metadata: {labels: {app: fault-quarantine}}
        spec:
          containers:
            - {name: fault-quarantine, image: "ghcr.io/nvidia/nvsentinel/fault-quarantine:v1.28.0"}
"#;

pub(crate) const OPT_OUT: &str = "k8saas.nvidia.com/ManagedByNVSentinel";

pub(crate) fn breaker(scene: &Scene, status: &str) {
    let data = format!(r#"{{"data": {{"status": "{status}"}}}}"#);
    let path = "/api/v1/namespaces/nvsentinel/configmaps/circuit-breaker";
    scene.send("PATCH", path, ("application/merge-patch+json", &data));
}

#[test]
fn nvsentinel_is_kept_from_the_nodes_meanwhile_and_what_somebody_set_stays() {
    let upgrade = format!("{UPGRADE}  driverRestarts: postpone\n");
    let platform = platform("gpu-small");
    let manifests = [("platform.yaml", platform.as_str()), ("gpu.yaml", upgrade.as_str())];
    let scene =
        Scene::on_world("gpu-small.yaml", &manifests, |world| world.replacen("objects:\n", SENTINEL, 1));
    let set = format!(r#"{{"metadata": {{"labels": {{"{OPT_OUT}": "false"}}}}}}"#);
    scene.send("PATCH", "/api/v1/nodes/gpu-2", ("application/merge-patch+json", &set));
    let before = stands(&scene);
    let plan = scene.plan();
    let opted: Vec<&str> = plan.suspensions.iter().map(|known| known.suspend.as_str()).collect();
    assert_eq!(opted.len(), 2, "the third node is somebody's own: {opted:?}");

    // It trips before the run: nothing is touched, and nobody resets it.
    breaker(&scene, "TRIPPED");
    scene.apply().exits(3);
    assert_eq!(
        (plugin(&scene), labels(&scene, SKIP)),
        ("nvcr.io/nvidia/k8s-device-plugin:v0.17.4".to_owned(), vec![String::new(); 3])
    );
    let map = scene.objects("ConfigMap").into_iter().find(|map| map["metadata"]["name"] == "circuit-breaker");
    assert_eq!(map.expect("the breaker")["data"]["status"], "TRIPPED");

    breaker(&scene, "CLOSED");
    scene.apply().exits(0);
    assert_eq!(plugin(&scene), "nvcr.io/nvidia/k8s-device-plugin:v0.18.1");
    assert_eq!(labels(&scene, OPT_OUT), ["", "", "false"]);
    assert_eq!(stands(&scene), before);
    scene.on_store("rollback --to start --reason test").exits(0);
    assert_eq!(labels(&scene, OPT_OUT), ["", "", "false"]);
    assert_eq!(stands(&scene), before);
}

/// Wherever a run dies, another process goes on under the same hold, and the way back leads to where it began.
#[test]
fn killed_at_a_record_no_driver_is_let_go_of_too_early() {
    for nth in (3..).step_by(9) {
        let scene = scene("  driverRestarts: postpone\n");
        let (before, world) = (stands(&scene), scene.settled());
        scene.plan();
        let reached = killed_at(&scene, nth);
        scene.wait(3600);
        assert_eq!(stands(&scene), before, "while nobody is at work, killed at record {nth}");
        scene.apply().exits(0);
        assert_eq!(
            (stands(&scene), labels(&scene, SKIP)),
            (before.clone(), vec!["true".to_owned(); 3]),
            "record {nth}"
        );
        scene.on_store("rollback --to start --reason test").exits(0);
        scene.wait(3600);
        assert_eq!((stands(&scene), scene.world()), (before, world), "back, killed at record {nth}");
        if !reached {
            assert!(nth > 20, "the plan has more than {nth} records");
            return;
        }
    }
}
