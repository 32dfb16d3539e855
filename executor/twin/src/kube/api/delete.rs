//! DELETE of one object and of a collection.

use serde_json::{Value, json};

use super::select::Selector;
use super::{Answer, Route, about, about_kind, admission, convert};
use crate::call::Call;
use crate::kinds::Kind;
use crate::kube::error::{ApiError, ApiResult};
use crate::world::key::{number, set, text};
use crate::world::{DeleteOptions, Key, Propagation, World};

fn options(call: &Call, body: &Value) -> ApiResult<DeleteOptions> {
    let asked = match text(body, "/propagationPolicy") {
        "" => call.param("propagationPolicy").unwrap_or_default(),
        given => given,
    };
    let propagation = match asked {
        "" | "Background" => Propagation::Background,
        "Foreground" => Propagation::Foreground,
        "Orphan" => Propagation::Orphan,
        other => return Err(ApiError::bad_request(format!("invalid propagationPolicy: {other}"))),
    };
    let grace_seconds = number(body, "/gracePeriodSeconds")
        .or_else(|| call.param("gracePeriodSeconds").and_then(|g| g.parse().ok()));
    Ok(DeleteOptions { propagation, grace_seconds })
}

pub(super) fn one(
    world: &mut World,
    call: &Call,
    route: &Route,
    kind: &Kind,
    name: &str,
) -> ApiResult<Answer> {
    let key = route.key(kind, name);
    let body = call.json()?;
    let object = world.get(&key).cloned().ok_or_else(|| ApiError::not_found(about(kind, &key)))?;
    let (wanted, found) = (text(&body, "/preconditions/uid"), text(&object, "/metadata/uid"));
    if !wanted.is_empty() && wanted != found {
        return Err(ApiError::wrong_uid(about_kind(kind, &key), wanted, found));
    }
    let (wanted, found) =
        (text(&body, "/preconditions/resourceVersion"), text(&object, "/metadata/resourceVersion"));
    if !wanted.is_empty() && wanted != found {
        let message = format!(
            "Operation cannot be fulfilled on {}{} {name:?}: the ResourceVersion in the precondition ({wanted}) does not match the ResourceVersion in record ({found}). The object might have been modified",
            kind.kind,
            if kind.group.is_empty() { String::new() } else { format!(".{}", kind.group) },
        );
        return Err(ApiError { message, ..ApiError::stale(about_kind(kind, &key)) });
    }
    admission::check(world, kind, &key, "DELETE")?;
    let left = world.delete(&key, options(call, &body)?);
    if let (Some(left), true) = (left, world.get(&key).is_some()) {
        return Ok(Answer::ok(convert::present(world, kind, &left)?));
    }
    // Pods and some others answer with the object, most with a Status.
    if matches!(kind.kind.as_str(), "Pod" | "Service" | "ServiceAccount") {
        return Ok(Answer::ok(convert::present(world, kind, &object)?));
    }
    let mut details = json!({"name": name, "kind": kind.resource, "uid": text(&object, "/metadata/uid")});
    if !kind.group.is_empty() {
        set(&mut details, &["group"], kind.group.clone().into());
    }
    Ok(Answer::ok(
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}),
    ))
}

pub(super) fn many(world: &mut World, call: &Call, route: &Route, kind: &Kind) -> ApiResult<Answer> {
    let body = call.json()?;
    let options = options(call, &body)?;
    let selector = Selector::parse(call.param("labelSelector"), call.param("fieldSelector"), &kind.kind)?;
    let shown = super::read::list(world, call, route, kind)?;
    let keys: Vec<Key> = world
        .list(&kind.group, &kind.resource, route.namespace.as_deref().filter(|_| kind.namespaced))
        .filter(|(_, o)| selector.matches(o))
        .map(|(k, _)| k.clone())
        .collect();
    for key in keys {
        world.delete(&key, options);
    }
    Ok(Answer::ok(shown))
}
