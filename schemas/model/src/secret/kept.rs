//! What of objects and values stands in an inventory and in a lock, which are committed and read by many: an allow-list,
//! which components write in their folders. Where a difference is all that counts, a salted digest stands for the value.

use serde_json::{Map, Value, json};
use switchback_schemas::{Digest, inventory::Plain};

use super::{is_reference, is_secret_name, text::redact_text};

/// The annotation in which kubectl keeps an object once more.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Domains of annotations that planners and people read: what is written there says how tools treat the object.
const ANNOTATIONS: [&str; 7] =
    ["helm.sh", "kubernetes.io", "k8s.io", "kserve.io", "karpenter.sh", "nvidia.com", "switchback.dev"];

/// How objects are kept.
#[derive(Clone, Copy, Debug)]
pub struct Keeping<'a> {
    /// Goes into every digest, so that no list of digests made beforehand fits: the cluster's identity. An inventory and a
    /// lock of one cluster have the same, so their objects can be compared.
    pub salt: &'a str,
    /// What may stand as it is.
    pub plain: &'a Plain,
}

impl Keeping<'_> {
    /// An object of a release or of a rendered chart. Secrets, entries of ConfigMaps and variables are digests unless they
    /// are listed; every other text loses what has the shape of a secret; schemas of CRDs are digests.
    pub fn object(&self, object: &Value) -> Value {
        let kind = object.get("kind").and_then(Value::as_str).unwrap_or_default();
        let mut kept = self.walk(object);
        let Some(fields) = kept.as_object_mut() else { return kept };
        for field in ["data", "stringData", "binaryData"] {
            let Some(Value::Object(data)) = object.get(field) else { continue };
            match kind {
                "Secret" => fields.insert(field.to_owned(), self.digests(data, &|_| false)),
                "ConfigMap" => {
                    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
                    fields.insert(field.to_owned(), self.digests(data, &|key| self.is_plain(name, key)))
                }
                _ => None,
            };
        }
        if kind == "CustomResourceDefinition" {
            schemas(&mut kept, object);
        }
        kept
    }

    /// Whether an entry of a ConfigMap may stand as it is.
    fn is_plain(&self, name: &str, key: &str) -> bool {
        let of = self.plain.config.iter().filter(|(ending, _)| name.ends_with(ending.as_str()));
        of.into_iter().any(|(_, keys)| keys.contains(key)) && !is_secret_name(key)
    }

    fn digests(&self, data: &Map<String, Value>, is_plain: &dyn Fn(&str) -> bool) -> Value {
        let kept = data.iter().map(|(key, value)| match value {
            Value::String(text) if is_plain(key) => (key.clone(), self.settings(text).into()),
            Value::Null => (key.clone(), Value::Null),
            Value::String(text) => (key.clone(), self.digest(text).into()),
            other => (key.clone(), self.digest(&other.to_string()).into()),
        });
        Value::Object(kept.collect())
    }

    /// An entry that components read: what is written in YAML or JSON stays so, field by field, since cut as text it might not be.
    fn settings(&self, text: &str) -> String {
        let fields: Option<Value> = serde_yaml::from_str(text).ok().filter(Value::is_object);
        match fields.map(|fields| (self.walk(&fields), fields)) {
            Some((kept, fields)) if kept != fields => kept.to_string(),
            Some(_) => text.to_owned(),
            None => self.text(text),
        }
    }

    fn walk(&self, value: &Value) -> Value {
        match value {
            Value::Object(fields) => {
                let kept = fields.iter().map(|(name, value)| (name.clone(), self.field(fields, name, value)));
                Value::Object(kept.collect())
            }
            Value::Array(items) => Value::Array(items.iter().map(|item| self.walk(item)).collect()),
            Value::String(text) => self.text(text).into(),
            other => other.clone(),
        }
    }

    fn field(&self, fields: &Map<String, Value>, name: &str, value: &Value) -> Value {
        let variable = fields.get("name").and_then(Value::as_str).filter(|_| name == "value");
        let hidden = match variable {
            Some(variable) => !self.plain.variables.contains(variable) || is_secret_name(variable),
            None => is_secret_name(name),
        };
        match value {
            Value::Object(annotations) if name == "annotations" => self.annotations(annotations),
            // References of images are compared, and hold no secret.
            Value::String(_) if name == "image" => value.clone(),
            Value::String(text) if hidden => self.digest(text).into(),
            Value::Number(number) if hidden => self.digest(&number.to_string()).into(),
            Value::Array(items) if matches!(name, "args" | "command") => self.arguments(items),
            Value::Array(items) if hidden && items.iter().all(Value::is_string) => {
                items.iter().filter_map(Value::as_str).map(|item| self.digest(item)).collect()
            }
            other => self.walk(other),
        }
    }

    /// Annotations of known domains; of others the digests.
    fn annotations(&self, annotations: &Map<String, Value>) -> Value {
        let is_known = |name: &str| {
            let domain = name.split_once('/').map_or("", |(domain, _)| domain);
            ANNOTATIONS.iter().any(|known| {
                domain.strip_suffix(known).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            })
        };
        let kept =
            annotations.iter().filter(|(name, _)| *name != LAST_APPLIED).map(|(name, value)| match value {
                Value::String(text) if !is_known(name) => (name.clone(), self.digest(text).into()),
                other => (name.clone(), self.walk(other)),
            });
        Value::Object(kept.collect())
    }

    /// Arguments of a program: one that follows the name of a secret is one.
    fn arguments(&self, items: &[Value]) -> Value {
        let mut after = false;
        let kept = items.iter().map(|item| {
            let Some(text) = item.as_str() else { return self.walk(item) };
            let is_flag = text.starts_with('-');
            let hidden = std::mem::take(&mut after) && !is_flag;
            after = is_flag && is_secret_name(text);
            if hidden { self.digest(text).into() } else { self.text(text).into() }
        });
        kept.collect()
    }

    /// Text without what has the shape of a secret. A short digest beside it shows whether that changed.
    fn text(&self, text: &str) -> String {
        match redact_text(text) {
            std::borrow::Cow::Borrowed(_) => text.to_owned(),
            std::borrow::Cow::Owned(redacted) => format!("{redacted}#{}", self.salted(text).short(12)),
        }
    }

    fn digest(&self, text: &str) -> String {
        match text.is_empty() || is_reference(text) {
            true => text.to_owned(),
            false => self.salted(text).to_string(),
        }
    }

    fn salted(&self, text: &str) -> Digest {
        Digest::of(format!("switchback secret\0{}\0{text}", self.salt))
    }
}

