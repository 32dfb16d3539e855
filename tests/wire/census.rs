//! A run answers for what stood on the platform: what it makes worse holds it by name, and what others make worse is listed.

use serde_json::json;
use switchback_schemas::{
    journal::{End, Shortage},
    plan::ShortageKind,
    report::RunState,
};

use crate::support::{
    journal::{Events, record},
    manifests::{all, borrowed, broken_web, web_only},
    scene::Scene,
};

/// The platform of shared case 36: GPU nodes that are given up cannot be had again.
fn without_gpus(world: &str) -> String {
    let none = "    driftEvents: [\"1.12.0\"]\n    noCapacity: [gpu]\n";
    let changed = world.replace("    driftEvents: [\"1.12.0\"]\n", none);
    assert_ne!(changed, world);
    changed
}

fn of<'a>(worse: &'a [Shortage], object: &str) -> &'a Shortage {
    worse.iter().find(|one| one.object.to_string() == object).unwrap_or_else(|| panic!("{worse:?}"))
}

#[test]
fn a1_training_that_does_not_come_back_holds_the_run_by_name() {
    let manifests: Vec<_> = all().into_iter().filter(|(name, _)| *name != "web.yaml").collect();
    let scene = Scene::on_twin(&borrowed(&manifests), |world| without_gpus(&world));
    scene.plan();
    let out = scene.apply().exits(4);
    assert!(out.stdout.contains("Job training/llm-7b: 0 of 4 ready (4 before)"), "{}", out.stdout);
    assert!(out.stdout.contains("no node fits the pod"), "the platform's own words: {}", out.stdout);
    assert!(!out.stdout.contains("complete: targets reached"), "{}", out.stdout);
    let report = scene.report();
    assert!(matches!(report.state, RunState::Held { .. }), "{:?}", report.state);
    let job = of(&report.worse, "Job training/llm-7b");
    assert_eq!((job.how, job.before, job.desired, job.ready), (ShortageKind::Short, 4, 4, 0));
    assert!(job.ours.is_some());
    let status = scene.switchback("status --store store").exits(0).stdout;
    assert!(status.contains("worse      Job training/llm-7b"), "{status}");
    // It is no more complete when somebody says that it may go on.
    scene.switchback("continue --store store --reason fine --kubeconfig kubeconfig").exits(0);
    scene.apply().exits(4);
}

/// A run that was killed once Karpenter was up; none if it had begun with a node a moment before.
fn killed_before_any_node() -> Option<Scene> {
    let manifests: Vec<_> = all().into_iter().filter(|(name, _)| *name != "web.yaml").collect();
    let scene = Scene::on_twin(&borrowed(&manifests), |world| world);
    scene.plan();
    let mut child = scene.applying();
    let healthy = Events::of(&mut child).until(|event| {
        let verified = record(event, "verified");
        verified.is_some_and(|verified| {
            verified["at"]["step"].as_str().is_some_and(|step| step.ends_with("/health"))
        })
    });
    child.kill().expect("killed");
    child.wait().expect("ended");
    assert!(healthy, "Karpenter is up before its class goes");
    scene.report().steps.iter().all(|step| step.at.item.is_none()).then_some(scene)
}

#[test]
fn a2_a_node_class_that_is_gone_keeps_nodes_where_they_are_and_is_named() {
    let scene = (0..10).find_map(|_| killed_before_any_node()).expect("killed in time, once in ten");
    let class = "/apis/karpenter.k8s.aws/v1/ec2nodeclasses/default";
    scene.send("DELETE", class, ("application/json", "{}"));
    let out = scene.apply().exits(3);
    assert!(out.stdout.contains("EC2NodeClass default does not exist"), "{}", out.stdout);
    let moved = scene.report().steps.into_iter().filter(|step| step.at.item.is_some());
    assert_eq!(moved.count(), 0, "not one node was touched");
}

#[test]
fn what_others_make_worse_is_listed_and_holds_nothing() {
    let tool = "  - apiVersion: apps/v1
    kind: Deployment
    metadata: {name: tool, namespace: apps}
    spec:
      replicas: 2
      strategy: {type: Recreate}
      selector: {matchLabels: {app: tool}}
      template:
        metadata: {labels: {app: tool}}
        spec:
          nodeSelector: {eks.amazonaws.com/nodegroup: system}
          containers: [{name: tool, image: 'example.invalid/tool:1'}]
claims:
";
    let scene = Scene::on_twin(&borrowed(&web_only()), |world| {
        let world = broken_web(&world).replace("example.invalid/web:2", "example.invalid/tool:2");
        let changed = world.replace("claims:\n", tool);
        assert_ne!(changed, world);
        changed
    });
    scene.plan();
    // It stops once all is counted.
    scene.on_store("apply plan.json --max-runtime 90s").exits(3);
    let image = json!({"spec": {"template": {"spec": {"containers": [{"name": "tool", "image": "example.invalid/tool:2"}]}}}});
    scene.send(
        "PATCH",
        "/apis/apps/v1/namespaces/apps/deployments/tool",
        ("application/strategic-merge-patch+json", &image.to_string()),
    );
    scene.wait(60);
    let out = scene.apply().exits(0);
    assert!(
        out.stdout.contains("worse, not by this run Deployment apps/tool: 0 of 2 ready"),
        "{}",
        out.stdout
    );
    let report = scene.report();
    assert_eq!(report.state, RunState::Ended { end: End::Complete });
    let tool = of(&report.worse, "Deployment apps/tool");
    assert_eq!((tool.ready, &tool.ours), (0, &None));
}
