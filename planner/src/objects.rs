//! Reading rendered Kubernetes objects.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use switchback_schemas::name::ObjectRef;

/// A text at a JSON pointer.
pub fn text<'a>(object: &'a Value, pointer: &str) -> Option<&'a str> {
    object.pointer(pointer).and_then(Value::as_str)
}

/// An object's name.
pub fn name(object: &Value) -> Option<&str> {
    text(object, "/metadata/name")
}

/// An object's reference, if it is an object at all. Cluster-scoped objects have no namespace.
pub fn reference(object: &Value) -> Option<ObjectRef> {
    Some(ObjectRef {
        api_version: text(object, "/apiVersion")?.to_owned(),
        kind: text(object, "/kind")?.to_owned(),
        namespace: text(object, "/metadata/namespace").map(str::to_owned),
        name: name(object)?.to_owned(),
    })
}

/// Whether an object is a CustomResourceDefinition.
pub fn is_crd(object: &Value) -> bool {
    text(object, "/kind") == Some("CustomResourceDefinition")
}

/// Names of the CRDs among objects.
pub fn crds(objects: &[Value]) -> Vec<String> {
    objects.iter().filter(|object| is_crd(object)).filter_map(name).map(str::to_owned).collect()
}

/// The CRD of a name among objects.
pub fn crd<'a>(objects: impl IntoIterator<Item = &'a Value>, wanted: &str) -> Option<&'a Value> {
    objects.into_iter().find(|object| is_crd(object) && name(object) == Some(wanted))
}

/// Names of a CRD's versions: all of them, or those with a flag (`served`, `storage`).
pub fn versions<'a>(crd: &'a Value, flag: Option<&str>) -> Vec<&'a str> {
    let list = crd.pointer("/spec/versions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let flagged = |version: &&Value| flag.is_none_or(|flag| version.get(flag) == Some(&Value::Bool(true)));
    list.iter().filter(flagged).filter_map(|version| text(version, "/name")).collect()
}

/// Nested fields from dotted paths: `{"controller.replicas": 2}` to `{"controller": {"replicas": 2}}`.
pub fn nested(set: &BTreeMap<String, Value>) -> Value {
    let mut root = Map::new();
    for (path, value) in set {
        let mut at = &mut root;
        let mut parts = path.split('.').peekable();
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                at.insert(part.to_owned(), value.clone());
                break;
            }
            let next = at.entry(part.to_owned()).or_insert_with(|| Value::Object(Map::new()));
            if !next.is_object() {
                *next = Value::Object(Map::new());
            }
            let Value::Object(inner) = next else { break };
            at = inner;
        }
    }
    Value::Object(root)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn dotted_paths_nest() {
        let set =
            [("a.b".to_owned(), json!(1)), ("a.c.d".to_owned(), json!("x")), ("e".to_owned(), json!([]))];
        assert_eq!(
            super::nested(&set.into_iter().collect()),
            json!({"a": {"b": 1, "c": {"d": "x"}}, "e": []})
        );
    }
}
