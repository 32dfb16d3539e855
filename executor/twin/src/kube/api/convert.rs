//! Objects in the version that was asked for.

use http::StatusCode;
use serde_json::Value;

use crate::kinds::{Kind, crd, split_api_version};
use crate::kube::error::{ApiError, ApiResult};
use crate::world::key::{list, set, text};
use crate::world::{Key, World};

/// A stored object as this kind shows it.
pub(crate) fn present(world: &World, kind: &Kind, stored: &Value) -> ApiResult<Value> {
    let Some(custom) = &kind.custom else { return Ok(stored.clone()) };
    let wanted = kind.api_version();
    let mut object = convert(world, kind, stored, &wanted)?;
    crd::prune(&custom.openapi, &mut object);
    crd::fill_defaults(&custom.openapi, &mut object);
    Ok(object)
}

/// An object of a custom kind in another version.
pub(crate) fn convert(world: &World, kind: &Kind, object: &Value, wanted: &str) -> ApiResult<Value> {
    let mut out = object.clone();
    let found = text(object, "/apiVersion");
    if found == wanted {
        return Ok(out);
    }
    if kind.custom.as_ref().is_some_and(|c| !c.known.iter().any(|v| v == split_api_version(found).1)) {
        return Err(ApiError::internal(format!(
            "request to convert CR from an invalid group/version: {found}"
        )));
    }
    set(&mut out, &["apiVersion"], wanted.into());
    let Some((custom, webhook)) = kind.custom.as_ref().and_then(|c| c.webhook.as_ref().map(|w| (c, w)))
    else {
        return Ok(out);
    };
    let service = webhook.pointer("/webhook/clientConfig/service").unwrap_or(&Value::Null);
    if let Err(why) = reachable(world, service, 30) {
        return Err(ApiError::internal(format!(
            "conversion webhook for {found}, Kind={} failed: {why}",
            kind.kind
        )));
    }
    let (from, to) = (split_api_version(found).1, split_api_version(wanted).1);
    let converters = world.settings().converters.get(&custom.definition);
    let converter =
        converters.and_then(|all| all.iter().find(|c| c.from == from && c.to == to)).ok_or_else(|| {
            ApiError::not_simulated(format!(
                "conversion of {} from {from} to {to}: the world declares none",
                custom.definition
            ))
        })?;
    for [from, to] in &converter.moves {
        move_field(&mut out, from, to);
    }
    Ok(out)
}

fn move_field(object: &mut Value, from: &str, to: &str) {
    let Some(value) = object.pointer(from).cloned() else { return };
    let path = |pointer: &str| pointer.split('/').skip(1).map(str::to_owned).collect::<Vec<_>>();
    let (from, to) = (path(from), path(to));
    crate::world::key::unset(object, &from.iter().map(String::as_str).collect::<Vec<_>>());
    set(object, &to.iter().map(String::as_str).collect::<Vec<_>>(), value);
}

/// Whether a webhook's service answers: it exists and a ready pod stands behind it.
pub(super) fn reachable(world: &World, service: &Value, timeout: i64) -> Result<(), String> {
    let (namespace, name) = (text(service, "/namespace"), text(service, "/name"));
    let port = service.pointer("/port").and_then(Value::as_i64).unwrap_or(443);
    let path = text(service, "/path");
    let call = format!("Post \"https://{name}.{namespace}.svc:{port}{path}?timeout={timeout}s\"");
    let Some(found) = world.get(&Key::core("services", namespace, name)) else {
        return Err(format!("{call}: service {name:?} not found"));
    };
    let selector = found.pointer("/spec/selector").and_then(Value::as_object);
    let ready = selector.is_some_and(|wanted| {
        world.list("", "pods", Some(namespace)).any(|(_, pod)| {
            wanted.iter().all(|(k, v)| pod.pointer("/metadata/labels").and_then(|l| l.get(k)) == Some(v))
                && pod_ready(pod)
        })
    });
    if ready { Ok(()) } else { Err(format!("{call}: no endpoints available for service {name:?}")) }
}

/// Whether a pod's Ready condition is True.
pub(crate) fn pod_ready(pod: &Value) -> bool {
    list(pod, "/status/conditions")
        .iter()
        .any(|c| text(c, "/type") == "Ready" && text(c, "/status") == "True")
}

/// 415 of a strategic merge patch on a custom kind.
pub(super) fn unsupported_patch() -> ApiError {
    ApiError::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "UnsupportedMediaType",
        "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
    )
}
