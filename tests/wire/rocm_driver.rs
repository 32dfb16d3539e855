//! Drivers of AMD on the twin, judged by what stands there afterwards: which driver is loaded where, what is cordoned and suspended, and whose
//! pods were moved. No real controller was beside any of it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::{
    gpus::{cordoned, everywhere, gpu_nodes, inference, killed_at, platform, rankers, text},
    projection::same,
    scene::Scene,
};

const UPGRADE: &str = "apiVersion: switchback.dev/v1alpha1
kind: RocmDriverUpgrade
metadata: {name: rocm-driver}
spec:
  target: cluster
  to: '30.20.1'
  deviceConfig: {namespace: kube-amd-gpu, name: gpus}
";

const TEST: &str = "  smokeTest: {image: 'example.invalid/rocm-test:1', command: [rocminfo]}\n";
const REBOOT: &str = "  reboot: {image: 'example.invalid/utils:1'}\n";

const OLD: &str = "30.20";
const NEW: &str = "30.20.1";
const ASKS: &str = "kmm.node.kubernetes.io/version-module.kube-amd-gpu.gpus";
const READY: &str = "kmm.node.kubernetes.io/kube-amd-gpu.gpus.ready";

fn asked(more: &str, world: impl FnOnce(String) -> String) -> Scene {
    let upgrade = format!("{UPGRADE}{more}");
    let platform = platform("rocm-small");
    let manifests = [("platform.yaml", platform.as_str()), ("driver.yaml", upgrade.as_str())];
    Scene::on_world("rocm-small.yaml", &manifests, world)
}

/// The same where the image of the new driver cannot be pulled.
fn broken(world: String) -> String {
    let image = format!("registry.example/amdgpu_kmod:ubuntu-22.04-5.15.0-94-generic-{NEW}");
    inference(world).replacen("settings:\n", &format!("settings:\n  brokenImages: [\"{image}\"]\n"), 1)
}

/// The driver that is loaded on each node.
fn drivers(scene: &Scene) -> BTreeMap<String, String> {
    let configs = scene.objects("NodeModulesConfig").into_iter();
    configs
        .map(|config| {
            let image = text(&config["status"]["modules"][0]["config"]["containerImage"]);
            let version = image.rsplit_once('-').map(|(_, version)| version.to_owned()).unwrap_or_default();
            (text(&config["metadata"]["name"]), version)
        })
        .collect()
}

fn config(scene: &Scene) -> Value {
    scene.objects("DeviceConfig").into_iter().next().expect("the DeviceConfig")
}

/// Nothing is cordoned or suspended, every driver is loaded and every GPU offered.
fn at_rest(scene: &Scene, what: &str) {
    assert_eq!(cordoned(scene), [""; 0], "{what}");
    let config = config(scene);
    assert_eq!(config["spec"]["driver"]["upgradePolicy"]["enable"], true, "{what}");
    assert_eq!(config["spec"]["remediationWorkflow"]["enable"], true, "{what}");
    assert_eq!(config["spec"]["driver"]["tolerations"], Value::Null, "{what}");
    for node in gpu_nodes(scene) {
        let meta = &node["metadata"];
        assert_eq!(node["status"]["allocatable"]["amd.com/gpu"], "8", "{what}: {}", meta["name"]);
        assert_eq!(meta["labels"][READY], "", "{what}: {}", meta["name"]);
        assert_eq!(node["spec"]["taints"], Value::Null, "{what}: {}", meta["name"]);
        assert!(meta["annotations"].get("switchback.dev/cordoned-by").is_none(), "{what}: {}", meta["name"]);
    }
}

/// The job runs to its end on the node on which it began, whose driver moves last. The operator, which upgrades drivers by itself on this
/// platform, deletes no pod.
#[test]
fn drivers_move_node_by_node_and_the_operator_deletes_no_pod() {
    let scene = asked(&format!("{TEST}  rollout: {{drainWithin: 5h}}\n"), |world| {
        world.replace(
            "annotations: {cluster.switchback.test/pod: hold}",
            "annotations: {twin.switchback.dev/run-seconds: \"14400\"}",
        )
    });
    assert_eq!(drivers(&scene), everywhere(OLD));
    let plan = scene.plan();
    assert_eq!(plan.suspensions.len(), 3, "upgrades, remediation and the tolerations of a cordon");
    scene.apply().exits(0);
    assert_eq!(drivers(&scene), everywhere(NEW));
    at_rest(&scene, "after the upgrade");
    let job =
        scene.objects("Job").into_iter().find(|job| job["metadata"]["name"] == "llm-7b").expect("the Job");
    assert_eq!(
        (&job["status"]["succeeded"], job["status"].get("failed")),
        (&1.into(), None),
        "nobody ended its pod"
    );
    assert_eq!(rankers(&scene), 2);
    scene.wait(7200);
    assert_eq!(drivers(&scene), everywhere(NEW));
    at_rest(&scene, "two hours later");
    let states = config(&scene)["status"]["nodeModuleStatus"].clone();
    assert_eq!(states["gpu-0"]["status"], "Upgrade-Complete", "the operator agrees: {states}");
}

