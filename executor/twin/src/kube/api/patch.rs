//! PATCH: merge, strategic merge, JSON patch, server-side apply.

use serde_json::{Map, Value, json};

use super::write::{Target, check_namespace, store};
use super::{Answer, Route, about, convert, json_patch, strategic};
use crate::call::Call;
use crate::kinds::Kind;
use crate::kube::error::{ApiError, ApiResult};
use crate::kube::fields::merge::{Applier, apply};
use crate::world::World;
use crate::world::key::{set, text, unset};

pub(super) fn patch(
    world: &mut World,
    call: &Call,
    route: &Route,
    kind: &Kind,
    name: &str,
) -> ApiResult<Answer> {
    let key = route.key(kind, name);
    let body = call.json()?;
    let sub = route.sub.as_deref().unwrap_or_default();
    if call.content_type == "application/apply-patch+yaml" {
        return server_side(world, call, &Target { kind, key, sub, applied: true }, body);
    }
    let old = world.get(&key).cloned().ok_or_else(|| ApiError::not_found(about(kind, &key)))?;
    let mut object = convert::present(world, kind, &old)?;
    match call.content_type.as_str() {
        "application/merge-patch+json" => {
            precondition(&mut object, &body);
            merge(&mut object, &body);
        }
        "application/strategic-merge-patch+json" => {
            if kind.custom.is_some() {
                return Err(convert::unsupported_patch());
            }
            precondition(&mut object, &body);
            strategic::merge(&mut object, &body, &kind.schema)?;
        }
        "application/json-patch+json" => json_patch::apply(&mut object, &body)?,
        _ => return Err(convert::unsupported_patch()),
    }
    let target = Target { kind, key, sub, applied: false };
    let (body, warnings) = store(world, call, &target, Some(&old), object)?;
    Ok(Answer::with(200, body, warnings))
}

/// A patch checks a resourceVersion only where it names one.
fn precondition(object: &mut Value, patch: &Value) {
    if patch.pointer("/metadata/resourceVersion").is_none() {
        unset(object, &["metadata", "resourceVersion"]);
    }
}

/// RFC 7386.
pub(super) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(map) = target else { return };
    for (name, value) in fields {
        if value.is_null() {
            map.remove(name);
        } else {
            merge(map.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

fn server_side(world: &mut World, call: &Call, target: &Target<'_>, mut config: Value) -> ApiResult<Answer> {
    let (kind, key) = (target.kind, &target.key);
    let manager = call.param("fieldManager").filter(|m| !m.is_empty()).ok_or_else(|| {
        ApiError::bad_request("PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch")
    })?;
    if text(&config, "/apiVersion") != kind.api_version() || text(&config, "/kind") != kind.kind {
        return Err(ApiError::bad_request(format!(
            "the API version in the data ({}) does not match the expected API version ({})",
            text(&config, "/apiVersion"),
            kind.api_version()
        )));
    }
    if config.pointer("/metadata/managedFields").is_some_and(|m| m.as_array().is_none_or(|a| !a.is_empty())) {
        return Err(ApiError::bad_request("metadata.managedFields must be nil"));
    }
    let mut unknown = Vec::new();
    kind.schema.unknown_fields(&config, "", &mut unknown);
    if let Some(first) = unknown.first() {
        let place = if key.namespace.is_empty() {
            format!("/{}", key.name)
        } else {
            format!("{}/{}", key.namespace, key.name)
        };
        return Err(ApiError::internal(format!(
            "failed to create typed patch object ({place}; {}, Kind={}): .{first}: field not declared in schema",
            kind.api_version(),
            kind.kind
        )));
    }
    let old = world.get(key).cloned();
    let live = match &old {
        Some(old) => {
            let uid = text(&config, "/metadata/uid");
            if !uid.is_empty() && uid != text(old, "/metadata/uid") {
                return Err(ApiError::wrong_uid(about(kind, key), uid, text(old, "/metadata/uid")));
            }
            convert::present(world, kind, old)?
        }
        None => {
            if !target.sub.is_empty() {
                return Err(ApiError::not_found(about(kind, key)));
            }
            check_namespace(world, kind, key, &config)?;
            json!({"metadata": {}})
        }
    };
    // Each side owns only its own half of the object.
    match target.sub {
        "status" => {
            let status = config.get("status").cloned();
            config = json!({"apiVersion": kind.api_version(), "kind": kind.kind, "metadata": {}});
            if let Some(status) = status {
                set(&mut config, &["status"], status);
            }
        }
        _ if kind.status => unset(&mut config, &["status"]),
        _ => {}
    }
    let version = text(&config, "/metadata/resourceVersion").to_owned();
    let who = Applier {
        manager,
        force: call.flag("force"),
        api_version: &kind.api_version(),
        time: &world.stamp(),
        subresource: target.sub,
    };
    let mut merged = apply(&live, &config, &kind.schema, who)?;
    set(&mut merged, &["metadata", "name"], (*key.name).into());
    if version.is_empty() {
        unset(&mut merged, &["metadata", "resourceVersion"]);
    }
    let code = if old.is_some() { 200 } else { 201 };
    let (body, warnings) = store(world, call, target, old.as_ref(), merged)?;
    Ok(Answer::with(code, body, warnings))
}
