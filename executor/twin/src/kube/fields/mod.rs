//! Field ownership: which manager owns which path of an object.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::kinds::schema::{ListKind, Schema};

pub(crate) mod merge;

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Elem {
    /// A field or a map key.
    Field(String),
    /// An item of a list that is a map, by its keys (canonical JSON).
    Key(String),
    /// An item of a set (canonical JSON).
    Item(String),
}

/// A path from the root of an object.
pub(crate) type Path = Vec<Elem>;
/// What one manager owns.
pub(crate) type Set = BTreeSet<Path>;

/// The keys of a list-map item, as canonical JSON. Ports without a protocol are TCP.
pub(crate) fn item_key(item: &Value, keys: &[String]) -> String {
    let mut found = BTreeMap::new();
    for key in keys {
        match item.get(key) {
            Some(value) => found.insert(key.as_str(), value.clone()),
            None if key == "protocol" => found.insert(key.as_str(), json!("TCP")),
            None => None,
        };
    }
    serde_json::to_string(&found).unwrap_or_default()
}

/// Every owned leaf of `value` with its content; list-map items count themselves (as null).
/// `containers`: also count maps and lists themselves, as an update does for what it adds.
pub(crate) fn leaves(value: &Value, schema: &Schema, containers: bool) -> BTreeMap<Path, Value> {
    let mut out = BTreeMap::new();
    walk(value, schema, &mut Vec::new(), containers, &mut out);
    out
}

fn walk(value: &Value, schema: &Schema, at: &mut Path, containers: bool, out: &mut BTreeMap<Path, Value>) {
    match (schema, value) {
        (_, Value::Null) => {}
        (s, Value::Object(map)) if s.granular() && !map.is_empty() => {
            let is_map = matches!(s, Schema::Map { .. });
            if containers && is_map && !at.is_empty() {
                out.insert(at.clone(), Value::Null);
            }
            for (name, inner) in map {
                if at.is_empty() && matches!(name.as_str(), "apiVersion" | "kind") {
                    continue;
                }
                if at.len() == 1
                    && at.first() == Some(&Elem::Field("metadata".into()))
                    && SYSTEM_METADATA.contains(&name.as_str())
                {
                    continue;
                }
                let field = s.field(name);
                at.push(Elem::Field(name.clone()));
                walk(inner, field.as_deref().unwrap_or(&Schema::Leaf), at, containers, out);
                at.pop();
            }
        }
        (Schema::List { item, kind: ListKind::Map(keys) }, Value::Array(items)) if !items.is_empty() => {
            if containers {
                out.insert(at.clone(), Value::Null);
            }
            for inner in items {
                at.push(Elem::Key(item_key(inner, keys)));
                out.insert(at.clone(), Value::Null);
                walk(inner, item, at, containers, out);
                at.pop();
            }
        }
        (Schema::List { kind: ListKind::Set, .. }, Value::Array(items)) if !items.is_empty() => {
            if containers {
                out.insert(at.clone(), Value::Null);
            }
            for inner in items {
                let mut path = at.clone();
                path.push(Elem::Item(inner.to_string()));
                out.insert(path, Value::Null);
            }
        }
        (_, value) => {
            out.insert(at.clone(), value.clone());
        }
    }
}

/// Metadata that no manager owns.
const SYSTEM_METADATA: [&str; 11] = [
    "name",
    "namespace",
    "generateName",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
    "managedFields",
];

/// `fieldsV1` of a set.
pub(crate) fn to_json(set: &Set) -> Value {
    let mut root = Map::new();
    for path in set {
        let mut node = &mut root;
        for (depth, elem) in path.iter().enumerate() {
            let name = match elem {
                Elem::Field(f) => format!("f:{f}"),
                Elem::Key(k) => format!("k:{k}"),
                Elem::Item(v) => format!("v:{v}"),
            };
            let entry = node.entry(name).or_insert_with(|| json!({}));
            let Value::Object(inner) = entry else { break };
            // A member that also has children says so with a dot.
            let deeper = set.range(path.clone()..).nth(1).is_some_and(|next| next.starts_with(path));
            if depth + 1 == path.len() && deeper {
                inner.insert(".".into(), json!({}));
            }
            node = inner;
        }
    }
    Value::Object(root)
}

/// The set that a `fieldsV1` says.
pub(crate) fn from_json(fields: &Value) -> Set {
    let mut out = Set::new();
    collect(fields, &mut Vec::new(), &mut out);
    out
}

fn collect(node: &Value, at: &mut Path, out: &mut Set) {
    let Some(map) = node.as_object() else { return };
    if !at.is_empty() && (map.is_empty() || map.contains_key(".")) {
        out.insert(at.clone());
    }
    for (name, inner) in map {
        let elem = match name.split_at_checked(2) {
            Some(("f:", rest)) => Elem::Field(rest.to_owned()),
            Some(("k:", rest)) => Elem::Key(rest.to_owned()),
            Some(("v:", rest)) => Elem::Item(rest.to_owned()),
            _ => continue,
        };
        at.push(elem);
        collect(inner, at, out);
        at.pop();
    }
}

