//! A training job of sixteen pods on sixteen GPU nodes, without a disruption budget, while its pool is rolled.

use switchback_schemas::{journal::WaitsFor, report::RunState};

use crate::support::{
    manifests::{all, borrowed, changed},
    scene::Scene,
};

/// The example with a gang of sixteen, and a drain rule for it.
fn gang(on_drain: &str, world: impl Fn(String) -> String) -> Scene {
    let manifests = all().into_iter().filter(|(name, _)| *name != "web.yaml").collect();
    let manifests = match on_drain {
        "requeue: {}" => manifests,
        other => changed(manifests, "platform.yaml", |text| text.replace("requeue: {}", other)),
    };
    let manifests = changed(manifests, "karpenter.yaml", |text| {
        text.replace("maxUnavailable: {nodes: 4}", "maxUnavailable: {nodes: 16}")
    });
    let wide = |world: String| {
        let wide = world
            .replace("parallelism: 4", "parallelism: 16")
            .replace("completions: 4", "completions: 16")
            .replace("{pool: gpu, count: 4,", "{pool: gpu, count: 16,");
        assert_ne!(wide, world);
        wide
    };
    let scene = Scene::on_twin(&borrowed(&manifests), |text| world(wide(text)));
    scene.plan();
    scene
}

fn as_it_is(world: String) -> String {
    world
}

/// UIDs of the training job's pods that run.
fn training(scene: &Scene) -> Vec<String> {
    let ours = |pod: &serde_json::Value| {
        pod["metadata"]["namespace"] == "training" && pod["status"]["phase"] == "Running"
    };
    let pods = scene.objects("Pod").into_iter().filter(ours);
    let mut uids: Vec<String> =
        pods.map(|pod| pod["metadata"]["uid"].as_str().expect("a uid").to_owned()).collect();
    uids.sort();
    uids
}

#[test]
fn a_gang_that_is_waited_for_is_not_touched_and_parks_the_run_by_name() {
    let scene = gang("wait: {max: 2h, then: park}", as_it_is);
    let before = training(&scene);
    assert_eq!(before.len(), 16);
    let out = scene.apply().exits(3);
    assert!(out.stdout.contains("llm-7b"), "the workload is named: {}", out.stdout);
    assert_eq!(training(&scene), before, "not one pod was disturbed");
    let RunState::Parked { waits_for, .. } = scene.report().state else {
        panic!("{:?}", scene.report().state)
    };
    let named = |waits: &WaitsFor| matches!(waits, WaitsFor::Workload { workload, class: Some(class), .. } if workload.contains("llm-7b") && class == "training");
    assert!(waits_for.iter().any(named), "{waits_for:?}");
    // However often it is looked at again: waiting never turns into killing.
    for _ in 0..3 {
        scene.wait(3 * 3600);
        scene.switchback("tick --store store --kubeconfig kubeconfig").exits(3);
        assert_eq!(training(&scene), before);
    }
}

#[test]
fn a_gang_that_may_be_requeued_moves_as_a_whole() {
    let scene = gang("requeue: {}", as_it_is);
    let before = training(&scene);
    let out = scene.apply().exits(0);
    let batches: Vec<&str> =
        out.stdout.lines().filter(|line| line.contains("selected") && line.contains("/gpu/")).collect();
    assert_eq!(batches.len(), 1, "all nodes of the gang are one batch: {batches:?}");
    let report = scene.report();
    let cordoned = |at: &switchback_schemas::journal::At| {
        at.step.as_str().contains("/gpu/")
            && at.item.as_ref().is_some_and(|item| item.recipe.as_str() == "cordon")
    };
    let moved: Vec<_> = report.steps.iter().filter(|step| cordoned(&step.at)).collect();
    assert_eq!(moved.len(), 16, "{moved:?}");
    let first_emptied = report
        .steps
        .iter()
        .filter(|step| step.at.to_string().contains("/gpu/roll["))
        .filter_map(|step| step.ended)
        .min();
    assert!(
        moved.iter().all(|step| step.started <= first_emptied),
        "all are cordoned before the first is empty"
    );
    scene.wait(600);
    let after = training(&scene);
    assert_eq!(after.len(), 16, "the job runs again");
    assert!(after.iter().all(|pod| !before.contains(pod)), "every pod is a new one");
}

/// Evictions count against the backoffLimit of a Job that says nothing else, and the API server ends all of it.
#[test]
fn a_gang_that_would_not_survive_is_not_touched_although_it_may_be_requeued() {
    let scene = gang("requeue: {}", |world| {
        let policy = "      podFailurePolicy: {rules: [{action: Ignore, onPodConditions: [{type: DisruptionTarget}]}]}\n";
        let counts = world.replace(policy, "");
        assert_ne!(counts, world);
        counts
    });
    let planned = scene.switchback("plan manifests").exits(0);
    assert!(planned.stderr.contains("SB0433"), "{planned:?}");
    assert!(planned.stderr.contains("Job training/llm-7b"), "{planned:?}");
    let before = training(&scene);
    let out = scene.apply().exits(3);
    assert!(out.stdout.contains("would end it as failed"), "{}", out.stdout);
    assert_eq!(training(&scene), before, "not one pod was disturbed");
    let job =
        scene.objects("Job").into_iter().find(|job| job["metadata"]["name"] == "llm-7b").expect("the job");
    assert!(job["status"].get("failed").is_none(), "{job:#}");
    assert!(job["status"]["active"] == 16, "{job:#}");
}
