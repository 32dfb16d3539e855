//! `eks.scale-nodegroup`: how many nodes a group has. Whether they are Ready is for the step's verification to say.

use aws_sdk_eks::types::{NodegroupStatus, UpdateParamType, UpdateType};
use serde_json::Value;
use switchback_schemas::{journal::Outcome, plan::EksScaleNodegroup};

use super::{
    Scene, Size,
    follow::{self, Followed, Wanted},
    update_cluster::unnamed,
};
use crate::{
    classify::CallError,
    eks::{self, updates::Of},
    outcome::{done, operation, refused},
};

pub(super) async fn run(scene: &Scene<'_>, effect: &EksScaleNodegroup<Value>) -> Result<Outcome, CallError> {
    let name = effect.nodegroup.as_str();
    let size = Size::read(&effect.size)?;
    let does = format!("to {} nodes, {} to {}", size.desired, size.min, size.max);
    let wanted = Wanted {
        of: Of::Nodegroup(name),
        types: &[UpdateType::ConfigUpdate],
        parameters: vec![
            (UpdateParamType::MinSize, size.min.to_string()),
            (UpdateParamType::MaxSize, size.max.to_string()),
            (UpdateParamType::DesiredSize, size.desired.to_string()),
        ],
        does: does.clone(),
    };
    let followed = match follow::follow(scene, &wanted).await? {
        Followed::Outcome(outcome) => return Ok(outcome),
        other => other,
    };
    let cluster = scene.name();
    let named = wanted.of.named(cluster);
    let Some(group) = eks::nodegroup(scene.aws(), cluster, name).await? else {
        return Ok(refused(format!("there is no {named}")));
    };
    let status = group.status().map_or("", |status| status.as_str());
    match group.status() {
        Some(NodegroupStatus::Creating | NodegroupStatus::Updating) => {
            let adopted = follow::adopt(scene, &wanted, "").await?;
            let waits = format!("{named} is {status}, and no update of it is listed as under way");
            return Ok(adopted.unwrap_or_else(|| operation(unnamed(scene, name), waits)));
        }
        Some(NodegroupStatus::Deleting | NodegroupStatus::CreateFailed | NodegroupStatus::DeleteFailed) => {
            return Ok(refused(format!("{named} is {status}")));
        }
        _ => {}
    }
    // An autoscaler may have moved it again since.
    if Size::of(&group) == Some(size) || matches!(followed, Followed::Ended) {
        return Ok(done(format!("{named} is set {does}")));
    }
    follow::begin(scene, &wanted, async |token: String| {
        let sent = scene
            .aws()
            .eks
            .update_nodegroup_config()
            .cluster_name(cluster)
            .nodegroup_name(name)
            .scaling_config(size.config())
            .client_request_token(token)
            .send();
        Ok(scene.aws().call(sent).await?.update)
    })
    .await
}
