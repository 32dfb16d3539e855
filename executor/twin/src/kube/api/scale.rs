//! The scale subresource.

use serde_json::{Value, json};

use super::patch::merge;
use super::write::{Target, store};
use super::{Answer, Route, about};
use crate::call::Call;
use crate::kinds::Kind;
use crate::kube::error::{ApiError, ApiResult};
use crate::world::World;
use crate::world::key::{number, set, text};

pub(super) fn scale(
    world: &mut World,
    call: &Call,
    route: &Route,
    kind: &Kind,
    name: &str,
) -> ApiResult<Answer> {
    let key = route.key(kind, name);
    let old = world.get(&key).cloned().ok_or_else(|| ApiError::not_found(about(kind, &key)))?;
    let mut wanted = shown(&old);
    match (call.method.as_str(), call.content_type.as_str()) {
        ("GET", _) => return Ok(Answer::ok(wanted)),
        ("PUT", _) => wanted = call.json()?,
        ("PATCH", "application/merge-patch+json" | "application/strategic-merge-patch+json") => {
            merge(&mut wanted, &call.json()?);
        }
        ("PATCH", other) => return Err(ApiError::not_simulated(format!("PATCH of scale with {other}"))),
        _ => return Err(ApiError::not_simulated(format!("{} of scale", call.method))),
    }
    let asked = text(&wanted, "/metadata/resourceVersion");
    if !asked.is_empty() && asked != text(&old, "/metadata/resourceVersion") {
        return Err(ApiError::stale(about(kind, &key)));
    }
    let mut new = (*old).clone();
    set(&mut new, &["spec", "replicas"], number(&wanted, "/spec/replicas").unwrap_or(0).into());
    let target = Target { kind, key, sub: "scale", applied: false };
    let (stored, warnings) = store(world, call, &target, Some(&old), new)?;
    Ok(Answer::with(200, shown(&stored), warnings))
}

fn shown(object: &Value) -> Value {
    let selector = object.pointer("/spec/selector/matchLabels").and_then(Value::as_object);
    let selector: Vec<String> = selector
        .map(|m| m.iter().map(|(k, v)| format!("{k}={}", v.as_str().unwrap_or_default())).collect())
        .unwrap_or_default();
    let mut metadata = json!({});
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        let value = text(object, &format!("/metadata/{field}")).into();
        set(&mut metadata, &[field], value);
    }
    let replicas = number(object, "/spec/replicas").unwrap_or(0);
    json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata,
        "spec": if replicas == 0 { json!({}) } else { json!({"replicas": replicas}) },
        "status": {"replicas": number(object, "/status/replicas").unwrap_or(0), "selector": selector.join(",")},
    })
}
