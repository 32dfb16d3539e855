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

/// The rules of each role that is needed: of a cluster role under no name, and of a role in each namespace.
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
    let mut roles: BTreeMap<Option<String>, Vec<PolicyRule>> = BTreeMap::new();
    for one in rbac.iter().filter(|one| !rbac.iter().any(|other| covers(other, one))) {
        roles.entry(one.namespace.clone()).or_default().push(rule(one));
    }
    for rules in roles.values_mut() {
        // What is allowed on all objects was left out for single ones, so that no rule for all is narrowed by a name.
        let joined = joined(std::mem::take(rules), |rule| &mut rule.resource_names);
        let joined = self::joined(joined, |rule| &mut rule.verbs);
        *rules = self::joined(joined, |rule| &mut rule.resources);
    }
    roles
}

fn rule(one: &Rbac) -> PolicyRule {
    let verbs = [one.verb.clone()].into();
    match &one.on {
        On::Url(url) => {
            PolicyRule { non_resource_urls: [url.clone()].into(), verbs, ..PolicyRule::default() }
        }
        On::Resource { group, resource, name } => PolicyRule {
            api_groups: [group.clone()].into(),
            resources: [resource.clone()].into(),
            resource_names: name.iter().cloned().collect(),
            verbs,
            ..PolicyRule::default()
        },
    }
}

/// Rules that differ in one part alone, as one.
fn joined(rules: Vec<PolicyRule>, part: fn(&mut PolicyRule) -> &mut BTreeSet<String>) -> Vec<PolicyRule> {
    let mut alike: BTreeMap<PolicyRule, BTreeSet<String>> = BTreeMap::new();
    for mut rule in rules {
        let own = std::mem::take(part(&mut rule));
        alike.entry(rule).or_default().extend(own);
    }
    let whole = |(mut rule, parts): (PolicyRule, BTreeSet<String>)| {
        *part(&mut rule) = parts;
        rule
    };
    alike.into_iter().map(whole).collect()
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
