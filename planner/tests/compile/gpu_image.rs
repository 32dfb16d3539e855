//! Images of GPU nodes, from manifests to a plan: how a group moves to another release, and what is refused.

use std::collections::BTreeMap;

use switchback_face::plan::{dry_run::DryRun, rollback};
use switchback_model::{Graph, lint::lint, permissions::Permission, summary::summary};
use switchback_schemas::{
    ComponentName, Diagnostic, Digest, Severity,
    codes::{self, Code},
    inventory::{
        Inventory, Node, Workload, eks::Nodegroup, gpu_operator::GpuOperator, nvsentinel::Nvsentinel,
    },
    name::{ObjectName, ObjectRef},
    plan::{
        Action, CloudCondition, Condition, Count, Effect, EksEffect, KubeCondition, NodeUndo, Plan, Roll,
        Stale, Step, Test,
    },
};

use crate::{
    world_eks::{EKS, PLATFORM, change, compiled, eks, eks_and_karpenter},
    world_gpu::{section, sentinel},
};

const IMAGE: &str = r"
apiVersion: switchback.dev/v1alpha1
kind: GpuNodeImageUpgrade
metadata: {name: gpu}
spec:
  target: cluster
  to: '1.31.13-20261112'
  nodeGroups: [gpu]
  driver: {branch: '580'}
";

const FULL: &str = "nvidia.com/cuda.driver-version.full";
const MAJOR: &str = "nvidia.com/cuda.driver.major";

fn gpu_nodes(inventory: &mut Inventory) -> impl Iterator<Item = &mut Node> {
    inventory.nodes.iter_mut().filter(|node| !node.gpus.is_empty())
}

/// The platform, whose GPU nodes say their driver.
fn platform() -> Inventory {
    let mut inventory = eks();
    for node in gpu_nodes(&mut inventory) {
        node.labels.insert(FULL.to_owned(), "580.95.05".to_owned());
    }
    inventory
}

/// The same with what an operator or NVSentinel says of itself.
fn with<T: serde::Serialize>(name: &str, section: &T) -> Inventory {
    let mut inventory = platform();
    let name = ComponentName::new(name).expect("a name");
    inventory.components.insert(name, serde_json::to_value(section).expect("JSON"));
    inventory
}

/// An operator that leaves drivers to images.
fn operator(change: impl FnOnce(&mut GpuOperator)) -> Inventory {
    let mut section = section();
    section.driver.as_mut().expect("a driver").enabled = false;
    section.daemon_sets.retain(|set| !set.driver);
    for node in &mut section.nodes {
        (node.state, node.driver) = (None, None);
    }
    change(&mut section);
    with("gpu-operator", &section)
}

fn watched(change: impl FnOnce(&mut Nvsentinel)) -> Inventory {
    let mut section = sentinel();
    change(&mut section);
    with("nvsentinel", &section)
}

fn of_group(change_: impl FnOnce(&mut Nodegroup)) -> Inventory {
    let mut inventory = platform();
    change(&mut inventory, |cluster| change_(&mut cluster.nodegroups[0]));
    inventory
}

fn planned(platform: &str, manifest: &str, inventory: &Inventory) -> (Option<Plan>, Vec<Diagnostic>) {
    compiled(&[("platform.yaml", platform), ("image.yaml", manifest)], inventory, Vec::new())
}

#[track_caller]
fn plan(manifest: &str, inventory: &Inventory) -> Plan {
    let (plan, diagnostics) = planned(PLATFORM, manifest, inventory);
    let plan = plan.unwrap_or_else(|| panic!("a plan, not {diagnostics:#?}"));
    assert_eq!(lint(&plan), []);
    plan
}

/// What is said under a code where no plan comes out.
#[track_caller]
fn refused_on(platform: &str, manifest: &str, inventory: &Inventory, code: Code) -> String {
    let (plan, diagnostics) = planned(platform, manifest, inventory);
    assert!(plan.is_none(), "no plan comes out of an error");
    let errors: Vec<&Diagnostic> = diagnostics.iter().filter(|found| found.is_error()).collect();
    let [found] = errors.as_slice() else { panic!("one error of {code}, not {diagnostics:#?}") };
    assert_eq!(found.code, code, "{found:#?}");
    format!("{} ({})", found.message, found.help.as_deref().expect("a way out"))
}

#[track_caller]
fn refused(manifest: &str, inventory: &Inventory, code: Code) -> String {
    refused_on(PLATFORM, manifest, inventory, code)
}