#[test]
fn a_rollback_leads_every_node_back_to_the_driver_that_it_had() {
    let scene = asked("", inference);
    let before = scene.settled();
    scene.plan();
    scene.apply().exits(0);
    assert_eq!(drivers(&scene), everywhere(NEW));
    scene.on_store("rollback --to start --reason test").exits(0);
    assert_eq!(drivers(&scene), everywhere(OLD));
    at_rest(&scene, "after the rollback");
    assert_eq!(config(&scene)["spec"]["driver"]["version"], OLD);
    assert_eq!(rankers(&scene), 2);
    scene.wait(7200);
    assert_eq!(drivers(&scene), everywhere(OLD), "nobody takes a node up again");
    at_rest(&scene, "two hours later");
    same(&before, &scene.settled(), "the world after rolling back");
}

/// The canary's driver is never loaded: it stays cordoned, by name; nothing else moves, the operator stays off, and a rollback mends it.
#[test]
fn a_driver_that_is_never_loaded_holds_the_run_with_one_node_and_a_rollback_mends_it() {
    let scene = asked("", broken);
    scene.plan();
    let held = scene.apply().exits(4);
    let without: Vec<String> =
        drivers(&scene).into_iter().filter(|(_, driver)| driver != OLD).map(|(node, _)| node).collect();
    let [canary] = without.as_slice() else { panic!("one node, not {without:?}") };
    assert_eq!(cordoned(&scene), [canary.as_str()], "what does not work is not given back");
    assert!(held.stdout.contains(canary.as_str()), "it is named: {}", held.stdout);
    assert_eq!(config(&scene)["spec"]["driver"]["upgradePolicy"]["enable"], false, "the operator stays off");
    assert_eq!(rankers(&scene), 2);
    scene.wait(7200);
    assert_eq!(drivers(&scene).into_values().filter(|driver| driver != OLD).count(), 1, "nothing goes on");

    scene.on_store("rollback --to start --reason test").exits(0);
    assert_eq!(drivers(&scene), everywhere(OLD));
    at_rest(&scene, "after the rollback");
}

#[test]
fn a_node_that_fails_its_smoke_test_takes_no_pods_and_holds_the_run() {
    let scene = asked(TEST, inference);
    for node in ["gpu-0", "gpu-1", "gpu-2"] {
        let broken = r#"{"metadata": {"annotations": {"twin.switchback.dev/gpus": "broken"}}}"#;
        scene.send("PATCH", &format!("/api/v1/nodes/{node}"), ("application/merge-patch+json", broken));
    }
    scene.plan();
    let held = scene.apply().exits(4);
    assert!(held.stdout.contains("no device answers"), "what the test wrote is shown: {}", held.stdout);
    assert_eq!(cordoned(&scene).len(), 1);
    assert_eq!(drivers(&scene).into_values().filter(|driver| driver == NEW).count(), 1);
    scene.on_store("rollback --to start --reason test").exits(4);
    assert_eq!(cordoned(&scene).len(), 1, "it fails its test with the old driver, too");
}

#[test]
fn nodes_boot_anew_where_the_manifest_says_so() {
    let scene = asked(REBOOT, inference);
    scene.plan();
    scene.apply().exits(0);
    assert_eq!(drivers(&scene), everywhere(NEW));
    at_rest(&scene, "after the upgrade");
    for node in gpu_nodes(&scene) {
        assert!(
            text(&node["status"]["nodeInfo"]["bootID"]).starts_with("boot-"),
            "{}",
            node["metadata"]["name"]
        );
    }
}

/// A node that boots while its label asks for the driver that the DeviceConfig no longer names comes up without one, and gets the new one in
/// its turn.
#[test]
fn a_node_that_boots_before_its_turn_gets_its_driver_in_its_turn() {
    let scene = asked("", broken);
    scene.plan();
    scene.apply().exits(4);
    let other = drivers(&scene).into_iter().find(|(_, driver)| driver == OLD).expect("an old one").0;
    let booted = r#"{"status": {"nodeInfo": {"bootID": "boot-by-hand"}}}"#;
    scene.send("PATCH", &format!("/api/v1/nodes/{other}/status"), ("application/merge-patch+json", booted));
    scene.wait(600);
    assert_eq!(drivers(&scene)[&other], "", "nothing is loaded");
    scene.on_store("rollback --to start --reason test").exits(0);
    assert_eq!(drivers(&scene), everywhere(OLD));
    at_rest(&scene, "after the rollback");
}

/// Wherever a run dies, the operator moves no node by itself, and another process reaches the end, and the way back its beginning.
#[test]
fn p34_killed_at_its_records_a_second_process_reaches_the_end_and_the_beginning() {
    for nth in (3..).step_by(17) {
        let scene = asked(TEST, inference);
        scene.plan();
        let reached = killed_at(&scene, nth);
        scene.wait(3600);
        assert!(cordoned(&scene).len() <= 1, "one node at most is in a batch, killed at record {nth}");
        scene.apply().exits(0);
        assert_eq!(drivers(&scene), everywhere(NEW), "killed at record {nth}");
        at_rest(&scene, &format!("killed at record {nth}"));
        for node in gpu_nodes(&scene) {
            assert_eq!(node["metadata"]["labels"][ASKS], NEW);
        }
        scene.on_store("rollback --to start --reason test").exits(0);
        assert_eq!(drivers(&scene), everywhere(OLD), "back, killed at record {nth}");
        at_rest(&scene, &format!("back, killed at record {nth}"));
        if !reached {
            assert!(nth > 30, "the plan has more than {nth} records");
            return;
        }
    }
}
