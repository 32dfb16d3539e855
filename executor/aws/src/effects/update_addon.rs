//! `eks.update-addon`: an add-on to a version. Its role and its configuration are given as they are, since an update that leaves
//! them out may take them away.

use aws_sdk_eks::types::{AddonStatus, ResolveConflicts as Conflicts, UpdateParamType, UpdateType};
use serde_json::Value;
use switchback_schemas::{
    journal::Outcome,
    plan::{EksUpdateAddon, ResolveConflicts},
};

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

pub(super) async fn run(scene: &Scene<'_>, effect: &EksUpdateAddon<Value>) -> Result<Outcome, CallError> {
    let (name, version) = (effect.addon.as_str(), text(&effect.version)?);
    let wanted = Wanted {
        of: Of::Addon(name),
        types: &[UpdateType::AddonUpdate],
        parameters: vec![(UpdateParamType::AddonVersion, version.to_owned())],
        does: format!("to {version}"),
    };
    let followed = match follow::follow(scene, &wanted).await? {
        Followed::Outcome(outcome) => return Ok(outcome),
        other => other,
    };
    let cluster = scene.name();
    let named = wanted.of.named(cluster);
    let Some(addon) = eks::addon(scene.aws(), cluster, name).await? else {
        return Ok(refused(format!("{named} is not installed")));
    };
    let found = addon.addon_version().unwrap_or_default();
    let status = addon.status().map_or("", |status| status.as_str());
    match addon.status() {
        Some(AddonStatus::Creating | AddonStatus::Updating) => {
            let adopted = follow::adopt(scene, &wanted, "").await?;
            let waits = format!("{named} is {status}, and no update of it is listed as under way");
            return Ok(adopted.unwrap_or_else(|| operation(unnamed(scene, name), waits)));
        }
        Some(AddonStatus::Deleting) => return Ok(refused(format!("{named} is being deleted"))),
        // Whether it is healthy is for the step's verification to say; an update that failed left it where it says.
        Some(AddonStatus::UpdateFailed | AddonStatus::CreateFailed) => {}
        _ if found == version => return Ok(done(format!("{named} is at {version} and {status}"))),
        _ => {}
    }
    if let (Followed::Ended, Some(id)) = (followed, &scene.call.operation) {
        return Ok(match found == version {
            true => done(format!("{named} is at {version} and {status}")),
            false => {
                operation(id.clone(), format!("{named}: the update {id} ended, and it still shows {found}"))
            }
        });
    }
    let conflicts = match effect.conflicts {
        ResolveConflicts::None => Conflicts::None,
        ResolveConflicts::Overwrite => Conflicts::Overwrite,
        ResolveConflicts::Preserve => Conflicts::Preserve,
    };
    follow::begin(scene, &wanted, async |token: String| {
        let sent = scene
            .aws()
            .eks
            .update_addon()
            .cluster_name(cluster)
            .addon_name(name)
            .addon_version(version)
            .resolve_conflicts(conflicts.clone())
            .set_service_account_role_arn(addon.service_account_role_arn().map(str::to_owned))
            .set_configuration_values(addon.configuration_values().map(str::to_owned))
            .client_request_token(token)
            .send();
        Ok(scene.aws().call(sent).await?.update)
    })
    .await
}
