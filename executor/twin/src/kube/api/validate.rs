//! What the API server refuses to store.

use serde_json::{Value, json};

use super::{about_kind, select};
use crate::kinds::{Kind, crd};
use crate::kube::error::{ApiError, ApiResult, Cause};
use crate::world::Key;
use crate::world::key::{list, text};

pub(super) fn check(kind: &Kind, key: &Key, old: Option<&Value>, new: &Value) -> ApiResult<()> {
    let mut causes = Vec::new();
    if !name_fits(kind, &key.name) {
        causes.push(Cause::new(
            "FieldValueInvalid",
            "metadata.name",
            format!("Invalid value: {:?}: a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')", key.name),
        ));
    }
    match kind.kind.as_str() {
        "Lease" => lease(new)?,
        "Deployment" | "ReplicaSet" | "DaemonSet" => {
            if old.is_some_and(|o| o.pointer("/spec/selector") != new.pointer("/spec/selector")) {
                let selector = new.pointer("/spec/selector").unwrap_or(&Value::Null);
                causes.push(Cause::new(
                    "FieldValueInvalid",
                    "spec.selector",
                    format!("Invalid value: {selector}: field is immutable"),
                ));
            }
            selects_its_own(new, &mut causes);
            containers(new, "/spec/template/spec", "spec.template.spec", &mut causes);
        }
        "StatefulSet" => {
            stateful_set(old, new, &mut causes)?;
            selects_its_own(new, &mut causes);
            containers(new, "/spec/template/spec", "spec.template.spec", &mut causes);
        }
        "Job" => {
            containers(new, "/spec/template/spec", "spec.template.spec", &mut causes);
            if old.is_some_and(|o| o.pointer("/spec/template") != new.pointer("/spec/template")) {
                causes.push(Cause::new(
                    "FieldValueInvalid",
                    "spec.template",
                    "Invalid value: {}: field is immutable",
                ));
            }
            if !matches!(text(new, "/spec/template/spec/restartPolicy"), "Never" | "OnFailure") {
                causes.push(Cause::new(
                    "FieldValueRequired",
                    "spec.template.spec.restartPolicy",
                    "Required value: valid values: \"OnFailure\", \"Never\"",
                ));
            }
        }
        "Pod" => containers(new, "/spec", "spec", &mut causes),
        "PodDisruptionBudget" => {
            let spec = |f: &str| new.pointer(&format!("/spec/{f}")).is_some();
            if spec("minAvailable") && spec("maxUnavailable") {
                causes.push(Cause::new(
                    "FieldValueInvalid",
                    "spec",
                    "Invalid value: minAvailable and maxUnavailable cannot be both set",
                ));
            }
        }
        "Secret" => {
            if old.is_some_and(|o| o.get("type") != new.get("type")) {
                causes.push(Cause::new(
                    "FieldValueInvalid",
                    "type",
                    format!("Invalid value: {}: field is immutable", new["type"]),
                ));
            }
        }
        _ => {
            if let Some(custom) = &kind.custom {
                crd::validate(&custom.openapi, new, "", &mut causes);
            }
        }
    }
    if let Some(old) = old
        && !text(old, "/metadata/deletionTimestamp").is_empty()
    {
        let had = list(old, "/metadata/finalizers");
        if let Some(added) = list(new, "/metadata/finalizers").iter().find(|f| !had.contains(f)) {
            causes.push(Cause::new(
                "FieldValueForbidden",
                "metadata.finalizers",
                format!("Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{{{added}}}"),
            ));
        }
    }
    if causes.is_empty() { Ok(()) } else { Err(ApiError::invalid(about_kind(kind, key), &causes)) }
}

/// The selector of a workload matches the labels of its template.
fn selects_its_own(new: &Value, causes: &mut Vec<Cause>) {
    let labels =
        new.pointer("/spec/template/metadata/labels").and_then(Value::as_object).cloned().unwrap_or_default();
    if new.pointer("/spec/selector").is_none() {
        causes.push(Cause::new("FieldValueRequired", "spec.selector", "Required value"));
    } else if !select::label_selector(new.pointer("/spec/selector"), &labels) {
        causes.push(Cause::new(
            "FieldValueInvalid",
            "spec.template.metadata.labels",
            format!("Invalid value: {}: `selector` does not match template `labels`", json!(labels)),
        ));
    }
}

/// Fields of a StatefulSet's spec that may change.
const MUTABLE: [&str; 7] = [
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
];

/// What a StatefulSet may not change, and what of it is not played.
fn stateful_set(old: Option<&Value>, new: &Value, causes: &mut Vec<Cause>) -> ApiResult<()> {
    let fixed = |of: &Value| {
        let mut spec = of.get("spec").and_then(Value::as_object).cloned().unwrap_or_default();
        spec.retain(|name, _| !MUTABLE.contains(&name.as_str()));
        spec
    };
    if old.is_some_and(|old| fixed(old) != fixed(new)) {
        let names = MUTABLE.map(|name| format!("'{name}'")).join(", ");
        let names = names.replace(", 'minReadySeconds'", " and 'minReadySeconds'");
        let message =
            format!("Forbidden: updates to statefulset spec for fields other than {names} are forbidden");
        causes.push(Cause::new("FieldValueForbidden", "spec", message));
    }
    for field in
        ["volumeClaimTemplates", "ordinals", "minReadySeconds", "updateStrategy/rollingUpdate/partition"]
    {
        let asked = new.pointer(&format!("/spec/{field}")).unwrap_or(&Value::Null);
        if !asked.is_null() && *asked != json!(0) {
            return Err(ApiError::not_simulated(format!("a StatefulSet with spec/{field}")));
        }
    }
    Ok(())
}

fn name_fits(kind: &Kind, name: &str) -> bool {
    if kind.group == "rbac.authorization.k8s.io" {
        return !name.contains(['/', '%']);
    }
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    name.len() <= 253
        && edge(name.chars().next())
        && edge(name.chars().last())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.'))
}

fn containers(object: &Value, pointer: &str, field: &str, causes: &mut Vec<Cause>) {
    let all = list(object, &format!("{pointer}/containers"));
    if all.is_empty() {
        causes.push(Cause::new("FieldValueRequired", format!("{field}.containers"), "Required value"));
    }
    for (i, container) in all.iter().enumerate() {
        if text(container, "/name").is_empty() {
            causes.push(Cause::new(
                "FieldValueRequired",
                format!("{field}.containers[{i}].name"),
                "Required value",
            ));
        }
    }
}

/// Times of a Lease have microseconds.
fn lease(new: &Value) -> ApiResult<()> {
    for field in ["acquireTime", "renewTime"] {
        let time = text(new, &format!("/spec/{field}"));
        if !time.is_empty() && !time.contains('.') {
            return Err(ApiError::bad_request(format!(
                "Lease in version \"v1\" cannot be handled as a Lease: parsing time {time:?} as \"2006-01-02T15:04:05.000000Z07:00\": cannot parse \"Z\" as \".000000\""
            )));
        }
    }
    Ok(())
}
