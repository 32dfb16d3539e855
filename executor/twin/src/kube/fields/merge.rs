//! Server-side apply: merging an applied configuration, pruning what was dropped, finding conflicts.

use serde_json::{Map, Value, json};

use super::{Elem, Manager, Set, display, item_key, leaves, managers, set_managers};
use crate::kinds::schema::{ListKind, Schema};
use crate::kube::error::{ApiError, ApiResult};

/// Who applies, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Applier<'a> {
    /// `fieldManager`.
    pub manager: &'a str,
    /// Takes over what others own.
    pub force: bool,
    /// `apiVersion` of the configuration.
    pub api_version: &'a str,
    /// The instant, as text.
    pub time: &'a str,
    /// Empty for the main resource.
    pub subresource: &'a str,
}

/// `live` after `config` was applied, with the new `managedFields`.
pub(crate) fn apply(live: &Value, config: &Value, schema: &Schema, who: Applier<'_>) -> ApiResult<Value> {
    let mut merged = live.clone();
    merge_into(&mut merged, config, schema);

    let mut all = managers(live);
    let wanted: Set = leaves(config, schema, false).into_keys().collect();
    let mine = |m: &Manager| m.apply && m.name == who.manager && m.subresource == who.subresource;
    let last: Set = all.iter().find(|m| mine(m)).map(|m| m.set.clone()).unwrap_or_default();
    let others: Set = all.iter().filter(|m| !mine(m)).flat_map(|m| m.set.iter().cloned()).collect();
    for path in last.iter().filter(|p| !wanted.contains(*p)) {
        let below = |set: &Set| set.range(path.clone()..).next().is_some_and(|p| p.starts_with(path));
        if !below(&others) && !below(&wanted) {
            remove_path(&mut merged, path);
        }
    }

    let before = leaves(live, schema, true);
    let after = leaves(&merged, schema, true);
    let changed: Set = after
        .iter()
        .filter(|(p, v)| before.get(*p).is_some_and(|b| b != *v))
        .map(|(p, _)| p.clone())
        .collect();
    let removed: Set = before.keys().filter(|p| !after.contains_key(*p)).cloned().collect();
    let mut causes = Vec::new();
    let mut text = Vec::new();
    for manager in all.iter_mut().filter(|m| !mine(m)) {
        let taken: Vec<_> = manager.set.intersection(&changed).cloned().collect();
        if !taken.is_empty() && !who.force {
            text.push((described(manager), taken.iter().map(|p| display(p)).collect::<Vec<_>>()));
            causes.extend(taken.iter().map(|p| {
                json!({
                    "reason": "FieldManagerConflict",
                    "message": format!("conflict with {}", described(manager)),
                    "field": display(p),
                })
            }));
        }
        manager.set.retain(|p| !changed.contains(p) && !removed.contains(p));
    }
    if !causes.is_empty() {
        return Err(conflict(&text, &causes));
    }
    match all.iter_mut().find(|m| mine(m)) {
        Some(entry) => {
            if entry.set != wanted || before != after {
                who.time.clone_into(&mut entry.time);
            }
            entry.set = wanted;
            who.api_version.clone_into(&mut entry.api_version);
        }
        None => all.push(Manager {
            name: who.manager.to_owned(),
            apply: true,
            subresource: who.subresource.to_owned(),
            api_version: who.api_version.to_owned(),
            time: who.time.to_owned(),
            set: wanted,
        }),
    }
    set_managers(&mut merged, all);
    Ok(merged)
}

fn described(manager: &Manager) -> String {
    match (manager.apply, manager.subresource.as_str()) {
        (true, "") => format!("\"{}\"", manager.name),
        (true, sub) => format!("\"{}\" with subresource \"{sub}\"", manager.name),
        (false, "") => format!("\"{}\" using {}", manager.name, manager.api_version),
        (false, sub) => {
            format!("\"{}\" with subresource \"{sub}\" using {}", manager.name, manager.api_version)
        }
    }
}

fn conflict(text: &[(String, Vec<String>)], causes: &[Value]) -> ApiError {
    let message = match text {
        [(who, fields)] => match fields.as_slice() {
            [one] => format!("Apply failed with 1 conflict: conflict with {who}: {one}"),
            many => format!(
                "Apply failed with {} conflicts: conflicts with {who}:\n- {}",
                causes.len(),
                many.join("\n- ")
            ),
        },
        several => {
            let parts: Vec<String> = several
                .iter()
                .map(|(who, f)| format!("conflicts with {who}:\n- {}", f.join("\n- ")))
                .collect();
            format!("Apply failed with {} conflicts: {}", causes.len(), parts.join("\n"))
        }
    };
    ApiError::new(http::StatusCode::CONFLICT, "Conflict", message).with_details(json!({"causes": causes}))
}

