//! Insights: what a refresh finds out about a cluster, and how old that is.
//!
//! Names follow those seen in the field ("Kubelet version skew", …). A refresh happens every 24 hours, when it is asked for, and
//! when an upgrade ends; between, findings stay as they were, however the cluster changes.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{cluster, cluster_mut, epoch, insights_key, maybe, minor, minor_text, page, without_nulls};
use crate::cloud::eks::state::{Cluster, DeprecatedUse, Insight, InsightCategory, InsightStatus, Refresh};
use crate::cloud::plan;
use crate::cloud::protocol::{Answered, AwsError, Done, Request};
use crate::world::World;
use crate::world::key::text;

const DAY: SignedDuration = SignedDuration::from_hours(24);
/// Calls to APIs that go away count this long.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(30 * 24);
/// A rollback is offered this long.
const WINDOW: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Insights as the last refresh left them, written ones in place of found ones.
pub(super) fn of(found: &Cluster) -> Vec<Insight> {
    let written = |i: &Insight| found.insights.iter().any(|w| w.name == i.name && w.category == i.category);
    let mut all: Vec<Insight> = found.found.iter().filter(|i| !written(i)).cloned().collect();
    let refreshed = found.found.iter().filter_map(|i| i.refreshed).max();
    for insight in &found.insights {
        let mut insight = insight.clone();
        if insight.id.is_empty() {
            insight.id = id(&insight);
        }
        insight.refreshed = insight.refreshed.or(refreshed);
        insight.since = insight.since.or(found.created);
        all.push(insight);
    }
    all.sort_by(|a, b| (&a.category, &a.name, &a.minor).cmp(&(&b.category, &b.name, &b.minor)));
    all
}

/// Looks again where the last look is a day old.
fn daily(world: &mut World, name: &str) {
    let last =
        world.cloud().eks.clusters.get(name).and_then(|c| c.found.iter().filter_map(|i| i.refreshed).max());
    let Some(last) = last else { return refresh(world, name, world.now()) };
    let days = world.now().duration_since(last).as_hours() / 24;
    if days > 0
        && let Ok(at) = last.checked_add(DAY * i32::try_from(days).unwrap_or(0))
    {
        refresh(world, name, at);
    }
}

pub(super) fn list(world: &mut World, request: &Request<'_>, name: &str) -> Answered {
    daily(world, name);
    let body = request.json()?;
    let filter = |field: &str| -> Vec<String> {
        let all = body.pointer(&format!("/filter/{field}")).and_then(Value::as_array);
        all.into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
    };
    let fits = |wanted: &[String], value: &str| wanted.is_empty() || wanted.iter().any(|w| w == value);
    let (categories, minors, statuses) =
        (filter("categories"), filter("kubernetesVersions"), filter("statuses"));
    let all: Vec<Value> = of(cluster(world, name)?)
        .iter()
        .filter(|i| {
            fits(&categories, i.category.as_str())
                && fits(&minors, &i.minor)
                && fits(&statuses, i.status.as_str())
        })
        .map(summary)
        .collect();
    let most = body.get("maxResults").map(Value::to_string);
    let (page, next) = page(all, most.as_deref(), body.get("nextToken").and_then(Value::as_str))?;
    Ok(Done::json(without_nulls(json!({"insights": page, "nextToken": next}))))
}

fn summary(insight: &Insight) -> Value {
    json!({
        "id": insight.id, "name": insight.name, "category": insight.category, "kubernetesVersion": insight.minor,
        "lastRefreshTime": maybe(insight.refreshed), "lastTransitionTime": maybe(insight.since),
        "description": insight.description, "insightStatus": {"status": insight.status, "reason": insight.reason},
    })
}

