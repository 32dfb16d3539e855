//! Managed node groups: what they look like, and what can be asked of them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    Wish, accept, cluster, cluster_mut, given, in_use, invalid, maybe, minor, names, refused, replay,
    updates, visible, without_nulls,
};
use crate::actors::cloud as actors;
use crate::cloud::state::{Cluster, Nodegroup, Scaling, Taint, Template, UpdateConfig};
use crate::cloud::wire::{Answered, AwsError, Done, Request};
use crate::world::World;
use crate::world::key::set;

pub(super) fn answer(world: &mut World, request: &Request<'_>, name: &str) -> Answered {
    let group = request.name(1).to_owned();
    match request.operation.as_str() {
        "ListNodegroups" => {
            names(request, "nodegroups", cluster(world, name)?.nodegroups.keys().cloned().collect())
        }
        "DescribeNodegroup" => Ok(Done::json(json!({"nodegroup": shown(world, name, &group)?}))),
        "CreateNodegroup" => create(world, request, name),
        "UpdateNodegroupConfig" => config(world, request, name, &group),
        "UpdateNodegroupVersion" => version(world, request, name, &group),
        "DeleteNodegroup" => delete(world, name, &group),
        _ => Err(AwsError::not_simulated(&request.what())),
    }
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
        "status": if moving && one.status == "ACTIVE" { "UPDATING" } else { one.status.as_str() },
        "capacityType": one.capacity_type,
        "scalingConfig": {"minSize": one.scaling.min, "maxSize": one.scaling.max, "desiredSize": one.scaling.desired},
        "instanceTypes": one.instance_types, "subnets": one.subnets, "amiType": one.ami_type, "nodeRole": one.role,
        "labels": one.labels, "taints": one.taints, "resources": {"autoScalingGroups": [{"name": asg(name, group)}]},
        "diskSize": disk, "health": {"issues": issues}, "updateConfig": update,
        "launchTemplate": one.launch_template, "tags": one.tags,
    })))
}

/// The AMI release of a minor: the newest, or the one that is asked for, which has to be of that minor.
fn release(world: &World, name: &str, version: &str, asked: Option<&str>) -> Result<String, AwsError> {
    let known = world.cloud().eks.versions.get(version);
    let known = known.ok_or_else(|| invalid(name, format!("unsupported Kubernetes version {version}")))?;
    let newest = format!("{}-{}", known.patch, known.ami);
    match asked {
        None => Ok(newest),
        Some(asked) if minor(asked) == minor(version) => Ok(asked.to_owned()),
        Some(asked) => Err(invalid(
            name,
            format!("Requested release version {asked} is not valid for kubernetes version {version}."),
        )),
    }
}

/// AL2 images end with 1.32 (facts: node-images).
fn image_exists(name: &str, ami: &str, version: &str) -> Result<(), AwsError> {
    if ami.starts_with("AL2_") && minor(version) > (1, 32) {
        return Err(invalid(
            name,
            format!("AMI Type {ami} is only supported for kubernetes versions 1.32 or earlier"),
        ));
    }
    Ok(())
}

/// What stands in the way of a change of a group.
fn busy(found: &Cluster, name: &str, group: &str) -> Result<(), AwsError> {
    let update = found.updates.iter().find(|u| {
        u.running()
            && (u.nodegroup.as_deref() == Some(group)
                || (u.nodegroup.is_none() && u.addon.is_none() && u.kind.starts_with("Version")))
    });
    if let Some(update) = update {
        return Err(in_use(name, update));
    }
    match found.nodegroups.get(group).map(|g| g.status.as_str()) {
        Some(status @ ("CREATING" | "DELETING")) => {
            Err(AwsError::new(409, "ResourceInUseException", format!("Nodegroup {group} is {status}"))
                .with("clusterName", name)
                .with("nodegroupName", group))
        }
        _ => Ok(()),
    }
}

