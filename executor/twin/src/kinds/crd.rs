//! Custom kinds: structural schemas (pruning, defaults, validation) and versions.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::cause::Cause;
use super::schema::{ListKind, Schema};
use super::{Kind, metadata_schema};

/// What only a custom kind has.
#[derive(Debug, Clone)]
pub(crate) struct Custom {
    /// Name of the definition.
    pub definition: String,
    /// The version that is stored.
    pub storage: String,
    /// All versions of the definition, served or not.
    pub(crate) known: Vec<String>,
    /// `openAPIV3Schema` of the version asked for.
    pub openapi: Value,
    /// Text of the deprecation warning.
    pub deprecated: Option<String>,
    /// `spec.conversion`, where its strategy is Webhook.
    pub webhook: Option<Value>,
}

/// The served kinds of one definition, one for each version.
pub(crate) fn kinds(definition: &Value) -> Vec<Kind> {
    let text =
        |pointer: &str| definition.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let versions =
        definition.pointer("/spec/versions").and_then(Value::as_array).cloned().unwrap_or_default();
    let flag = |v: &Value, name: &str| v.get(name).and_then(Value::as_bool).unwrap_or(false);
    let storage =
        versions.iter().find(|v| flag(v, "storage")).and_then(|v| v["name"].as_str()).unwrap_or_default();
    let known: Vec<String> = versions.iter().filter_map(|v| v["name"].as_str().map(str::to_owned)).collect();
    let webhook = (text("/spec/conversion/strategy") == "Webhook")
        .then(|| definition.pointer("/spec/conversion").cloned())
        .flatten();
    versions
        .iter()
        .filter(|v| flag(v, "served"))
        .map(|version| {
            let name = version["name"].as_str().unwrap_or_default();
            let openapi = version.pointer("/schema/openAPIV3Schema").cloned().unwrap_or(Value::Null);
            let group = text("/spec/group");
            let kind = text("/spec/names/kind");
            let deprecated = flag(version, "deprecated").then(|| {
                version["deprecationWarning"]
                    .as_str()
                    .map_or_else(|| format!("{group}/{name} {kind} is deprecated"), str::to_owned)
            });
            let singular = match text("/spec/names/singular") {
                s if s.is_empty() => kind.to_lowercase(),
                s => s,
            };
            Kind {
                version: name.to_owned(),
                resource: text("/spec/names/plural"),
                singular,
                namespaced: text("/spec/scope") == "Namespaced",
                status: version.pointer("/subresources/status").is_some(),
                scale: false,
                generation: true,
                schema: object_schema(&openapi),
                short: strings(definition.pointer("/spec/names/shortNames")),
                custom: Some(Arc::new(Custom {
                    definition: text("/metadata/name"),
                    storage: storage.to_owned(),
                    known: known.clone(),
                    openapi,
                    deprecated,
                    webhook: webhook.clone(),
                })),
                group,
                kind,
            }
        })
        .collect()
}

fn strings(value: Option<&Value>) -> Vec<String> {
    value
        .and_then(Value::as_array)
        .map(|items| items.iter().filter_map(|i| i.as_str().map(str::to_owned)).collect())
        .unwrap_or_default()
}

fn object_schema(openapi: &Value) -> Arc<Schema> {
    let inner = translate(openapi);
    let (mut fields, open) = match &*inner {
        Schema::Struct { fields, open, .. } => (fields.clone(), *open),
        _ => (BTreeMap::new(), true),
    };
    fields.insert("apiVersion".into(), Arc::new(Schema::Leaf));
    fields.insert("kind".into(), Arc::new(Schema::Leaf));
    fields.insert("metadata".into(), metadata_schema());
    Arc::new(Schema::Struct { fields, open, atomic: false })
}

fn preserves(openapi: &Value) -> bool {
    openapi.get("x-kubernetes-preserve-unknown-fields").and_then(Value::as_bool).unwrap_or(false)
}

fn translate(openapi: &Value) -> Arc<Schema> {
    let mark = |name: &str| openapi.get(name).and_then(Value::as_str).unwrap_or_default();
    Arc::new(match openapi.get("type").and_then(Value::as_str) {
        Some("object") => {
            let atomic = mark("x-kubernetes-map-type") == "atomic";
            let properties = openapi.get("properties").and_then(Value::as_object);
            match (properties, openapi.get("additionalProperties")) {
                (None, Some(item)) if item.is_object() => Schema::Map { item: translate(item), atomic },
                (properties, _) => Schema::Struct {
                    fields: properties
                        .map(|p| p.iter().map(|(k, v)| (k.clone(), translate(v))).collect())
                        .unwrap_or_default(),
                    open: preserves(openapi),
                    atomic,
                },
            }
        }
        Some("array") => {
            let item = openapi.get("items").map_or_else(|| Arc::new(Schema::Leaf), translate);
            let kind = match mark("x-kubernetes-list-type") {
                "map" => ListKind::Map(strings(openapi.get("x-kubernetes-list-map-keys"))),
                "set" => ListKind::Set,
                _ => ListKind::Atomic,
            };
            Schema::List { item, kind }
        }
        _ if preserves(openapi) => Schema::Struct { fields: BTreeMap::new(), open: true, atomic: false },
        _ => Schema::Leaf,
    })
}

