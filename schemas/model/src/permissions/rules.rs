//! Permissions as few rules: RBAC rules by namespace, and statements of an IAM policy.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use switchback_schemas::plan::PolicyRule;

use super::{Iam, On, Permission, Rbac};

/// A statement of an IAM policy, as AWS writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Statement {
    /// Always `Allow`.
    pub effect: &'static str,
    /// Actions.
    pub action: BTreeSet<String>,
    /// What they are allowed on.
    pub resource: BTreeSet<String>,
}

/// The rules of each role that is needed: of a ClusterRole under no name, and of a Role in each namespace.
pub fn roles<'a>(
    permissions: impl IntoIterator<Item = &'a Permission>,
) -> BTreeMap<Option<String>, Vec<PolicyRule>> {
    let rbac: BTreeSet<&Rbac> = permissions
        .into_iter()
        .filter_map(|permission| match permission {
            Permission::Rbac(rbac) => Some(rbac),
            Permission::Iam(_) => None,
        })
        .collect();
    // Verbs on the same objects, then objects of one name with the same verbs.
    let mut names: BTreeMap<(&Option<String>, &str, &str, &str), BTreeSet<&str>> = BTreeMap::new();
    let mut urls: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for one in rbac.iter().filter(|one| !rbac.iter().any(|other| covers(other, one))) {
        match &one.on {
            On::Url(url) => {
                urls.entry(url).or_default().insert(one.verb.clone());
            }
            On::Resource { group, resource, name } => {
                let key = (&one.namespace, group.as_str(), resource.as_str(), one.verb.as_str());
                names.entry(key).or_default().extend(name.as_deref());
            }
        }
    }
    let mut verbs: BTreeMap<(&Option<String>, &str, &str, BTreeSet<&str>), BTreeSet<&str>> = BTreeMap::new();
    for ((namespace, group, resource, verb), names) in names {
        verbs.entry((namespace, group, resource, names)).or_default().insert(verb);
    }
    type Alike<'a> = (&'a Option<String>, &'a str, BTreeSet<&'a str>, BTreeSet<&'a str>);
    let mut alike: BTreeMap<Alike<'_>, BTreeSet<&str>> = BTreeMap::new();
    for ((namespace, group, resource, names), verbs) in verbs {
        alike.entry((namespace, group, names, verbs)).or_default().insert(resource);
    }
    let mut roles: BTreeMap<Option<String>, Vec<PolicyRule>> = BTreeMap::new();
    for ((namespace, group, names, verbs), resources) in alike {
        roles.entry(namespace.clone()).or_default().push(PolicyRule {
            api_groups: [group.to_owned()].into(),
            resources: owned(resources),
            resource_names: owned(names),
            verbs: owned(verbs),
            ..PolicyRule::default()
        });
    }
    for (url, verbs) in urls {
        let non_resource_urls = [url.to_owned()].into();
        roles.entry(None).or_default().push(PolicyRule { non_resource_urls, verbs, ..PolicyRule::default() });
    }
    roles
}

fn owned(texts: BTreeSet<&str>) -> BTreeSet<String> {
    texts.into_iter().map(str::to_owned).collect()
}

/// Whether another permission allows this one, too: the same for all names, or everywhere.
fn covers(other: &Rbac, one: &Rbac) -> bool {
    let wider = |wide: &Option<String>, narrow: &Option<String>| wide.is_none() || wide == narrow;
    let on = match (&other.on, &one.on) {
        (On::Resource { group, resource, name }, On::Resource { group: of, resource: to, name: narrow }) => {
            group == of && resource == to && wider(name, narrow)
        }
        (On::Url(url), On::Url(to)) => url == to,
        _ => false,
    };
    other != one && other.verb == one.verb && on && wider(&other.namespace, &one.namespace)
}

/// The statements of a policy that allows all that IAM has to allow.
pub fn policy<'a>(permissions: impl IntoIterator<Item = &'a Permission>) -> Vec<Statement> {
    let mut actions: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for permission in permissions {
        if let Permission::Iam(Iam { action, resource }) = permission {
            actions.entry(resource).or_default().insert(action.clone());
        }
    }
    let mut alike: BTreeMap<BTreeSet<String>, BTreeSet<String>> = BTreeMap::new();
    for (resource, actions) in actions {
        alike.entry(actions).or_default().insert(resource.to_owned());
    }
    let statement = |(action, resource)| Statement { effect: "Allow", action, resource };
    alike.into_iter().map(statement).collect()
}