fn version(world: &mut World, request: &Request<'_>, name: &str, group: &str) -> Answered {
    let body = request.json()?;
    let found = cluster(world, name)?;
    let one = find(found, name, group)?;
    let template = body.get("launchTemplate").filter(|t| !t.is_null()).map(|t| Template {
        name: given(t, "name").unwrap_or_default().into(),
        version: given(t, "version").unwrap_or_default().into(),
        id: given(t, "id").unwrap_or_default().into(),
    });
    let (asked, asked_release) = (given(&body, "version"), given(&body, "releaseVersion"));
    let token = given(&body, "clientRequestToken");
    let mut params = Vec::new();
    if let Some(version) = asked {
        params.push(("Version", version.to_owned()));
    }
    if let Some(release) = asked_release {
        params.push(("ReleaseVersion", release.to_owned()));
    }
    let force = body.get("force").and_then(Value::as_bool).unwrap_or(false);
    let mut wish = Wish { kind: "VersionUpdate", params, nodegroup: Some(group), addon: None, token, force };
    if let Some(before) = replay(world, name, &wish)? {
        return Ok(Done::json(before));
    }
    busy(found, name, group)?;
    if one.ami_type == "CUSTOM" && (asked.is_some() || asked_release.is_some()) {
        return Err(invalid(name, "You cannot specify version or releaseVersion with a custom AMI")
            .with("nodegroupName", group));
    }
    if template.is_some() && one.launch_template.is_none() {
        return Err(invalid(name, "The node group was not created with a launch template")
            .with("nodegroupName", group));
    }
    let target = asked.unwrap_or(&one.version).to_owned();
    if minor(&target) > minor(&found.version) {
        return Err(invalid(
            name,
            format!(
                "Nodegroup Kubernetes version should be equal to or less than the cluster version {}",
                found.version
            ),
        )
        .with("nodegroupName", group));
    }
    if minor(&target) < minor(&one.version) && !world.cloud().eks.nodegroup_rollback {
        return Err(invalid(
            name,
            format!("Nodegroup cannot be rolled back from Kubernetes version {} to {target}", one.version),
        )
        .with("nodegroupName", group));
    }
    image_exists(name, &one.ami_type, &target)?;
    let release = release(world, name, &target, asked_release)?;
    if wish.params.iter().all(|(k, _)| *k != "Version") {
        wish.params.push(("Version", target.clone()));
    }
    if wish.params.iter().all(|(k, _)| *k != "ReleaseVersion") {
        wish.params.push(("ReleaseVersion", release.clone()));
    }
    let update = accept(world, name, wish)?;
    actors::begin_roll(world, name, group, &update, (&target, &release), template);
    Ok(Done::json(json!({"update": updates::shown(&update)})).on(format!("{name} {group} {release}")))
}

fn scaling(name: &str, value: &Value, before: Scaling) -> Result<Scaling, AwsError> {
    let of = |field: &str, old: i64| value.get(field).and_then(Value::as_i64).unwrap_or(old);
    let after = Scaling {
        min: of("minSize", before.min),
        desired: of("desiredSize", before.desired),
        max: of("maxSize", before.max),
    };
    if after.min > after.max || after.min < 0 {
        return Err(invalid(
            name,
            format!("Minimum capacity {} can't be greater than maximum size {}", after.min, after.max),
        ));
    }
    if after.desired > after.max {
        return Err(invalid(
            name,
            format!("desired capacity {} can't be greater than max size {}", after.desired, after.max),
        ));
    }
    if after.desired < after.min {
        return Err(invalid(
            name,
            format!("Minimum capacity {} can't be greater than desired size {}", after.min, after.desired),
        ));
    }
    Ok(after)
}

fn texts(value: Option<&Value>) -> BTreeMap<String, String> {
    let map = value.and_then(Value::as_object);
    map.into_iter().flatten().map(|(k, v)| (k.clone(), v.as_str().unwrap_or_default().to_owned())).collect()
}

fn taints(value: Option<&Value>) -> Vec<Taint> {
    value.and_then(|v| serde_json::from_value(v.clone()).ok()).unwrap_or_default()
}

