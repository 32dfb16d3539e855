//! Reading rendered Kubernetes objects.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use switchback_schemas::name::ObjectRef;

/// The annotation with which an object tells Helm to leave it: `keep`.
pub const KEEP: &str = "helm.sh/resource-policy";

/// Whether an object tells Helm to leave it.
pub fn keeps(object: &Value) -> bool {
    let annotations = object.pointer("/metadata/annotations");
    annotations.and_then(|annotations| annotations.get(KEEP)?.as_str()) == Some("keep")
}

/// A key as a token of a JSON pointer.
pub fn token(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

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

/// Why dotted paths are no nested fields.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPath {
    /// An empty part, or a backslash before something else than a dot or a backslash.
    #[error("`{0}` is not a dotted path")]
    NotAPath(String),
    /// A member of a list.
    #[error("`{0}` is a path into a list, and Helm replaces lists as a whole")]
    List(String),
    /// A value at one path, and fields of it at another.
    #[error("`{0}` and `{1}` cannot both have a value")]
    Inside(String, String),
}

impl BadPath {
    /// The path at which it is seen.
    pub fn path(&self) -> &str {
        match self {
            Self::NotAPath(path) | Self::List(path) | Self::Inside(path, _) => path,
        }
    }
}

/// Nested fields from dotted paths: `{"controller.replicas": 2}` to `{"controller": {"replicas": 2}}`. A dot that is part of a key is
/// written `\.`, a backslash `\\`, as Helm's `--set` has it.
pub fn nested(set: &BTreeMap<String, Value>) -> Result<Value, BadPath> {
    let mut root = Map::new();
    let mut ends: BTreeMap<Vec<String>, &String> = BTreeMap::new();
    for (path, value) in set {
        let mut parts = parts(path)?;
        let inside = |(other, text): (&Vec<String>, &&String)| {
            (parts.starts_with(other) || other.starts_with(&parts)).then(|| (*text).clone())
        };
        if let Some(other) = ends.iter().find_map(inside) {
            return Err(BadPath::Inside(path.clone(), other));
        }
        ends.insert(parts.clone(), path);
        let Some(last) = parts.pop() else { continue };
        let mut at = &mut root;
        for part in parts {
            let next = at.entry(part).or_insert_with(|| Value::Object(Map::new()));
            let Value::Object(inner) = next else { return Err(BadPath::NotAPath(path.clone())) };
            at = inner;
        }
        at.insert(last, value.clone());
    }
    Ok(Value::Object(root))
}

fn parts(path: &str) -> Result<Vec<String>, BadPath> {
    let bad = || BadPath::NotAPath(path.to_owned());
    let mut parts = vec![String::new()];
    let mut letters = path.chars();
    while let Some(letter) = letters.next() {
        let last = parts.last_mut().ok_or_else(bad)?;
        match letter {
            '\\' => last.push(letters.next().filter(|next| matches!(next, '.' | '\\')).ok_or_else(bad)?),
            '.' => parts.push(String::new()),
            '[' => return Err(BadPath::List(path.to_owned())),
            letter => last.push(letter),
        }
    }
    if parts.iter().any(String::is_empty) { Err(bad()) } else { Ok(parts) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{BadPath, nested};

    fn of(paths: &[&str]) -> Result<serde_json::Value, BadPath> {
        nested(&paths.iter().map(|path| ((*path).to_owned(), json!(1))).collect())
    }

    #[test]
    fn dotted_paths_nest() {
        assert_eq!(of(&["a.b", "a.c.d", "e"]), Ok(json!({"a": {"b": 1, "c": {"d": 1}}, "e": 1})));
    }

    /// A key of an annotation has dots and a slash: split at its dots, helm would be given a backslash.
    #[test]
    fn a_dot_of_a_key_is_escaped() {
        let path = r"controller.podAnnotations.cluster\.switchback\.test/pod";
        let nested = json!({"controller": {"podAnnotations": {"cluster.switchback.test/pod": 1}}});
        assert_eq!(of(&[path]), Ok(nested));
        assert_eq!(of(&[r"a\\b"]), Ok(json!({r"a\b": 1})));
    }

    #[test]
    fn what_is_no_path_is_refused_before_helm_sees_it() {
        for path in ["", ".", "a..b", "a.", r"a\", r"a\n.b"] {
            assert_eq!(of(&[path]), Err(BadPath::NotAPath(path.to_owned())), "{path}");
        }
        assert_eq!(of(&["list[0].x"]), Err(BadPath::List("list[0].x".to_owned())));
        assert_eq!(of(&["a", "a.b"]), Err(BadPath::Inside("a.b".to_owned(), "a".to_owned())));
    }
}
