//! The shape of objects, as far as merging, ownership and strict decoding need it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

/// A node of a schema.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Schema {
    /// A value without inner structure for merging: scalars, and whatever is not described.
    Leaf,
    /// Fields with names known in advance.
    Struct {
        /// The fields.
        fields: BTreeMap<String, Arc<Schema>>,
        /// Unknown fields are kept and taken as leaves.
        open: bool,
        /// Merged and owned as one.
        atomic: bool,
    },
    /// Free keys.
    Map {
        /// What the values look like.
        item: Arc<Schema>,
        /// Merged and owned as one.
        atomic: bool,
    },
    /// A list.
    List {
        /// What the items look like.
        item: Arc<Schema>,
        /// How it merges.
        kind: ListKind,
    },
}

/// How a list merges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ListKind {
    /// As one value.
    Atomic,
    /// As a set of scalars.
    Set,
    /// As a map by these keys; the first is the merge key of a strategic merge patch.
    Map(Vec<String>),
}

impl Schema {
    /// An object of which nothing is known: maps merge by key, lists as one.
    pub(crate) fn unknown() -> Arc<Self> {
        Arc::new(Self::Struct { fields: BTreeMap::new(), open: true, atomic: false })
    }

    /// The schema of a field.
    pub(crate) fn field(&self, name: &str) -> Option<Arc<Schema>> {
        match self {
            Self::Struct { fields, open, .. } => {
                fields.get(name).cloned().or_else(|| open.then(Self::unknown))
            }
            Self::Map { item, .. } => Some(item.clone()),
            Self::Leaf | Self::List { .. } => None,
        }
    }

    /// Whether an object of this shape is owned field by field.
    pub(crate) fn granular(&self) -> bool {
        matches!(self, Self::Struct { atomic: false, .. } | Self::Map { atomic: false, .. })
    }

    /// Dotted paths of the fields in `value` that this schema does not know.
    pub(crate) fn unknown_fields(&self, value: &Value, at: &str, found: &mut Vec<String>) {
        match (self, value) {
            (Self::Struct { open: true, fields, .. }, _) if fields.is_empty() => {}
            (Self::Struct { fields, open, .. }, Value::Object(map)) => {
                for (name, inner) in map {
                    let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                    match fields.get(name) {
                        Some(schema) => schema.unknown_fields(inner, &path, found),
                        None if *open => {}
                        None => found.push(path),
                    }
                }
            }
            (Self::Map { item, .. }, Value::Object(map)) => {
                for (name, inner) in map {
                    item.unknown_fields(inner, &format!("{at}.{name}"), found);
                }
            }
            (Self::List { item, .. }, Value::Array(items)) => {
                for (i, inner) in items.iter().enumerate() {
                    item.unknown_fields(inner, &format!("{at}[{i}]"), found);
                }
            }
            _ => {}
        }
    }
}

/// Reads the table of `builtin.schema`: one type a line, `Name = field field:Type …`.
///
/// Types: nothing (a scalar) · `Name` · `Name!` (atomic) · `{}` / `{Name}` (free keys) · `{}!` ·
/// `[]` / `[Name]` (atomic list) · `[set]` · `[Name|key,key]` (list as a map) · `*` (anything).
/// A type is read after the types it uses.
pub(crate) fn parse(table: &str) -> Result<BTreeMap<String, Arc<Schema>>, String> {
    let mut types: BTreeMap<String, Arc<Schema>> = BTreeMap::new();
    for line in table.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
        let (name, rest) = line.split_once('=').ok_or_else(|| format!("no `=` in {line:?}"))?;
        let mut fields = BTreeMap::new();
        let mut open = false;
        for word in rest.split_whitespace() {
            if word == "..." {
                open = true;
                continue;
            }
            let (field, kind) = word.split_once(':').unwrap_or((word, ""));
            fields.insert(field.to_owned(), one(kind, &types)?);
        }
        types.insert(name.trim().to_owned(), Arc::new(Schema::Struct { fields, open, atomic: false }));
    }
    Ok(types)
}

fn named(name: &str, types: &BTreeMap<String, Arc<Schema>>) -> Result<Arc<Schema>, String> {
    if name.is_empty() {
        return Ok(Arc::new(Schema::Leaf));
    }
    types.get(name).cloned().ok_or_else(|| format!("type {name:?} is used before it is there"))
}

fn one(text: &str, types: &BTreeMap<String, Arc<Schema>>) -> Result<Arc<Schema>, String> {
    let (text, atomic) = text.strip_suffix('!').map_or((text, false), |t| (t, true));
    if text == "*" {
        return Ok(Arc::new(Schema::Struct { fields: BTreeMap::new(), open: true, atomic }));
    }
    if let Some(inner) = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')) {
        return Ok(Arc::new(Schema::Map { item: named(inner, types)?, atomic }));
    }
    if let Some(inner) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
        if inner == "set" {
            return Ok(Arc::new(Schema::List { item: Arc::new(Schema::Leaf), kind: ListKind::Set }));
        }
        let (item, kind) = match inner.split_once('|') {
            Some((item, keys)) => (item, ListKind::Map(keys.split(',').map(str::to_owned).collect())),
            None => (inner, ListKind::Atomic),
        };
        return Ok(Arc::new(Schema::List { item: named(item, types)?, kind }));
    }
    let schema = named(text, types)?;
    match (&*schema, atomic) {
        (Schema::Struct { fields, open, .. }, true) => {
            Ok(Arc::new(Schema::Struct { fields: fields.clone(), open: *open, atomic: true }))
        }
        _ => Ok(schema),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_lists_maps_and_atoms() {
        let types =
            parse("Port = port proto\nSpec = size ports:[Port|port,proto] sel:Port! tags:{} all:*").unwrap();
        let spec = &types["Spec"];
        assert!(
            matches!(&*spec.field("ports").unwrap(), Schema::List { kind: ListKind::Map(k), .. } if k == &["port", "proto"])
        );
        assert!(!spec.field("sel").unwrap().granular());
        let mut found = Vec::new();
        spec.unknown_fields(&json!({"sise": 1, "ports": [{"prt": 2}], "all": {"x": 1}}), "spec", &mut found);
        assert_eq!(found, ["spec.ports[0].prt", "spec.sise"]);
    }

    #[test]
    fn refuses_a_type_used_before_it_is_there() {
        assert!(parse("A = b:B").unwrap_err().contains("\"B\""));
    }
}
