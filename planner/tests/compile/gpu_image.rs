//! Images of GPU nodes, from manifests to a plan: how a group moves to another release, and how its driver is read.

use std::collections::BTreeMap;

use switchback_face::plan::{dry_run::DryRun, rollback};
use switchback_model::{Graph, permissions::Permission, summary::summary};
use switchback_schemas::{
    Diagnostic, Digest, Severity, codes,
    inventory::{Workload, eks::Nodegroup},
    name::{ObjectName, ObjectRef},
    plan::{
        Action, CloudCondition, Condition, Count, Effect, EksEffect, KubeCondition, NodeUndo, Plan, Roll,
        Stale, Step, Test,
    },
};

use crate::{
    world_eks::{EKS, PLATFORM, change, compiled, eks},
    world_gpu_image::{IMAGE, MAJOR, gpu_nodes, has, operator, plan, planned, platform, refused, watched},
};

fn step<'p>(plan: &'p Plan, part: &str) -> &'p Step {
    let found = plan.steps.iter().find(|step| step.id.to_string().ends_with(part));
    found.unwrap_or_else(|| {
        panic!("{part}: {:?}", plan.steps.iter().map(|s| s.id.to_string()).collect::<Vec<_>>())
    })
}

fn roll(plan: &Plan) -> &Roll {
    let Action::Roll(roll) = &step(plan, "/roll").work.action else { panic!("a roll") };
    roll
}

#[test]
fn a_group_moves_to_another_release_like_this() {
    let plan = plan(IMAGE, &watched(|_| ()));
    let graph = Graph::of(&plan).expect("a DAG");
    let summary = summary(&plan, &graph);
    let dry_run =
        DryRun { plan: &plan, graph: &graph, summary: &summary, digest: Digest::of("plan"), steps: true };
    insta::assert_snapshot!(format!("{dry_run}\n{}", rollback::every_rollback(&plan, &graph)));
}

/// `UpdateNodegroupVersion` drains by itself and is said to lead back to no earlier image.
#[test]
fn the_other_release_comes_by_a_copy_and_no_group_is_updated_in_place() {
    let plan = plan(IMAGE, &platform());
    let effects = plan.steps.iter().flat_map(|step| step.work.effects());
    let undone = plan.rollback.iter().flat_map(|step| step.work.effects());
    for effect in effects.chain(undone) {
        assert!(!matches!(effect, Effect::Eks(EksEffect::UpdateNodegroup(_))), "{effect:?}");
    }
    let Action::Effect(Effect::Eks(EksEffect::CreateNodegroup(copy))) = &step(&plan, "/copy").work.action
    else {
        panic!("a copy")
    };
    assert_eq!(copy.release.as_deref(), Some("1.31.13-20261112"));
    assert_eq!((copy.kubernetes.as_str(), copy.nodegroup.as_str()), ("1.31", "gpu-ami-1-31-13-20261112"));
    let Some(Condition::All(there)) = &step(&plan, "/copy").work.done_when else { panic!("what is there") };
    let of_release = there.iter().any(|condition| {
        matches!(condition, Condition::Cloud(CloudCondition::Field { pointer, .. }) if pointer == "/releaseVersion")
    });
    assert!(of_release, "a copy of another release is not taken for this one");
}

/// What the driver is afterwards, the node says: before anything is drained, and again at the end.
#[test]
fn the_driver_is_read_from_every_new_node_before_an_old_one_is_drained() {
    let plan = plan(IMAGE, &platform());
    let seen = &step(&plan, "/wait-ready").id;
    assert!(step(&plan, "/roll").needs.iter().any(|need| need.step == *seen), "not before they are read");
    // By the end an autoscaler may have taken nodes that nothing stood on.
    for (part, least) in [("/wait-ready", 4), ("/done", 1)] {
        let tests: Vec<(u64, String, Vec<Test>)> = step(&plan, part)
            .work
            .verify
            .iter()
            .filter_map(|verify| match &verify.condition {
                Condition::Kube(KubeCondition::Count { find, each, at_least: Some(least), .. }) => Some((
                    *least,
                    find.labels["eks.amazonaws.com/nodegroup"].clone(),
                    each.iter()
                        .filter(|test| {
                            test.pointer == "/metadata/labels/nvidia.com~1cuda.driver-version.full"
                        })
                        .map(|test| test.is.clone())
                        .collect::<Vec<_>>(),
                )),
                _ => None,
            })
            .filter(|(.., tests)| !tests.is_empty())
            .collect();
        let [(nodes, group, of_driver)] = tests.as_slice() else { panic!("{part}: {tests:?}") };
        assert_eq!((*nodes, group.as_str()), (least, "gpu-ami-1-31-13-20261112"), "{part}");
        let v = crate::world::v;
        assert_eq!(*of_driver, [Test::VersionAtLeast(v("580")), Test::VersionBelow(v("581"))]);
    }
}