pub(super) fn describe(world: &mut World, request: &Request<'_>, name: &str) -> Answered {
    daily(world, name);
    let wanted = request.name(1);
    let all = of(cluster(world, name)?);
    let insight = all.iter().find(|i| i.id == wanted).ok_or_else(|| {
        AwsError::new(404, "ResourceNotFoundException", format!("No insight found for ID: {wanted}"))
            .with("clusterName", name)
    })?;
    let mut shown = summary(insight);
    let resources: Vec<Value> = insight
        .resources
        .iter()
        .map(|(uri, status)| json!({"kubernetesResourceUri": uri, "insightStatus": {"status": status}}))
        .collect();
    let details: Vec<Value> = insight
        .deprecated
        .iter()
        .map(|d| {
            json!({
                "usage": d.usage, "replacedWith": d.replaced_with, "stopServingVersion": d.stop_serving,
                "startServingReplacementVersion": "1.29",
                "clientStats": [{"userAgent": d.client, "numberOfRequestsLast30Days": d.requests,
                    "lastRequestTime": epoch(d.last)}],
            })
        })
        .collect();
    if let Some(map) = shown.as_object_mut() {
        map.insert("recommendation".into(), insight.recommendation.clone().into());
        map.insert("additionalInfo".into(), json!({}));
        map.insert("resources".into(), resources.into());
        map.insert("categorySpecificSummary".into(), json!({"deprecationDetails": details}));
    }
    Ok(Done::json(json!({"insight": shown})))
}

pub(super) fn start(world: &mut World, name: &str) -> Answered {
    let now = world.now();
    let found = cluster_mut(world, name)?;
    let running = found.refresh.as_ref().is_some_and(|r| r.ended.is_none());
    let body = json!({"message": "Insights refresh is in progress", "status": "IN_PROGRESS"});
    if running {
        return Ok(Done::json(body));
    }
    found.refresh = Some(Refresh { started: now, ended: None });
    let after = world.settings().cloud.insights;
    plan(world, insights_key(name), after);
    Ok(Done::json(body).on(name))
}

pub(super) fn progress(world: &World, name: &str) -> Answered {
    let found = cluster(world, name)?.refresh.as_ref().ok_or_else(|| {
        AwsError::new(404, "ResourceNotFoundException", "No insights refresh was started for the cluster")
            .with("clusterName", name)
    })?;
    let status = if found.ended.is_some() { "COMPLETED" } else { "IN_PROGRESS" };
    Ok(Done::json(without_nulls(json!({
        "message": format!("Insights refresh is {}", status.to_lowercase().replace('_', " ")), "status": status,
        "startedAt": epoch(found.started), "endedAt": maybe(found.ended),
    }))))
}

/// Finds out again how things stand.
pub(in crate::cloud) fn refresh(world: &mut World, name: &str, at: Timestamp) {
    let mut fresh = look(world, name, at);
    let Ok(found) = cluster_mut(world, name) else { return };
    for insight in &mut fresh {
        let before = found.found.iter().find(|b| b.id == insight.id && b.status == insight.status);
        insight.since = before.and_then(|b| b.since).or(Some(at));
        insight.refreshed = Some(at);
    }
    found.found = fresh;
}

/// Kubelets of a cluster: node and minor.
fn kubelets(world: &World, name: &str, found: &Cluster) -> Vec<(String, (u32, u32))> {
    if world.cloud().face() == Some(name) {
        return world
            .list("", "nodes", None)
            .map(|(k, n)| (k.name.to_string(), minor(text(n, "/status/nodeInfo/kubeletVersion"))))
            .collect();
    }
    found.nodegroups.iter().map(|(group, g)| (group.clone(), minor(&g.version))).collect()
}

fn look(world: &World, name: &str, at: Timestamp) -> Vec<Insight> {
    let Some(found) = world.cloud().eks.clusters.get(name) else { return Vec::new() };
    let (major, now) = minor(&found.version);
    let mut all = Vec::new();
    let next = (major, now + 1);
    for (target, bad) in [(next, InsightStatus::Error), ((major, now + 2), InsightStatus::Warning)] {
        let uses: Vec<DeprecatedUse> = found
            .deprecated_use
            .iter()
            .filter(|d| minor(&d.stop_serving) == target && at.duration_since(d.last) < REMEMBERED)
            .cloned()
            .collect();
        let mut insight = insight(
            &format!("Deprecated APIs removed in Kubernetes v{}", minor_text(target)),
            InsightCategory::Upgrade,
            target,
            if uses.is_empty() {
                None
            } else {
                Some((
                    bad,
                    "Deprecated API usage detected within last 30 days and no available replacement is used.",
                ))
            },
            "No deprecated API usage detected within the last 30 days.",
        );
        insight.deprecated = uses;
        all.push(insight);
    }
    all.extend(skews(world, name, found, InsightCategory::Upgrade, next));
    if let Some(upgrade) = found.upgraded.as_ref().filter(|u| at.duration_since(u.at) <= WINDOW) {
        let target = minor(&upgrade.from);
        all.push(insight(
            "API usage",
            InsightCategory::Rollback,
            target,
            None,
            "No API usage that the earlier version does not serve.",
        ));
        all.extend(skews(world, name, found, InsightCategory::Rollback, target));
    }
    all
}

