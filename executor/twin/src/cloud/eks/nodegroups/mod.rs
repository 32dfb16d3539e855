//! Managed node groups: what they look like, what can be asked of them, and how they get there.

use serde_json::{Map, Value, json};

use super::{GROUP, cluster, cluster_mut, in_use, maybe, names, visible, without_nulls};
use crate::cloud::eks::state::{Cluster, Nodegroup, NodegroupStatus, Scaling};
use crate::cloud::plan;
use crate::cloud::protocol::{Answered, AwsError, Done, Request};
use crate::world::key::set;
use crate::world::{Key, World};

mod config;
mod create;
mod drain;
mod instances;
mod reconcile;
mod roll;
mod version;

pub(in crate::cloud) use instances::{launch_now, terminate};
pub(super) use reconcile::act;

pub(super) fn answer(world: &mut World, request: &Request<'_>, name: &str) -> Answered {
    let group = request.name(1).to_owned();
    match request.operation.as_str() {
        "ListNodegroups" => {
            names(request, "nodegroups", cluster(world, name)?.nodegroups.keys().cloned().collect())
        }
        "DescribeNodegroup" => Ok(Done::json(json!({"nodegroup": shown(world, name, &group)?}))),
        "CreateNodegroup" => create::create(world, request, name),
        "UpdateNodegroupConfig" => config::config(world, request, name, &group),
        "UpdateNodegroupVersion" => version::version(world, request, name, &group),
        "DeleteNodegroup" => delete(world, name, &group),
        _ => Err(AwsError::not_simulated(&request.what())),
    }
}

/// The group as it is now.
fn get(world: &World, cluster: &str, group: &str) -> Option<Nodegroup> {
    super::cluster(world, cluster).ok().and_then(|c| c.nodegroups.get(group)).cloned()
}

/// Changes the group.
fn change(world: &mut World, cluster: &str, group: &str, change: impl FnOnce(&mut Nodegroup)) {
    if let Ok(found) = cluster_mut(world, cluster)
        && let Some(found) = found.nodegroups.get_mut(group)
    {
        change(found);
    }
}

/// The key under which a group is looked at.
fn key(cluster: &str, group: &str) -> Key {
    Key::new(GROUP, "nodegroups", cluster, group)
}

/// Lets the provider look at a group at once.
pub(in crate::cloud) fn look(world: &mut World, cluster: &str, group: &str) {
    let after = world.settings().timings.controller;
    plan(world, key(cluster, group), after);
}

fn find<'a>(found: &'a Cluster, name: &str, group: &str) -> Result<&'a Nodegroup, AwsError> {
    found.nodegroups.get(group).ok_or_else(|| {
        AwsError::new(404, "ResourceNotFoundException", format!("No node group found for name: {group}."))
            .with("clusterName", name)
            .with("nodegroupName", group)
    })
}

/// The name of a group's Auto Scaling group.
pub(crate) fn asg(name: &str, group: &str) -> String {
    format!("eks-{group}-{name}")
}

fn shown(world: &World, name: &str, group: &str) -> Result<Value, AwsError> {
    let found = cluster(world, name)?;
    let one = find(found, name, group)?;
    let moving = found
        .updates
        .iter()
        .any(|u| u.running() && u.nodegroup.as_deref() == Some(group) && visible(world, u.created));
    let issues: Vec<Value> = one
        .issues
        .iter()
        .map(|i| json!({"code": i.code, "message": i.message, "resourceIds": i.resources}))
        .collect();
    let strategy = if one.update.strategy.is_empty() { "DEFAULT" } else { one.update.strategy.as_str() };
    let mut update = json!({"updateStrategy": strategy});
    match (one.update.max_unavailable, one.update.max_unavailable_percentage) {
        (None, Some(percent)) => set(&mut update, &["maxUnavailablePercentage"], percent.into()),
        (count, _) => set(&mut update, &["maxUnavailable"], count.unwrap_or(1).into()),
    }
    let disk = one.launch_template.is_none().then_some(one.disk);
    Ok(without_nulls(json!({
        "nodegroupName": group, "clusterName": name,
        "nodegroupArn": format!("arn:aws:eks:{}:{}:nodegroup/{name}/{group}/twin", found.region, found.account),
        "version": one.version, "releaseVersion": one.release,
        "createdAt": maybe(one.created.or(found.created)), "modifiedAt": maybe(one.modified.or(one.created).or(found.created)),
        "status": if moving && one.status == NodegroupStatus::Active { NodegroupStatus::Updating } else { one.status },
        "capacityType": one.capacity_type,
        "scalingConfig": {"minSize": one.scaling.min, "maxSize": one.scaling.max, "desiredSize": one.scaling.desired},
        "instanceTypes": one.instance_types, "subnets": one.subnets, "amiType": one.ami_type, "nodeRole": one.role,
        "labels": one.labels, "taints": one.taints, "resources": {"autoScalingGroups": [{"name": asg(name, group)}]},
        "diskSize": disk, "health": {"issues": issues}, "updateConfig": update,
        "launchTemplate": one.launch_template, "tags": one.tags,
    })))
}

/// What stands in the way of a change of a group.
fn busy(found: &Cluster, name: &str, group: &str) -> Result<(), AwsError> {
    let update = found.updates.iter().find(|u| {
        u.running()
            && (u.nodegroup.as_deref() == Some(group)
                || (u.nodegroup.is_none() && u.addon.is_none() && u.kind.moves_version()))
    });
    if let Some(update) = update {
        return Err(in_use(name, update));
    }
    match found.nodegroups.get(group).map(|g| g.status) {
        Some(status @ (NodegroupStatus::Creating | NodegroupStatus::Deleting)) => {
            Err(AwsError::new(409, "ResourceInUseException", format!("Nodegroup {group} is {status}"))
                .with("clusterName", name)
                .with("nodegroupName", group))
        }
        _ => Ok(()),
    }
}

fn delete(world: &mut World, name: &str, group: &str) -> Answered {
    let found = cluster(world, name)?;
    find(found, name, group)?;
    let update = found.updates.iter().find(|u| u.running() && u.nodegroup.as_deref() == Some(group));
    if let Some(update) = update {
        return Err(in_use(name, update));
    }
    let again = found.nodegroups.get(group).is_some_and(|g| g.status == NodegroupStatus::Deleting);
    if let Some(one) = cluster_mut(world, name)?.nodegroups.get_mut(group) {
        one.status = NodegroupStatus::Deleting;
        one.scaling = Scaling { min: 0, desired: 0, max: one.scaling.max };
    }
    look(world, name, group);
    let mut body = Map::new();
    body.insert("nodegroup".into(), shown(world, name, group)?);
    let done = Done::json(body.into());
    Ok(if again { done } else { done.on(format!("{name} {group}")) })
}
