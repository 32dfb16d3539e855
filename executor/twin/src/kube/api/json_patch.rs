//! RFC 6902, with the refusals of a real API server.

use http::StatusCode;
use serde_json::{Value, json};

use crate::kube::error::{ApiError, ApiResult};

fn refused() -> ApiError {
    ApiError::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "Invalid",
        "the server rejected our request due to an error in our request",
    )
    .with_details(json!({}))
}

/// Applies a patch: all of it or nothing.
pub(super) fn apply(target: &mut Value, patch: &Value) -> ApiResult<()> {
    let steps = patch.as_array().ok_or_else(|| ApiError::bad_request("a JSON patch is a list"))?;
    let mut work = target.clone();
    for step in steps {
        one(&mut work, step)?;
    }
    *target = work;
    Ok(())
}

fn one(target: &mut Value, step: &Value) -> ApiResult<()> {
    let text = |name: &str| step.get(name).and_then(Value::as_str);
    let path = text("path").ok_or_else(refused)?;
    let value = || step.get("value").cloned().ok_or_else(refused);
    match text("op") {
        Some("test") => {
            let found = target.pointer(path).cloned().unwrap_or(Value::Null);
            if found == step.get("value").cloned().unwrap_or(Value::Null) { Ok(()) } else { Err(refused()) }
        }
        Some("add") => add(target, path, value()?),
        Some("replace") => {
            let place = target.pointer_mut(path).ok_or_else(refused)?;
            *place = value()?;
            Ok(())
        }
        Some("remove") => remove(target, path).map(|_| ()),
        Some("move") => {
            let moved = remove(target, text("from").ok_or_else(refused)?)?;
            add(target, path, moved)
        }
        Some("copy") => {
            let copied = target.pointer(text("from").ok_or_else(refused)?).cloned().ok_or_else(refused)?;
            add(target, path, copied)
        }
        _ => Err(refused()),
    }
}

fn split(path: &str) -> ApiResult<(&str, String)> {
    let (parent, last) = path.rsplit_once('/').ok_or_else(refused)?;
    Ok((parent, last.replace("~1", "/").replace("~0", "~")))
}

fn add(target: &mut Value, path: &str, value: Value) -> ApiResult<()> {
    if path.is_empty() {
        *target = value;
        return Ok(());
    }
    let (parent, last) = split(path)?;
    match target.pointer_mut(parent).ok_or_else(refused)? {
        Value::Object(map) => {
            map.insert(last, value);
        }
        Value::Array(items) if last == "-" => items.push(value),
        Value::Array(items) => {
            let at = last.parse::<usize>().ok().filter(|at| *at <= items.len()).ok_or_else(refused)?;
            items.insert(at, value);
        }
        _ => return Err(refused()),
    }
    Ok(())
}

fn remove(target: &mut Value, path: &str) -> ApiResult<Value> {
    let (parent, last) = split(path)?;
    match target.pointer_mut(parent).ok_or_else(refused)? {
        Value::Object(map) => map.remove(&last).ok_or_else(refused),
        Value::Array(items) => {
            let at = last.parse::<usize>().ok().filter(|at| *at < items.len()).ok_or_else(refused)?;
            Ok(items.remove(at))
        }
        _ => Err(refused()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_test_changes_nothing() {
        let mut object = json!({"a": {"b/c": 1}, "l": [1, 2]});
        let bad =
            json!([{"op": "add", "path": "/a/x", "value": 1}, {"op": "test", "path": "/a/b~1c", "value": 2}]);
        assert_eq!(apply(&mut object, &bad).unwrap_err().code, 422);
        assert_eq!(object, json!({"a": {"b/c": 1}, "l": [1, 2]}));
        let good = json!([{"op": "test", "path": "/a/b~1c", "value": 1}, {"op": "remove", "path": "/a/b~1c"}, {"op": "add", "path": "/l/-", "value": 3}, {"op": "move", "from": "/l/0", "path": "/a/y"}]);
        apply(&mut object, &good).unwrap();
        assert_eq!(object, json!({"a": {"y": 1}, "l": [2, 3]}));
    }
}
