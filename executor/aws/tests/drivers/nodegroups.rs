//! Managed node groups: updated, copied, scaled, emptied and deleted.

use std::time::Duration;

use serde_json::{Value, json};
use switchback_executor::ports::{BoundEffect, Call};
use switchback_schemas::{
    journal::{Class, Outcome, WaitsFor},
    plan::CloudKind,
};
use switchback_twin::{FaultKind, Key};

use crate::scene::{CLUSTER, Scene, call, call_of, control_plane, done, effect};

fn size(min: u64, desired: u64, max: u64) -> Value {
    json!({"min": min, "desired": desired, "max": max})
}

fn update(group: &str, minor: &str) -> BoundEffect {
    effect(json!({"eks": {"updateNodegroup": {"target": "mlops", "nodegroup": group, "kubernetes": minor}}}))
}

fn scale(group: &str, min: u64, desired: u64, max: u64) -> BoundEffect {
    effect(
        json!({"eks": {"scaleNodegroup": {"target": "mlops", "nodegroup": group, "size": size(min, desired, max)}}}),
    )
}

fn copy(name: &str, of: &str, minor: &str, desired: u64) -> BoundEffect {
    effect(
        json!({"eks": {"createNodegroup": {"target": "mlops", "nodegroup": name, "like": of, "kubernetes": minor,
        "size": size(0, desired, 4)}}}),
    )
}

fn delete(group: &str) -> BoundEffect {
    effect(json!({"eks": {"deleteNodegroup": {"target": "mlops", "nodegroup": group}}}))
}

