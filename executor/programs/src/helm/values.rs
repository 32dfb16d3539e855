//! Values of a release, merged as Helm merges them.

use serde_json::{Map, Value};
use switchback_executor::ports::Failure;
use switchback_schemas::Digest;

use super::refused;

/// What `--reset-then-reuse-values` makes of the values that a release was given before and those that change: objects
/// are merged, null takes a value away, everything else replaces.
pub(crate) fn merged(before: &Value, set: &Value) -> Value {
    let mut out = before.as_object().cloned().unwrap_or_default();
    merge_into(&mut out, set);
    Value::Object(out)
}

fn merge_into(out: &mut Map<String, Value>, set: &Value) {
    for (name, value) in set.as_object().into_iter().flatten() {
        match (out.get_mut(name), value) {
            (_, Value::Null) => {
                out.remove(name);
            }
            (Some(Value::Object(inner)), Value::Object(_)) => merge_into(inner, value),
            (_, Value::Object(_)) => {
                let mut inner = Map::new();
                merge_into(&mut inner, value);
                out.insert(name.clone(), Value::Object(inner));
            }
            (_, value) => {
                out.insert(name.clone(), value.clone());
            }
        }
    }
}

/// Values as `helm get values` prints them: null where there are none.
pub(crate) fn read(printed: &str) -> Result<Value, Failure> {
    let values: Value = serde_json::from_str(printed)
        .map_err(|error| refused(format!("helm get values cannot be read: {error}")))?;
    Ok(if values.is_null() { Value::Object(Map::new()) } else { values })
}

/// Digest of values as compact sorted JSON.
pub(crate) fn digest(values: &Value) -> Digest {
    // `serde_json` keeps the fields of objects sorted and writes no spaces.
    Digest::of(values.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_merged_as_helm_does() {
        let before = json!({"a": {"x": 1, "y": 2}, "list": [1, 2], "gone": {"z": 1}, "kept": "k"});
        let set = json!({"a": {"y": 3, "new": {"n": 1, "none": null}}, "list": [9], "gone": null});
        let expected = json!({"a": {"x": 1, "y": 3, "new": {"n": 1}}, "list": [9], "kept": "k"});
        assert_eq!(merged(&before, &set), expected);
        assert_eq!(merged(&Value::Null, &json!({})), json!({}));
    }
}
