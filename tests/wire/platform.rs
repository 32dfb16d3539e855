//! The whole platform in one plan, by what a person types: every system moves, in an order that nobody wrote, and the platform is well after it.

use std::collections::BTreeMap;

use serde_json::Value;
use switchback_schemas::plan::Plan;

use crate::support::{
    bins::root,
    manifests::borrowed,
    mlops::{self, Manifests},
    scene::Scene,
};

const FILES: [&str; 8] = [
    "platform.yaml",
    "argo.yaml",
    "eks.yaml",
    "gpu-operator.yaml",
    "karpenter.yaml",
    "kserve.yaml",
    "mlflow.yaml",
    "verifications.yaml",
];

/// The manifests of the example.
pub(crate) fn manifests() -> Manifests {
    let directory = root().join("plans/gpu-ml-platform/manifests");
    let read = |name: &str| std::fs::read_to_string(directory.join(name)).expect("a manifest");
    FILES.map(|name| (name, read(name))).into()
}

/// A place with the twin of the platform.
pub(crate) fn scene() -> Scene {
    Scene::on_world("gpu-ml-platform.yaml", &borrowed(&manifests()), |world| world)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The charts of all releases, and the version of each.
fn releases(scene: &Scene) -> BTreeMap<String, String> {
    scene.observed();
    let inventory: Value = serde_json::from_str(&scene.read("inventory.json")).expect("JSON");
    let releases = inventory["releases"].as_array().cloned().unwrap_or_default();
    releases
        .iter()
        .map(|release| {
            let version = text(&release["chartVersion"]);
            (text(&release["name"]["name"]), format!("{} {version}", text(&release["chart"])))
        })
        .collect()
}

/// Models that are Ready.
fn models(scene: &Scene) -> usize {
    let all = scene.objects("InferenceService").into_iter();
    all.filter(|service| {
        let conditions = service["status"]["conditions"].as_array();
        conditions.is_some_and(|all| all.iter().any(|it| it["type"] == "Ready" && it["status"] == "True"))
    })
    .count()
}

/// Minors of the kubelets, and how many nodes nobody may use.
fn nodes(scene: &Scene) -> (Vec<String>, usize) {
    let nodes = scene.objects("Node");
    let minor = |node: &Value| text(&node["status"]["nodeInfo"]["kubeletVersion"]).chars().take(5).collect();
    let mut minors: Vec<String> = nodes.iter().map(minor).collect();
    minors.sort();
    minors.dedup();
    (minors, nodes.iter().filter(|node| node["spec"]["unschedulable"] == true).count())
}

/// How often a pod of the training job has failed.
fn failed(scene: &Scene) -> u64 {
    let jobs = scene.objects("Job");
    let job = jobs.iter().find(|job| job["metadata"]["name"] == "llm-7b").expect("the Job");
    job["status"]["failed"].as_u64().unwrap_or_default()
}

#[test]
fn every_system_moves_in_one_plan_and_the_platform_is_well() {
    let scene = scene();
    scene.plan();
    let out = mlops::carried_through(&scene).exits(0);
    assert!(out.stdout.contains("nothing is worse than before this run"), "{}", out.stdout);
    let moved: BTreeMap<String, String> = [
        ("argo-workflows", "argo-workflows 1.0.18"),
        ("gpu-operator", "gpu-operator 25.10.1"),
        ("karpenter", "karpenter 1.8.8"),
        ("karpenter-crd", "karpenter-crd 1.8.8"),
        ("kserve", "kserve-resources v0.17.1"),
        ("kserve-crd", "kserve-crd v0.17.1"),
        ("kserve-localmodel-crd", "kserve-localmodel-crd v0.17.1"),
        ("kserve-runtime-configs", "kserve-runtime-configs v0.17.1"),
    ]
    .map(|(name, chart)| (name.to_owned(), chart.to_owned()))
    .into();
    assert_eq!(releases(&scene), moved);
    assert_eq!(models(&scene), 3);
    assert_eq!(nodes(&scene), (vec!["v1.34".to_owned()], 0));
    assert_eq!(failed(&scene), 0, "no pod of the training job was ended");
    let schedules = scene.objects("CronWorkflow");
    let suspended: Vec<String> = schedules
        .iter()
        .filter(|schedule| schedule["spec"]["suspend"] == true)
        .map(|schedule| text(&schedule["metadata"]["name"]))
        .collect();
    assert_eq!(suspended, ["paused"], "who was suspended before is, and nobody else");
}

/// As people do it who let each part bake: a plan that stops after a hop, and the next one from what is there then.
#[test]
fn hop_after_hop_it_comes_to_the_same() {
    let scene = scene();
    let mut moved = Vec::new();
    loop {
        scene.observed();
        scene.on_platform("resolve manifests").exits(0);
        let out = scene.switchback("plan manifests -o plan.json");
        if !out.stdout.contains("At a glance") {
            assert!(out.stderr.contains("SB0420"), "{}", out.stderr);
            break;
        }
        let plan = Plan::from_json(scene.read("plan.json").as_bytes()).expect("a plan");
        // Two at a time, as far as they go.
        let last = plan.hops.get(1).or(plan.hops.first()).expect("a hop").id.to_string();
        let out = scene.switchback(&format!("plan manifests -o plan.json --until {last}")).exits(0);
        assert_eq!(out.stdout.contains("observe and plan again"), plan.hops.len() > 2, "{}", out.stdout);
        let out = mlops::carried_through(&scene).exits(0);
        assert!(out.stdout.contains("nothing is worse than before this run"), "{}", out.stdout);
        moved.extend(plan.hops.iter().take(2).map(|hop| hop.id.to_string()));
        // A day later EKS has looked at its insights again.
        scene.wait(25 * 3600);
    }
    assert_eq!(moved.len(), 8, "{moved:?}");
    assert_eq!(models(&scene), 3);
    assert_eq!(nodes(&scene), (vec!["v1.34".to_owned()], 0));
    assert_eq!(failed(&scene), 0, "no pod of the training job was ended");
    assert_eq!(releases(&scene).get("kserve").map(String::as_str), Some("kserve-resources v0.17.1"));
}

/// What moved since the first minor goes back while that stays.
#[test]
fn what_moved_since_the_first_minor_goes_back() {
    let scene = scene();
    scene.plan();
    let parked = scene.apply().exits(3).stdout;
    assert!(parked.contains("rollback-to-1.32"), "{parked}");
    scene.on_store("rollback --to eks/gpu-ml-platform@1.33 --reason test").exits(0);
    let back = releases(&scene);
    for (release, chart) in [
        ("argo-workflows", "argo-workflows 0.47.5"),
        ("gpu-operator", "gpu-operator 25.10.1"),
        ("karpenter", "karpenter 1.5.8"),
        ("kserve", "kserve v0.16.0"),
        ("kserve-crd", "kserve-crd v0.16.0"),
    ] {
        assert_eq!(back.get(release).map(String::as_str), Some(chart), "{back:#?}");
    }
    assert!(!back.contains_key("kserve-runtime-configs"), "{back:#?}");
    assert_eq!(models(&scene), 3);
    assert_eq!(nodes(&scene), (vec!["v1.33".to_owned()], 0));
    assert_eq!(failed(&scene), 0);
}
