//! PodDisruptionBudgets: which pods they cover and what they allow.

use serde_json::Value;

use crate::fields;

/// A PodDisruptionBudget as a drain sees it.
pub(crate) struct Budget<'api> {
    /// The object.
    object: &'api Value,
}

impl<'api> Budget<'api> {
    pub(crate) fn all(objects: &'api [Value]) -> Vec<Self> {
        objects.iter().map(|object| Self { object }).collect()
    }

    /// `namespace/name`.
    pub(crate) fn name(&self) -> String {
        super::name(self.object)
    }

    /// Evictions that it allows now.
    pub(crate) fn allowed(&self) -> u64 {
        fields::number(self.object, "/status/disruptionsAllowed")
    }

    /// Whether it covers a pod.
    pub(crate) fn covers(&self, pod: &Value) -> bool {
        fields::text(self.object, "/metadata/namespace") == fields::text(pod, "/metadata/namespace")
            && self.object.pointer("/spec/selector").is_some_and(|selector| selects(selector, pod))
    }
}

/// Whether a label selector selects a pod. An empty selector of `policy/v1` selects every pod of its namespace.
fn selects(selector: &Value, pod: &Value) -> bool {
    let label = |key: &str| pod.pointer("/metadata/labels").and_then(|labels| labels.get(key)?.as_str());
    let labels = selector.get("matchLabels").and_then(Value::as_object).into_iter().flatten();
    let expressions = selector.get("matchExpressions").and_then(Value::as_array).into_iter().flatten();
    labels.into_iter().all(|(key, value)| label(key) == value.as_str())
        && expressions.into_iter().all(|expression| {
            let found = label(fields::text(expression, "/key"));
            let values = expression.get("values").and_then(Value::as_array).into_iter().flatten();
            let mut values = values.filter_map(Value::as_str);
            match fields::text(expression, "/operator") {
                "In" => found.is_some_and(|found| values.any(|value| value == found)),
                "NotIn" => found.is_none_or(|found| values.all(|value| value != found)),
                "Exists" => found.is_some(),
                "DoesNotExist" => found.is_none(),
                // An operator of a newer API: better to wait for a budget too many than to miss one.
                _ => true,
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn budgets_cover_what_their_selector_says() {
        let pod = json!({"metadata": {"namespace": "a", "labels": {"app": "web", "tier": "front"}}});
        let covers = |namespace: &str, selector: Value| {
            let object =
                json!({"metadata": {"namespace": namespace, "name": "b"}, "spec": {"selector": selector}});
            Budget { object: &object }.covers(&pod)
        };
        assert!(covers("a", json!({})));
        assert!(covers("a", json!({"matchLabels": {"app": "web"}})));
        assert!(!covers("b", json!({"matchLabels": {"app": "web"}})));
        assert!(!covers("a", json!({"matchLabels": {"app": "web", "x": "y"}})));
        assert!(covers(
            "a",
            json!({"matchExpressions": [{"key": "app", "operator": "In", "values": ["api", "web"]}]})
        ));
        assert!(!covers(
            "a",
            json!({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["front"]}]})
        ));
        assert!(covers("a", json!({"matchExpressions": [{"key": "x", "operator": "DoesNotExist"}]})));
    }
}
