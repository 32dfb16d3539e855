//! `eks.update-cluster`: one minor up, or back to where it came from.

use aws_sdk_eks::types::{ClusterStatus, UpdateParamType, UpdateType};
use switchback_schemas::{Version, journal::Outcome, plan::EksUpdateCluster};

use super::{
    Scene,
    follow::{self, Followed, Wanted},
};
use crate::{
    classify::CallError,
    eks::{self, updates::Of},
    outcome::{conflict, done, operation, refused},
};

pub(super) async fn run(scene: &Scene<'_>, effect: &EksUpdateCluster) -> Result<Outcome, CallError> {
    let to = effect.to.minor_line().as_str().to_owned();
    let wanted = Wanted {
        of: Of::Cluster,
        types: &[UpdateType::VersionUpdate, UpdateType::VersionRollback],
        parameters: vec![(UpdateParamType::Version, to.clone())],
        does: format!("to {to}"),
    };
    let followed = match follow::follow(scene, &wanted).await? {
        Followed::Outcome(outcome) => return Ok(outcome),
        other => other,
    };
    let name = scene.name();
    let Some(cluster) = eks::cluster(scene.aws(), name).await? else {
        return Ok(refused(format!("there is no cluster {name} in this account and region")));
    };
    let version = cluster.version().unwrap_or_default();
    let is =
        |wanted: &Version| version.parse::<Version>().is_ok_and(|found| found.is_of(&wanted.minor_line()));
    let status = cluster.status().map_or("", |status| status.as_str());
    match cluster.status() {
        Some(ClusterStatus::Active) if is(&effect.to) => {
            return Ok(done(format!("cluster {name} is at {version} and ACTIVE")));
        }
        Some(ClusterStatus::Active) => {}
        Some(ClusterStatus::Updating) => {
            let adopted = follow::adopt(scene, &wanted, "").await?;
            // Its status may show an update before the list does, or longer.
            let waits = format!("cluster {name} is UPDATING, and no update of it is listed as under way");
            return Ok(adopted.unwrap_or_else(|| operation(unnamed(scene, name), waits)));
        }
        _ => return Ok(refused(format!("cluster {name} is {status}, not ACTIVE"))),
    }
    if let (Followed::Ended, Some(id)) = (followed, &scene.call.operation) {
        return Ok(operation(
            id.clone(),
            format!("cluster {name}: the update {id} ended, and it still shows {version}"),
        ));
    }
    if !is(&effect.from) {
        return Ok(conflict(format!(
            "cluster {name} is at {version}, and this step moves it from {} to {to}",
            effect.from.minor_line()
        )));
    }
    follow::begin(scene, &wanted, async |token: String| {
        let sent = scene
            .aws()
            .eks
            .update_cluster_version()
            .name(name)
            .version(&to)
            .client_request_token(token)
            .send();
        Ok(scene.aws().call(sent).await?.update)
    })
    .await
}

/// What is waited for when an update has no name yet: the one that was told of before, or the thing itself.
pub(super) fn unnamed(scene: &Scene<'_>, name: &str) -> String {
    scene.call.operation.clone().unwrap_or_else(|| name.to_owned())
}
