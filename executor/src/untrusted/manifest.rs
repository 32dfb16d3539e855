//! Manifests as Helm renders them: YAML documents one after the other.

use serde::Deserialize;
use serde_json::Value;
use switchback_schemas::name;

/// Why a manifest cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Not YAML.
    #[error("document {number} of the manifest is not YAML: {source}")]
    Yaml {
        /// Which document, from 1.
        number: usize,
        /// What is wrong.
        source: serde_yaml::Error,
    },
    /// YAML that has no JSON form.
    #[error("document {number} of the manifest has no JSON form: {source}")]
    Json {
        /// Which document, from 1.
        number: usize,
        /// What is wrong.
        source: serde_json::Error,
    },
}

/// The objects of a manifest in its order; lists are taken apart and empty documents left out.
pub fn objects(manifest: &str) -> Result<Vec<Value>, ManifestError> {
    let mut objects = Vec::new();
    for (i, document) in serde_yaml::Deserializer::from_str(manifest).enumerate() {
        let number = i + 1;
        let yaml = |source| ManifestError::Yaml { number, source };
        let mut value = serde_yaml::Value::deserialize(document).map_err(yaml)?;
        value.apply_merge().map_err(yaml)?;
        let value = serde_json::to_value(value).map_err(|source| ManifestError::Json { number, source })?;
        match value {
            Value::Object(mut list) if is_list(&list) => {
                if let Some(Value::Array(items)) = list.remove("items") {
                    objects.extend(items);
                }
            }
            Value::Object(object) => objects.push(Value::Object(object)),
            _ => {}
        }
    }
    Ok(objects)
}

fn is_list(object: &serde_json::Map<String, Value>) -> bool {
    object.get("kind").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("List"))
        && object.contains_key("items")
}

/// Fills in the namespace of a release where an object that lives in one names none, as Helm does. `namespaced` knows kinds of
/// other groups than the built-in ones.
pub fn fill_in(objects: &mut [Value], namespace: &str, namespaced: impl Fn(&str, &str) -> bool) {
    for object in objects {
        let text = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let (version, kind) = (text("/apiVersion"), text("/kind"));
        let group = name::group(version);
        let lives_in_one = name::is_namespaced(group, kind).unwrap_or_else(|| namespaced(group, kind));
        if lives_in_one
            && text("/metadata/namespace").is_empty()
            && let Some(Value::Object(metadata)) = object.get_mut("metadata")
        {
            metadata.insert("namespace".to_owned(), namespace.into());
        }
    }
}

/// Orders objects by kind, namespace and name.
pub fn sort(objects: &mut [Value]) {
    objects.sort_by_cached_key(|object| {
        let text = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        (text("/kind"), text("/metadata/namespace"), text("/metadata/name"), text("/apiVersion"))
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_manifest_is_taken_apart() {
        let text = "---\n# Source: a\nkind: B\nmetadata: {name: x}\n---\n---\nkind: List\nitems:\n- {kind: A, n: 1}\n";
        let mut found = objects(text).unwrap();
        assert_eq!(found, [json!({"kind": "B", "metadata": {"name": "x"}}), json!({"kind": "A", "n": 1})]);
        sort(&mut found);
        assert_eq!(found[0]["kind"], "A");
        assert_eq!(objects("").unwrap(), Vec::<Value>::new());
    }

    /// A chart may leave the namespace to Helm in one version and write it in the next: that is no other object.
    #[test]
    fn the_namespace_of_the_release_is_filled_in() {
        let bare = |version: &str, kind: &str| json!({"apiVersion": version, "kind": kind, "metadata": {"name": "x"}});
        let mut objects = [
            bare("v1", "ServiceAccount"),
            bare("rbac.authorization.k8s.io/v1", "Role"),
            bare("rbac.authorization.k8s.io/v1", "ClusterRole"),
            bare("v1", "Namespace"),
            bare("x.dev/v1", "Thing"),
            bare("x.dev/v1", "ClusterThing"),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "other"}}),
        ];
        fill_in(&mut objects, "apps", |group, kind| group == "x.dev" && kind == "Thing");
        let found: Vec<Option<&str>> = objects
            .iter()
            .map(|object| object.pointer("/metadata/namespace").and_then(Value::as_str))
            .collect();
        assert_eq!(found, [Some("apps"), Some("apps"), None, None, Some("apps"), None, Some("other")]);
    }

    #[test]
    fn merge_keys_are_merged_and_broken_documents_named() {
        let merged = objects("base: &b {x: 1}\nkind: K\nuse:\n  <<: *b\n").unwrap();
        assert_eq!(merged[0]["use"], json!({"x": 1}));
        assert!(objects("kind: A\n---\na: [").unwrap_err().to_string().starts_with("document 2"));
    }
}
