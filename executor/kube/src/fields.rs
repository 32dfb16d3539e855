//! Fields of objects: pointers, tests, and what an API server dropped.

use std::collections::BTreeMap;

use serde_json::Value;
use switchback_schemas::{
    Version,
    plan::{FieldTest, Operand, Test},
};

/// A text inside of an object; empty when it is not there.
pub(crate) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// A whole number inside of an object; 0 when it is not there.
pub(crate) fn number(object: &Value, pointer: &str) -> u64 {
    object.pointer(pointer).and_then(Value::as_u64).unwrap_or_default()
}

/// Whether a condition of an object's status is `True`.
pub(crate) fn has_condition(object: &Value, kind: &str) -> bool {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().any(|c| text(c, "/type") == kind && text(c, "/status") == "True")
}

/// Texts of an object of texts, such as labels.
pub(crate) fn texts(object: &Value, pointer: &str) -> BTreeMap<String, String> {
    let fields = object.pointer(pointer).and_then(Value::as_object).into_iter().flatten();
    fields.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// An operand that has not been bound before it reached a driver: a bug of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an operand was not bound before the driver saw it")]
pub(crate) struct Unbound;

/// The value of a bound operand.
pub(crate) fn bound(operand: &Operand) -> Result<&Value, Unbound> {
    match operand {
        Operand::Value(value) => Ok(value),
        Operand::Captured { .. } => Err(Unbound),
    }
}

/// Whether a value passes a test. Null counts as not being there, as it does for the API server.
pub(crate) fn passes(test: &Test, value: Option<&Value>) -> Result<bool, Unbound> {
    let value = value.filter(|value| !value.is_null());
    Ok(match test {
        Test::Present {} => value.is_some(),
        Test::Absent {} => value.is_none(),
        Test::Equals(operand) => value.unwrap_or(&Value::Null) == bound(operand)?,
        Test::Differs(operand) => value.unwrap_or(&Value::Null) != bound(operand)?,
        Test::OneOf(values) => value.is_some_and(|value| values.contains(value)),
        Test::Contains(part) => value.is_some_and(|value| contains(value, part)),
        Test::AtLeast(least) => value.and_then(Value::as_u64).is_some_and(|value| value >= *least),
        Test::VersionAtLeast(least) => version(value).is_some_and(|version| version >= *least),
        Test::VersionBelow(limit) => version(value).is_some_and(|version| version < *limit),
    })
}

/// What a test asks, for people.
pub(crate) fn asked(test: &Test) -> String {
    match test {
        Test::Present {} => "to be there".into(),
        Test::Absent {} => "not to be there".into(),
        Test::Equals(operand) => format!("to be {}", shown_operand(operand)),
        Test::Differs(operand) => format!("not to be {}", shown_operand(operand)),
        Test::OneOf(values) => format!("to be one of {}", shown(&Value::Array(values.clone()))),
        Test::Contains(part) => format!("to contain {}", shown(part)),
        Test::AtLeast(least) => format!("to be at least {least}"),
        Test::VersionAtLeast(version) => format!("to be version {version} or newer"),
        Test::VersionBelow(version) => format!("to be older than version {version}"),
    }
}

/// A value as a person reads it, shortened.
pub(crate) fn shown(value: &Value) -> String {
    let text = match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) => format!("{text:?}"),
        other => other.to_string(),
    };
    let short: String = text.chars().take(120).collect();
    if short.len() < text.len() { format!("{short}…") } else { text }
}

fn shown_operand(operand: &Operand) -> String {
    bound(operand).map_or_else(|_| "a captured value".into(), shown)
}

/// The first of the tests that an object does not pass, in words.
pub(crate) fn first_failure(tests: &[FieldTest], object: &Value) -> Result<Option<String>, Unbound> {
    for test in tests {
        let value = object.pointer(&test.pointer);
        if !passes(&test.is, value)? {
            let found = shown(value.unwrap_or(&Value::Null));
            return Ok(Some(format!("expected {} {}, found {found}", test.pointer, asked(&test.is))));
        }
    }
    Ok(None)
}

fn version(value: Option<&Value>) -> Option<Version> {
    value.and_then(Value::as_str)?.parse().ok()
}

fn contains(value: &Value, part: &Value) -> bool {
    match (value, part) {
        (Value::String(text), Value::String(part)) => text.contains(part.as_str()),
        (Value::Array(items), Value::Object(fields)) => items.iter().any(|item| {
            fields.iter().all(|(name, value)| item.get(name).is_some_and(|found| found == value))
        }),
        (Value::Array(items), part) => items.contains(part),
        _ => false,
    }
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

    fn holds(test: &Test, value: &Value) -> bool {
        passes(test, Some(value)).unwrap()
    }

    #[test]
    fn tests_are_decided() {
        assert!(holds(&Test::Absent {}, &Value::Null));
        assert!(passes(&Test::Differs(Operand::Value(json!(1))), None).unwrap());
        assert!(passes(&Test::Equals(Operand::Value(Value::Null)), None).unwrap());
        assert!(holds(&Test::AtLeast(3), &json!(3)) && !holds(&Test::AtLeast(3), &json!("4")));
        assert!(holds(&Test::VersionAtLeast("1.8".parse().unwrap()), &json!("v1.10.0")));
        assert!(!holds(&Test::VersionBelow("1.8".parse().unwrap()), &json!("kwok-v0.8.0")));
        assert!(
            holds(&Test::Contains(json!("x")), &json!(["x"]))
                && holds(&Test::Contains(json!("b")), &json!("abc"))
        );
        let conditions =
            json!([{"type": "Ready", "status": "False"}, {"type": "Drifted", "status": "True", "more": 1}]);
        assert!(holds(&Test::Contains(json!({"type": "Drifted", "status": "True"})), &conditions));
        assert!(!holds(&Test::Contains(json!({"type": "Ready", "status": "True"})), &conditions));
        let captured = Operand::Captured { step: "a".parse().unwrap(), name: "x".into() };
        assert_eq!(passes(&Test::Equals(captured), None), Err(Unbound));
    }

    #[test]
    fn p20_a_dropped_field_is_found_and_a_normalised_one_is_not() {
        let sent = json!({"spec": {"a": 1, "cpu": "1000m", "empty": {}, "zero": 0, "list": [{"name": "x", "new": true}]}});
        let kept = json!({"spec": {"a": 1, "cpu": "1", "list": [{"name": "w"}, {"name": "x"}]}});
        assert_eq!(lost(&sent, &kept), [".spec.list[0].new"]);
        assert_eq!(lost(&json!({"spec": {"gone": {"x": "y"}}}), &kept), [".spec.gone"]);
        assert_eq!(lost(&json!({"l": ["b", "a"]}), &json!({"l": ["a", "b"]})), Vec::<String>::new());
    }

    #[test]
    fn failures_say_what_was_expected_and_found() {
        let test = FieldTest { pointer: "/a".into(), is: Test::Equals(Operand::Value(json!("x"))) };
        let said = first_failure(&[test], &json!({"a": "y"})).unwrap();
        assert_eq!(said.as_deref(), Some("expected /a to be \"x\", found \"y\""));
    }
}
