//! EKS over rest-json: which path is which operation, and what all of them share.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::Cloud;
use super::identity::Caller;
use super::protocol::{Answered, AwsError, Done, Request};
use crate::call::decode;
use crate::world::{Key, World};

mod addons;
mod clusters;
pub(super) mod insights;
pub(super) mod nodegroups;
pub(crate) mod state;
mod updates;
mod versions;

pub(super) use clusters::show;
use state::{Cluster, ErrorDetail, Refresh, Update, UpdateParam, UpdateStatus, UpdateType};

/// The group of the keys under which the provider looks at what is of EKS.
pub(super) const GROUP: &str = "eks";

/// The key under which an update is looked at.
fn update_key(cluster: &str, id: &str) -> Key {
    Key::new(GROUP, "updates", cluster, id)
}

/// The key under which a refresh of insights is looked at.
fn insights_key(cluster: &str) -> Key {
    Key::new(GROUP, "insights", cluster, "")
}

/// What was accepted comes to its end.
pub(super) fn act(world: &mut World, key: &Key) {
    let (cluster, name) = (&*key.namespace, &*key.name);
    match &*key.resource {
        "updates" => update(world, cluster, name),
        "insights" => refreshed(world, cluster),
        "nodegroups" => nodegroups::act(world, cluster, name),
        _ => {}
    }
}

fn update(world: &mut World, cluster: &str, id: &str) {
    let Ok(found) = self::cluster(world, cluster) else { return };
    let Some(update) = found.updates.iter().find(|u| u.id == id && u.running()).cloned() else { return };
    match (&update.addon, update.kind) {
        (Some(_), _) => addons::act(world, cluster, &update),
        (None, kind) if kind.moves_version() && update.nodegroup.is_none() => {
            clusters::act(world, cluster, &update);
        }
        _ => match &update.doom {
            Some(doom) => end(world, cluster, id, UpdateStatus::Failed, vec![doom.clone()]),
            None => end(world, cluster, id, UpdateStatus::Successful, Vec::new()),
        },
    }
}

fn refreshed(world: &mut World, cluster: &str) {
    let now = world.now();
    insights::refresh(world, cluster, now);
    if let Ok(found) = cluster_mut(world, cluster)
        && let Some(asked) = &found.refresh
    {
        found.refresh = Some(Refresh { started: asked.started, ended: Some(now) });
    }
}

/// The operation that a method and path are, and the names in the path.
pub(super) fn route(method: &str, path: &str) -> (&'static str, Vec<String>) {
    let parts: Vec<String> = path.split('/').filter(|p| !p.is_empty()).map(decode).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let (operation, names): (&'static str, &[&str]) = match (method, parts.as_slice()) {
        ("GET", ["clusters"]) => ("ListClusters", &[]),
        ("GET", ["clusters", name]) => ("DescribeCluster", &[name]),
        ("GET", ["cluster-versions"]) => ("DescribeClusterVersions", &[]),
        ("GET", ["addons", "supported-versions"]) => ("DescribeAddonVersions", &[]),
        ("POST", ["clusters", name, "updates"]) => ("UpdateClusterVersion", &[name]),
        ("POST", ["clusters", name, "update-config"]) => ("UpdateClusterConfig", &[name]),
        ("GET", ["clusters", name, "updates"]) => ("ListUpdates", &[name]),
        ("GET", ["clusters", name, "updates", id]) => ("DescribeUpdate", &[name, id]),
        ("POST", ["clusters", name, "updates", id, "cancel-update"]) => ("CancelUpdate", &[name, id]),
        ("GET", ["clusters", name, "fargate-profiles"]) => ("ListFargateProfiles", &[name]),
        ("GET", ["clusters", name, "addons"]) => ("ListAddons", &[name]),
        ("GET", ["clusters", name, "addons", addon]) => ("DescribeAddon", &[name, addon]),
        ("POST", ["clusters", name, "addons", addon, "update"]) => ("UpdateAddon", &[name, addon]),
        ("POST", ["clusters", name, "insights"]) => ("ListInsights", &[name]),
        ("GET", ["clusters", name, "insights", id]) => ("DescribeInsight", &[name, id]),
        ("POST", ["clusters", name, "insights-refresh"]) => ("StartInsightsRefresh", &[name]),
        ("GET", ["clusters", name, "insights-refresh"]) => ("DescribeInsightsRefresh", &[name]),
        ("GET", ["clusters", name, "node-groups"]) => ("ListNodegroups", &[name]),
        ("POST", ["clusters", name, "node-groups"]) => ("CreateNodegroup", &[name]),
        ("GET", ["clusters", name, "node-groups", group]) => ("DescribeNodegroup", &[name, group]),
        ("DELETE", ["clusters", name, "node-groups", group]) => ("DeleteNodegroup", &[name, group]),
        ("POST", ["clusters", name, "node-groups", group, "update-config"]) => {
            ("UpdateNodegroupConfig", &[name, group])
        }
        ("POST", ["clusters", name, "node-groups", group, "update-version"]) => {
            ("UpdateNodegroupVersion", &[name, group])
        }
        _ => ("", &[]),
    };
    (operation, names.iter().map(|n| (*n).to_owned()).collect())
}