/// What both directions look at.
fn skews(
    world: &World,
    name: &str,
    found: &Cluster,
    category: InsightCategory,
    target: (u32, u32),
) -> Vec<Insight> {
    // A kubelet may be three minors older than its API server and never newer.
    let fits = |(major, of): (u32, u32)| major == target.0 && of <= target.1 && of + 3 >= target.1;
    let nodes: Vec<(String, InsightStatus)> = kubelets(world, name, found)
        .into_iter()
        .filter(|(_, of)| !fits(*of))
        .map(|(node, _)| (format!("/api/v1/nodes/{node}"), InsightStatus::Error))
        .collect();
    let verdict = |bad: bool, why: &'static str| bad.then_some((InsightStatus::Error, why));
    let mut kubelet = insight(
        "Kubelet version skew",
        category,
        target,
        verdict(!nodes.is_empty(), "Kubelet versions of nodes are not supported by the Kubernetes version."),
        "Node kubelet versions match the cluster version.",
    );
    kubelet.resources = nodes;
    let proxy = found.addons.get("kube-proxy").is_some_and(|a| !fits(minor(&a.version)));
    let wanted = minor_text(target);
    let known = |addon: &str, version: &str| {
        world
            .cloud()
            .eks
            .addons
            .get(addon)
            .is_none_or(|all| all.iter().any(|v| v.version == version && v.minors.contains(&wanted)))
    };
    let wrong: Vec<(String, InsightStatus)> = found
        .addons
        .iter()
        .filter(|(addon, a)| addon.as_str() != "kube-proxy" && !known(addon, &a.version))
        .map(|(addon, _)| (format!("/addons/{addon}"), InsightStatus::Error))
        .collect();
    let mut addons = insight(
        "EKS add-on version compatibility",
        category,
        target,
        verdict(
            !wrong.is_empty(),
            "Installed EKS add-on versions are not compatible with the Kubernetes version.",
        ),
        "All installed EKS add-on versions are compatible with the Kubernetes version.",
    );
    addons.resources = wrong;
    vec![
        kubelet,
        insight(
            "kube-proxy version skew",
            category,
            target,
            verdict(proxy, "kube-proxy versions are not supported by the Kubernetes version."),
            "kube-proxy versions match the cluster version.",
        ),
        addons,
        insight("Cluster health issues", category, target, None, "No cluster health issues detected."),
    ]
}

fn insight(
    name: &str,
    category: InsightCategory,
    target: (u32, u32),
    bad: Option<(InsightStatus, &str)>,
    good: &str,
) -> Insight {
    let (status, reason) = bad.unwrap_or((InsightStatus::Passing, good));
    let mut made = Insight {
        name: name.into(),
        category,
        minor: minor_text(target),
        status,
        reason: reason.into(),
        description: format!("Checks for: {name}."),
        recommendation: format!("Mend what {name} names, then refresh."),
        ..Insight::default()
    };
    made.id = id(&made);
    made
}

/// An id that is the same at every refresh.
fn id(insight: &Insight) -> String {
    let text = format!("{}/{}/{}", insight.category, insight.minor, insight.name);
    let hash = |seed: u64| {
        text.bytes()
            .fold(0xcbf2_9ce4_8422_2325 ^ seed, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
    };
    let (a, b) = (hash(0), hash(7));
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        a >> 32,
        (a >> 16) & 0xffff,
        a & 0xfff,
        b >> 52,
        b & 0xffff_ffff_ffff
    )
}
