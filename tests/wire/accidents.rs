//! After an accident, by the commands: a process is killed in the middle of the nodes, its claim is taken back, and what its run
//! left is cleared by name.

use serde_json::json;

use crate::support::{
    journal::{Events, record},
    manifests::{all, borrowed},
    scene::Scene,
};

fn cordoned(scene: &Scene) -> Vec<String> {
    let nodes = scene.objects("Node").into_iter().filter(|node| node["spec"]["unschedulable"] == true);
    nodes.filter_map(|node| node["metadata"]["name"].as_str().map(str::to_owned)).collect()
}

#[test]
fn p40_what_a_dead_run_left_is_cleared_by_name() {
    let manifests = all();
    let scene = Scene::on_twin(&borrowed(&manifests), |world| world);
    let plan = scene.plan();
    // Nothing that it evicts goes, so that it is killed in the middle of a node, however late that is.
    scene.fault(
        &json!({"verb": "POST", "path": "*/eviction", "nth": 0, "kind": {"delay": {"seconds": 86_400}}}),
    );
    let mut child = scene.applying();
    let drains = |event: &serde_json::Value| {
        record(event, "intent").is_some_and(|intent| intent["at"]["item"]["recipe"] == "drain")
    };
    assert!(Events::of(&mut child).until(drains), "a node is drained");
    // While it lives, nothing is taken from it.
    let claim = format!("lock take-back {} --reason gone --asserted ann --store store", plan.platform.name);
    let out = scene.switchback(&claim).exits(6);
    assert!(out.stderr.contains("another process is working"), "{}", out.stderr);
    child.kill().expect("killed");
    child.wait().expect("ended");
    scene.heal();

    let out =
        scene.switchback("lock release --reason its-machine-is-gone --asserted ann --store store").exits(0);
    assert!(out.stdout.contains("continue with `apply`"), "{}", out.stdout);
    let out = scene.switchback(&claim).exits(0);
    assert!(out.stdout.contains("is abandoned"), "{}", out.stdout);
    let out = scene.switchback("lock list --store store").exits(0);
    assert!(out.stdout.contains("released: gone, by ann"));
    assert!(out.stdout.contains("no platform is claimed"));

    let nodes = cordoned(&scene);
    assert!(!nodes.is_empty(), "it was killed in the middle of a node");
    let out = scene.switchback("janitor --store store").exits(1);
    for node in &nodes {
        assert!(out.stdout.contains(&format!("--fix {node}")), "{}", out.stdout);
    }
    let fix = |name: &str| {
        let why = "--reason cleaned --asserted ann --kubeconfig kubeconfig --store store";
        scene.switchback(&format!("janitor --fix {name} {why}"))
    };
    for suspension in &plan.suspensions {
        fix(suspension.id.as_str()).exits(0);
    }
    for pool in scene.objects("NodePool") {
        assert_eq!(pool["spec"]["disruption"]["budgets"][0]["nodes"], "1", "what was suspended is as it was");
    }
    for node in &nodes {
        fix(node).exits(0);
    }
    assert_eq!(cordoned(&scene), Vec::<String>::new());
    let out = scene.switchback("janitor --store store").exits(1);
    assert!(!out.stdout.contains("--fix"), "what was done and not undone is still named: {}", out.stdout);
    assert!(fix("nothing").exits(1).stderr.contains("no run left nothing"));
}
