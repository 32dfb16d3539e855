//! `eks.create-nodegroup`: a managed group as a copy of another one.

use std::collections::HashMap;

use aws_sdk_eks::types::{AmiTypes, Nodegroup, NodegroupStatus};
use serde_json::Value;
use switchback_executor::ports::Classify as _;
use switchback_schemas::{Version, journal::Outcome, plan::EksCreateNodegroup};

use super::{Scene, Size, issues};
use crate::{
    classify::CallError,
    eks,
    outcome::{capacity, conflict, done, operation, refused},
};

pub(super) async fn run(scene: &Scene<'_>, effect: &EksCreateNodegroup<Value>) -> Result<Outcome, CallError> {
    let (cluster, name) = (scene.name(), effect.nodegroup.as_str());
    if let Some(found) = eks::nodegroup(scene.aws(), cluster, name).await? {
        return Ok(judge(&found, effect, cluster));
    }
    let size = Size::read(&effect.size)?;
    let Some(like) = eks::nodegroup(scene.aws(), cluster, &effect.like).await? else {
        return Ok(refused(format!(
            "node group {name} is to be a copy of {}, which cluster {cluster} does not have",
            effect.like
        )));
    };
    let ami = effect.ami_type.as_deref().map(AmiTypes::from).or_else(|| like.ami_type().cloned());
    if ami == Some(AmiTypes::Custom) {
        return Ok(refused(format!(
            "node group {} has an AMI of its own: a copy of it at another minor needs a launch template that a person makes",
            effect.like
        )));
    }
    let sent = copy(scene, &like)
        .cluster_name(cluster)
        .nodegroup_name(name)
        .scaling_config(size.config())
        .set_ami_type(ami)
        .version(effect.kubernetes.minor_line().as_str())
        .set_release_version(effect.release.clone())
        .client_request_token(&scene.call.token)
        .send();
    match scene.aws().call(sent).await {
        Ok(_) => Ok(operation(name, format!("node group {name} of cluster {cluster} is CREATING"))),
        // It was made by a call whose answer was lost, or by somebody else: the next call looks at it.
        Err(error) if error.is_in_use() => match eks::nodegroup(scene.aws(), cluster, name).await? {
            Some(found) => Ok(judge(&found, effect, cluster)),
            None => Ok(error.of_write()),
        },
        Err(error) => Ok(error.of_write()),
    }
}

/// Everything that the other group has and that is not asked for otherwise.
fn copy(
    scene: &Scene<'_>,
    like: &Nodegroup,
) -> aws_sdk_eks::operation::create_nodegroup::builders::CreateNodegroupFluentBuilder {
    // With a launch template, what it holds must not be given again: EKS shows those fields as empty then.
    let list = |items: &[String]| (!items.is_empty()).then(|| items.to_vec());
    let taints = like.taints();
    let given = |key: &String| !key.starts_with("aws:") && !key.starts_with("eks:");
    let tags = like.tags().into_iter().flatten().filter(|(key, _)| given(key));
    let mut tags: HashMap<String, String> = tags.map(|(key, value)| (key.clone(), value.clone())).collect();
    tags.insert(EksCreateNodegroup::COPY_OF.to_owned(), like.nodegroup_name().unwrap_or_default().to_owned());
    scene
        .aws()
        .eks
        .create_nodegroup()
        .set_subnets(list(like.subnets()))
        .set_instance_types(list(like.instance_types()))
        .set_node_role(like.node_role().map(str::to_owned))
        .set_labels(like.labels().cloned())
        .set_taints((!taints.is_empty()).then(|| taints.to_vec()))
        .set_tags(Some(tags))
        .set_disk_size(like.disk_size().filter(|_| like.launch_template().is_none()))
        .set_remote_access(like.remote_access().cloned())
        .set_launch_template(like.launch_template().map(template))
        .set_update_config(like.update_config().cloned())
        .set_node_repair_config(like.node_repair_config().cloned())
        .set_capacity_type(like.capacity_type().cloned())
}

/// A launch template by its id alone: the API takes id or name, not both.
fn template(
    of: &aws_sdk_eks::types::LaunchTemplateSpecification,
) -> aws_sdk_eks::types::LaunchTemplateSpecification {
    let name = of.name().filter(|_| of.id().is_none()).map(str::to_owned);
    aws_sdk_eks::types::LaunchTemplateSpecification::builder()
        .set_id(of.id().map(str::to_owned))
        .set_name(name)
        .set_version(of.version().map(str::to_owned))
        .build()
}