fn update_config(value: Option<&Value>, before: &UpdateConfig) -> UpdateConfig {
    let Some(value) = value.filter(|v| v.is_object()) else { return before.clone() };
    let number = |field: &str| value.get(field).and_then(Value::as_i64);
    let (count, percent) = (number("maxUnavailable"), number("maxUnavailablePercentage"));
    let neither = count.is_none() && percent.is_none();
    UpdateConfig {
        max_unavailable: if neither { before.max_unavailable } else { count },
        max_unavailable_percentage: if neither { before.max_unavailable_percentage } else { percent },
        strategy: given(value, "updateStrategy").unwrap_or(&before.strategy).to_owned(),
    }
}

fn config(world: &mut World, request: &Request<'_>, name: &str, group: &str) -> Answered {
    let body = request.json()?;
    let found = cluster(world, name)?;
    let one = find(found, name, group)?;
    let mut params = Vec::new();
    let mut after = one.clone();
    if let Some(value) = body.get("scalingConfig").filter(|v| v.is_object()) {
        after.scaling = scaling(name, value, one.scaling)?;
        params.push(("MinSize", after.scaling.min.to_string()));
        params.push(("MaxSize", after.scaling.max.to_string()));
        params.push(("DesiredSize", after.scaling.desired.to_string()));
    }
    if let Some(labels) = body.get("labels").filter(|v| v.is_object()) {
        after.labels.extend(texts(labels.get("addOrUpdateLabels")));
        for gone in labels
            .get("removeLabels")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            after.labels.remove(gone);
        }
        params
            .push(("LabelsToAdd", labels.get("addOrUpdateLabels").cloned().unwrap_or_default().to_string()));
    }
    if let Some(change) = body.get("taints").filter(|v| v.is_object()) {
        let (add, remove) = (taints(change.get("addOrUpdateTaints")), taints(change.get("removeTaints")));
        after
            .taints
            .retain(|t| !remove.contains(t) && !add.iter().any(|a| a.key == t.key && a.effect == t.effect));
        after.taints.extend(add);
        params.push(("TaintsToAdd", change.to_string()));
    }
    after.update = update_config(body.get("updateConfig"), &one.update);
    if body.get("updateConfig").is_some_and(Value::is_object) {
        params.push(("MaxUnavailable", after.update.max_unavailable.unwrap_or(1).to_string()));
    }
    let token = given(&body, "clientRequestToken");
    let wish =
        Wish { kind: "ConfigUpdate", params, nodegroup: Some(group), addon: None, token, force: false };
    if let Some(before) = replay(world, name, &wish)? {
        return Ok(Done::json(before));
    }
    busy(found, name, group)?;
    let effect =
        format!("{name} {group} {}/{}/{}", after.scaling.min, after.scaling.desired, after.scaling.max);
    let update = accept(world, name, wish)?;
    after.modified = Some(world.now());
    cluster_mut(world, name)?.nodegroups.insert(group.to_owned(), after);
    actors::begin_config(world, name, group, &update);
    Ok(Done::json(json!({"update": updates::shown(&update)})).on(effect))
}

fn create(world: &mut World, request: &Request<'_>, name: &str) -> Answered {
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
        .find(|u| u.running() && u.nodegroup.is_none() && u.addon.is_none() && u.kind.starts_with("Version"))
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
    actors::begin_create(world, name, &group);
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
        status: "CREATING".into(),
        created: Some(world.now()),
        modified: Some(world.now()),
        ..Nodegroup::default()
    })
}

fn delete(world: &mut World, name: &str, group: &str) -> Answered {
    let found = cluster(world, name)?;
    find(found, name, group)?;
    let update = found.updates.iter().find(|u| u.running() && u.nodegroup.as_deref() == Some(group));
    if let Some(update) = update {
        return Err(in_use(name, update));
    }
    let again = found.nodegroups.get(group).is_some_and(|g| g.status == "DELETING");
    if let Some(one) = cluster_mut(world, name)?.nodegroups.get_mut(group) {
        one.status = "DELETING".into();
        one.scaling = Scaling { min: 0, desired: 0, max: one.scaling.max };
    }
    actors::look(world, name, group);
    let mut body = Map::new();
    body.insert("nodegroup".into(), shown(world, name, group)?);
    let done = Done::json(body.into());
    Ok(if again { done } else { done.on(format!("{name} {group}")) })
}
