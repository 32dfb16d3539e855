//! `/version`, `/api`, `/apis` and what lies directly under them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::call::Call;
use crate::kube::error::{ApiError, ApiResult};
use crate::world::World;
use crate::world::key::set;

/// The answer, where the path is one of discovery.
pub(super) fn answer(world: &World, call: &Call) -> ApiResult<Option<Value>> {
    let parts: Vec<&str> = call.path.split('/').filter(|p| !p.is_empty()).collect();
    let found = match parts.as_slice() {
        ["version"] => version(world),
        ["healthz" | "livez" | "readyz"] => json!("ok"),
        ["api"] => json!({"kind": "APIVersions", "versions": ["v1"],
            "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1"}]}),
        ["apis"] => {
            let groups: Vec<Value> =
                groups(world).iter().map(|(name, versions)| group(name, versions)).collect();
            json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
        }
        ["apis", name] => match groups(world).get(*name) {
            Some(versions) => {
                let mut found = group(name, versions);
                set(&mut found, &["kind"], "APIGroup".into());
                set(&mut found, &["apiVersion"], "v1".into());
                found
            }
            None => return Err(ApiError::no_path()),
        },
        ["api", "v1"] => resources(world, "", "v1"),
        ["apis", name, version] => {
            if !world.kinds().any(|k| k.group == *name && k.version == *version) {
                return Err(ApiError::no_path());
            }
            resources(world, name, version)
        }
        ["openapi" | "logs", ..] => {
            return Err(ApiError::not_simulated(format!("{} {}", call.method, call.path)));
        }
        _ => return Ok(None),
    };
    if call.method != "GET" {
        return Err(ApiError::not_simulated(format!("{} {}", call.method, call.path)));
    }
    Ok(Some(found))
}

fn version(world: &World) -> Value {
    let git = &world.settings().kubernetes.0;
    let mut parts = git.trim_start_matches('v').split('.');
    json!({
        "major": parts.next().unwrap_or_default(), "minor": parts.next().unwrap_or_default(), "gitVersion": git,
        "gitCommit": "", "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z", "goVersion": "go",
        "compiler": "gc", "platform": "linux/amd64",
    })
}

fn groups(world: &World) -> BTreeMap<String, Vec<String>> {
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for kind in world.kinds().filter(|k| !k.group.is_empty()) {
        let versions = groups.entry(kind.group.clone()).or_default();
        if !versions.contains(&kind.version) {
            versions.push(kind.version.clone());
        }
    }
    for versions in groups.values_mut() {
        versions.sort_by_key(|v| std::cmp::Reverse(rank(v)));
    }
    groups
}

/// Stable before beta before alpha, higher numbers first.
fn rank(version: &str) -> (u8, u32, u32) {
    let digits =
        |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0);
    let rest = version.trim_start_matches('v');
    let major = digits(rest);
    match (rest.split_once("beta"), rest.split_once("alpha")) {
        (Some((_, n)), _) => (1, major, digits(n)),
        (_, Some((_, n))) => (0, major, digits(n)),
        _ => (2, major, 0),
    }
}

fn group(name: &str, versions: &[String]) -> Value {
    let all: Vec<Value> =
        versions.iter().map(|v| json!({"groupVersion": format!("{name}/{v}"), "version": v})).collect();
    json!({"name": name, "versions": all, "preferredVersion": all.first()})
}

fn resources(world: &World, group: &str, version: &str) -> Value {
    let mut all = Vec::new();
    for kind in world.kinds().filter(|k| k.group == group && k.version == version) {
        let mut entry = json!({
            "name": kind.resource, "singularName": kind.singular, "namespaced": kind.namespaced,
            "kind": kind.kind, "verbs": kind.verbs(),
        });
        if !kind.short.is_empty() {
            set(&mut entry, &["shortNames"], json!(kind.short));
        }
        all.push(entry);
        let mut sub = |name: &str, kind_of: &str, verbs: &[&str]| {
            all.push(json!({"name": format!("{}/{name}", kind.resource), "singularName": "",
                "namespaced": kind.namespaced, "kind": kind_of, "verbs": verbs}));
        };
        if kind.status {
            sub("status", &kind.kind, &["get", "patch", "update"]);
        }
        if kind.scale {
            sub("scale", "Scale", &["get", "patch", "update"]);
        }
        if kind.resource == "pods" {
            sub("eviction", "Eviction", &["create"]);
        }
    }
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": all})
}

#[cfg(test)]
mod tests {
    use super::rank;

    #[test]
    fn stable_versions_come_first() {
        let mut all = ["v1alpha1", "v1", "v2beta1", "v1beta2", "v2"];
        all.sort_by_key(|v| std::cmp::Reverse(rank(v)));
        assert_eq!(all, ["v2", "v1", "v2beta1", "v1beta2", "v1alpha1"]);
    }
}
