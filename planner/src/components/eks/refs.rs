//! How things of an EKS cluster are called: in the cloud's API, in IAM, and as labels of nodes.

use switchback_schemas::{
    Version,
    name::Label,
    plan::{Arn, CloudKind, CloudRef, Condition, Operand, Permission, Test},
};

use crate::lower::aws::{beside, iam, of_cluster};

/// The label of a node that says which managed group it is of.
pub(super) const NODEGROUP: &str = "eks.amazonaws.com/nodegroup";
/// The label of a node that says which NodePool it is of.
pub(super) const NODEPOOL: &str = "karpenter.sh/nodepool";
/// How long the name of a managed group may be.
const LONGEST: usize = 63;

/// A cluster's own things.
#[derive(Clone, Debug)]
pub(super) struct Names {
    /// The target.
    pub(super) target: Label,
    /// The cluster.
    pub(super) arn: Arn,
}

impl Names {
    fn reference(&self, kind: CloudKind, name: Option<&str>) -> CloudRef {
        CloudRef { target: self.target.clone(), kind, name: name.map(str::to_owned) }
    }

    /// The cluster.
    pub(super) fn cluster(&self) -> CloudRef {
        self.reference(CloudKind::EksCluster, None)
    }

    /// An add-on.
    pub(super) fn addon(&self, name: &str) -> CloudRef {
        self.reference(CloudKind::EksAddon, Some(name))
    }

    /// A managed group.
    pub(super) fn group(&self, name: &str) -> CloudRef {
        self.reference(CloudKind::EksNodegroup, Some(name))
    }

    /// Actions on the cluster.
    pub(super) fn on_cluster(&self, actions: &[&str]) -> Vec<Permission> {
        actions.iter().map(|action| iam(&format!("eks:{action}"), self.arn.as_str())).collect()
    }

    /// Actions on an add-on.
    pub(super) fn on_addon(&self, name: &str, actions: &[&str]) -> Vec<Permission> {
        let resource = of_cluster(&self.arn, "addon", name);
        actions.iter().map(|action| iam(&format!("eks:{action}"), resource.clone())).collect()
    }

    /// Actions on a managed group.
    pub(super) fn on_group(&self, name: &str, actions: &[&str]) -> Vec<Permission> {
        let resource = of_cluster(&self.arn, "nodegroup", name);
        actions.iter().map(|action| iam(&format!("eks:{action}"), resource.clone())).collect()
    }

    /// What a copy of a group needs beside: its launch template is read, and instances are made of it.
    pub(super) fn on_copy() -> Vec<Permission> {
        ["ec2:DescribeLaunchTemplateVersions", "ec2:RunInstances"].map(|action| iam(action, "*")).to_vec()
    }

    /// To end an instance of a group.
    pub(super) fn on_instances(&self) -> Vec<Permission> {
        let groups = format!("{}:autoScalingGroup:*", beside(&self.arn, "autoscaling"));
        vec![
            iam("autoscaling:TerminateInstanceInAutoScalingGroup", groups),
            iam("autoscaling:DescribeAutoScalingInstances", "*"),
            iam("ec2:DescribeInstances", "*"),
        ]
    }
}

/// A field of something at the cloud provider has a value.
pub(super) fn is(of: &CloudRef, pointer: &str, value: Operand) -> Condition {
    Condition::Cloud { of: of.clone(), pointer: pointer.to_owned(), is: Test::Equals(value) }
}

/// A field has a text.
pub(super) fn says(of: &CloudRef, pointer: &str, text: &str) -> Condition {
    is(of, pointer, Operand::Value(serde_json::json!(text)))
}

/// Something is not there.
pub(super) fn absent(of: &CloudRef) -> Condition {
    Condition::Cloud { of: of.clone(), pointer: String::new(), is: Test::Absent {} }
}

/// The name of the group that takes over at a minor: `gpu` and `gpu-1-32` both become `gpu-1-33`.
pub(super) fn successor(group: &str, minor: &Version) -> String {
    let suffix = format!("-{}-{}", minor.major(), minor.minor());
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts: Vec<&str> = group.rsplitn(3, '-').collect();
    let numbered = matches!(parts.as_slice(), [minor, major, base] if digits(minor) && digits(major) && !base.is_empty());
    let base = if numbered { parts.pop().unwrap_or(group) } else { group };
    let kept: String = base.chars().take(LONGEST - suffix.len()).collect();
    format!("{}{suffix}", kept.trim_end_matches('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_named_after_its_minor() {
        let v = |text: &str| text.parse::<Version>().expect(text);
        assert_eq!(successor("gpu", &v("1.33")), "gpu-1-33");
        assert_eq!(successor("gpu-1-32", &v("1.33")), "gpu-1-33");
        assert_eq!(successor("gpu-a-2", &v("1.33")), "gpu-a-2-1-33");
        assert_eq!(successor(&"x".repeat(63), &v("1.33")).len(), 63);
    }
}
