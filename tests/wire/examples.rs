//! The example plans are what the commands write today.

use switchback_schemas::plan::Plan;

use crate::{
    platform,
    support::{
        bins::root,
        manifests::{all, borrowed},
        mlops,
        scene::{Scene, updating},
    },
};

const GENERATED: [&str; 5] = ["inventory.json", "lock.json", "plan.json", "dry-run.txt", "rollback.txt"];

#[test]
fn the_small_example_is_up_to_date() {
    let manifests = all();
    is_up_to_date("karpenter-small", &Scene::on_twin(&borrowed(&manifests), |world| world));
}

#[test]
fn the_example_of_the_written_procedures_is_up_to_date() {
    is_up_to_date("mlops-platform", &mlops::scene(&mlops::all()));
}

#[test]
fn the_example_of_the_whole_platform_is_up_to_date() {
    is_up_to_date("gpu-ml-platform", &platform::scene());
}

fn is_up_to_date(name: &str, scene: &Scene) {
    scene.plan_to_be_kept();
    scene.write("dry-run.txt", &scene.switchback("show plan.json").exits(0).stdout);
    scene.write("rollback.txt", &scene.switchback("rollback-plan plan.json").exits(0).stdout);
    let example = root().join("plans").join(name);
    for name in GENERATED {
        let (path, now) = (example.join(name), scene.read(name));
        if updating() {
            std::fs::write(&path, &now).expect("written");
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            kept == now,
            "{} is out of date; run `UPDATE=1 cargo test -p switchback-tests-wire example` and read the difference",
            path.display()
        );
    }
}

/// A reviewer reads plans in a pull request.
#[test]
fn a_step_of_an_example_takes_four_kilobytes_and_ninety_lines() {
    for name in ["karpenter-small", "mlops-platform", "gpu-ml-platform"] {
        let path = root().join("plans").join(name).join("plan.json");
        let text = std::fs::read_to_string(path).expect("the plan");
        let plan = Plan::from_json(text.as_bytes()).expect("a plan");
        let steps = plan.steps.len() + plan.rollback.len();
        let (bytes, lines) = (text.len() / steps, text.lines().count() / steps);
        assert!(bytes <= 4096, "{name}: {bytes} bytes a step");
        assert!(lines <= 90, "{name}: {lines} lines a step");
    }
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let manifests = all();
    let scene = Scene::on_twin(&borrowed(&manifests), |world| world);
    scene.plan();
    let first = scene.read("plan.json");
    scene.planned();
    assert_eq!(first, scene.read("plan.json"));
}
