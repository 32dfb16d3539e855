//! What the Helm releases of a plan consist of: a plan holds no chart, and what helm has to be allowed follows from it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use switchback_schemas::{
    name::{ObjectName, is_namespaced, plural},
    plan::{Effect, Grant, HelmEffect, Objects, ReleaseObjects, RoleName, Work},
};

use crate::{
    context::Cx,
    objects::{self, text},
};

/// The releases that are installed or upgraded, in every revision that the plan passes through.
pub(super) fn moved<'w>(cx: &Cx<'_>, works: impl Iterator<Item = &'w Work>) -> Vec<ReleaseObjects> {
    let upgraded = works.flat_map(Work::effects).filter_map(|effect| match effect {
        Effect::Helm(effect @ (HelmEffect::Upgrade(_) | HelmEffect::Install(_))) => Some(effect.release()),
        _ => None,
    });
    let releases: BTreeSet<&ObjectName> = upgraded.collect();
    releases.into_iter().map(|release| of(cx, release)).collect()
}

fn of(cx: &Cx<'_>, release: &ObjectName) -> ReleaseObjects {
    let renders = || cx.lock.renders.iter().filter(|render| render.release == *release);
    let before = cx.index.release(release).into_iter().flat_map(|release| &release.objects);
    let all: Vec<&Value> = before.chain(renders().flat_map(|render| &render.objects)).collect();
    let hooks: Vec<&Value> = renders().flat_map(|render| &render.hooks).map(|hook| &hook.object).collect();
    let whole = || all.iter().chain(&hooks).copied();
    ReleaseObjects {
        release: release.clone(),
        objects: grouped(cx, release, &all),
        hooks: grouped(cx, release, &hooks),
        grants: grants(release, whole()),
        binds: binds(release, whole()),
    }
}

fn grouped(cx: &Cx<'_>, release: &ObjectName, objects: &[&Value]) -> Vec<Objects> {
    let mut grouped: BTreeMap<(String, String, Option<String>), BTreeSet<String>> = BTreeMap::new();
    for object in objects.iter().filter_map(|object| objects::reference(object)) {
        let group = object.group().to_owned();
        let resource = resource(cx, &group, &object.kind);
        // What is not known is taken for cluster-scoped: a rule that holds everywhere holds in a namespace, too.
        let namespaced = is_namespaced(&group, &object.kind).unwrap_or(false);
        let own = || release.namespace.clone().filter(|_| namespaced);
        let namespace = object.namespace.clone().or_else(own);
        grouped.entry((group, resource, namespace)).or_default().insert(object.name);
    }
    let objects = |((group, resource, namespace), names)| Objects { group, resource, namespace, names };
    grouped.into_iter().map(objects).collect()
}

/// The resource of a kind: as its definition says, where the platform has one.
fn resource(cx: &Cx<'_>, group: &str, kind: &str) -> String {
    let defined = cx.inventory.crds.iter().filter(|crd| crd.kind == kind);
    let mut named = defined.filter_map(|crd| crd.name.split_once('.'));
    named.find(|(_, of)| *of == group).map_or_else(|| plural(kind), |(resource, _)| resource.to_owned())
}

/// The namespace of a role; none for a cluster role.
fn role_namespace(release: &ObjectName, kind: &str, object: &Value) -> Option<String> {
    let own = || text(object, "/metadata/namespace").map(str::to_owned).or_else(|| release.namespace.clone());
    (kind == "Role").then(own).flatten()
}

fn grants<'v>(release: &ObjectName, objects: impl Iterator<Item = &'v Value>) -> Vec<Grant> {
    let roles = objects.filter_map(|object| {
        let kind = text(object, "/kind").filter(|kind| matches!(*kind, "Role" | "ClusterRole"))?;
        let rules = serde_json::from_value(object.get("rules")?.clone()).ok()?;
        Some(Grant { namespace: role_namespace(release, kind, object), rules })
    });
    let grants: BTreeSet<Grant> = roles.collect();
    grants.into_iter().collect()
}

/// Roles that bindings name and that are not the release's own.
fn binds<'v>(release: &ObjectName, objects: impl Iterator<Item = &'v Value>) -> BTreeSet<RoleName> {
    let (mut named, mut own) = (BTreeSet::new(), BTreeSet::new());
    for object in objects {
        match text(object, "/kind") {
            Some(kind @ ("Role" | "ClusterRole")) => {
                let name = objects::name(object).unwrap_or_default().to_owned();
                own.insert(RoleName { namespace: role_namespace(release, kind, object), name });
            }
            Some("RoleBinding" | "ClusterRoleBinding") => {
                let kind = text(object, "/roleRef/kind").unwrap_or_default();
                let name = text(object, "/roleRef/name").unwrap_or_default().to_owned();
                named.insert(RoleName { namespace: role_namespace(release, kind, object), name });
            }
            _ => {}
        }
    }
    named.difference(&own).cloned().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_chart_with_roles_says_what_it_grants_and_binds() {
        let release = ObjectName::namespaced("apps", "web");
        let rule = json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]});
        let objects = [
            json!({"kind": "ClusterRole", "metadata": {"name": "web"}, "rules": [rule]}),
            json!({"kind": "Role", "metadata": {"name": "web"}, "rules": [rule]}),
            json!({"kind": "ClusterRoleBinding", "metadata": {"name": "web"},
                "roleRef": {"kind": "ClusterRole", "name": "web"}}),
            json!({"kind": "RoleBinding", "metadata": {"name": "auth", "namespace": "kube-system"},
                "roleRef": {"kind": "Role", "name": "extension-apiserver-authentication-reader"}}),
        ];
        let namespaces: Vec<Option<String>> =
            grants(&release, objects.iter()).into_iter().map(|grant| grant.namespace).collect();
        assert_eq!(namespaces, [None, Some("apps".to_owned())]);
        let binds: Vec<RoleName> = binds(&release, objects.iter()).into_iter().collect();
        let reader = "extension-apiserver-authentication-reader".to_owned();
        assert_eq!(binds, [RoleName { namespace: Some("kube-system".to_owned()), name: reader }]);
    }
}