#[test]
fn new_nodes_offer_what_old_ones_did() {
    let plan = plan(IMAGE, &platform());
    let offers = step(&plan, "/wait-ready").work.verify.iter().any(|verify| {
        matches!(&verify.condition, Condition::Kube(KubeCondition::Count { each, at_least: Some(4), .. })
            if each.iter().any(|test| test.pointer == "/status/allocatable/nvidia.com~1gpu"
                && test.is == Test::QuantityAtLeast(8)))
    });
    assert!(offers);
    let text = refused(
        IMAGE,
        &{
            let mut inventory = platform();
            gpu_nodes(&mut inventory).for_each(|node| {
                node.gpus.insert("nvidia.com/gpu".to_owned(), 0);
            });
            inventory
        },
        codes::PLAN_NOT_READY,
    );
    has(&text, &["no GPU is offered by every Ready node of node group gpu", "device plugin"]);
}

#[test]
fn operands_and_the_device_plugin_are_ready_on_new_nodes() {
    let rollouts = |plan: &Plan| -> Vec<String> {
        step(plan, "/wait-ready")
            .work
            .verify
            .iter()
            .filter(|verify| matches!(verify.condition, Condition::Kube(KubeCondition::Rollout { .. })))
            .map(|verify| verify.title.clone())
            .collect()
    };
    let operands = rollouts(&plan(IMAGE, &operator(|_| ())));
    assert!(operands.iter().any(|title| title.contains("nvidia-device-plugin-daemonset")), "{operands:?}");
    let plugin = |ready: u64| {
        let mut inventory = platform();
        let name = ObjectName::namespaced("kube-system", "nvdp");
        inventory.workloads.push(Workload {
            object: ObjectRef::new("apps/v1", "DaemonSet", &name),
            replicas: 4,
            ready,
            paused: false,
            survives: None,
            labels: BTreeMap::new(),
            containers: vec![switchback_schemas::inventory::Container {
                name: "ctr".to_owned(),
                image: "nvcr.io/nvidia/k8s-device-plugin:v0.17.4".to_owned(),
            }],
        });
        inventory
    };
    assert_eq!(rollouts(&plan(IMAGE, &plugin(4))), ["DaemonSet kube-system/nvdp is Ready on every node"]);
    let text = refused(IMAGE, &plugin(3), codes::PLAN_NOT_READY);
    has(&text, &["DaemonSet kube-system/nvdp has 3 of 4 pods Ready"]);
}

#[test]
fn nvsentinel_leaves_the_nodes_of_a_batch_alone_and_its_breaker_bounds_the_batch() {
    let rollout = "  rollout: {batch: {nodes: 4}, maxUnavailable: {nodes: 4}, minReady: {nodes: 0}}\n";
    let plan = plan(&format!("{IMAGE}{rollout}"), &watched(|_| ()));
    let roll = roll(&plan);
    assert_eq!((roll.batch, roll.max_unavailable), (Count::Nodes(2), Count::Nodes(2)), "half of four nodes");
    let names: Vec<&str> = roll.recipe.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names, ["opt-out", "cordon", "drain", "terminate", "gone"]);
    assert!(
        matches!(roll.recipe[0].undo, NodeUndo::Rollback(_)),
        "a node that is given back is opted in again"
    );
    assert_eq!(roll.recipe[1].needs.len(), 1, "not before it is opted out");
    assert!(roll.verify.iter().any(|verify| verify.title.contains("circuit breaker")), "{:?}", roll.verify);
    assert_eq!(
        roll.stale,
        Stale::LabelNot {
            key: "eks.amazonaws.com/nodegroup".to_owned(),
            value: "gpu-ami-1-31-13-20261112".to_owned(),
            or_left: false,
        }
    );
    let text = refused(IMAGE, &watched(|section| section.nodes[1].quarantined = true), codes::PLAN_NOT_READY);
    has(&text, &["NVSentinel has quarantined GPU nodes: gpu-1"]);
}

#[test]
fn the_old_group_is_retained_and_a_rollback_gives_it_its_nodes_again() {
    let plan = plan(IMAGE, &platform());
    let [kept] = plan.retentions.as_slice() else { panic!("{:?}", plan.retentions) };
    has(&kept.what, &["node group gpu, at size 0"]);
    has(&kept.why, &["rollback of pool gpu to 1.31.13-20261023 needs it"]);
    let back =
        plan.rollback.iter().find(|step| step.id.to_string().ends_with("/allow-empty")).expect("a way back");
    assert!(back.needs_capacity, "the old nodes are made anew");
    has(&back.work.title, &["restore the size of node group gpu", "1.31.13-20261023"]);
}

