//! Drivers of GPU nodes where the operator upgrades none by itself, and the test that each node has to pass.

use switchback_model::Graph;
use switchback_schemas::{codes, inventory::Inventory};

use crate::{
    gpu_driver::{back, names, of_policy, plan, refused, roll, stale_of, step},
    world_gpu::{DRIVER, platform},
};

/// Where the operator upgrades no driver, the manager in the driver's pod has its own switches, and uncordons whoever cordoned the node.
#[test]
fn gotcha_the_driver_manager_uncordons_a_node_that_we_had_cordoned() {
    let said = of_policy(|driver| driver.auto_upgrade = false, codes::PLAN_NOT_READY);
    assert!(
        said.contains("uncordon nodes before anybody has looked at their driver: ENABLE_GPU_POD_EVICTION"),
        "{said}"
    );
    assert!(said.contains("`driver.manager.env`"), "{said}");
}

fn by_hand() -> Inventory {
    platform("25.3.4", |section| {
        let driver = section.driver.as_mut().expect("a driver");
        driver.auto_upgrade = false;
        driver.manager_moves_pods.clear();
        // Nobody keeps states then.
        section.nodes.iter_mut().for_each(|node| node.state = None);
    })
}

/// Nobody restarts a driver then, and states of nodes are forgotten: pods of drivers are deleted one by one, on empty nodes.
#[test]
fn gotcha_auto_upgrade_off_forgets_which_node_was_where() {
    let plan = plan(DRIVER, &by_hand());
    assert!(
        !plan.steps.iter().any(|step| step.id.as_str().contains("/hold/")),
        "there is nobody to keep from it"
    );
    assert_eq!(names(roll(&plan)), ["cordon", "drain", "unused", "restart", "uncordon"]);
    assert_eq!(stale_of(roll(&plan)), "580.95.05", "the pod is asked, not a state");
    let ready = serde_json::to_string(&step(&plan, "/ready").work.action).expect("JSON");
    assert!(ready.contains("autoUpgrade"), "nobody switched it on meanwhile: {ready}");
    let returning = back(&plan, "nodes/gpu/return");
    assert_eq!(names(returning), names(roll(&plan)));
    assert!(!plan.rollback.iter().any(|step| step.id.as_str().ends_with("hold-again")));
    let graph = Graph::of(&plan).expect("a DAG");
    let all = plan.steps.iter().map(|step| step.id.clone()).collect();
    let start = plan.initial_savepoint().expect("a savepoint");
    let way = switchback_model::rollback_order::rollback_order(&plan, &graph, &all, start);
    let at =
        |part: &str| way.steps.iter().position(|step| step.step.as_str().ends_with(part)).expect("a step");
    assert!(
        at("/policy") < at("nodes/gpu/return"),
        "a pod that is deleted earlier comes up as the new driver"
    );
}

/// Every node has its own: a driver fails node by node, and the canary of a class proves no more than itself.
#[test]
fn every_node_passes_its_smoke_test_before_it_takes_pods() {
    let with = |more: &str| {
        format!("{DRIVER}  smokeTest: {{image: 'nvcr.io/nvidia/k8s/cuda-sample:vectoradd'{more}}}\n")
    };
    let plan = plan(&with(""), &platform("25.3.4", |_| ()));
    assert_eq!(names(roll(&plan)), ["cordon", "drain", "unused", "lift-hold", "smoke-test", "uncordon"]);
    let test = serde_json::to_value(&roll(&plan).recipe[4].work.action).expect("JSON");
    let pod = test.pointer("/effect/kube/nodeJob/pod/containers/0/resources/limits");
    assert_eq!(pod, Some(&serde_json::json!({"nvidia.com/gpu": "1"})));
    assert_eq!(names(back(&plan, "nodes/gpu/return")), names(roll(&plan)), "with the old driver, too");
    let said = refused(
        &with(", resources: {nvidia.com/mig-1g.5gb: '1'}"),
        &platform("25.3.4", |_| ()),
        codes::PLAN_NOT_READY,
    );
    assert!(
        said.contains("do not offer what the smoke test asks for (nvidia.com/mig-1g.5gb): gpu-0"),
        "{said}"
    );
}
