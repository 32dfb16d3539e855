//! Admission webhooks: whether they answer at all.

use serde_json::{Value, json};

use super::{convert, select};
use crate::kinds::Kind;
use crate::kube::error::{ApiError, ApiResult};
use crate::kube::neighbours::Neighbours;
use crate::world::key::{list, text};
use crate::world::{Key, World};

/// Asks the webhooks that match. One whose service answers admits everything; one whose service does
/// not is passed over or refuses, as its failure policy says.
pub(super) fn check(world: &World, kind: &Kind, key: &Key, operation: &str) -> ApiResult<()> {
    if kind.group == "admissionregistration.k8s.io" {
        return Ok(());
    }
    for resource in ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"] {
        for (_, configuration) in world.list("admissionregistration.k8s.io", resource, None) {
            for hook in list(configuration, "/webhooks") {
                if !concerns(world, hook, kind, key, operation) || text(hook, "/failurePolicy") == "Ignore" {
                    continue;
                }
                let Some(service) = hook.pointer("/clientConfig/service") else {
                    return Err(ApiError::not_simulated("an admission webhook behind a URL"));
                };
                let seconds = hook.pointer("/timeoutSeconds").and_then(Value::as_i64).unwrap_or(10);
                if let Err(why) = convert::reachable(world, service, seconds) {
                    let message = format!(
                        "failed calling webhook {:?}: failed to call webhook: {why}",
                        text(hook, "/name")
                    );
                    return Err(ApiError::new(
                        http::StatusCode::INTERNAL_SERVER_ERROR,
                        "InternalError",
                        format!("Internal error occurred: {message}"),
                    )
                    .with_details(json!({"causes": [{"message": message}]})));
                }
            }
        }
    }
    Ok(())
}

/// Asks the applications whose webhooks have something to say of an object.
pub(super) fn ask(world: &World, key: &Key, old: Option<&Value>, new: &Value) -> ApiResult<()> {
    match refused(world, key, old, new) {
        None => Ok(()),
        Some(message) => Err(ApiError::new(http::StatusCode::FORBIDDEN, "Forbidden", message)),
    }
}

/// Why an application's webhook refuses a write, if one does.
pub(crate) fn refused(world: &World, key: &Key, old: Option<&Value>, new: &Value) -> Option<String> {
    let applications = Neighbours::of(world).applications;
    applications.iter().find_map(|app| app.admit(world, key, old, new).err())
}

fn concerns(world: &World, hook: &Value, kind: &Kind, key: &Key, operation: &str) -> bool {
    let has = |rule: &Value, field: &str, value: &str| {
        list(rule, field).iter().filter_map(Value::as_str).any(|v| v == "*" || v == value || v == "*/*")
    };
    let matched = list(hook, "/rules").iter().any(|rule| {
        has(rule, "/apiGroups", &kind.group)
            && has(rule, "/resources", &kind.resource)
            && has(rule, "/operations", operation)
    });
    if !matched {
        return false;
    }
    let selector =
        hook.pointer("/namespaceSelector").filter(|s| s.as_object().is_some_and(|m| !m.is_empty()));
    let Some(selector) = selector.filter(|_| kind.namespaced) else { return true };
    let namespace = world.get(&Key::core("namespaces", "", &key.namespace));
    let labels = namespace.and_then(|n| n.pointer("/metadata/labels").and_then(Value::as_object).cloned());
    select::label_selector(Some(selector), &labels.unwrap_or_default())
}
