//! Updates: what became of what was accepted.

use serde_json::{Value, json};

use super::{cluster, cluster_mut, invalid, maybe, paged, without_nulls};
use crate::cloud::eks::state::{ErrorDetail, Update, UpdateStatus, UpdateType};
use crate::cloud::protocol::{Answered, AwsError, Done, Request};
use crate::world::World;

/// An update as the API shows it.
pub(super) fn shown(update: &Update) -> Value {
    let cancellation = update.cancelled.then(|| json!({"status": UpdateStatus::InProgress}));
    without_nulls(json!({
        "id": update.id, "status": update.status, "type": update.kind, "params": update.params,
        "createdAt": maybe(update.created), "errors": update.errors.iter().map(detail).collect::<Vec<_>>(),
        "cancellation": cancellation,
    }))
}

fn detail(error: &ErrorDetail) -> Value {
    json!({"errorCode": error.code, "errorMessage": error.message, "resourceIds": error.resources})
}

/// Updates of the cluster itself, or of one node group or add-on.
fn concerns(update: &Update, request: &Request<'_>) -> bool {
    update.nodegroup.as_deref() == request.call.param("nodegroupName")
        && update.addon.as_deref() == request.call.param("addonName")
}

pub(super) fn list(world: &World, request: &Request<'_>, name: &str) -> Answered {
    // Newest first.
    let all: Vec<&str> = cluster(world, name)?
        .updates
        .iter()
        .rev()
        .filter(|u| concerns(u, request))
        .map(|u| u.id.as_str())
        .collect();
    let (page, next) = paged(request, all)?;
    Ok(Done::json(without_nulls(json!({"updateIds": page, "nextToken": next}))))
}

pub(super) fn describe(world: &World, request: &Request<'_>, name: &str) -> Answered {
    let id = request.name(1);
    let found = cluster(world, name)?.updates.iter().find(|u| u.id == id && concerns(u, request));
    let found = found.ok_or_else(|| {
        AwsError::new(404, "ResourceNotFoundException", format!("No update found for ID: {id}"))
            .with("clusterName", name)
    })?;
    Ok(Done::json(json!({"update": shown(found)})))
}

/// Only a rollback of an Auto Mode cluster can be cancelled, while its nodes roll; the twin has no such nodes, so the cluster
/// says no.
pub(super) fn cancel(world: &mut World, request: &Request<'_>, name: &str) -> Answered {
    let id = request.name(1).to_owned();
    let found = cluster_mut(world, name)?;
    let auto = found.auto_mode;
    let update = found.updates.iter_mut().find(|u| u.id == id).ok_or_else(|| {
        AwsError::new(404, "ResourceNotFoundException", format!("No update found for ID: {id}"))
            .with("clusterName", name)
    })?;
    if !update.running() {
        return Err(invalid(name, format!("update {id} is {}", update.status)));
    }
    if update.kind != UpdateType::VersionRollback || !auto {
        return Err(AwsError::new(
            400,
            "InvalidRequestException",
            format!("update {id} of type {} cannot be cancelled", update.kind),
        )
        .with("clusterName", name));
    }
    if update.cancelled {
        return Ok(Done::json(json!({"update": shown(update)})));
    }
    update.cancelled = true;
    Ok(Done::json(json!({"update": shown(update)})).on(format!("{name} {id}")))
}