/// Merges an applied configuration into an object.
pub(crate) fn merge_into(live: &mut Value, config: &Value, schema: &Schema) {
    match (schema, config) {
        (s, Value::Object(wanted)) if s.granular() => {
            if !live.is_object() {
                *live = Value::Object(Map::new());
            }
            let Some(map) = live.as_object_mut() else { return };
            for (name, value) in wanted {
                if value.is_null() {
                    continue;
                }
                let field = s.field(name);
                let entry = map.entry(name.clone()).or_insert(Value::Null);
                merge_into(entry, value, field.as_deref().unwrap_or(&Schema::Leaf));
            }
        }
        (Schema::List { item, kind: ListKind::Map(keys) }, Value::Array(wanted)) => {
            if !live.is_array() {
                *live = json!([]);
            }
            let Some(items) = live.as_array_mut() else { return };
            for value in wanted {
                let key = item_key(value, keys);
                match items.iter_mut().find(|i| item_key(i, keys) == key) {
                    Some(present) => merge_into(present, value, item),
                    None => {
                        let mut fresh = json!({});
                        merge_into(&mut fresh, value, item);
                        items.push(fresh);
                    }
                }
            }
        }
        (Schema::List { kind: ListKind::Set, .. }, Value::Array(wanted)) => {
            if !live.is_array() {
                *live = json!([]);
            }
            let Some(items) = live.as_array_mut() else { return };
            for value in wanted {
                if !items.contains(value) {
                    items.push(value.clone());
                }
            }
        }
        (_, value) => *live = value.clone(),
    }
}

/// Removes what a path points at, and the containers that this empties.
pub(crate) fn remove_path(value: &mut Value, path: &[Elem]) {
    let Some((first, rest)) = path.split_first() else { return };
    match (first, value) {
        (Elem::Field(name), Value::Object(map)) => {
            if rest.is_empty() {
                map.remove(name);
            } else if let Some(inner) = map.get_mut(name) {
                remove_path(inner, rest);
                if inner.as_object().is_some_and(Map::is_empty) || inner.as_array().is_some_and(Vec::is_empty)
                {
                    map.remove(name);
                }
            }
        }
        (Elem::Key(key), Value::Array(items)) => {
            let keys: Map<String, Value> = serde_json::from_str(key).unwrap_or_default();
            let names: Vec<String> = keys.keys().cloned().collect();
            if let Some(at) = items.iter().position(|i| item_key(i, &names) == *key) {
                if rest.is_empty() {
                    items.remove(at);
                } else if let Some(inner) = items.get_mut(at) {
                    remove_path(inner, rest);
                }
            }
        }
        (Elem::Item(item), Value::Array(items)) => {
            let gone: Option<Value> = serde_json::from_str(item).ok();
            items.retain(|i| Some(i) != gone.as_ref());
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds;

    fn by(manager: &str, force: bool) -> Applier<'_> {
        Applier { manager, force, api_version: "apps/v1", time: "t", subresource: "" }
    }

    fn deployment(replicas: Option<u32>, image: &str) -> Value {
        let mut spec = json!({"template": {"spec": {"containers": [{"name": "c", "image": image}]}}});
        if let Some(n) = replicas {
            spec["replicas"] = n.into();
        }
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "w"}, "spec": spec})
    }

    #[test]
    fn a_dropped_field_stays_while_another_manager_owns_it() {
        let kind = kinds::builtin_of(&deployment(None, "")).unwrap();
        let empty = json!({"metadata": {"name": "w"}});
        let one = apply(&empty, &deployment(Some(2), "i:1"), &kind.schema, by("a", false)).unwrap();
        let refused = apply(&one, &deployment(Some(3), "i:2"), &kind.schema, by("b", false)).unwrap_err();
        assert_eq!(refused.code, 409);
        assert_eq!(
            refused.message,
            "Apply failed with 2 conflicts: conflicts with \"a\":\n- .spec.replicas\n- .spec.template.spec.containers[name=\"c\"].image"
        );
        let two = apply(&one, &deployment(Some(3), "i:2"), &kind.schema, by("b", true)).unwrap();
        let three = apply(&two, &deployment(None, "i:1"), &kind.schema, by("a", true)).unwrap();
        assert_eq!(three.pointer("/spec/replicas"), Some(&json!(3)));
        let four = apply(&three, &json!({"metadata": {"name": "w"}}), &kind.schema, by("b", false)).unwrap();
        assert_eq!(four.pointer("/spec/replicas"), None, "its last owner dropped it");
    }
}