/// Drops what the schema does not know. Returns the dotted paths of what was dropped.
pub(crate) fn prune(openapi: &Value, object: &mut Value) -> Vec<String> {
    let mut dropped = Vec::new();
    let Some(map) = object.as_object_mut() else { return dropped };
    let properties = openapi.get("properties").and_then(Value::as_object);
    let keep_all = preserves(openapi);
    let names: Vec<String> = map.keys().cloned().collect();
    for name in names {
        if matches!(name.as_str(), "apiVersion" | "kind" | "metadata") {
            continue;
        }
        match (properties.and_then(|p| p.get(&name)), map.get_mut(&name)) {
            (Some(schema), Some(inner)) => prune_at(schema, inner, &name, &mut dropped),
            (None, Some(_)) if !keep_all => {
                map.remove(&name);
                dropped.push(name);
            }
            _ => {}
        }
    }
    dropped
}

fn prune_at(openapi: &Value, value: &mut Value, at: &str, dropped: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            let properties = openapi.get("properties").and_then(Value::as_object);
            let additional = openapi.get("additionalProperties");
            let names: Vec<String> = map.keys().cloned().collect();
            for name in names {
                let path = format!("{at}.{name}");
                let schema = properties.and_then(|p| p.get(&name)).or(additional.filter(|a| a.is_object()));
                match (schema, map.get_mut(&name)) {
                    (Some(schema), Some(inner)) => prune_at(schema, inner, &path, dropped),
                    (None, Some(_)) if !preserves(openapi) && additional.is_none() => {
                        map.remove(&name);
                        dropped.push(path);
                    }
                    _ => {}
                }
            }
        }
        Value::Array(items) => {
            if let Some(schema) = openapi.get("items") {
                for (i, item) in items.iter_mut().enumerate() {
                    prune_at(schema, item, &format!("{at}[{i}]"), dropped);
                }
            }
        }
        _ => {}
    }
}

/// Fills in declared defaults.
pub(crate) fn fill_defaults(openapi: &Value, value: &mut Value) {
    match value {
        Value::Object(map) => {
            if let Some(properties) = openapi.get("properties").and_then(Value::as_object) {
                for (name, schema) in properties {
                    if let (false, Some(default)) = (map.contains_key(name), schema.get("default")) {
                        map.insert(name.clone(), default.clone());
                    }
                    if let Some(inner) = map.get_mut(name) {
                        fill_defaults(schema, inner);
                    }
                }
            }
            if let Some(item) = openapi.get("additionalProperties").filter(|a| a.is_object()) {
                for inner in map.values_mut() {
                    fill_defaults(item, inner);
                }
            }
        }
        Value::Array(items) => {
            if let Some(schema) = openapi.get("items") {
                for item in items {
                    fill_defaults(schema, item);
                }
            }
        }
        _ => {}
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Checks types, required fields, enums and bounds. CEL rules are not evaluated.
pub(crate) fn validate(openapi: &Value, value: &Value, at: &str, causes: &mut Vec<Cause>) {
    let found = type_name(value);
    if openapi.get("x-kubernetes-int-or-string").and_then(Value::as_bool) == Some(true) {
        return;
    }
    if value.is_null() && openapi.get("nullable").and_then(Value::as_bool) == Some(true) {
        return;
    }
    if let Some(wanted) = openapi.get("type").and_then(Value::as_str) {
        let fits = wanted == found || (wanted == "number" && found == "integer");
        if !fits {
            causes.push(Cause::new(
                "FieldValueTypeInvalid",
                at,
                format!("Invalid value: \"{found}\": {at} in body must be of type {wanted}: \"{found}\""),
            ));
            return;
        }
    }
    bounds(openapi, value, at, causes);
    match value {
        Value::Object(map) => fields(openapi, map, at, causes),
        Value::Array(items) => {
            if let Some(schema) = openapi.get("items") {
                for (i, item) in items.iter().enumerate() {
                    validate(schema, item, &format!("{at}[{i}]"), causes);
                }
            }
        }
        _ => {}
    }
}

fn join(at: &str, name: &str) -> String {
    if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") }
}

fn fields(openapi: &Value, map: &Map<String, Value>, at: &str, causes: &mut Vec<Cause>) {
    for name in strings(openapi.get("required")) {
        if !map.contains_key(&name) {
            causes.push(Cause::new("FieldValueRequired", join(at, &name), "Required value"));
        }
    }
    let properties = openapi.get("properties").and_then(Value::as_object);
    let additional = openapi.get("additionalProperties").filter(|a| a.is_object());
    for (name, inner) in map {
        if at.is_empty() && matches!(name.as_str(), "apiVersion" | "kind" | "metadata") {
            continue;
        }
        if let Some(schema) = properties.and_then(|p| p.get(name)).or(additional) {
            validate(schema, inner, &join(at, name), causes);
        }
    }
}

fn bounds(openapi: &Value, value: &Value, at: &str, causes: &mut Vec<Cause>) {
    if let Some(allowed) = openapi.get("enum").and_then(Value::as_array)
        && !allowed.contains(value)
    {
        let all: Vec<String> = allowed.iter().map(ToString::to_string).collect();
        causes.push(Cause::new(
            "FieldValueNotSupported",
            at,
            format!("Unsupported value: {value}: supported values: {}", all.join(", ")),
        ));
    }
    let Some(number) = value.as_f64() else { return };
    for (key, relation, bad) in [
        (
            "minimum",
            "greater than or equal to",
            openapi.get("minimum").and_then(Value::as_f64).is_some_and(|m| number < m),
        ),
        (
            "maximum",
            "less than or equal to",
            openapi.get("maximum").and_then(Value::as_f64).is_some_and(|m| number > m),
        ),
    ] {
        if bad {
            let limit = openapi.get(key).map(ToString::to_string).unwrap_or_default();
            causes.push(Cause::new(
                "FieldValueInvalid",
                at,
                format!("Invalid value: {value}: {at} in body should be {relation} {limit}"),
            ));
        }
    }
}
