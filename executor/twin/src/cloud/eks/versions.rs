//! What EKS offers: minors with their dates, and versions of add-ons.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::{epoch, minor, paged, without_nulls};
use crate::cloud::eks::state::Minor;
use crate::cloud::protocol::{Answered, AwsError, Done, Request};
use crate::world::World;

fn midnight(date: Date) -> Value {
    date.to_zoned(TimeZone::UTC).map_or(Value::Null, |z| epoch(z.timestamp()))
}

fn status(world: &World, minor: &Minor) -> &'static str {
    let today = world.now().to_zoned(TimeZone::UTC).date();
    if today > minor.extended_until {
        "UNSUPPORTED"
    } else if today > minor.standard_until {
        "EXTENDED_SUPPORT"
    } else {
        "STANDARD_SUPPORT"
    }
}

/// Values of a query field that may come several times, or as a list.
fn all<'a>(request: &'a Request<'_>, name: &str) -> Vec<&'a str> {
    request.call.query.iter().filter(|(n, _)| n == name).flat_map(|(_, v)| v.split(',')).collect()
}

pub(super) fn clusters(world: &World, request: &Request<'_>) -> Answered {
    let wanted = all(request, "clusterVersions");
    let state = request.call.param("versionStatus").or_else(|| request.call.param("status"));
    let state = state.map(|s| s.to_uppercase().replace('-', "_"));
    let defaults = request.call.flag("defaultOnly");
    let everything = request.call.flag("includeAll");
    let mut minors: Vec<_> = world
        .cloud()
        .eks
        .versions
        .iter()
        .filter(|(name, m)| {
            let now = status(world, m);
            let asked = wanted.contains(&name.as_str()) || state.as_deref() == Some(now);
            (wanted.is_empty() || wanted.contains(&name.as_str()))
                && state.as_deref().is_none_or(|s| s == now)
                && (!defaults || m.default)
                && (everything || asked || now != "UNSUPPORTED")
        })
        .collect();
    minors.sort_by_key(|(name, _)| std::cmp::Reverse(minor(name)));
    let (page, next) = paged(request, minors)?;
    let shown: Vec<Value> = page
        .into_iter()
        .map(|(name, m)| {
            let now = status(world, m);
            json!({
                "clusterVersion": name, "clusterType": "eks", "defaultPlatformVersion": m.platform,
                "defaultVersion": m.default, "releaseDate": midnight(m.released),
                "endOfStandardSupportDate": midnight(m.standard_until),
                "endOfExtendedSupportDate": midnight(m.extended_until),
                "status": now.to_lowercase().replace('_', "-"), "versionStatus": now,
                "kubernetesPatchVersion": m.patch,
            })
        })
        .collect();
    Ok(Done::json(without_nulls(json!({"clusterVersions": shown, "nextToken": next}))))
}

pub(super) fn addons(world: &World, request: &Request<'_>) -> Answered {
    let of = request.call.param("kubernetesVersion");
    let wanted = request.call.param("addonName");
    if let Some(name) = wanted
        && !world.cloud().eks.addons.contains_key(name)
    {
        let error = AwsError::new(
            404,
            "ResourceNotFoundException",
            format!("Addon {name} specified is not supported"),
        );
        return Err(error.with("addonName", name));
    }
    let mut shown = Vec::new();
    for (name, versions) in world.cloud().eks.addons.iter().filter(|(n, _)| wanted.is_none_or(|w| w == *n)) {
        let versions: Vec<Value> = versions
            .iter()
            .filter(|v| of.is_none_or(|m| v.minors.iter().any(|x| x == m)))
            .map(|v| {
                let fits: Vec<Value> = v
                    .minors
                    .iter()
                    .filter(|m| of.is_none_or(|o| o == *m))
                    .map(|m| {
                        json!({"clusterVersion": m, "platformVersions": ["*"], "defaultVersion": v.default_for.contains(m)})
                    })
                    .collect();
                json!({"addonVersion": v.version, "architecture": ["amd64", "arm64"], "computeTypes": ["ec2"],
                    "compatibilities": fits, "requiresConfiguration": false, "requiresIamPermissions": false})
            })
            .collect();
        if !versions.is_empty() {
            shown.push(
                json!({"addonName": name, "type": "networking", "addonVersions": versions, "owner": "aws",
                "publisher": "eks", "defaultNamespace": "kube-system"}),
            );
        }
    }
    let (page, next) = paged(request, shown)?;
    Ok(Done::json(without_nulls(json!({"addons": page, "nextToken": next}))))
}
