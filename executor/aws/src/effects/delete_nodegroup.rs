//! `eks.delete-nodegroup`: a group that has no nodes. One that still has some is refused, since EKS would drain them its own way.

use aws_sdk_eks::types::{Nodegroup, NodegroupStatus};
use switchback_executor::ports::Classify as _;
use switchback_schemas::{journal::Outcome, plan::EksDeleteNodegroup};

use super::{Scene, issues};
use crate::{
    autoscaling,
    classify::CallError,
    eks,
    outcome::{done, operation, refused},
};

pub(super) async fn run(scene: &Scene<'_>, effect: &EksDeleteNodegroup) -> Result<Outcome, CallError> {
    let (cluster, name) = (scene.name(), effect.nodegroup.as_str());
    let named = format!("node group {name} of cluster {cluster}");
    let Some(group) = eks::nodegroup(scene.aws(), cluster, name).await? else {
        return Ok(done(format!("{named} does not exist")));
    };
    let going = || operation(name, format!("{named} is DELETING"));
    match group.status() {
        Some(NodegroupStatus::Deleting) => return Ok(going()),
        Some(NodegroupStatus::DeleteFailed) if scene.call.operation.is_some() => {
            let said = issues(&group).map(|(said, _)| said).unwrap_or_default();
            return Ok(refused(format!("{named} is DELETE_FAILED: {said}")));
        }
        Some(NodegroupStatus::Creating | NodegroupStatus::Updating) => {
            let status = group.status().map_or("", |status| status.as_str());
            return Ok(operation(name, format!("{named} is {status}, and is deleted after that")));
        }
        _ => {}
    }
    let groups = groups(&group);
    let instances = autoscaling::instances(scene.aws(), &groups).await?;
    let size = group.scaling_config().and_then(|size| size.desired_size());
    if !instances.is_empty() && size == Some(0) {
        // They end by themselves; a group of this size makes no others.
        return Ok(operation(
            name,
            format!("{named} has the size 0 and {} instances that end", instances.len()),
        ));
    }
    if !instances.is_empty() {
        let shown: Vec<&str> = instances.iter().map(String::as_str).take(5).collect();
        return Ok(refused(format!(
            "{named} still has {} instances ({}); its nodes are drained and terminated before",
            instances.len(),
            shown.join(", ")
        )));
    }
    let sent = scene.aws().eks.delete_nodegroup().cluster_name(cluster).nodegroup_name(name).send();
    Ok(match scene.aws().call(sent).await {
        Ok(_) => going(),
        Err(error) if error.is_not_found() => done(format!("{named} does not exist")),
        Err(error) => error.of_write(),
    })
}

fn groups(of: &Nodegroup) -> Vec<String> {
    let groups = of.resources().map(|resources| resources.auto_scaling_groups()).unwrap_or_default();
    groups.iter().filter_map(|group| group.name().map(str::to_owned)).collect()
}