#[test]
fn the_credentials_that_a_plan_asks_for() {
    let plan = plan(IMAGE, &platform());
    let works = plan.steps.iter().flat_map(|step| switchback_model::permissions::of_forward(&plan, step));
    let mut iam: Vec<String> = works
        .filter_map(|permission| match permission {
            Permission::Iam(iam) => Some(iam.action),
            Permission::Rbac(_) => None,
        })
        .collect();
    iam.sort();
    iam.dedup();
    for action in
        ["eks:CreateNodegroup", "eks:DescribeNodegroup", "eks:UpdateNodegroupConfig", "iam:PassRole"]
    {
        assert!(iam.iter().any(|known| known == action), "{action}: {iam:?}");
    }
    assert!(!iam.iter().any(|known| known == "eks:UpdateNodegroupVersion"), "{iam:?}");
}

#[test]
fn one_release_moves_all_of_the_image_and_the_plan_says_so() {
    let (plan, diagnostics) = planned(PLATFORM, IMAGE, &platform());
    assert!(plan.is_some(), "{diagnostics:#?}");
    let advice: Vec<&Diagnostic> =
        diagnostics.iter().filter(|found| found.severity == Severity::Advice).collect();
    assert!(
        advice
            .iter()
            .any(|found| found.message.contains("moves kernel, kubelet, containerd and driver together")),
        "{advice:#?}"
    );
}

/// What an image holds cannot be told from its release or from a branch.
#[test]
fn a_driver_that_nobody_expects_is_said_as_unknown() {
    let plan = plan(&IMAGE.replace("  driver: {branch: '580'}\n", ""), &eks());
    let blind: Vec<&str> = plan.blind_spots.iter().map(|spot| spot.what.as_str()).collect();
    assert!(blind.contains(&"which driver nodes of release 1.31.13-20261112 have"), "{blind:?}");
    let said = step(&plan, "/wait-ready").work.verify.iter().any(|verify| verify.title.contains("driver"));
    assert!(!said, "nothing is verified that nobody expects");
}

#[test]
fn older_labels_say_the_branch_alone() {
    let mut inventory = eks();
    for node in gpu_nodes(&mut inventory) {
        node.labels.insert(MAJOR.to_owned(), "580".to_owned());
    }
    let plan = plan(IMAGE, &inventory);
    let verify = &step(&plan, "/wait-ready").work.verify;
    assert!(verify.iter().any(|verify| verify.title.contains("nvidia.com/cuda.driver.major")), "{verify:#?}");
    let exact = IMAGE.replace("{branch: '580'}", "{atLeast: '580.95.05'}");
    let text = refused(&exact, &inventory, codes::PLAN_NOT_READY);
    has(&text, &["the branch of their driver alone", "{branch: '580'}"]);
}

#[test]
fn cuda_alone_has_the_oldest_driver_that_it_works_with_looked_for() {
    let plan = plan(&IMAGE.replace("driver: {branch: '580'}", "cuda: '13.0'"), &platform());
    let verify = &step(&plan, "/wait-ready").work.verify;
    assert!(verify.iter().any(|verify| verify.title.contains("driver 580 or newer")), "{verify:#?}");
}

/// Both move the groups of the cluster.
/// Of a group that an image has replaced, the next minor sees what is kept at size 0 and moves the one that took over.
#[test]
fn the_next_minor_moves_the_group_that_took_over() {
    let mut inventory = platform();
    change(&mut inventory, |cluster| {
        let new = Nodegroup {
            name: "gpu-ami-1-31-13-20261112".to_owned(),
            release: "1.31.13-20261112".to_owned(),
            ..cluster.nodegroups[0].clone()
        };
        (cluster.nodegroups[0].min, cluster.nodegroups[0].desired) = (0, 0);
        // Of two moves of its image: each has left one.
        let between = Nodegroup {
            name: "gpu-ami-1-31-13-20261101".to_owned(),
            release: "1.31.13-20261101".to_owned(),
            ..cluster.nodegroups[0].clone()
        };
        cluster.nodegroups.extend([between, new]);
    });
    for node in gpu_nodes(&mut inventory) {
        node.labels.insert("eks.amazonaws.com/nodegroup".to_owned(), "gpu-ami-1-31-13-20261112".to_owned());
    }
    let files = [("platform.yaml", PLATFORM), ("eks.yaml", EKS)];
    let (plan, diagnostics) = compiled(&files, &inventory, crate::world_eks::addons());
    let plan = plan.unwrap_or_else(|| panic!("{diagnostics:#?}"));
    let ids: Vec<String> = plan.steps.iter().map(|step| step.id.to_string()).collect();
    for name in ["gpu", "gpu-ami-1-31-13-20261101"] {
        assert!(ids.iter().any(|id| id.ends_with(&format!("delete-retained/{name}"))), "{name}: {ids:?}");
    }
    let copies: Vec<String> = plan
        .steps
        .iter()
        .filter_map(|step| match &step.work.action {
            Action::Effect(Effect::Eks(EksEffect::CreateNodegroup(copy))) => {
                Some(format!("{} {}", copy.like, copy.nodegroup))
            }
            _ => None,
        })
        .collect();
    assert_eq!(copies, ["gpu-ami-1-31-13-20261112 gpu-1-32"]);
}
