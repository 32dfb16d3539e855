//! What a chart changes in the rules of its roles.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

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
                        let dot = if group.is_empty() { "" } else { "." };
                        found.insert(format!("{verb} {resource}{dot}{group}"));
                    }
                }
            }
        }
    }
    all
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
}
