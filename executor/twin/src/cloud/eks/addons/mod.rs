//! Add-ons of a cluster.

use serde_json::{Value, json};

use super::{
    Wish, accept, cluster, cluster_mut, given, in_use, invalid, maybe, names, replay, updates, visible,
    without_nulls,
};
use crate::cloud::eks::state::{Addon, AddonStatus, Cluster, UpdateType};
use crate::cloud::protocol::{Answered, AwsError, Done, Request};
use crate::world::World;

mod rollout;

pub(super) use rollout::act;

pub(super) fn list(world: &World, request: &Request<'_>, name: &str) -> Answered {
    names(request, "addons", cluster(world, name)?.addons.keys().cloned().collect())
}

fn find<'a>(found: &'a Cluster, name: &str, addon: &str) -> Result<&'a Addon, AwsError> {
    found.addons.get(addon).ok_or_else(|| {
        AwsError::new(404, "ResourceNotFoundException", format!("No addon: {addon} found in cluster: {name}"))
            .with("clusterName", name)
            .with("addonName", addon)
    })
}

pub(super) fn describe(world: &World, request: &Request<'_>, name: &str) -> Answered {
    let found = cluster(world, name)?;
    let addon = request.name(1);
    let one = find(found, name, addon)?;
    let moving = found
        .updates
        .iter()
        .any(|u| u.running() && u.addon.as_deref() == Some(addon) && visible(world, u.created));
    let issues: Vec<Value> = one
        .issues
        .iter()
        .map(|i| json!({"code": i.code, "message": i.message, "resourceIds": i.resources}))
        .collect();
    let role = Some(one.role.as_str()).filter(|r| !r.is_empty());
    let configuration = Some(one.configuration.as_str()).filter(|r| !r.is_empty());
    Ok(Done::json(json!({"addon": without_nulls(json!({
        "addonName": addon, "clusterName": name, "status": if moving { AddonStatus::Updating } else { one.status },
        "addonVersion": one.version, "health": {"issues": issues},
        "addonArn": format!("arn:aws:eks:{}:{}:addon/{name}/{addon}/twin", found.region, found.account),
        "createdAt": maybe(found.created), "modifiedAt": maybe(one.modified.or(found.created)),
        "serviceAccountRoleArn": role, "configurationValues": configuration, "tags": {}, "owner": "aws", "publisher": "eks",
    }))})))
}

pub(super) fn update(world: &mut World, request: &Request<'_>, name: &str) -> Answered {
    let (body, addon) = (request.json()?, request.name(1).to_owned());
    let found = cluster(world, name)?;
    let one = find(found, name, &addon)?;
    let version = given(&body, "addonVersion").unwrap_or(&one.version).to_owned();
    let conflicts = given(&body, "resolveConflicts").unwrap_or("NONE").to_owned();
    if !matches!(conflicts.as_str(), "NONE" | "OVERWRITE" | "PRESERVE") {
        return Err(
            invalid(name, format!("resolveConflicts {conflicts} is not valid")).with("addonName", addon)
        );
    }
    let mut params = vec![("AddonVersion", version.clone()), ("ResolveConflicts", conflicts)];
    if let Some(role) = given(&body, "serviceAccountRoleArn") {
        params.push(("ServiceAccountRoleArn", role.to_owned()));
    }
    if let Some(values) = given(&body, "configurationValues") {
        params.push(("ConfigurationValues", values.to_owned()));
    }
    let token = given(&body, "clientRequestToken");
    let wish = Wish {
        kind: UpdateType::AddonUpdate,
        params,
        nodegroup: None,
        addon: Some(&addon),
        token,
        force: false,
    };
    if let Some(before) = replay(world, name, &wish)? {
        return Ok(Done::json(before));
    }
    let fits = world
        .cloud()
        .eks
        .addons
        .get(&addon)
        .is_some_and(|all| all.iter().any(|v| v.version == version && v.minors.contains(&found.version)));
    if !fits {
        return Err(invalid(name, "Addon version specified is not supported").with("addonName", addon));
    }
    // One update of an add-on at a time, and none while the control plane moves.
    let busy = found.updates.iter().find(|u| {
        u.running() && (u.addon.as_deref() == Some(&addon) || (u.addon.is_none() && u.nodegroup.is_none()))
    });
    if let Some(busy) = busy {
        return Err(in_use(name, busy));
    }
    let update = accept(world, name, wish)?;
    rollout::begin(world, name, &update);
    if let Some(one) = cluster_mut(world, name)?.addons.get_mut(&addon) {
        one.issues = Vec::new();
    }
    Ok(Done::json(json!({"update": updates::shown(&update)})).on(format!("{name} {addon} {version}")))
}