/// What a group of that name that is there already means.
fn judge(found: &Nodegroup, effect: &EksCreateNodegroup<Value>, cluster: &str) -> Outcome {
    let name = &effect.nodegroup;
    let named = format!("node group {name} of cluster {cluster}");
    let version = found.version().unwrap_or_default();
    let of_minor = version.parse::<Version>().is_ok_and(|found| found.is_of(&effect.kubernetes.minor_line()));
    let ami = found.ami_type().map_or("", |ami| ami.as_str());
    let of_ami = effect.ami_type.as_deref().is_none_or(|wanted| wanted == ami);
    let release = found.release_version().unwrap_or_default();
    let of_release = effect.release.as_deref().is_none_or(|wanted| wanted == release);
    let tag = found.tags().and_then(|tags| tags.get(EksCreateNodegroup::COPY_OF));
    if !of_minor || !of_ami || !of_release || tag != Some(&effect.like) {
        let made = match tag {
            Some(other) if *other != effect.like => format!(" as the copy of {other}"),
            Some(_) => String::new(),
            None => format!(" without the tag {}", EksCreateNodegroup::COPY_OF),
        };
        return conflict(format!(
            "{named} is there already, at {version} ({release}) with {ami}{made}: it is not the one that this step makes"
        ));
    }
    let status = found.status().map_or("", |status| status.as_str());
    let wrong = issues(found);
    let said = wrong.as_ref().map(|(said, _)| format!(": {said}")).unwrap_or_default();
    match found.status() {
        Some(NodegroupStatus::Active | NodegroupStatus::Updating) => {
            done(format!("{named} is {status} at {version}"))
        }
        Some(NodegroupStatus::Creating | NodegroupStatus::Degraded) => match wrong {
            Some((_, true)) => capacity(format!("{named} is {status}{said}")),
            _ if found.status() == Some(&NodegroupStatus::Degraded) => {
                refused(format!("{named} is {status}{said}"))
            }
            _ => operation(name, format!("{named} is {status}{said}")),
        },
        _ => refused(format!("{named} is {status}{said}; delete it before this step is tried again")),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_eks::types::{Issue, NodegroupHealth, NodegroupIssueCode};
    use serde_json::json;
    use switchback_schemas::{
        journal::{Class, WaitsFor},
        plan::NodegroupSize,
    };

    use super::*;

    fn effect() -> EksCreateNodegroup<Value> {
        let number = |n: u64| json!(n);
        EksCreateNodegroup {
            target: "mlops".parse().unwrap(),
            nodegroup: "gpu-133".into(),
            like: "gpu".into(),
            kubernetes: "1.33".parse().unwrap(),
            release: None,
            ami_type: Some("AL2023_x86_64_NVIDIA".into()),
            size: NodegroupSize { min: number(0), desired: number(2), max: number(4) },
        }
    }

    fn group(status: NodegroupStatus, code: Option<NodegroupIssueCode>) -> Nodegroup {
        let issues = code.map(|code| vec![Issue::builder().code(code).message("said so").build()]);
        Nodegroup::builder()
            .version("1.33")
            .ami_type(AmiTypes::Al2023X8664Nvidia)
            .status(status)
            .tags(EksCreateNodegroup::COPY_OF, "gpu")
            .health(NodegroupHealth::builder().set_issues(issues).build())
            .build()
    }

    #[test]
    fn a_group_that_is_there_is_adopted_only_if_it_is_the_one() {
        let judged = |group: &Nodegroup| judge(group, &effect(), "mlops");
        assert!(matches!(judged(&group(NodegroupStatus::Active, None)), Outcome::Done { .. }));
        let creating = judged(&group(NodegroupStatus::Creating, None));
        let Outcome::Blocked { waits_for } = &creating else { panic!("{creating:?}") };
        assert!(matches!(waits_for.as_slice(), [WaitsFor::Operation { id, .. }] if id == "gpu-133"));
        let short =
            judged(&group(NodegroupStatus::Creating, Some(NodegroupIssueCode::AsgInstanceLaunchFailures)));
        let Outcome::Blocked { waits_for } = &short else { panic!("{short:?}") };
        assert!(matches!(waits_for.as_slice(), [WaitsFor::Capacity { .. }]));
        let failed = judged(&group(NodegroupStatus::CreateFailed, Some(NodegroupIssueCode::AccessDenied)));
        assert!(matches!(failed, Outcome::NotDone { class: Class::Refused, .. }));
        let other = Nodegroup::builder().version("1.32").status(NodegroupStatus::Active).build();
        assert!(matches!(judged(&other), Outcome::NotDone { class: Class::Conflict, .. }));
        // An image of another release is another image, though the minor is the same.
        let pinned = EksCreateNodegroup { release: Some("1.33.5-20261112".into()), ..effect() };
        let of_release = |release: &str| {
            let tagged = Nodegroup::builder().version("1.33").tags(EksCreateNodegroup::COPY_OF, "gpu");
            let image = tagged.ami_type(AmiTypes::Al2023X8664Nvidia).release_version(release);
            judge(&image.status(NodegroupStatus::Active).build(), &pinned, "mlops")
        };
        assert!(matches!(of_release("1.33.5-20261112"), Outcome::Done { .. }));
        assert!(matches!(of_release("1.33.5-20261201"), Outcome::NotDone { class: Class::Conflict, .. }));
        // Another group's copy, or one that somebody else made, has the same version and image.
        for tags in
            [Some(HashMap::from([(EksCreateNodegroup::COPY_OF.to_owned(), "gpu-2".to_owned())])), None]
        {
            let others = Nodegroup::builder().version("1.33").ami_type(AmiTypes::Al2023X8664Nvidia);
            let others = others.status(NodegroupStatus::Active).set_tags(tags).build();
            assert!(matches!(judged(&others), Outcome::NotDone { class: Class::Conflict, .. }));
        }
    }
}
