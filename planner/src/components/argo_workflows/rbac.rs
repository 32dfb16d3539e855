//! What a chart changes in the rules of its roles.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use switchback_schemas::{name::ObjectName, plan::AccessReview};

use crate::objects::{name, text};

/// Rules by role, each as `VERB RESOURCE.GROUP`.
type Rules = BTreeMap<String, BTreeSet<String>>;

/// Rules that come and rules that go, each with its role.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changed {
    /// What roles may do that they may not do now.
    pub(super) added: Vec<String>,
    /// What roles may no longer do.
    pub(super) removed: Vec<String>,
}

/// What changes from some objects to others.
pub(super) fn changed(before: &[Value], after: &[Value]) -> Changed {
    let (before, after) = (rules(before), rules(after));
    let only = |these: &Rules, those: &Rules| -> Vec<String> {
        let none = BTreeSet::new();
        let of = |(role, rules): (&String, &BTreeSet<String>)| {
            let others = those.get(role).unwrap_or(&none);
            rules.difference(others).map(|rule| format!("{role}: {rule}")).collect::<Vec<_>>()
        };
        these.iter().flat_map(of).collect()
    };
    Changed { added: only(&after, &before), removed: only(&before, &after) }
}

fn rules(objects: &[Value]) -> Rules {
    let mut all = Rules::new();
    for object in objects {
        let Some(kind) = text(object, "/kind").filter(|kind| matches!(*kind, "Role" | "ClusterRole")) else {
            continue;
        };
        let found = all.entry(format!("{kind} {}", name(object).unwrap_or_default())).or_default();
        for rule in list(object, "rules") {
            for verb in texts(rule, "verbs") {
                for resource in texts(rule, "resources") {
                    for group in texts(rule, "apiGroups") {
                        found.insert(word(verb, resource, group));
                    }
                }
            }
        }
    }
    all
}

/// What some objects grant beyond others, to whom: one review for each resource and account of a role that is bound.
pub(super) fn granted(before: &[Value], after: &[Value]) -> Vec<AccessReview> {
    let had = rules(before);
    let mut reviews = Vec::new();
    for role in after.iter().filter(|object| matches!(text(object, "/kind"), Some("Role" | "ClusterRole"))) {
        let (kind, own) = (text(role, "/kind").unwrap_or_default(), name(role).unwrap_or_default());
        let had = had.get(&format!("{kind} {own}"));
        let binds = |binding: &&Value| {
            text(binding, "/roleRef/kind") == Some(kind)
                && text(binding, "/roleRef/name") == Some(own)
                && text(binding, "/kind").is_some_and(|kind| kind.ends_with("RoleBinding"))
        };
        for binding in after.iter().filter(binds) {
            let namespace = match text(binding, "/kind") {
                Some("RoleBinding") => text(binding, "/metadata/namespace").map(str::to_owned),
                _ => None,
            };
            for subject in
                list(binding, "subjects").filter(|one| text(one, "/kind") == Some("ServiceAccount"))
            {
                let account = ObjectName::namespaced(
                    text(subject, "/namespace").unwrap_or_default(),
                    text(subject, "/name").unwrap_or_default(),
                );
                for (group, resource, verbs) in new(role, had) {
                    let (account, namespace) = (Some(account.clone()), namespace.clone());
                    reviews.push(AccessReview { account, namespace, group, resource, verbs });
                }
            }
        }
    }
    reviews.sort();
    reviews.dedup();
    reviews
}

/// What a role may do that it could not before, by group and resource. What is granted for single objects alone is not asked about.
fn new(role: &Value, had: Option<&BTreeSet<String>>) -> Vec<(String, String, Vec<String>)> {
    let mut found: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for rule in list(role, "rules").filter(|rule| texts(rule, "resourceNames").is_empty()) {
        for (group, resource) in texts(rule, "apiGroups")
            .into_iter()
            .flat_map(|group| texts(rule, "resources").into_iter().map(move |resource| (group, resource)))
        {
            let is_new = |verb: &&str| had.is_none_or(|had| !had.contains(&word(verb, resource, group)));
            let verbs = texts(rule, "verbs").into_iter().filter(is_new).map(str::to_owned);
            found.entry((group.to_owned(), resource.to_owned())).or_default().extend(verbs);
        }
    }
    found.retain(|_, verbs| !verbs.is_empty());
    found.into_iter().map(|((group, resource), verbs)| (group, resource, verbs)).collect()
}

fn word(verb: &str, resource: &str, group: &str) -> String {
    let dot = if group.is_empty() { "" } else { "." };
    format!("{verb} {resource}{dot}{group}")
}

fn list<'a>(object: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    object.get(field).and_then(Value::as_array).into_iter().flatten()
}

fn texts<'a>(rule: &'a Value, field: &str) -> Vec<&'a str> {
    list(rule, field).filter_map(Value::as_str).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn p32_rules_are_compared_one_by_one() {
        let role = |verbs: &[&str]| {
            [json!({"kind": "ClusterRole", "metadata": {"name": "argo"}, "rules": [
                {"apiGroups": ["argoproj.io"], "resources": ["workflowtaskresults"], "verbs": verbs}]})]
        };
        let changed = changed(&role(&["list", "watch"]), &role(&["list", "create"]));
        assert_eq!(changed.added, ["ClusterRole argo: create workflowtaskresults.argoproj.io"]);
        assert_eq!(changed.removed, ["ClusterRole argo: watch workflowtaskresults.argoproj.io"]);
    }

    #[test]
    fn p32_what_is_new_is_asked_of_each_account_that_is_bound() {
        let objects = |verbs: &[&str]| {
            [
                json!({"kind": "ClusterRole", "metadata": {"name": "argo"}, "rules": [
                    {"apiGroups": ["argoproj.io"], "resources": ["workflowtaskresults"], "verbs": verbs},
                    {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["sso"], "verbs": ["get"]}]}),
                json!({"kind": "RoleBinding", "metadata": {"name": "argo", "namespace": "ml"},
                    "roleRef": {"kind": "ClusterRole", "name": "argo"},
                    "subjects": [{"kind": "ServiceAccount", "namespace": "argo", "name": "controller"}]}),
            ]
        };
        let asked = granted(&objects(&["list"]), &objects(&["list", "patch"]));
        let [review] = asked.as_slice() else { panic!("one review, not {asked:?}") };
        assert_eq!(review.account, Some(ObjectName::namespaced("argo", "controller")));
        assert_eq!(
            (review.namespace.as_deref(), review.verbs.as_slice()),
            (Some("ml"), ["patch".to_owned()].as_slice())
        );
        assert_eq!(granted(&objects(&["list"]), &objects(&["list"])), []);
    }
}
