//! Fields of objects: pointers, and what an API server dropped. Tests of fields are those of every driver.

use std::collections::BTreeMap;

use serde_json::Value;
use switchback_schemas::name::{ObjectName, ObjectRef};

pub(crate) use switchback_executor::untrusted::fields::{asked, first_failure, passes, shown};

/// A text inside of an object; empty when it is not there.
pub(crate) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The name of an object.
pub(crate) fn name(object: &Value) -> ObjectName {
    match text(object, "/metadata/namespace") {
        "" => ObjectName::cluster(text(object, "/metadata/name")),
        namespace => ObjectName::namespaced(namespace, text(object, "/metadata/name")),
    }
}

/// An object by kind and name, as it says of itself.
pub(crate) fn reference(object: &Value) -> ObjectRef {
    ObjectRef::new(text(object, "/apiVersion"), text(object, "/kind"), &name(object))
}

/// A whole number inside of an object; 0 when it is not there.
pub(crate) fn number(object: &Value, pointer: &str) -> u64 {
    object.pointer(pointer).and_then(Value::as_u64).unwrap_or_default()
}

/// A condition of an object's status.
pub(crate) fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().find(|condition| text(condition, "/type") == kind)
}

/// Whether a condition of an object's status is `True`.
pub(crate) fn has_condition(object: &Value, kind: &str) -> bool {
    condition(object, kind).is_some_and(|condition| text(condition, "/status") == "True")
}

/// Texts of an object of texts, such as labels.
pub(crate) fn texts(object: &Value, pointer: &str) -> BTreeMap<String, String> {
    let fields = object.pointer(pointer).and_then(Value::as_object).into_iter().flatten();
    fields.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// Paths that were sent and that the answer does not have: the schema of the API server lost them (user-pain P-20).
/// What is empty may be left out by anyone; what has another value was defaulted or normalised, and is not lost.
pub(crate) fn lost(sent: &Value, kept: &Value) -> Vec<String> {
    let mut paths = Vec::new();
    collect_lost(sent, Some(kept), "", &mut paths);
    paths
}

fn collect_lost(sent: &Value, kept: Option<&Value>, path: &str, paths: &mut Vec<String>) {
    match (sent, kept) {
        (sent, None) if is_empty(sent) => {}
        (_, None) => paths.push(path.to_owned()),
        (Value::Object(sent), Some(kept)) => {
            for (name, value) in sent {
                collect_lost(value, kept.get(name), &format!("{path}.{name}"), paths);
            }
        }
        (Value::Array(sent), Some(Value::Array(kept))) => {
            for (i, item) in sent.iter().enumerate() {
                // The server may have reordered the list or put items of others between ours.
                if kept.iter().any(|kept| is_whole(item, kept)) {
                    continue;
                }
                collect_lost(item, same_name(item, kept).or(kept.get(i)), &format!("{path}[{i}]"), paths);
            }
        }
        _ => {}
    }
}

/// Whether nothing of an item is lost and its plain values are the same.
fn is_whole(sent: &Value, kept: &Value) -> bool {
    match (sent, kept) {
        (Value::Object(sent), Value::Object(_)) => sent.iter().all(|(name, value)| match kept.get(name) {
            Some(kept) => is_whole(value, kept),
            None => is_empty(value),
        }),
        (Value::Array(sent), Value::Array(kept)) => {
            sent.iter().all(|item| kept.iter().any(|kept| is_whole(item, kept)))
        }
        (sent, kept) => sent == kept,
    }
}

fn same_name<'a>(item: &Value, kept: &'a [Value]) -> Option<&'a Value> {
    let name = ["name", "key", "type"].iter().find_map(|field| Some((*field, item.get(*field)?)))?;
    kept.iter().find(|kept| kept.get(name.0) == Some(name.1))
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.iter().all(is_empty),
        Value::Object(fields) => fields.values().all(is_empty),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn p20_a_dropped_field_is_found_and_a_normalised_one_is_not() {
        let sent = json!({"spec": {"a": 1, "cpu": "1000m", "empty": {}, "zero": 0, "list": [{"name": "x", "new": true}]}});
        let kept = json!({"spec": {"a": 1, "cpu": "1", "list": [{"name": "w"}, {"name": "x"}]}});
        assert_eq!(lost(&sent, &kept), [".spec.list[0].new"]);
        assert_eq!(lost(&json!({"spec": {"gone": {"x": "y"}}}), &kept), [".spec.gone"]);
        assert_eq!(lost(&json!({"l": ["b", "a"]}), &json!({"l": ["a", "b"]})), Vec::<String>::new());
    }
}