/// A path as conflicts print it: `.spec.containers[name="c"].image`.
pub(crate) fn display(path: &[Elem]) -> String {
    let mut out = String::new();
    for elem in path {
        match elem {
            Elem::Field(name) => {
                out.push('.');
                out.push_str(name);
            }
            Elem::Key(key) => {
                let keys: BTreeMap<String, Value> = serde_json::from_str(key).unwrap_or_default();
                let all: Vec<String> = keys.iter().map(|(k, v)| format!("{k}={v}")).collect();
                out.push('[');
                out.push_str(&all.join(","));
                out.push(']');
            }
            Elem::Item(value) => {
                out.push_str("[=");
                out.push_str(value);
                out.push(']');
            }
        }
    }
    out
}

/// One entry of `managedFields`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Manager {
    /// Its name.
    pub name: String,
    /// By apply, else by update.
    pub apply: bool,
    /// Empty for the main resource.
    pub subresource: String,
    /// The version it wrote in.
    pub api_version: String,
    /// When it last changed what it owns.
    pub time: String,
    /// What it owns.
    pub set: Set,
}

/// Reads `metadata.managedFields`.
pub(crate) fn managers(object: &Value) -> Vec<Manager> {
    let text =
        |entry: &Value, name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    object
        .pointer("/metadata/managedFields")
        .and_then(Value::as_array)
        .map(|entries| {
            entries
                .iter()
                .map(|e| Manager {
                    name: text(e, "manager"),
                    apply: text(e, "operation") == "Apply",
                    subresource: text(e, "subresource"),
                    api_version: text(e, "apiVersion"),
                    time: text(e, "time"),
                    set: e.get("fieldsV1").map(from_json).unwrap_or_default(),
                })
                .collect()
        })
        .unwrap_or_default()
}

/// Writes `metadata.managedFields`; managers that own nothing are left out.
pub(crate) fn set_managers(object: &mut Value, mut managers: Vec<Manager>) {
    managers.retain(|m| !m.set.is_empty());
    managers.sort_by(|a, b| {
        (!a.apply, &a.time, &a.name, &a.subresource).cmp(&(!b.apply, &b.time, &b.name, &b.subresource))
    });
    let entries: Vec<Value> = managers
        .iter()
        .map(|m| {
            let mut entry = json!({
                "manager": m.name,
                "operation": if m.apply { "Apply" } else { "Update" },
                "apiVersion": m.api_version,
                "time": m.time,
                "fieldsType": "FieldsV1",
                "fieldsV1": to_json(&m.set),
            });
            if let (Some(map), false) = (entry.as_object_mut(), m.subresource.is_empty()) {
                map.insert("subresource".into(), m.subresource.clone().into());
            }
            entry
        })
        .collect();
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        if entries.is_empty() {
            metadata.remove("managedFields");
        } else {
            metadata.insert("managedFields".into(), entries.into());
        }
    }
}

/// What an update by `who` does to ownership: it owns what it changed or added, others lose that.
pub(crate) fn after_update(old: Option<&Value>, new: &mut Value, schema: &Schema, who: &Manager) {
    let mut all = managers(new);
    let before = old.map(|o| leaves(o, schema, true)).unwrap_or_default();
    let after = leaves(new, schema, true);
    let changed: Set =
        after.iter().filter(|(p, v)| before.get(*p) != Some(v)).map(|(p, _)| p.clone()).collect();
    let removed: Set = before.keys().filter(|p| !after.contains_key(*p)).cloned().collect();
    if changed.is_empty() && removed.is_empty() {
        return;
    }
    for manager in &mut all {
        manager.set.retain(|p| !removed.contains(p) && !changed.contains(p));
    }
    match all.iter_mut().find(|m| m.name == who.name && !m.apply && m.subresource == who.subresource) {
        Some(mine) => {
            mine.set.extend(changed);
            mine.time.clone_from(&who.time);
            mine.api_version.clone_from(&who.api_version);
        }
        None => all.push(Manager { set: changed, ..who.clone() }),
    }
    set_managers(new, all);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds;

    #[test]
    fn writes_what_the_recording_shows() {
        let object = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
            "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": {
                "metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}}}
        });
        let kind = kinds::builtin_of(&object).unwrap();
        let set: Set = leaves(&object, &kind.schema, false).into_keys().collect();
        let expected = json!({"f:spec": {"f:replicas": {}, "f:selector": {}, "f:template": {
            "f:metadata": {"f:labels": {"f:app": {}}},
            "f:spec": {"f:containers": {"k:{\"name\":\"c\"}": {".": {}, "f:image": {}, "f:name": {}}}}}}});
        assert_eq!(to_json(&set), expected);
        assert_eq!(from_json(&expected), set);
        let image = set.iter().find(|p| p.last() == Some(&Elem::Field("image".into()))).unwrap();
        assert_eq!(display(image), ".spec.template.spec.containers[name=\"c\"].image");
    }
}
