//! `eks.update-nodegroup`: EKS replaces the nodes of a group, as it picks them. Never forced, so a budget that allows no eviction
//! fails it after 15 minutes (facts: README).

use aws_sdk_eks::types::{AmiTypes, NodegroupStatus, UpdateParamType, UpdateType};
use serde_json::Value;
use switchback_schemas::{Version, journal::Outcome, plan::EksUpdateNodegroup};

use super::{
    Scene,
    follow::{self, Followed, Wanted},
    text,
    update_cluster::unnamed,
};
use crate::{
    classify::CallError,
    eks::{self, updates::Of},
    outcome::{done, operation, refused},
};

pub(super) async fn run(scene: &Scene<'_>, effect: &EksUpdateNodegroup<Value>) -> Result<Outcome, CallError> {
    let name = effect.nodegroup.as_str();
    let minor = effect.kubernetes.minor_line().as_str().to_owned();
    let release = effect.release.as_ref().map(text).transpose()?;
    let mut parameters = vec![(UpdateParamType::Version, minor.clone())];
    parameters.extend(release.map(|release| (UpdateParamType::ReleaseVersion, release.to_owned())));
    let does =
        format!("to {}", release.map_or_else(|| minor.clone(), |release| format!("{minor}, AMI {release}")));
    let wanted = Wanted { of: Of::Nodegroup(name), types: &[UpdateType::VersionUpdate], parameters, does };
    let followed = match follow::follow(scene, &wanted).await? {
        Followed::Outcome(outcome) => return Ok(outcome),
        other => other,
    };
    let cluster = scene.name();
    let named = wanted.of.named(cluster);
    let Some(group) = eks::nodegroup(scene.aws(), cluster, name).await? else {
        return Ok(refused(format!("there is no {named}")));
    };
    let version = group.version().unwrap_or_default();
    let found = group.release_version().unwrap_or_default();
    let at_minor = version.parse::<Version>().is_ok_and(|found| found.is_of(&effect.kubernetes.minor_line()));
    let there = at_minor && release.is_none_or(|release| release == found);
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
        _ if there => return Ok(done(format!("{named} is at {version}, AMI {found}, and {status}"))),
        _ => {}
    }
    if let (Followed::Ended, Some(id)) = (followed, &scene.call.operation) {
        let line = format!("{named}: the update {id} ended, and it still shows {version}, AMI {found}");
        return Ok(operation(id.clone(), line));
    }
    if group.ami_type() == Some(&AmiTypes::Custom) {
        return Ok(refused(format!(
            "{named} has an AMI of its own, which EKS cannot choose a version of; give it a new launch template version"
        )));
    }
    follow::begin(scene, &wanted, async |token: String| {
        let sent = scene
            .aws()
            .eks
            .update_nodegroup_version()
            .cluster_name(cluster)
            .nodegroup_name(name)
            .version(&minor)
            .set_release_version(release.map(str::to_owned))
            .force(false)
            .client_request_token(token)
            .send();
        Ok(scene.aws().call(sent).await?.update)
    })
    .await
}
