//! Which values are secrets, and what stands in documents instead of them.
//!
//! A secret leaf is replaced by a reference, the digest of its text, so that equal secrets stay comparable. What counts
//! as a secret is decided by names alone, so that both sides of a comparison decide alike, and a digest that is no secret
//! (`image.digest: sha256:…`) stays what it is.

use serde_json::{Map, Value};
use switchback_schemas::Digest;

/// Words that make a name the name of a secret.
const WORDS: [&str; 10] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "privatekey",
    "credential",
    "connectionstring",
];

/// Endings of names that only say where a secret is, or how long it lives.
const POINTERS: [&str; 9] = ["name", "names", "ref", "path", "file", "dir", "ttl", "enabled", "expiration"];

/// Names that hold one of the words and no secret.
const HARMLESS: [&str; 4] =
    ["imagepullsecrets", "imagepullsecret", "automountserviceaccounttoken", "serviceaccounttoken"];

/// Whether a field of this name holds a secret.
pub fn is_secret_name(name: &str) -> bool {
    let plain: String =
        name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    WORDS.iter().any(|word| plain.contains(word))
        && !plain.starts_with("existing")
        && !HARMLESS.contains(&plain.as_str())
        && !POINTERS.iter().any(|end| plain.ends_with(end))
}

/// Values with references instead of secrets. Doing it twice is doing it once.
pub fn redact(values: &Value) -> Value {
    redact_in(values, false)
}

/// An object of a cluster or of a rendered chart, with references instead of secrets: the data of a Secret, entries of a
/// `ConfigMap` whose names say so, and environment variables of containers.
pub fn redact_object(object: &Value) -> Value {
    let kind = object.get("kind").and_then(Value::as_str).unwrap_or_default();
    let mut object = redact_env(object);
    let Some(fields) = object.as_object_mut() else { return object };
    if kind == "Secret" {
        for field in ["data", "stringData"] {
            if let Some(data) = fields.get_mut(field) {
                *data = redact_in(data, true);
            }
        }
        // What kubectl applied last holds the data once more.
        if let Some(annotations) =
            fields.get_mut("metadata").and_then(|m| m.get_mut("annotations")).and_then(Value::as_object_mut)
        {
            annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        }
    } else if kind == "ConfigMap"
        && let Some(data) = fields.get_mut("data")
    {
        *data = redact(data);
    }
    object
}

fn redact_in(value: &Value, secret: bool) -> Value {
    match value {
        Value::Object(fields) => {
            let redacted = fields.iter().map(|(name, value)| {
                (name.clone(), redact_in(value, secret || is_secret_field(fields, name)))
            });
            Value::Object(redacted.collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(|item| redact_in(item, secret)).collect()),
        Value::String(text) if secret && !text.is_empty() && !is_reference(text) => reference(text).into(),
        Value::Number(number) if secret => reference(&number.to_string()).into(),
        other => other.clone(),
    }
}

/// Only what containers are given: names in schemas of CRDs are no secrets.
fn redact_env(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let redacted = fields.iter().map(|(name, value)| match value {
                Value::String(text) if is_env_value(fields, name) && !is_reference(text) => {
                    (name.clone(), reference(text).into())
                }
                _ => (name.clone(), redact_env(value)),
            });
            Value::Object(redacted.collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(redact_env).collect()),
        other => other.clone(),
    }
}

fn is_secret_field(fields: &Map<String, Value>, name: &str) -> bool {
    is_secret_name(name) || is_env_value(fields, name)
}

/// `value` beside `name: DB_PASSWORD`.
fn is_env_value(fields: &Map<String, Value>, name: &str) -> bool {
    name == "value" && fields.get("name").and_then(Value::as_str).is_some_and(is_secret_name)
}

fn reference(text: &str) -> String {
    Digest::of(text).to_string()
}

fn is_reference(text: &str) -> bool {
    text.parse::<Digest>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_decide() {
        for name in ["password", "DB_PASSWORD", "adminPassword", "clientSecret", "api-key", "authToken"] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "secretName",
            "existingSecret",
            "imagePullSecrets",
            "tokenTTL",
            "digest",
            "passwordFile",
            "image",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn redacting_hides_secrets_and_nothing_else() {
        let values = json!({
            "image": {"digest": format!("sha256:{}", "a".repeat(64))},
            "db": {"password": "hunter2", "port": 5432},
            "env": [{"name": "API_TOKEN", "value": "t0ken"}, {"name": "MODE", "value": "fast"}],
        });
        let redacted = redact(&values);
        let text = redacted.to_string();
        assert!(!text.contains("hunter2"));
        assert!(!text.contains("t0ken"));
        assert_eq!(redacted.pointer("/image"), values.pointer("/image"));
        assert_eq!(redacted.pointer("/db/port"), Some(&json!(5432)));
        assert_eq!(redacted.pointer("/env/1/value"), Some(&json!("fast")));
        assert_eq!(redact(&redacted), redacted);
    }

    #[test]
    fn objects_hide_what_secrets_and_containers_hold() {
        let secret = json!({"kind": "Secret", "data": {"a": "c2VjcmV0"}, "stringData": {"b": "plain"},
            "metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{plain}"}}});
        let text = redact_object(&secret).to_string();
        assert!(!text.contains("c2VjcmV0"), "{text}");
        assert!(!text.contains("plain"), "{text}");
        let pod = json!({"kind": "Pod", "spec": {"containers": [{"env": [{"name": "DB_PASSWORD", "value": "x1"}]}]}});
        assert!(!redact_object(&pod).to_string().contains("x1"));
        let crd = json!({"kind": "CustomResourceDefinition", "spec": {"password": {"description": "kept"}}});
        assert_eq!(redact_object(&crd), crd);
    }
}
