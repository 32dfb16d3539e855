//! Tests of fields: what a plan asks of something that a platform described, the same for every driver.

use serde_json::Value;
use switchback_schemas::{
    Version,
    plan::{FieldTest, Test},
};

/// Whether a value passes a test. Null counts as not being there, as it does for the API server.
pub fn passes(test: &Test<Value>, value: Option<&Value>) -> bool {
    let value = value.filter(|value| !value.is_null());
    match test {
        Test::Present {} => value.is_some(),
        Test::Absent {} => value.is_none(),
        Test::Equals(wanted) => value.unwrap_or(&Value::Null) == wanted,
        Test::Differs(other) => value.unwrap_or(&Value::Null) != other,
        Test::OneOf(values) => value.is_some_and(|value| values.contains(value)),
        Test::Contains(part) => value.is_some_and(|value| contains(value, part)),
        Test::AtLeast(least) => value.and_then(Value::as_u64).is_some_and(|value| value >= *least),
        Test::QuantityAtLeast(least) => quantity(value).is_some_and(|quantity| quantity >= *least),
        Test::VersionAtLeast(least) => version(value).is_some_and(|version| version >= *least),
        Test::VersionBelow(limit) => version(value).is_some_and(|version| version < *limit),
    }
}

/// What a test asks, as text.
pub fn asked(test: &Test<Value>) -> String {
    match test {
        Test::Present {} => "that it exists".into(),
        Test::Absent {} => "that it does not exist".into(),
        Test::Equals(wanted) => format!("to be {}", shown(wanted)),
        Test::Differs(other) => format!("not to be {}", shown(other)),
        Test::OneOf(values) => format!("to be one of {}", shown(&Value::Array(values.clone()))),
        Test::Contains(part) => format!("to contain {}", shown(part)),
        Test::AtLeast(least) | Test::QuantityAtLeast(least) => format!("to be at least {least}"),
        Test::VersionAtLeast(version) => format!("to be version {version} or newer"),
        Test::VersionBelow(version) => format!("to be older than version {version}"),
    }
}

/// A value as a person reads it, shortened.
pub fn shown(value: &Value) -> String {
    let text = match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) => format!("{text:?}"),
        other => other.to_string(),
    };
    let short: String = text.chars().take(120).collect();
    if short.len() < text.len() { format!("{short}…") } else { text }
}

/// The first of the tests that an object does not pass, in words.
pub fn first_failure(tests: &[FieldTest<Value>], object: &Value) -> Option<String> {
    let failed = first_failing(tests, object)?;
    let found = shown(object.pointer(&failed.pointer).unwrap_or(&Value::Null));
    Some(format!("expected {} {}, found {found}", failed.pointer, asked(&failed.is)))
}

/// The first of the tests that an object does not pass.
pub fn first_failing<'t>(tests: &'t [FieldTest<Value>], object: &Value) -> Option<&'t FieldTest<Value>> {
    tests.iter().find(|test| !passes(&test.is, object.pointer(&test.pointer)))
}

/// A quantity of something that is counted, in the form that the API server gives it: `8` or `1k`.
fn quantity(value: Option<&Value>) -> Option<u64> {
    let text = match value? {
        Value::String(text) => text,
        number => return number.as_u64(),
    };
    match text.strip_suffix('k') {
        Some(thousands) => thousands.parse::<u64>().ok()?.checked_mul(1000),
        None => text.parse().ok(),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn holds(test: &Test<Value>, value: &Value) -> bool {
        passes(test, Some(value))
    }

    #[test]
    fn tests_are_decided() {
        assert!(holds(&Test::Absent {}, &Value::Null));
        assert!(passes(&Test::Differs(json!(1)), None));
        assert!(passes(&Test::Equals(Value::Null), None));
        assert!(holds(&Test::AtLeast(3), &json!(3)));
        assert!(!holds(&Test::AtLeast(3), &json!("4")));
        for enough in [json!("8"), json!(8), json!("1k")] {
            assert!(holds(&Test::QuantityAtLeast(8), &enough), "{enough}");
        }
        for few in [json!("7"), json!("8Gi"), json!(null)] {
            assert!(!holds(&Test::QuantityAtLeast(8), &few), "{few}");
        }
        assert!(holds(&Test::VersionAtLeast("1.8".parse().unwrap()), &json!("v1.10.0")));
        assert!(!holds(&Test::VersionBelow("1.8".parse().unwrap()), &json!("kwok-v0.8.0")));
        assert!(holds(&Test::Contains(json!("x")), &json!(["x"])));
        assert!(holds(&Test::Contains(json!("b")), &json!("abc")));
        let conditions =
            json!([{"type": "Ready", "status": "False"}, {"type": "Drifted", "status": "True", "more": 1}]);
        assert!(holds(&Test::Contains(json!({"type": "Drifted", "status": "True"})), &conditions));
        assert!(!holds(&Test::Contains(json!({"type": "Ready", "status": "True"})), &conditions));
    }

    #[test]
    fn failures_say_what_was_expected_and_found() {
        let test = FieldTest { pointer: "/a".into(), is: Test::Equals(json!("x")) };
        let said = first_failure(&[test], &json!({"a": "y"}));
        assert_eq!(said.as_deref(), Some("expected /a to be \"x\", found \"y\""));
    }
}