/// Nodes of a group: name, UID and provider id.
fn nodes(scene: &Scene, group: &str) -> Vec<(String, String, String)> {
    let text = |node: &Value, pointer: &str| {
        node.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    scene.twin.with(|world| {
        world
            .list("", "nodes", None)
            .filter(|(_, node)| text(node, "/metadata/labels/eks.amazonaws.com~1nodegroup") == group)
            .map(|(key, node)| {
                (key.name.to_string(), text(node, "/metadata/uid"), text(node, "/spec/providerID"))
            })
            .collect()
    })
}

fn terminate((_, _, provider): &(String, String, String)) -> BoundEffect {
    effect(json!({"eks": {"terminateNode": {"target": "mlops", "providerId": provider}}}))
}

#[tokio::test]
async fn a_group_follows_the_control_plane() {
    let scene = Scene::new().await;
    let outcome = scene.apply(&call(), &update("general", "1.33")).await;
    assert!(matches!(outcome, Outcome::NotDone { class: Class::Refused, .. }), "before it: {outcome:?}");
    done(&scene.carry(&control_plane("1.32", "1.33")).await);
    let said = done(&scene.carry_on(call_of("general"), &update("general", "1.33")).await);
    assert!(said.contains("1.33"), "{said}");
    assert_eq!(scene.read(CloudKind::EksNodegroup, Some("general"), "/status").await, "ACTIVE");
    done(&scene.carry_on(call_of("general"), &update("general", "1.33")).await);
    assert_eq!(scene.accepted("eks:UpdateNodegroupVersion"), 1);
}

#[tokio::test]
async fn a_group_without_capacity_waits_and_one_that_cannot_be_drained_fails() {
    let scene = Scene::new().await;
    done(&scene.carry(&control_plane("1.32", "1.33")).await);
    let fails = |code: &str| FaultKind::Fails { code: code.into(), message: "as the test says".into() };
    scene.inject("eks:UpdateNodegroupVersion", 1, fails("AsgInstanceLaunchFailures"));
    let outcome = scene.carry_on(call_of("general"), &update("general", "1.33")).await;
    let Outcome::Blocked { waits_for } = &outcome else { panic!("{outcome:?}") };
    assert!(matches!(waits_for.as_slice(), [WaitsFor::Capacity { .. }]), "{outcome:?}");
    done(&scene.carry_on(Call { attempt: 9, ..call_of("general") }, &update("general", "1.33")).await);

    scene.inject("eks:UpdateNodegroupVersion", 1, fails("PodEvictionFailure"));
    let outcome = scene.carry_on(call_of("system"), &update("system", "1.33")).await;
    let Outcome::NotDone { class: Class::Refused, evidence } = &outcome else { panic!("{outcome:?}") };
    assert!(evidence.0[0].contains("PodEvictionFailure"), "{evidence:?}");
}

#[tokio::test]
async fn a_copy_has_what_the_group_has_and_is_made_once() {
    let scene = Scene::new().await;
    let before = scene.twin.snapshot();
    for nth in 1..=6 {
        scene.twin.restore(before.clone());
        done(&scene.carry_over_loss("eks:*", nth, &copy("gpu-new", "gpu-inference", "1.32", 1)).await);
        assert_eq!(scene.accepted("eks:CreateNodegroup"), 1, "answer {nth} lost");
        for field in ["/amiType", "/instanceTypes", "/labels", "/taints", "/subnets", "/updateConfig"] {
            let copied = scene.read(CloudKind::EksNodegroup, Some("gpu-new"), field).await;
            let original = scene.read(CloudKind::EksNodegroup, Some("gpu-inference"), field).await;
            assert_eq!(copied, original, "{field}");
        }
    }
}

/// A copy with another image of its minor: that one is made, and one with the newest is not taken for it.
#[tokio::test]
async fn a_copy_has_the_release_that_is_asked_for() {
    let older = |name: &str| {
        effect(json!({"eks": {"createNodegroup": {"target": "mlops", "nodegroup": name, "like": "general",
            "kubernetes": "1.32", "release": "1.32.9-20261023", "size": size(0, 0, 4)}}}))
    };
    let scene = Scene::new().await;
    done(&scene.carry(&older("general-older")).await);
    let release = scene
        .twin
        .with(|world| world.cloud().eks.clusters[CLUSTER].nodegroups["general-older"].release.clone());
    assert_eq!(release, "1.32.9-20261023");
    done(&scene.carry(&copy("general-newest", "general", "1.32", 0)).await);
    let other = scene.apply(&call(), &older("general-newest")).await;
    assert!(matches!(other, Outcome::NotDone { class: Class::Conflict, .. }), "{other:?}");
}

#[tokio::test]
async fn a_group_of_that_name_that_is_another_is_not_taken() {
    let scene = Scene::new().await;
    let outcome = scene.apply(&call(), &copy("general", "gpu-inference", "1.31", 1)).await;
    assert!(matches!(outcome, Outcome::NotDone { class: Class::Conflict, .. }), "{outcome:?}");
    let outcome = scene.apply(&call(), &copy("new", "nobody", "1.32", 1)).await;
    assert!(matches!(outcome, Outcome::NotDone { class: Class::Refused, .. }), "{outcome:?}");
}

#[tokio::test]
async fn an_instance_type_that_cannot_be_had_blocks() {
    let scene = Scene::new().await;
    scene.twin.with(|world| world.cloud_mut().no_capacity.push("g5.2xlarge".into()));
    let outcome = scene.carry(&copy("gpu-new", "gpu-inference", "1.32", 1)).await;
    assert!(!matches!(outcome, Outcome::Done { .. }), "{outcome:?}");
    assert!(format!("{outcome:?}").contains("AsgInstanceLaunchFailures"), "{outcome:?}");
}

#[tokio::test]
async fn a_group_is_emptied_node_by_node_and_deleted() {
    let scene = Scene::new().await;
    let outcome = scene.carry(&delete("gpu-inference")).await;
    let Outcome::NotDone { class: Class::Refused, evidence } = &outcome else { panic!("{outcome:?}") };
    assert!(evidence.0[0].contains("still has 2 instances"), "{evidence:?}");

    let all = nodes(&scene, "gpu-inference");
    assert_eq!(all.len(), 2);
    done(&scene.carry_on(call_of("scale"), &scale("gpu-inference", 0, 2, 3)).await);
    for (n, node) in all.iter().enumerate() {
        done(&scene.carry_on(call_of(&format!("node-{n}")), &terminate(node)).await);
    }
    scene.twin.advance_by(Duration::from_mins(5));
    assert_eq!(nodes(&scene, "gpu-inference").len(), 0, "none is replaced");
    assert_eq!(scene.accepted("autoscaling:TerminateInstanceInAutoScalingGroup"), 2);
    done(&scene.carry_on(call_of("delete"), &delete("gpu-inference")).await);
    assert!(!scene.is_there(CloudKind::EksNodegroup, "gpu-inference").await);
    done(&scene.carry_on(call_of("delete"), &delete("gpu-inference")).await);
}

/// Instances of a group of size 0 end by themselves, and are waited for.
#[tokio::test]
async fn a_group_that_was_given_the_size_0_is_deleted_when_its_instances_are_gone() {
    let scene = Scene::new().await;
    done(&scene.carry_on(call_of("scale"), &scale("gpu-inference", 0, 0, 3)).await);
    let at_once = scene.apply(&call_of("delete"), &delete("gpu-inference")).await;
    let Outcome::Blocked { waits_for } = &at_once else { panic!("{at_once:?}") };
    assert!(format!("{waits_for:?}").contains("the size 0 and 2 instances"), "{waits_for:?}");
    assert_eq!(scene.accepted("eks:DeleteNodegroup"), 0, "EKS would drain them its own way");
    done(&scene.carry_on(call_of("delete"), &delete("gpu-inference")).await);
    assert!(!scene.is_there(CloudKind::EksNodegroup, "gpu-inference").await);
}

#[tokio::test]
async fn whichever_answer_is_lost_a_group_gets_smaller_by_one() {
    let scene = Scene::new().await;
    let before = scene.twin.snapshot();
    for nth in 1..=5 {
        scene.twin.restore(before.clone());
        let node = nodes(&scene, "general").remove(0);
        done(&scene.carry_over_loss("*:*", nth, &terminate(&node)).await);
        assert_eq!(scene.accepted("autoscaling:TerminateInstanceInAutoScalingGroup"), 1, "answer {nth} lost");
        let desired =
            scene.read(CloudKind::EksNodegroup, Some("general"), "/scalingConfig/desiredSize").await;
        assert_eq!(desired, 2, "answer {nth} lost");
        assert!(scene.twin.with(|world| world.get(&Key::core("nodes", "", &node.0)).is_none()));
    }
}

#[tokio::test]
async fn a_group_at_its_least_size_says_so() {
    let scene = Scene::new().await;
    done(&scene.carry_on(call_of("scale"), &scale("general", 3, 3, 8)).await);
    let node = nodes(&scene, "general").remove(0);
    let outcome = scene.carry(&terminate(&node)).await;
    let Outcome::NotDone { class: Class::Refused, evidence } = &outcome else { panic!("{outcome:?}") };
    assert!(evidence.0[0].contains("lower its least size"), "{evidence:?}");
}

#[tokio::test]
async fn a_size_that_is_there_already_is_done_without_a_call() {
    let scene = Scene::new().await;
    done(&scene.carry(&scale("general", 2, 3, 8)).await);
    assert_eq!(scene.accepted("eks:UpdateNodegroupConfig"), 0);
    let config = scene.twin.with(|world| world.cloud().eks.clusters[CLUSTER].nodegroups["general"].scaling);
    assert_eq!((config.min, config.desired, config.max), (2, 3, 8));
}