/// Digests instead of the schemas of a CRD's versions: what a planner asks of them is whether they change.
fn schemas(kept: &mut Value, object: &Value) {
    let versions = kept.pointer_mut("/spec/versions").and_then(Value::as_array_mut);
    for (number, version) in versions.into_iter().flatten().enumerate() {
        let schema = object.pointer(&format!("/spec/versions/{number}/schema"));
        if let (Some(schema), Some(fields)) = (schema, version.as_object_mut()) {
            fields.insert("schema".to_owned(), json!({"digest": Digest::of(schema.to_string())}));
        }
    }
}

/// The names of values that a person gave to a chart, as fields without what was given: no component asks for more.
pub fn names(values: &Value) -> Value {
    match values {
        Value::Object(fields) => {
            let kept = fields.iter().map(|(name, value)| (redact_text(name).into_owned(), names(value)));
            Value::Object(kept.collect())
        }
        Value::Array(items) => {
            let items: Vec<Value> = items.iter().map(names).filter(|item| !item.is_null()).collect();
            if items.is_empty() { Value::Null } else { Value::Array(items) }
        }
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    const S: &str = "canary-Zq7";

    fn plain() -> Plain {
        Plain {
            config: BTreeMap::from([("settings".to_owned(), BTreeSet::from(["config".to_owned()]))]),
            variables: BTreeSet::from(["MODE".to_owned()]),
        }
    }

    fn kept(object: &Value) -> Value {
        Keeping { salt: "uid-1", plain: &plain() }.object(object)
    }

    #[test]
    fn f1_of_objects_nothing_secret_is_kept() {
        let pod = |container: Value| json!({"kind": "Deployment", "spec": {"template": {"spec": {"containers": [container]}}}});
        for object in [
            json!({"kind": "Secret", "data": {"a": S}, "stringData": {"b": S},
                "metadata": {"annotations": {LAST_APPLIED: S}}}),
            json!({"kind": "ConfigMap", "metadata": {"name": "other"}, "data": {"config": S}, "binaryData": {"x": S}}),
            json!({"kind": "ConfigMap", "metadata": {"name": "my-settings"},
                "data": {"config": format!("a: 1\npassword: {S}\n"), "more": S, "token": S}}),
            pod(json!({"env": [{"name": "ANY", "value": S}]})),
            pod(
                json!({"args": ["--token", S, format!("--db=postgres://u:{S}@h/d"), format!("--api-key={S}")]}),
            ),
            pod(json!({"command": ["sh", "-c", format!("curl -H 'Authorization: Bearer {S}' http://x")]})),
            json!({"kind": "X", "spec": {"password": S, "tokens": [S], "url": format!("https://u:{S}@h")}}),
            json!({"kind": "X", "metadata": {"annotations": {LAST_APPLIED: S, "example.com/x": S, "xhelm.sh/x": S}}}),
        ] {
            let kept = kept(&object).to_string();
            assert!(!kept.contains(S), "{object}\n{kept}");
        }
    }

    #[test]
    fn what_components_ask_for_and_what_differs_stays() {
        let settings = json!({"kind": "ConfigMap", "metadata": {"name": "my-settings"},
            "data": {"config": "persistence:\n  passwordSecret:\n    name: db\n    key: password\n"}});
        assert_eq!(kept(&settings), settings);
        let pod = json!({"kind": "Deployment", "spec": {"volumes": [{"secret": {"secretName": "tls", "defaultMode": 420}}],
            "containers": [{"args": ["--configmap", "a", "--leader-elect"], "image": "a/b:1",
                "env": [{"name": "MODE", "value": "fast"}, {"name": "A", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}]}]}});
        assert_eq!(kept(&pod), pod);
        let known = json!({"metadata": {"annotations": {"helm.sh/resource-policy": "keep", "serving.kserve.io/a": "b"}}});
        assert_eq!(kept(&known), known);
        let with =
            |text: &str| kept(&json!({"kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": text}}));
        assert_eq!(with("1"), with("1"));
        assert_ne!(with("1"), with("2"));
        let other = Keeping { salt: "uid-2", plain: &plain() };
        let object = json!({"kind": "Secret", "data": {"a": "MQ=="}});
        assert_ne!(other.object(&object), kept(&object));
    }

    /// Cut as text, settings were no YAML any more, and what they say was taken for nothing said.
    #[test]
    fn settings_without_their_secrets_are_settings_still() {
        let config = "persistence:\n  archive: true\n  apiToken: hunter2\n  postgresql:\n    passwordSecret: {name: db, key: password}\n\
                      workflowDefaults:\n  spec:\n    tolerations:\n      - {key: gpu, operator: Equal, value: present}\n";
        let object =
            json!({"kind": "ConfigMap", "metadata": {"name": "my-settings"}, "data": {"config": config}});
        let kept = kept(&object);
        let kept = kept.pointer("/data/config").and_then(Value::as_str).unwrap();
        let settings: Value = serde_yaml::from_str(kept).unwrap();
        assert_eq!(settings["persistence"]["archive"], true);
        assert_eq!(settings["persistence"]["postgresql"]["passwordSecret"]["key"], "password");
        assert_eq!(settings["workflowDefaults"]["spec"]["tolerations"][0]["value"], "present");
        assert!(!kept.contains("hunter2"), "{kept}");
    }

    #[test]
    fn images_are_as_they_are() {
        let pod = json!({"kind": "Pod", "spec": {"containers": [{"image": "ghcr.io/external-secrets/external-secrets:v0.9.11"}]}});
        assert_eq!(kept(&pod), pod);
    }

    #[test]
    fn f3_schemas_of_crds_are_digests() {
        let crd = |field: &str| {
            json!({"kind": "CustomResourceDefinition", "spec": {"versions": [{"name": "v1", "served": true,
                "schema": {"openAPIV3Schema": {"properties": {field: {"type": "string"}}}}}]}})
        };
        let one = kept(&crd("password"));
        assert!(one.pointer("/spec/versions/0/schema/digest").is_some(), "{one}");
        assert!(one.pointer("/spec/versions/0/schema/openAPIV3Schema").is_none(), "{one}");
        assert_eq!(one.pointer("/spec/versions/0/served"), Some(&json!(true)));
        assert_ne!(one, kept(&crd("other")));
    }

    #[test]
    fn f1_of_values_only_names_are_kept() {
        let values =
            json!({"db": {"password": S, "port": 5432}, "list": [{"a": S}, S], "on": true, "none": [S]});
        let expected =
            json!({"db": {"password": null, "port": null}, "list": [{"a": null}], "on": null, "none": null});
        assert_eq!(names(&values), expected);
    }
}
