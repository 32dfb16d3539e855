//! Strategic merge patch.

use serde_json::{Map, Value};

use crate::kinds::schema::{ListKind, Schema};
use crate::kube::error::{ApiError, ApiResult};

/// Merges a patch; lists with a merge key merge by it.
pub(super) fn merge(target: &mut Value, patch: &Value, schema: &Schema) -> ApiResult<()> {
    let Value::Object(fields) = patch else {
        *target = patch.clone();
        return Ok(());
    };
    match fields.get("$patch").and_then(Value::as_str) {
        None => {}
        Some("replace") => {
            let mut fields = fields.clone();
            fields.remove("$patch");
            *target = Value::Object(fields);
            return Ok(());
        }
        Some(other) => {
            return Err(ApiError::not_simulated(format!("strategic merge directive $patch: {other}")));
        }
    }
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(map) = target else { return Ok(()) };
    for (name, value) in fields {
        if name.starts_with("$setElementOrder/") {
            continue;
        }
        if name.starts_with('$') {
            return Err(ApiError::not_simulated(format!("strategic merge directive {name}")));
        }
        if value.is_null() {
            map.remove(name);
            continue;
        }
        let field = schema.field(name);
        let entry = map.entry(name.clone()).or_insert(Value::Null);
        match (field.as_deref(), value) {
            (Some(Schema::List { item, kind: ListKind::Map(keys) }), Value::Array(items)) => {
                let key = keys.first().map(String::as_str).unwrap_or_default();
                merge_list(entry, items, key, item)?;
            }
            (Some(Schema::List { kind: ListKind::Set, .. }), Value::Array(items)) => {
                let mut all = entry.as_array().cloned().unwrap_or_default();
                all.extend(items.iter().filter(|i| !all.contains(i)).cloned().collect::<Vec<_>>());
                *entry = all.into();
            }
            (field, value) => merge(entry, value, field.unwrap_or(&Schema::Leaf))?,
        }
    }
    Ok(())
}

fn merge_list(target: &mut Value, patch: &[Value], key: &str, item: &Schema) -> ApiResult<()> {
    let mut all = target.as_array().cloned().unwrap_or_default();
    for change in patch {
        let directive = change.get("$patch").and_then(Value::as_str);
        let id = change.get(key);
        if directive == Some("replace") {
            all = patch.iter().filter(|p| p.get("$patch").is_none()).cloned().collect();
            break;
        }
        let at = all.iter().position(|i| id.is_some() && i.get(key) == id);
        match (directive, at) {
            (Some("delete"), Some(at)) => {
                all.remove(at);
            }
            (Some("delete"), None) => {}
            (Some(other), _) => {
                return Err(ApiError::not_simulated(format!("strategic merge directive $patch: {other}")));
            }
            (None, Some(at)) => {
                if let Some(present) = all.get_mut(at) {
                    merge(present, change, item)?;
                }
            }
            (None, None) => all.push(change.clone()),
        }
    }
    *target = all.into();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds;
    use serde_json::json;

    #[test]
    fn containers_merge_by_name_and_null_removes() {
        let mut object = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": {"a": "1"}},
            "spec": {"containers": [{"name": "c", "image": "i:1", "tty": true}, {"name": "d", "image": "j"}]}});
        let kind = kinds::builtin_of(&object).unwrap();
        let patch = json!({"metadata": {"labels": {"a": null}}, "spec": {"containers": [
            {"name": "c", "image": "i:2"}, {"name": "d", "$patch": "delete"}, {"name": "e", "image": "k"}]}});
        merge(&mut object, &patch, &kind.schema).unwrap();
        assert_eq!(object["metadata"]["labels"], json!({}));
        assert_eq!(
            object["spec"]["containers"],
            json!([{"name": "c", "image": "i:2", "tty": true}, {"name": "e", "image": "k"}])
        );
    }
}
