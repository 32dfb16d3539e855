//! The kind `GpuNodeImageUpgrade`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use switchback_schemas::{
    Version, codes,
    manifest::{OnFailure, Requires, Rollout},
    name::Label,
};

use crate::manifest::{Checks, upgrade};

/// Moves GPU nodes of managed node groups to another image of their minor: kernel, kubelet, containerd and NVIDIA driver together. For
/// drivers that the GPU Operator installs there is `GpuDriverUpgrade`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GpuNodeImageUpgrade {
    /// The cluster.
    pub target: Label,
    /// The release of the image to reach, as EKS names it: `1.33.5-20261112` of AL2023, `1.50.0-0a1b2c3d` of Bottlerocket.
    pub to: Version,
    /// The managed node groups that move. Each is of a pool that moves by replace-group.
    pub node_groups: Vec<String>,
    /// The driver that every new node has to have, read from the node. Without it the plan says that nobody looks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<ExpectedDriver>,
    /// How nodes move.
    #[serde(default)]
    pub rollout: Rollout,
    /// The newest CUDA that workloads on the nodes are built for: no API shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cuda: Option<Version>,
    /// What must come first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<Requires>,
    /// Verifications after the upgrade.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verify: Vec<Label>,
    /// What follows a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
}

/// The driver that a node has to have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum ExpectedDriver {
    /// This one or a newer one.
    AtLeast(Version),
    /// One of this branch, such as `"580"`.
    Branch(Version),
}

impl ExpectedDriver {
    /// The oldest driver that it lets pass.
    pub fn oldest(&self) -> &Version {
        match self {
            Self::AtLeast(version) | Self::Branch(version) => version,
        }
    }
}

upgrade!(GpuNodeImageUpgrade);

/// Whether a version is a branch of a driver, such as `580`, and no driver.
pub(super) fn is_branch(version: &Version) -> bool {
    version.as_str().bytes().all(|byte| byte.is_ascii_digit())
}

/// What a document says against itself.
pub(super) fn check(spec: &GpuNodeImageUpgrade, checks: &mut Checks<'_, '_>) {
    checks.rollout_sizes(&spec.rollout);
    if spec.to.patch().is_none() || !spec.to.as_str().contains('-') || spec.to.as_str().starts_with('v') {
        checks.error(
            codes::MANIFEST_BAD_VALUE,
            format!("`{}` is not a release of an image", spec.to),
            ("/spec/to", "which image is not said"),
            "write it as EKS lists it, such as '1.33.5-20261112': `aws ssm get-parameters-by-path --path /aws/service/eks/optimized-ami/`",
        );
    }
    if spec.node_groups.is_empty() {
        let help = "name the node groups whose nodes get the image";
        let at = ("/spec/nodeGroups", "none");
        checks.error(codes::MANIFEST_BAD_VALUE, "`nodeGroups` names no node group", at, help);
    }
    for (number, name) in spec.node_groups.iter().enumerate() {
        if let Some(first) = spec.node_groups.iter().position(|other| other == name).filter(|n| *n < number) {
            checks.pair(
                codes::MANIFEST_DUPLICATE,
                format!("`spec.nodeGroups` has `{name}` twice"),
                (&format!("/spec/nodeGroups/{number}"), "the same group again"),
                (&format!("/spec/nodeGroups/{first}"), "first used here"),
                "keep one of them",
            );
        }
    }
    if let Some(ExpectedDriver::Branch(branch)) = &spec.driver
        && !is_branch(branch)
    {
        checks.error(
            codes::MANIFEST_BAD_VALUE,
            format!("`{branch}` is not a branch of a driver"),
            ("/spec/driver/branch", "more than a branch"),
            format!("write '{}', or `atLeast: '{branch}'`", branch.major()),
        );
    }
}