#[track_caller]
fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

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
    for part in ["/wait-ready", "/done"] {
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
        assert_eq!((*nodes, group.as_str()), (4, "gpu-ami-1-31-13-20261112"), "each of them");
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
fn a_driver_that_no_label_says_cannot_be_expected() {
    let text = refused(IMAGE, &eks(), codes::PLAN_NOT_READY);
    has(&text, &["node group gpu: nothing says which driver a node has", FULL, "GPU feature discovery"]);
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

#[test]
fn cuda_that_is_newer_than_the_driver() {
    let manifest = IMAGE.replace("{branch: '580'}", "{atLeast: '570.124.06'}") + "  cuda: '13.0'\n";
    let text = refused(&manifest, &platform(), codes::PATH_REQUIREMENT);
    has(&text, &["CUDA 13.0 needs a driver of at least 580, and 570.124.06 is older"]);
}

#[test]
fn a_branch_that_has_ended() {
    let text = refused(&IMAGE.replace("'580'", "'535'"), &platform(), codes::PATH_SUPPORT);
    has(&text, &["driver 535 is of branch 535 (long term support), which ended 2026-06-30"]);
}

#[test]
fn a_product_that_the_driver_does_not_know() {
    let mut inventory = platform();
    for node in gpu_nodes(&mut inventory) {
        node.labels.insert("nvidia.com/gpu.product".to_owned(), "NVIDIA-B200".to_owned());
    }
    let manifest = IMAGE.replace("{branch: '580'}", "{atLeast: '565'}");
    let text = refused(&manifest, &inventory, codes::PATH_REQUIREMENT);
    has(&text, &["B200 needs a driver of at least 570.133.20, and 565 is older"]);
}

#[test]
fn g7_on_bottlerocket_needs_a_driver_that_its_images_do_not_hold() {
    let bottlerocket = of_group(|group| {
        group.ami_type = "BOTTLEROCKET_x86_64_NVIDIA".to_owned();
        group.release = "1.49.0-0a1b2c3d".to_owned();
        group.instance_types = vec!["g7.2xlarge".to_owned()];
    });
    let manifest = IMAGE.replace("1.31.13-20261112", "1.50.0-4e5f6a7b");
    let text = refused(&manifest, &bottlerocket, codes::PLAN_NOT_READY);
    has(&text, &["has g7.2xlarge, which needs a driver of at least 595", "AL2023_x86_64_NVIDIA"]);
    plan(&manifest.replace("branch: '580'", "atLeast: '595.91'"), &bottlerocket);
}

#[test]
fn a_release_of_another_minor() {
    let text = refused(&IMAGE.replace("1.31.13", "1.32.9"), &platform(), codes::PLAN_STRATEGY);
    has(&text, &["release 1.32.9-20261112 is of minor 1.32, and node group gpu is at 1.31", "EksUpgrade"]);
}

#[test]
fn a_release_of_another_kind_of_image() {
    let text =
        refused(&IMAGE.replace("1.31.13-20261112", "1.50.0-4e5f6a7b"), &platform(), codes::PLAN_STRATEGY);
    has(&text, &["reads like a release of Bottlerocket", "AL2023_x86_64_NVIDIA"]);
}

#[test]
fn a_release_that_is_older_than_the_one_there() {
    let text = refused(&IMAGE.replace("20261112", "20260714"), &platform(), codes::PATH_BACKWARDS);
    has(&text, &["node group gpu is at 1.31.13-20261023, which is newer than 1.31.13-20260714", "roll back"]);
}

#[test]
fn a_release_that_is_there_already() {
    let (plan, diagnostics) = planned(PLATFORM, &IMAGE.replace("20261112", "20261023"), &platform());
    assert!(plan.is_none_or(|plan| plan.steps.is_empty()));
    assert!(diagnostics.iter().any(|found| found.code == codes::PLAN_UNCHANGED), "{diagnostics:#?}");
}

#[test]
fn a_custom_image() {
    let text = refused(IMAGE, &of_group(|group| group.ami_type = "CUSTOM".to_owned()), codes::PLAN_STRATEGY);
    has(&text, &["node group gpu has a custom image", "launch template"]);
}

#[test]
fn an_image_without_a_driver() {
    let text = refused(&IMAGE.replace("[gpu]", "[system]"), &platform(), codes::PLAN_STRATEGY);
    has(
        &text,
        &["node group system is of AL2023_x86_64_STANDARD, which this build knows no driver of NVIDIA in"],
    );
}

#[test]
fn drivers_that_the_operator_installs() {
    let enabled = operator(|section| section.driver.as_mut().expect("a driver").enabled = true);
    let text = refused(IMAGE, &enabled, codes::MANIFEST_NOT_BUILT);
    has(&text, &["the GPU Operator installs the drivers", "GpuDriverUpgrade"]);
    let objects = operator(|section| section.nvidia_drivers.push("demo".to_owned()));
    has(&refused(IMAGE, &objects, codes::MANIFEST_NOT_BUILT), &["GpuDriverUpgrade"]);
}

#[test]
fn a_pool_that_eks_drains_itself() {
    let platform_ = PLATFORM.replace("strategy: replace-group", "strategy: group-update");
    let text = refused_on(&platform_, IMAGE, &platform(), codes::PLAN_STRATEGY);
    has(&text, &["pool gpu of node group gpu does not move by replace-group", "no earlier image"]);
}

#[test]
fn machines_that_are_not_there_for_a_second_group() {
    let block = PLATFORM
        .replace("{pool: gpu}, tier: 1, capacity: on-demand", "{pool: gpu}, tier: 1, capacity: block");
    let text = refused_on(&block, IMAGE, &platform(), codes::PLAN_CAPACITY);
    has(&text, &["the copy of node group gpu needs 4 nodes beside it", "capacity block"]);
}

#[test]
fn a_group_that_is_not_there_or_is_karpenters() {
    let text = refused(&IMAGE.replace("[gpu]", "[gpus]"), &platform(), codes::PLAN_NOT_READY);
    has(&text, &["EKS cluster mlops-dev has no node group gpus", "gpu, system"]);
    for name in ["general", "default"] {
        let manifest = IMAGE.replace("[gpu]", &format!("[{name}]"));
        let text = refused(&manifest, &eks_and_karpenter(), codes::MANIFEST_NOT_BUILT);
        has(&text, &[name, "is Karpenter's", "amiSelectorTerms", "do-not-disrupt"]);
    }
}

#[test]
fn a_group_without_nodes_and_one_that_is_not_healthy() {
    let empty = of_group(|group| (group.min, group.desired) = (0, 0));
    has(&refused(IMAGE, &empty, codes::PLAN_NOT_READY), &["node group gpu has no nodes"]);
    let degraded = of_group(|group| group.status = "DEGRADED".to_owned());
    has(&refused(IMAGE, &degraded, codes::PLAN_NOT_READY), &["node group gpu is not healthy: DEGRADED"]);
}

#[test]
fn a_name_that_another_group_has() {
    let mut inventory = platform();
    change(&mut inventory, |cluster| {
        let taken = Nodegroup {
            name: "gpu-ami-1-31-13-20261112".to_owned(),
            labels: BTreeMap::new(),
            ..cluster.nodegroups[0].clone()
        };
        cluster.nodegroups.push(taken);
    });
    has(&refused(IMAGE, &inventory, codes::PLAN_STRATEGY), &["there is one of that name", "roll back"]);
}

/// Both move the groups of the cluster.
#[test]
fn an_upgrade_of_the_minor_beside_it() {
    let files = [("platform.yaml", PLATFORM), ("image.yaml", IMAGE), ("eks.yaml", EKS)];
    let (plan, diagnostics) = compiled(&files, &platform(), Vec::new());
    assert!(plan.is_none());
    assert!(
        diagnostics
            .iter()
            .any(|found| found.is_error() && found.message.contains("the EKS cluster `cluster`")),
        "{diagnostics:#?}"
    );
}

#[test]
fn what_a_manifest_says_against_itself() {
    let codes_of = |manifest: &str| -> Vec<(Code, String)> {
        let (plan, diagnostics) = planned(PLATFORM, manifest, &platform());
        assert!(plan.is_none());
        diagnostics
            .into_iter()
            .filter(Diagnostic::is_error)
            .map(|found| (found.code, found.message))
            .collect()
    };
    let one = |manifest: &str, code: Code, part: &str| {
        let found = codes_of(manifest);
        assert!(found.iter().any(|(of, text)| *of == code && text.contains(part)), "{found:?}");
    };
    one(
        &IMAGE.replace("1.31.13-20261112", "1.31"),
        codes::MANIFEST_BAD_VALUE,
        "is not a release of an image",
    );
    one(&IMAGE.replace("[gpu]", "[]"), codes::MANIFEST_BAD_VALUE, "names no node group");
    one(&IMAGE.replace("[gpu]", "[gpu, gpu]"), codes::MANIFEST_DUPLICATE, "`gpu` twice");
    one(&IMAGE.replace("'580'", "'580.95'"), codes::MANIFEST_BAD_VALUE, "is not a branch of a driver");
}

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
        cluster.nodegroups.push(new);
    });
    for node in gpu_nodes(&mut inventory) {
        node.labels.insert("eks.amazonaws.com/nodegroup".to_owned(), "gpu-ami-1-31-13-20261112".to_owned());
    }
    let files = [("platform.yaml", PLATFORM), ("eks.yaml", EKS)];
    let (plan, diagnostics) = compiled(&files, &inventory, crate::world_eks::addons());
    let plan = plan.unwrap_or_else(|| panic!("{diagnostics:#?}"));
    let ids: Vec<String> = plan.steps.iter().map(|step| step.id.to_string()).collect();
    assert!(ids.iter().any(|id| id.ends_with("delete-retained/gpu")), "{ids:?}");
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
