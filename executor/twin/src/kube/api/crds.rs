//! What is special about definitions: stored versions and what guards them.

use serde_json::{Value, json};

use super::about_kind;
use crate::kinds::Kind;
use crate::kube::error::{ApiError, ApiResult, Cause};
use crate::world::Key;
use crate::world::key::{list, set, text};

fn storage(definition: &Value) -> Option<&str> {
    list(definition, "/spec/versions")
        .iter()
        .find(|v| v.get("storage").and_then(Value::as_bool) == Some(true))
        .map(|v| text(v, "/name"))
}

/// The status a new definition starts with.
pub(super) fn born(definition: &mut Value) {
    let stored: Vec<&str> = storage(definition).into_iter().collect();
    let status = json!({
        "conditions": null, "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": stored,
    });
    set(definition, &["status"], status);
    if definition.pointer("/spec/conversion").is_none() {
        set(definition, &["spec", "conversion"], json!({"strategy": "None"}));
    }
    let kind = text(definition, "/spec/names/kind").to_owned();
    if text(definition, "/spec/names/listKind").is_empty() {
        set(definition, &["spec", "names", "listKind"], format!("{kind}List").into());
    }
    if text(definition, "/spec/names/singular").is_empty() {
        set(definition, &["spec", "names", "singular"], kind.to_lowercase().into());
    }
}

/// After a change of the spec: the storage version joins the stored ones.
pub(super) fn changed(definition: &mut Value) {
    let Some(storage) = storage(definition).map(str::to_owned) else { return };
    let mut stored = list(definition, "/status/storedVersions").to_vec();
    if !stored.iter().any(|v| v == &json!(storage)) {
        stored.push(storage.into());
        set(definition, &["status", "storedVersions"], stored.into());
    }
}

/// Refuses what a real server refuses.
pub(super) fn check(kind: &Kind, key: &Key, definition: &Value) -> ApiResult<()> {
    let versions = list(definition, "/spec/versions");
    let mut causes = Vec::new();
    let expected = format!("{}.{}", text(definition, "/spec/names/plural"), text(definition, "/spec/group"));
    if *key.name != *expected {
        causes.push(Cause::new(
            "FieldValueInvalid",
            "metadata.name",
            format!("Invalid value: \"{}\": must be spec.names.plural+\".\"+spec.group", key.name),
        ));
    }
    let storing = versions.iter().filter(|v| v.get("storage").and_then(Value::as_bool) == Some(true)).count();
    if storing != 1 {
        causes.push(Cause::new(
            "FieldValueInvalid",
            "spec.versions",
            "Invalid value: must have exactly one version marked as storage version",
        ));
    }
    for (i, stored) in list(definition, "/status/storedVersions").iter().enumerate() {
        let stored = stored.as_str().unwrap_or_default();
        if !versions.iter().any(|v| text(v, "/name") == stored) {
            causes.push(Cause::new(
                "FieldValueInvalid",
                format!("status.storedVersions[{i}]"),
                format!("Invalid value: \"{stored}\": missing from spec.versions; {stored} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in {stored} and removes {stored} from status.storedVersions"),
            ));
        }
    }
    if causes.is_empty() { Ok(()) } else { Err(ApiError::invalid(about_kind(kind, key), &causes)) }
}
