//! What the compiler refuses of an upgrade of GPU nodes' images, and what it says.

use std::collections::BTreeMap;

use switchback_schemas::{
    Diagnostic,
    codes::{self, Code},
    inventory::eks::Nodegroup,
};

use crate::{
    world_eks::{EKS, PLATFORM, change, compiled, eks, eks_and_karpenter},
    world_gpu_image::{
        FULL, IMAGE, gpu_nodes, has, of_group, operator, plan, planned, platform, refused, refused_on,
    },
};

#[test]
fn a_driver_that_no_label_says_cannot_be_expected() {
    let text = refused(IMAGE, &eks(), codes::PLAN_NOT_READY);
    has(&text, &["node group gpu: nothing says which driver a node has", FULL, "GPU feature discovery"]);
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

/// The same manifests after the upgrade: what it left is said, whether the old group is retained or was cleaned up.
#[test]
fn a_group_that_was_replaced_already() {
    for retained in [true, false] {
        let mut inventory = platform();
        change(&mut inventory, |cluster| {
            let new = Nodegroup {
                name: "gpu-ami-1-31-13-20261112".to_owned(),
                release: "1.31.13-20261112".to_owned(),
                ..cluster.nodegroups[0].clone()
            };
            if retained {
                (cluster.nodegroups[0].min, cluster.nodegroups[0].desired) = (0, 0);
            } else {
                cluster.nodegroups.remove(0);
            }
            cluster.nodegroups.push(new);
        });
        let (plan, diagnostics) = planned(PLATFORM, IMAGE, &inventory);
        assert!(plan.is_none_or(|plan| plan.steps.is_empty()));
        assert!(!diagnostics.iter().any(Diagnostic::is_error), "{diagnostics:#?}");
        let said = diagnostics.iter().any(|found| {
            let which = "node group gpu was replaced by gpu-ami-1-31-13-20261112";
            found.code == codes::PLAN_UNCHANGED && found.message.contains(which)
        });
        assert!(said, "{diagnostics:#?}");
    }
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
