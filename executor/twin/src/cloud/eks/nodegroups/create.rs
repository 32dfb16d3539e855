//! `CreateNodegroup`: a group as a request describes it.

use serde_json::{Value, json};

use super::config::{scaling, taints, texts, update_config};
use super::version::{image_exists, release};
use super::{look, shown};
use crate::cloud::eks::state::{Cluster, Nodegroup, NodegroupStatus, Scaling, UpdateConfig};
use crate::cloud::eks::{cluster, cluster_mut, given, in_use, invalid, minor, refused};
use crate::cloud::protocol::{Answered, AwsError, Done, Request};
use crate::world::World;

pub(super) fn create(world: &mut World, request: &Request<'_>, name: &str) -> Answered {
    let body = request.json()?;
    let group =
        given(&body, "nodegroupName").ok_or_else(|| invalid(name, "nodegroupName is required"))?.to_owned();
    let token = given(&body, "clientRequestToken").map(str::to_owned);
    let found = cluster(world, name)?;
    if let Some(token) = &token
        && found.tokens.get(token) == Some(&group)
        && found.nodegroups.contains_key(&group)
    {
        return Ok(Done::json(json!({"nodegroup": shown(world, name, &group)?})));
    }
    if found.nodegroups.contains_key(&group) {
        let error = AwsError::new(
            409,
            "ResourceInUseException",
            format!("NodeGroup already exists with name {group} and cluster name {name}"),
        );
        return Err(error.with("clusterName", name).with("nodegroupName", group));
    }
    if let Some(update) = found
        .updates
        .iter()
        .find(|u| u.running() && u.nodegroup.is_none() && u.addon.is_none() && u.kind.moves_version())
    {
        return Err(in_use(name, update));
    }
    let one = described(world, name, &body, found)?;
    let effect = format!("{name} {group}");
    let found = cluster_mut(world, name)?;
    found.nodegroups.insert(group.clone(), one);
    if let Some(token) = token {
        found.tokens.insert(token, group.clone());
    }
    look(world, name, &group);
    Ok(Done::json(json!({"nodegroup": shown(world, name, &group)?})).on(effect))
}

/// A group as a request describes it.
fn described(world: &World, name: &str, body: &Value, found: &Cluster) -> Result<Nodegroup, AwsError> {
    let version = given(body, "version").unwrap_or(&found.version).to_owned();
    if minor(&version) > minor(&found.version) {
        return Err(invalid(
            name,
            format!("Nodegroup version {version} is newer than the cluster version {}", found.version),
        ));
    }
    let ami = given(body, "amiType").unwrap_or("AL2023_x86_64_STANDARD").to_owned();
    image_exists(name, &ami, &version)?;
    let list = |field: &str| -> Vec<String> {
        let all = body.get(field).and_then(Value::as_array);
        all.into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
    };
    let subnets = list("subnets");
    if subnets.is_empty() {
        return Err(invalid(name, "Subnets are required for creating a node group"));
    }
    if let Some(unknown) = subnets.iter().find(|s| !world.cloud().subnets.contains_key(*s)) {
        return Err(invalid(name, format!("The subnet ID '{unknown}' does not exist")));
    }
    if given(body, "nodeRole").is_none() {
        return Err(refused(name, "nodeRole is required"));
    }
    let mut types = list("instanceTypes");
    if types.is_empty() && body.get("launchTemplate").is_none_or(Value::is_null) {
        types.push("t3.medium".into());
    }
    let default = Scaling { min: 1, desired: 2, max: 2 };
    Ok(Nodegroup {
        release: release(world, name, &version, given(body, "releaseVersion"))?,
        version,
        ami_type: ami,
        capacity_type: given(body, "capacityType").unwrap_or("ON_DEMAND").into(),
        instance_types: types,
        scaling: match body.get("scalingConfig") {
            Some(value @ Value::Object(_)) => scaling(name, value, default)?,
            _ => default,
        },
        labels: texts(body.get("labels")),
        taints: taints(body.get("taints")),
        subnets,
        role: given(body, "nodeRole").unwrap_or_default().into(),
        disk: body.get("diskSize").and_then(Value::as_i64).unwrap_or(20),
        update: update_config(body.get("updateConfig"), &UpdateConfig::default()),
        launch_template: body
            .get("launchTemplate")
            .filter(|t| t.is_object())
            .and_then(|t| serde_json::from_value(t.clone()).ok()),
        tags: texts(body.get("tags")),
        status: NodegroupStatus::Creating,
        created: Some(world.now()),
        modified: Some(world.now()),
        ..Nodegroup::default()
    })
}
