//! The small EKS platform whose GPU nodes say the driver of their image, and what is compiled and refused on it.

use switchback_model::lint::lint;
use switchback_schemas::{
    ComponentName, Diagnostic,
    codes::Code,
    inventory::{Inventory, Node, eks::Nodegroup, gpu_operator::GpuOperator, nvsentinel::Nvsentinel},
    plan::Plan,
};

use crate::{
    world_eks::{PLATFORM, change, compiled, eks},
    world_gpu::{section, sentinel},
};

pub(crate) const IMAGE: &str = r"
apiVersion: switchback.dev/v1alpha1
kind: GpuNodeImageUpgrade
metadata: {name: gpu}
spec:
  target: cluster
  to: '1.31.13-20261112'
  nodeGroups: [gpu]
  driver: {branch: '580'}
";

pub(crate) const FULL: &str = "nvidia.com/cuda.driver-version.full";
pub(crate) const MAJOR: &str = "nvidia.com/cuda.driver.major";

pub(crate) fn gpu_nodes(inventory: &mut Inventory) -> impl Iterator<Item = &mut Node> {
    inventory.nodes.iter_mut().filter(|node| !node.gpus.is_empty())
}

/// The platform, whose GPU nodes say their driver.
pub(crate) fn platform() -> Inventory {
    let mut inventory = eks();
    for node in gpu_nodes(&mut inventory) {
        node.labels.insert(FULL.to_owned(), "580.95.05".to_owned());
    }
    inventory
}

/// The same with what an operator or NVSentinel says of itself.
pub(crate) fn with<T: serde::Serialize>(name: &str, section: &T) -> Inventory {
    let mut inventory = platform();
    let name = ComponentName::new(name).expect("a name");
    inventory.components.insert(name, serde_json::to_value(section).expect("JSON"));
    inventory
}

/// An operator that leaves drivers to images.
pub(crate) fn operator(change: impl FnOnce(&mut GpuOperator)) -> Inventory {
    let mut section = section();
    section.driver.as_mut().expect("a driver").enabled = false;
    section.daemon_sets.retain(|set| !set.driver);
    for node in &mut section.nodes {
        (node.state, node.driver) = (None, None);
    }
    change(&mut section);
    with("gpu-operator", &section)
}

pub(crate) fn watched(change: impl FnOnce(&mut Nvsentinel)) -> Inventory {
    let mut section = sentinel();
    change(&mut section);
    with("nvsentinel", &section)
}

pub(crate) fn of_group(change_: impl FnOnce(&mut Nodegroup)) -> Inventory {
    let mut inventory = platform();
    change(&mut inventory, |cluster| change_(&mut cluster.nodegroups[0]));
    inventory
}

pub(crate) fn planned(
    platform: &str,
    manifest: &str,
    inventory: &Inventory,
) -> (Option<Plan>, Vec<Diagnostic>) {
    compiled(&[("platform.yaml", platform), ("image.yaml", manifest)], inventory, Vec::new())
}

#[track_caller]
pub(crate) fn plan(manifest: &str, inventory: &Inventory) -> Plan {
    let (plan, diagnostics) = planned(PLATFORM, manifest, inventory);
    let plan = plan.unwrap_or_else(|| panic!("a plan, not {diagnostics:#?}"));
    assert_eq!(lint(&plan), []);
    plan
}

/// What is said under a code where no plan comes out.
#[track_caller]
pub(crate) fn refused_on(platform: &str, manifest: &str, inventory: &Inventory, code: Code) -> String {
    let (plan, diagnostics) = planned(platform, manifest, inventory);
    assert!(plan.is_none(), "no plan comes out of an error");
    let errors: Vec<&Diagnostic> = diagnostics.iter().filter(|found| found.is_error()).collect();
    let [found] = errors.as_slice() else { panic!("one error of {code}, not {diagnostics:#?}") };
    assert_eq!(found.code, code, "{found:#?}");
    format!("{} ({})", found.message, found.help.as_deref().expect("a way out"))
}

#[track_caller]
pub(crate) fn refused(manifest: &str, inventory: &Inventory, code: Code) -> String {
    refused_on(PLATFORM, manifest, inventory, code)
}

#[track_caller]
pub(crate) fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}
