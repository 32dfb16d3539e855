//! What EKS describes, as JSON in the API's own spelling. Only what is listed here is read: no field of it is a secret, and a
//! condition on a field that is not listed is refused rather than taken for absent. The list stands in the README too.

use std::collections::HashMap;

use aws_sdk_eks::types::{Addon, Cluster, Nodegroup, Taint};
use serde_json::{Value, json};

use crate::json::{Fields, instant};

/// Fields of a cluster.
pub(crate) const CLUSTER: [&str; 13] = [
    "name",
    "arn",
    "version",
    "platformVersion",
    "status",
    "endpoint",
    "createdAt",
    "roleArn",
    "upgradePolicy",
    "computeConfig",
    "resourcesVpcConfig",
    "health",
    "tags",
];

/// Fields of an add-on. Its configuration is left out: people put secrets there.
pub(crate) const ADDON: [&str; 9] = [
    "addonName",
    "addonArn",
    "clusterName",
    "addonVersion",
    "status",
    "createdAt",
    "modifiedAt",
    "serviceAccountRoleArn",
    "health",
];

/// Fields of a node group.
pub(crate) const NODEGROUP: [&str; 20] = [
    "nodegroupName",
    "nodegroupArn",
    "clusterName",
    "version",
    "releaseVersion",
    "status",
    "createdAt",
    "amiType",
    "capacityType",
    "scalingConfig",
    "instanceTypes",
    "subnets",
    "nodeRole",
    "labels",
    "taints",
    "diskSize",
    "updateConfig",
    "launchTemplate",
    "resources",
    "health",
];

/// A cluster.
pub(crate) fn cluster(of: &Cluster) -> Value {
    let policy = of.upgrade_policy().and_then(|policy| policy.support_type());
    let compute = of.compute_config().map(|compute| {
        Fields::default().put("enabled", compute.enabled()).texts("nodePools", compute.node_pools()).done()
    });
    let vpc = of.resources_vpc_config().map(|vpc| {
        Fields::default()
            .texts("subnetIds", vpc.subnet_ids())
            .texts("securityGroupIds", vpc.security_group_ids())
            .put("clusterSecurityGroupId", vpc.cluster_security_group_id())
            .put("vpcId", vpc.vpc_id())
            .done()
    });
    let issue = |issue: &aws_sdk_eks::types::ClusterIssue| {
        issue_of(issue.code().map(|code| code.as_str()), issue.message(), issue.resource_ids())
    };
    let issues = of.health().map(|health| health.issues()).unwrap_or_default();
    Fields::default()
        .put("name", of.name())
        .put("arn", of.arn())
        .put("version", of.version())
        .put("platformVersion", of.platform_version())
        .put("status", of.status().map(|status| status.as_str()))
        .put("endpoint", of.endpoint())
        .put("createdAt", instant(of.created_at()))
        .put("roleArn", of.role_arn())
        .put("upgradePolicy", policy.map(|policy| json!({"supportType": policy.as_str()})))
        .put("computeConfig", compute)
        .put("resourcesVpcConfig", vpc)
        .put("health", Some(json!({"issues": issues.iter().map(issue).collect::<Vec<_>>()})))
        .put("tags", of.tags().map(texts))
        .done()
}

/// An add-on.
pub(crate) fn addon(of: &Addon) -> Value {
    let issue = |issue: &aws_sdk_eks::types::AddonIssue| {
        issue_of(issue.code().map(|code| code.as_str()), issue.message(), issue.resource_ids())
    };
    let issues = of.health().map(|health| health.issues()).unwrap_or_default();
    Fields::default()
        .put("addonName", of.addon_name())
        .put("addonArn", of.addon_arn())
        .put("clusterName", of.cluster_name())
        .put("addonVersion", of.addon_version())
        .put("status", of.status().map(|status| status.as_str()))
        .put("createdAt", instant(of.created_at()))
        .put("modifiedAt", instant(of.modified_at()))
        .put("serviceAccountRoleArn", of.service_account_role_arn())
        .put("health", Some(json!({"issues": issues.iter().map(issue).collect::<Vec<_>>()})))
        .done()
}

