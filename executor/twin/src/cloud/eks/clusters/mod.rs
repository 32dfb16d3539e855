//! Clusters: what they look like, and moving their control plane.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{
    Wish, accept, cluster, cluster_mut, given, in_use, insights, invalid, maybe, minor, minor_text, names,
    refused, replay, update_key, updates, visible, without_nulls,
};
use crate::cloud::eks::state::{
    Cluster, ClusterStatus, InsightCategory, InsightStatus, SupportType, UpdateType,
};
use crate::cloud::identity::Caller;
use crate::cloud::plan;
use crate::cloud::protocol::{Answered, AwsError, Done, Request};
use crate::world::World;

mod control_plane;

pub(super) use control_plane::act;
pub(in crate::cloud) use control_plane::show;

/// How long after an upgrade its way back is open.
const WINDOW: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A certificate that signs nothing: clients that want one get one, and the twin speaks plain HTTP.
const CERTIFICATE: &str = include_str!("ca.b64");

pub(super) fn list(world: &World, request: &Request<'_>, caller: &Caller) -> Answered {
    let all = world
        .cloud()
        .eks
        .clusters
        .iter()
        .filter(|(_, c)| c.account == caller.account && c.region == request.region)
        .map(|(name, _)| name.clone())
        .collect();
    names(request, "clusters", all)
}

pub(super) fn fargate(world: &World, request: &Request<'_>, name: &str) -> Answered {
    names(request, "fargateProfileNames", cluster(world, name)?.fargate_profiles.clone())
}

/// `UPDATING` while its control plane moves, as soon as that shows.
fn status(world: &World, cluster: &Cluster) -> ClusterStatus {
    let moving = cluster
        .updates
        .iter()
        .any(|u| u.running() && u.kind.moves_version() && u.nodegroup.is_none() && visible(world, u.created));
    if moving { ClusterStatus::Updating } else { ClusterStatus::Active }
}

pub(super) fn describe(world: &World, request: &Request<'_>, name: &str) -> Answered {
    let found = cluster(world, name)?;
    let face = world.cloud().face() == Some(name);
    let endpoint = match request.call.header("host") {
        Some(host) if face => format!("http://{host}"),
        _ => format!("https://{}.gr7.{}.eks.amazonaws.com", id(name), found.region),
    };
    let platform =
        world.cloud().eks.versions.get(&found.version).map(|m| m.platform.clone()).unwrap_or_default();
    let body = json!({
        "name": name,
        "arn": arn(found, name),
        "createdAt": maybe(found.created),
        "version": found.version,
        "endpoint": endpoint,
        "roleArn": format!("arn:aws:iam::{}:role/eks-cluster-{name}", found.account),
        "resourcesVpcConfig": {
            "subnetIds": found.subnets, "securityGroupIds": [], "clusterSecurityGroupId": "sg-0twin", "vpcId": found.vpc,
            "endpointPublicAccess": true, "endpointPrivateAccess": true, "publicAccessCidrs": ["0.0.0.0/0"],
        },
        "kubernetesNetworkConfig": {"serviceIpv4Cidr": "172.20.0.0/16", "ipFamily": "ipv4",
            "elasticLoadBalancing": {"enabled": found.auto_mode}},
        "logging": {"clusterLogging": [{"types": ["audit"], "enabled": true}]},
        "identity": {"oidc": {"issuer": format!("https://oidc.eks.{}.amazonaws.com/id/{}", found.region, id(name))}},
        "status": status(world, found),
        "certificateAuthority": {"data": CERTIFICATE.trim()},
        "platformVersion": if found.platform.is_empty() { platform } else { found.platform.clone() },
        "tags": found.tags,
        "health": {"issues": []},
        "accessConfig": {"authenticationMode": "API"},
        "upgradePolicy": {"supportType": found.support},
        "computeConfig": {"enabled": found.auto_mode},
        "deletionProtection": false,
    });
    Ok(Done::json(json!({"cluster": without_nulls(body)})))
}

