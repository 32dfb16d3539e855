//! Nodes whose driver is in the middle of something: the operator would be left with them, or take them up anew.

use switchback_schemas::inventory::gpu_operator::{GpuNode, GpuOperator};

use super::{BUSY, FAILED, REQUIRED};
use crate::findings::listed;

/// What is in the way, and what somebody does about it.
pub struct Unsettled {
    /// What.
    pub message: String,
    /// What helps.
    pub help: &'static str,
}

/// Everything of this kind that is in the way. Where the images of nodes hold the drivers, nobody upgrades them there.
pub fn unsettled(section: &GpuOperator, of_images: bool) -> Vec<Unsettled> {
    let mut found = Vec::new();
    let mut named = |is: &dyn Fn(&GpuNode) -> bool, what: &str, help: &'static str| {
        let names: Vec<String> =
            section.nodes.iter().filter(|node| is(node)).map(|node| node.name.clone()).collect();
        if !names.is_empty() {
            found.push(Unsettled {
                message: format!("GPU nodes {what}: {}", listed(names.into_iter())),
                help,
            });
        }
    };
    named(
        &|node| !node.paused.is_empty(),
        "have operands that are paused for an upgrade of the driver",
        "where no upgrade is under way, a lost call left them so (operators before 26.3.2): set the labels \
         nvidia.com/gpu.deploy.* that say paused-for-driver-upgrade back to true",
    );
    if of_images {
        return found;
    }
    let at = |node: &GpuNode, state: &str| node.state.as_deref() == Some(state);
    named(
        &|node| BUSY.iter().any(|state| at(node, state)),
        "are in the middle of an upgrade of their driver",
        "wait until they say upgrade-done, then observe again",
    );
    named(
        &|node| at(node, FAILED),
        "say that the upgrade of their driver has failed",
        "mend them; the operator tries again when the label nvidia.com/gpu-driver-upgrade-state is set to upgrade-required",
    );
    named(
        &|node| at(node, REQUIRED) && node.skip.as_deref() != Some("true"),
        "wait for an upgrade of their driver",
        "let it end, or hold them with the label nvidia.com/gpu-driver-upgrade.skip=true, then observe again",
    );
    found
}