/// A node group.
pub(crate) fn nodegroup(of: &Nodegroup) -> Value {
    let scaling = of.scaling_config().map(|scaling| {
        Fields::default()
            .put("minSize", scaling.min_size())
            .put("desiredSize", scaling.desired_size())
            .put("maxSize", scaling.max_size())
            .done()
    });
    let update = of.update_config().map(|update| {
        Fields::default()
            .put("maxUnavailable", update.max_unavailable())
            .put("maxUnavailablePercentage", update.max_unavailable_percentage())
            .put("updateStrategy", update.update_strategy().map(|strategy| strategy.as_str()))
            .done()
    });
    let template = of.launch_template().map(|template| {
        Fields::default()
            .put("id", template.id())
            .put("name", template.name())
            .put("version", template.version())
            .done()
    });
    let groups = of.resources().map(|resources| resources.auto_scaling_groups()).unwrap_or_default();
    let groups: Vec<_> = groups.iter().filter_map(|group| group.name()).collect();
    let groups: Vec<_> = groups.into_iter().map(|name| json!({"name": name})).collect();
    let issue = |issue: &aws_sdk_eks::types::Issue| {
        issue_of(issue.code().map(|code| code.as_str()), issue.message(), issue.resource_ids())
    };
    let issues = of.health().map(|health| health.issues()).unwrap_or_default();
    Fields::default()
        .put("nodegroupName", of.nodegroup_name())
        .put("nodegroupArn", of.nodegroup_arn())
        .put("clusterName", of.cluster_name())
        .put("version", of.version())
        .put("releaseVersion", of.release_version())
        .put("status", of.status().map(|status| status.as_str()))
        .put("createdAt", instant(of.created_at()))
        .put("amiType", of.ami_type().map(|kind| kind.as_str()))
        .put("capacityType", of.capacity_type().map(|kind| kind.as_str()))
        .put("scalingConfig", scaling)
        .texts("instanceTypes", of.instance_types())
        .texts("subnets", of.subnets())
        .put("nodeRole", of.node_role())
        .put("labels", of.labels().map(texts))
        .list("taints", of.taints().iter().map(taint))
        .put("diskSize", of.disk_size())
        .put("updateConfig", update)
        .put("launchTemplate", template)
        .put("resources", Some(json!({"autoScalingGroups": groups})))
        .put("health", Some(json!({"issues": issues.iter().map(issue).collect::<Vec<_>>()})))
        .done()
}

fn taint(of: &Taint) -> Value {
    Fields::default()
        .put("key", of.key())
        .put("value", of.value())
        .put("effect", of.effect().map(|effect| effect.as_str()))
        .done()
}

fn issue_of(code: Option<&str>, message: Option<&str>, resources: &[String]) -> Value {
    Fields::default().put("code", code).put("message", message).texts("resourceIds", resources).done()
}

fn texts(of: &HashMap<String, String>) -> Value {
    of.iter()
        .map(|(key, value)| (key.clone(), Value::String(value.clone())))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[cfg(test)]
mod tests {
    use aws_sdk_eks::types::{
        AddonStatus, ClusterStatus, NodegroupScalingConfig, NodegroupStatus, SupportType,
        UpgradePolicyResponse,
    };

    use super::*;

    /// What is listed is what is read.
    fn listed(fields: &[&str], read: &Value) {
        for name in read.as_object().unwrap().keys() {
            assert!(fields.contains(&name.as_str()), "{name} is read and not listed");
        }
    }

    #[test]
    fn fields_are_in_the_apis_spelling() {
        let policy = UpgradePolicyResponse::builder().support_type(SupportType::Extended).build();
        let of = Cluster::builder()
            .name("mlops")
            .version("1.32")
            .status(ClusterStatus::Active)
            .upgrade_policy(policy)
            .tags("team", "ml")
            .build();
        let read = cluster(&of);
        assert_eq!(read["upgradePolicy"]["supportType"], "EXTENDED");
        assert_eq!(read["health"], json!({"issues": []}));
        assert!(read.get("endpoint").is_none());
        listed(&CLUSTER, &read);

        let scaling = NodegroupScalingConfig::builder().min_size(1).desired_size(2).max_size(3).build();
        let of = Nodegroup::builder()
            .version("1.32")
            .status(NodegroupStatus::Degraded)
            .scaling_config(scaling)
            .build();
        let read = nodegroup(&of);
        assert_eq!(read["scalingConfig"], json!({"minSize": 1, "desiredSize": 2, "maxSize": 3}));
        listed(&NODEGROUP, &read);
    }

    #[test]
    fn an_add_ons_configuration_is_never_read() {
        let of = Addon::builder()
            .addon_name("x")
            .status(AddonStatus::Active)
            .configuration_values("{\"password\": \"hunter2\"}")
            .build();
        assert!(!addon(&of).to_string().contains("hunter2"));
        listed(&ADDON, &addon(&of));
    }
}
