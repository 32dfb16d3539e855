//! What the small GPU platforms have in common: three nodes of pool `gpu`, a training job, and a Deployment that ranks.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{journal::Events, scene::Scene};

/// A Platform of this name.
pub(crate) fn platform(name: &str) -> String {
    format!(
        "apiVersion: switchback.dev/v1alpha1
kind: Platform
metadata: {{name: {name}}}
spec:
  targets: {{cluster: {{cluster: {{}}}}}}
  pools:
    - {{name: system, matchLabels: {{pool: system}}, tier: 1, capacity: on-demand, strategy: keep}}
    - {{name: gpu, matchLabels: {{pool: gpu}}, tier: 2, capacity: reserved, strategy: keep}}
  workloads:
    - {{name: training, select: {{ownerKinds: [Job]}}, onDrain: {{wait: {{max: 4h, then: park}}}}}}
    - {{name: inference, select: {{namespaces: [inference]}}, onDrain: {{evict: {{}}}}}}
"
    )
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A world without the training job: nothing is there that does not move.
#[expect(clippy::needless_pass_by_value, reason = "a scene changes the text of its world")]
pub(crate) fn inference(world: String) -> String {
    let begin = world.find("  - apiVersion: batch/v1").expect("the Job");
    let end = begin + world[begin..].find("  - apiVersion: apps/v1").expect("the Deployment");
    format!("{}{}", &world[..begin], &world[end..])
}

/// The same driver on each node.
pub(crate) fn everywhere(driver: &str) -> BTreeMap<String, String> {
    ["gpu-0", "gpu-1", "gpu-2"].map(|node| (node.to_owned(), driver.to_owned())).into()
}

pub(crate) fn gpu_nodes(scene: &Scene) -> Vec<Value> {
    let nodes = scene.objects("Node").into_iter();
    nodes.filter(|node| node["metadata"]["labels"]["pool"] == "gpu").collect()
}

pub(crate) fn cordoned(scene: &Scene) -> Vec<String> {
    let nodes = gpu_nodes(scene).into_iter().filter(|node| node["spec"]["unschedulable"] == true);
    nodes.map(|node| text(&node["metadata"]["name"])).collect()
}

/// Pods that run and stay, of those that fit.
pub(crate) fn running(scene: &Scene, fits: impl Fn(&Value) -> bool) -> usize {
    let runs = |pod: &Value| {
        pod["status"]["phase"] == "Running" && pod["metadata"]["deletionTimestamp"].is_null() && fits(pod)
    };
    scene.objects("Pod").iter().filter(|pod| runs(pod)).count()
}

/// Pods of the Deployment.
pub(crate) fn rankers(scene: &Scene) -> usize {
    running(scene, |pod| pod["metadata"]["namespace"] == "inference")
}

/// Applies the plan, and kills the process when so many records are durable; whether there were as many.
pub(crate) fn killed_at(scene: &Scene, nth: usize) -> bool {
    let mut child = scene.applying();
    let mut seen = 0;
    let reached = Events::of(&mut child).until(|event| {
        seen += usize::from(event["kind"] == "recorded");
        seen == nth
    });
    child.kill().expect("killed");
    child.wait().expect("ended");
    reached
}