/// The name of a cluster as a resource.
pub(super) fn arn(cluster: &Cluster, name: &str) -> String {
    format!("arn:aws:eks:{}:{}:cluster/{name}", cluster.region, cluster.account)
}

/// Thirty-two hexadecimal digits that stand for a name.
fn id(name: &str) -> String {
    let hash = |seed: u64| {
        name.bytes()
            .fold(0xcbf2_9ce4_8422_2325 ^ seed, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
    };
    format!("{:016X}{:016X}", hash(0), hash(1))
}

/// Where the control plane would go.
enum Way {
    Up,
    Back,
}

pub(super) fn update_version(world: &mut World, request: &Request<'_>, name: &str) -> Answered {
    let body = request.json()?;
    let to = given(&body, "version").ok_or_else(|| invalid(name, "version is required"))?.to_owned();
    let force = body.get("force").and_then(Value::as_bool).unwrap_or(false);
    let found = cluster(world, name)?;
    let kind = if minor(&to) < minor(&found.version) {
        UpdateType::VersionRollback
    } else {
        UpdateType::VersionUpdate
    };
    let mut wish = Wish {
        kind,
        params: vec![("Version", to.clone())],
        nodegroup: None,
        addon: None,
        token: given(&body, "clientRequestToken"),
        force,
    };
    // A repeated call is answered with what it made, wherever the cluster is by then.
    for kind in [UpdateType::VersionUpdate, UpdateType::VersionRollback] {
        wish.kind = kind;
        if let Ok(Some(before)) = replay(world, name, &wish) {
            return Ok(Done::json(before));
        }
    }
    wish.kind = kind;
    replay(world, name, &wish)?;
    if let Some(update) = found.updates.iter().find(|u| u.running()) {
        return Err(in_use(name, update));
    }
    let platform = world.cloud().eks.versions.get(&to).map(|m| m.platform.clone());
    let platform = platform.ok_or_else(|| invalid(name, format!("unsupported Kubernetes version {to}")))?;
    match way(world, found, name, &to)? {
        Way::Up => parity(found, name)?,
        Way::Back => back(world, found, name, &to, force)?,
    }
    if kind == UpdateType::VersionUpdate && world.cloud().eks.enforce_insights && !force {
        blocked(found, name, InsightCategory::Upgrade, &to)?;
    }
    wish.params.push(("PlatformVersion", platform));
    let update = accept(world, name, wish)?;
    let timings = &world.settings().cloud;
    let starved = addresses(world, name) < 5;
    let after =
        if starved || update.doom.is_some() { timings.control_plane_failure } else { timings.control_plane };
    plan(world, update_key(name, &update.id), after);
    Ok(Done::json(json!({"update": updates::shown(&update)})).on(format!("{name} {to}")))
}

/// Free addresses in the subnets of a cluster.
fn addresses(world: &World, name: &str) -> i64 {
    let cloud = world.cloud();
    let Some(found) = cloud.eks.clusters.get(name) else { return 0 };
    if found.subnets.is_empty() {
        return i64::MAX;
    }
    found.subnets.iter().filter_map(|id| cloud.subnets.get(id)).map(|s| s.free.max(0)).sum()
}

fn way(world: &World, found: &Cluster, name: &str, to: &str) -> Result<Way, AwsError> {
    let ((_, target), (major, now)) = (minor(to), minor(&found.version));
    let ended = world
        .cloud()
        .eks
        .versions
        .get(to)
        .is_some_and(|m| world.now().to_zoned(jiff::tz::TimeZone::UTC).date() > m.extended_until);
    if ended {
        return Err(invalid(name, format!("unsupported Kubernetes version {to}")));
    }
    if target == now + 1 {
        return Ok(Way::Up);
    }
    if target + 1 == now {
        return Ok(Way::Back);
    }
    if target == now {
        return Err(invalid(
            name,
            format!("Cluster is already at the desired configuration with version: {to}"),
        ));
    }
    Err(invalid(
        name,
        format!(
            "Unsupported Kubernetes minor version update from {} to {to}; the next one is {}",
            found.version,
            minor_text((major, now + 1))
        ),
    ))
}

/// All managed node groups are at the cluster's minor.
fn parity(found: &Cluster, name: &str) -> Result<(), AwsError> {
    let behind: Vec<&str> = found
        .nodegroups
        .iter()
        .filter(|(_, g)| minor(&g.version) != minor(&found.version))
        .map(|(n, _)| n.as_str())
        .collect();
    if behind.is_empty() {
        return Ok(());
    }
    Err(refused(
        name,
        format!(
            "Nodegroups {} must be updated to match cluster version {} before updating cluster version",
            behind.join(", "),
            found.version
        ),
    ))
}

/// Whether the way back is open.
fn back(world: &World, found: &Cluster, name: &str, to: &str, force: bool) -> Result<(), AwsError> {
    let state =
        |message: String| AwsError::new(400, "InvalidStateException", message).with("clusterName", name);
    let Some(upgrade) = found.upgraded.as_ref().filter(|u| u.from == to) else {
        return Err(state(format!(
            "Cluster was not upgraded in place from {to}, so it cannot be rolled back to it"
        )));
    };
    if world.now().duration_since(upgrade.at) > WINDOW {
        return Err(state(format!(
            "Rollback to {to} is only possible within 7 days after the upgrade completed"
        )));
    }
    let today = world.now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let extended = world.cloud().eks.versions.get(to).is_some_and(|m| today > m.standard_until);
    if extended && found.support == SupportType::Standard {
        return Err(refused(
            name,
            format!("Version {to} is in extended support; set the upgrade policy to EXTENDED first"),
        ));
    }
    if force { Ok(()) } else { blocked(found, name, InsightCategory::Rollback, to) }
}

/// Findings of the last refresh that stand in the way.
fn blocked(found: &Cluster, name: &str, category: InsightCategory, to: &str) -> Result<(), AwsError> {
    let bad: Vec<String> = insights::of(found)
        .into_iter()
        .filter(|i| {
            i.category == category
                && i.minor == to
                && matches!(i.status, InsightStatus::Error | InsightStatus::Unknown)
        })
        .map(|i| format!("{} ({})", i.name, i.status))
        .collect();
    if bad.is_empty() {
        return Ok(());
    }
    Err(refused(name, format!("{category} insights do not pass: {}", bad.join(", "))))
}

/// Only the upgrade policy can be changed.
pub(super) fn update_config(world: &mut World, request: &Request<'_>, name: &str) -> Answered {
    let body = request.json()?;
    let others =
        body.as_object().is_some_and(|m| m.keys().any(|k| k != "upgradePolicy" && k != "clientRequestToken"));
    let policy = body.pointer("/upgradePolicy/supportType").and_then(Value::as_str);
    let Some(policy) = policy.filter(|_| !others) else {
        return Err(AwsError::not_simulated("eks:UpdateClusterConfig of anything but upgradePolicy"));
    };
    let policy: SupportType = serde_json::from_value(policy.into())
        .map_err(|_| invalid(name, format!("supportType {policy} is neither STANDARD nor EXTENDED")))?;
    let wish = Wish {
        kind: UpdateType::UpgradePolicyUpdate,
        params: vec![("UpgradePolicy", json!({"supportType": policy}).to_string())],
        nodegroup: None,
        addon: None,
        token: given(&body, "clientRequestToken"),
        force: false,
    };
    if let Some(before) = replay(world, name, &wish)? {
        return Ok(Done::json(before));
    }
    if let Some(update) = cluster(world, name)?.updates.iter().find(|u| u.running()) {
        return Err(in_use(name, update));
    }
    let update = accept(world, name, wish)?;
    cluster_mut(world, name)?.support = policy;
    let after = world.settings().cloud.visible;
    plan(world, update_key(name, &update.id), after);
    Ok(Done::json(json!({"update": updates::shown(&update)})).on(format!("{name} {policy}")))
}