/// Answers an operation of EKS.
pub(super) fn answer(world: &mut World, request: &Request<'_>, caller: &Caller) -> Answered {
    match request.operation.as_str() {
        "DescribeClusterVersions" => return versions::clusters(world, request),
        "DescribeAddonVersions" => return versions::addons(world, request),
        "ListClusters" => return clusters::list(world, request, caller),
        "" => return Err(AwsError::not_simulated(&request.what())),
        _ => {}
    }
    let name = request.name(0).to_owned();
    find(world.cloud(), request, caller, &name)?;
    match request.operation.as_str() {
        "DescribeCluster" => clusters::describe(world, request, &name),
        "UpdateClusterVersion" => clusters::update_version(world, request, &name),
        "UpdateClusterConfig" => clusters::update_config(world, request, &name),
        "ListFargateProfiles" => clusters::fargate(world, request, &name),
        "ListUpdates" => updates::list(world, request, &name),
        "DescribeUpdate" => updates::describe(world, request, &name),
        "CancelUpdate" => updates::cancel(world, request, &name),
        "ListAddons" => addons::list(world, request, &name),
        "DescribeAddon" => addons::describe(world, request, &name),
        "UpdateAddon" => addons::update(world, request, &name),
        "ListInsights" => insights::list(world, request, &name),
        "DescribeInsight" => insights::describe(world, request, &name),
        "StartInsightsRefresh" => insights::start(world, &name),
        "DescribeInsightsRefresh" => insights::progress(world, &name),
        _ => nodegroups::answer(world, request, &name),
    }
}

/// A cluster that the caller can see.
fn find<'a>(
    cloud: &'a Cloud,
    request: &Request<'_>,
    caller: &Caller,
    name: &str,
) -> Result<&'a Cluster, AwsError> {
    cloud
        .eks
        .clusters
        .get(name)
        .filter(|c| c.account == caller.account && c.region == request.region)
        .ok_or_else(|| {
            AwsError::new(404, "ResourceNotFoundException", format!("No cluster found for name: {name}."))
                .with("clusterName", name)
        })
}

/// The cluster of a name that is known to be there.
pub(crate) fn cluster<'a>(world: &'a World, name: &str) -> Result<&'a Cluster, AwsError> {
    world.cloud().eks.clusters.get(name).ok_or_else(|| {
        AwsError::new(404, "ResourceNotFoundException", format!("No cluster found for name: {name}."))
    })
}

/// The same, to change it.
pub(crate) fn cluster_mut<'a>(world: &'a mut World, name: &str) -> Result<&'a mut Cluster, AwsError> {
    world.cloud_mut().eks.clusters.get_mut(name).ok_or_else(|| {
        AwsError::new(404, "ResourceNotFoundException", format!("No cluster found for name: {name}."))
    })
}

/// 400 about a parameter.
fn invalid(name: &str, message: impl Into<String>) -> AwsError {
    AwsError::new(400, "InvalidParameterException", message).with("clusterName", name)
}

/// 400 about a request that cannot be done now.
fn refused(name: &str, message: impl Into<String>) -> AwsError {
    AwsError::new(400, "InvalidRequestException", message).with("clusterName", name)
}

/// 409 that names what is in the way.
fn in_use(name: &str, update: &Update) -> AwsError {
    let of = match (&update.nodegroup, &update.addon) {
        (Some(group), _) => format!("node group {group}"),
        (_, Some(addon)) => format!("add-on {addon}"),
        _ => format!("cluster {name}"),
    };
    let error = AwsError::new(
        409,
        "ResourceInUseException",
        format!("{of} currently has update {} ({}) in progress", update.id, update.kind),
    );
    let error = error.with("clusterName", name);
    match (&update.nodegroup, &update.addon) {
        (Some(group), _) => error.with("nodegroupName", group.as_str()),
        (_, Some(addon)) => error.with("addonName", addon.as_str()),
        _ => error,
    }
}

/// Seconds since 1970, as rest-json writes instants.
pub(crate) fn epoch(at: Timestamp) -> Value {
    let millis = at.as_millisecond();
    let (whole, part) = (millis.div_euclid(1000), millis.rem_euclid(1000));
    if part == 0 {
        json!(whole)
    } else {
        serde_json::from_str(&format!("{whole}.{part:03}")).unwrap_or(json!(whole))
    }
}

/// The same, where there may be none.
fn maybe(at: Option<Timestamp>) -> Value {
    at.map_or(Value::Null, epoch)
}

/// Fields that are null are not in the answers of EKS.
fn without_nulls(mut value: Value) -> Value {
    if let Some(map) = value.as_object_mut() {
        map.retain(|_, v| !v.is_null());
    }
    value
}

/// Major and minor as numbers that compare.
pub(crate) fn minor(text: &str) -> (u32, u32) {
    let mut parts = text.trim_start_matches('v').split('.').map(|p| p.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

/// `1.33` from numbers.
pub(crate) fn minor_text((major, minor): (u32, u32)) -> String {
    format!("{major}.{minor}")
}

/// A page of a list, and the token of the next one. `maxResults` is 100 where it is left out.
fn page<T>(all: Vec<T>, most: Option<&str>, token: Option<&str>) -> Result<(Vec<T>, Value), AwsError> {
    let most = match most.map(str::parse::<usize>) {
        None => 100,
        Some(Ok(n)) if (1..=100).contains(&n) => n,
        Some(_) => {
            return Err(AwsError::new(
                400,
                "InvalidParameterException",
                "maxResults must be between 1 and 100",
            ));
        }
    };
    let from = match token {
        None => 0,
        Some(token) => token
            .strip_prefix("twin-page-")
            .and_then(|n| n.parse::<usize>().ok())
            .ok_or_else(|| AwsError::new(400, "InvalidParameterException", "nextToken is not valid"))?,
    };
    let total = all.len();
    let page: Vec<T> = all.into_iter().skip(from).take(most).collect();
    let end = from + page.len();
    Ok((page, if end < total { json!(format!("twin-page-{end}")) } else { Value::Null }))
}

/// A page of a list that is asked for in the query.
fn paged<T>(request: &Request<'_>, all: Vec<T>) -> Result<(Vec<T>, Value), AwsError> {
    page(all, request.call.param("maxResults"), request.call.param("nextToken"))
}

/// Names as a page of them.
fn names(request: &Request<'_>, field: &str, all: Vec<String>) -> Answered {
    let (page, next) = paged(request, all)?;
    Ok(Done::json(without_nulls(json!({field: page, "nextToken": next}))))
}

/// A text of the body, where there is one.
fn given<'a>(body: &'a Value, name: &str) -> Option<&'a str> {
    body.get(name).and_then(Value::as_str).filter(|t| !t.is_empty())
}

/// An update that is about to be accepted.
struct Wish<'a> {
    kind: UpdateType,
    params: Vec<(&'static str, String)>,
    nodegroup: Option<&'a str>,
    addon: Option<&'a str>,
    token: Option<&'a str>,
    force: bool,
}

/// What a repeated `clientRequestToken` answers: the update that it made; an error where it asks something else.
fn replay(world: &World, name: &str, wish: &Wish<'_>) -> Result<Option<Value>, AwsError> {
    let Some(token) = wish.token else { return Ok(None) };
    let Some(found) = cluster(world, name)?.updates.iter().find(|u| u.token.as_deref() == Some(token)) else {
        return Ok(None);
    };
    let same = found.kind == wish.kind
        && found.nodegroup.as_deref() == wish.nodegroup
        && found.addon.as_deref() == wish.addon
        && wish.params.iter().all(|(k, v)| found.param(k) == Some(v));
    if same {
        return Ok(Some(json!({"update": updates::shown(found)})));
    }
    Err(invalid(name, "clientRequestToken was already used for a request with other parameters"))
}

/// Notes an accepted update. What it does and when is the actor's.
fn accept(world: &mut World, name: &str, wish: Wish<'_>) -> Result<Update, AwsError> {
    let (id, now) = (world.uid(), world.now());
    let doom = world.cloud_mut().doom.take();
    let update = Update {
        id,
        kind: wish.kind,
        status: UpdateStatus::InProgress,
        created: Some(now),
        params: wish
            .params
            .into_iter()
            .map(|(kind, value)| UpdateParam { kind: kind.into(), value })
            .collect(),
        nodegroup: wish.nodegroup.map(str::to_owned),
        addon: wish.addon.map(str::to_owned),
        token: wish.token.map(str::to_owned),
        doom,
        force: wish.force,
        ..Update::default()
    };
    cluster_mut(world, name)?.updates.push(update.clone());
    Ok(update)
}

/// Ends an update.
pub(crate) fn end(world: &mut World, name: &str, id: &str, status: UpdateStatus, errors: Vec<ErrorDetail>) {
    if let Ok(cluster) = cluster_mut(world, name)
        && let Some(update) = cluster.updates.iter_mut().find(|u| u.id == id)
    {
        update.status = status;
        update.errors = errors;
    }
}

/// Whether something that was accepted at an instant shows by now.
pub(crate) fn visible(world: &World, since: Option<Timestamp>) -> bool {
    let delay = SignedDuration::from_millis(world.settings().cloud.visible.max(0));
    since.is_none_or(|at| world.now().duration_since(at) >= delay)
}
