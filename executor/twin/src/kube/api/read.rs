//! get, list, watch.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::sync::Arc;

use super::select::Selector;
use super::{Route, about, convert};
use crate::call::Call;
use crate::kinds::Kind;
use crate::kube::error::{ApiError, ApiResult};
use crate::world::key::set;
use crate::world::{ChangeKind, Key, World};

pub(super) fn get(world: &World, route: &Route, kind: &Kind, name: &str) -> ApiResult<Value> {
    let key = route.key(kind, name);
    let stored = world.get(&key).ok_or_else(|| ApiError::not_found(about(kind, &key)))?;
    convert::present(world, kind, stored)
}

pub(super) fn list(world: &World, call: &Call, route: &Route, kind: &Kind) -> ApiResult<Value> {
    let selector = Selector::parse(call.param("labelSelector"), call.param("fieldSelector"), &kind.kind)?;
    check_version(world, call)?;
    let limit = call.param("limit").and_then(|l| l.parse::<usize>().ok()).filter(|l| *l > 0);
    let (rv, after) = match call.param("continue").filter(|c| !c.is_empty()) {
        Some(token) => read_token(token)?,
        None => (world.resource_version(), None),
    };
    let namespace = if kind.namespaced { route.namespace.as_deref() } else { None };
    let mut all = world
        .list(&kind.group, &kind.resource, namespace)
        .filter(|(key, object)| after.as_ref().is_none_or(|a| *key > a) && selector.matches(object));
    let mut items = Vec::new();
    let mut last = None;
    for (key, object) in all.by_ref().take(limit.unwrap_or(usize::MAX)) {
        let mut item = convert::present(world, kind, object)?;
        // Items of built-in lists come without apiVersion and kind.
        if let (true, Some(map)) = (kind.custom.is_none(), item.as_object_mut()) {
            map.remove("apiVersion");
            map.remove("kind");
        }
        items.push(item);
        last = Some(key.clone());
    }
    let rest = all.count();
    let mut metadata = json!({"resourceVersion": rv.to_string()});
    if let (true, Some(last)) = (rest > 0, last) {
        set(&mut metadata, &["continue"], write_token(rv, &last).into());
        if call.param("labelSelector").is_none() && call.param("fieldSelector").is_none() {
            set(&mut metadata, &["remainingItemCount"], rest.into());
        }
    }
    if metadata_alone(call) {
        return Ok(json!({
            "kind": "PartialObjectMetadataList",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": metadata,
            "items": if items.is_empty() { Value::Null } else { items.iter().map(partial).collect() },
        }));
    }
    Ok(json!({
        "kind": format!("{}List", kind.kind),
        "apiVersion": kind.api_version(),
        "metadata": metadata,
        "items": items,
    }))
}

/// Whether a list is asked for without specs and statuses.
fn metadata_alone(call: &Call) -> bool {
    let first = call.header("accept").and_then(|accept| accept.split(',').next()).unwrap_or_default();
    let mut parameters = first.split(';').map(str::trim);
    parameters.next() == Some("application/json") && parameters.any(|p| p == "as=PartialObjectMetadataList")
}

fn partial(item: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
        "metadata": item.get("metadata").cloned().unwrap_or_default(),
    })
}

fn check_version(world: &World, call: &Call) -> ApiResult<()> {
    let asked = call.param("resourceVersion").and_then(|v| v.parse::<u64>().ok()).unwrap_or(0);
    let current = world.resource_version();
    if asked <= current {
        return Ok(());
    }
    Err(ApiError::new(
        StatusCode::GATEWAY_TIMEOUT,
        "Timeout",
        format!("Timeout: Too large resource version: {asked}, current: {current}"),
    )
    .with_details(
        json!({"causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]}),
    )
    .after(1))
}

fn write_token(rv: u64, last: &Key) -> String {
    let token = json!({"v": "meta.k8s.io/v1", "rv": rv, "start": format!("/{}/{}\u{0}", last.namespace, last.name),
        "of": [&*last.group, &*last.resource, &*last.namespace, &*last.name]});
    URL_SAFE_NO_PAD.encode(token.to_string())
}

fn read_token(token: &str) -> ApiResult<(u64, Option<Key>)> {
    let bad = || ApiError::bad_request("invalid continue token: continue key is not valid");
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| bad())?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|_| bad())?;
    let part = |i: usize| value.pointer(&format!("/of/{i}")).and_then(Value::as_str).ok_or_else(bad);
    let key = Key::new(part(0)?, part(1)?, part(2)?, part(3)?);
    Ok((value.get("rv").and_then(Value::as_u64).ok_or_else(bad)?, Some(key)))
}

/// What a watch was opened with.
#[derive(Debug, Clone)]
pub(crate) struct WatchSpec {
    pub(crate) kind: Arc<Kind>,
    pub(crate) namespace: Option<String>,
    selector: Selector,
    bookmarks: bool,
    start: Start,
    /// The stream ends when the clock reaches it.
    pub(crate) until: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    /// What is there, then changes; the flag asks for the bookmark that ends what is there.
    Now(bool),
    /// Changes after a version.
    After(u64),
}

pub(super) fn watch(world: &World, call: &Call, route: &Route, kind: &Kind) -> ApiResult<WatchSpec> {
    let selector = Selector::parse(call.param("labelSelector"), call.param("fieldSelector"), &kind.kind)?;
    check_version(world, call)?;
    let seconds = call.param("timeoutSeconds").and_then(|t| t.parse::<i64>().ok()).unwrap_or(1800);
    let rv = call.param("resourceVersion").and_then(|v| v.parse::<u64>().ok()).unwrap_or(0);
    let initial = call.flag("sendInitialEvents");
    Ok(WatchSpec {
        kind: Arc::new(kind.clone()),
        namespace: route.namespace.clone().filter(|_| kind.namespaced),
        selector,
        bookmarks: call.flag("allowWatchBookmarks"),
        start: if initial || rv == 0 { Start::Now(initial) } else { Start::After(rv) },
        until: world.now().checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX),
    })
}

/// How far a watch has come.
#[derive(Debug, Clone, Default)]
pub(crate) struct WatchState {
    at: Option<u64>,
    booked: u64,
    pub(crate) ended: bool,
}

/// The events that a watch has not sent yet.
pub(crate) fn watch_events(world: &World, spec: &WatchSpec, state: &mut WatchState) -> Vec<Value> {
    let mut out = Vec::new();
    if state.ended {
        return out;
    }
    let shown = |kind: &str, object: &Value| match convert::present(world, &spec.kind, object) {
        Ok(object) => json!({"type": kind, "object": object}),
        Err(error) => json!({"type": "ERROR", "object": error.to_status()}),
    };
    let bookmark = |rv: u64| {
        json!({"type": "BOOKMARK", "object": {"kind": spec.kind.kind, "apiVersion": spec.kind.api_version(),
            "metadata": {"resourceVersion": rv.to_string()}}})
    };
    let current = world.resource_version();
    let from = match (state.at, spec.start) {
        (Some(at), _) => at,
        (None, Start::After(rv)) => rv,
        (None, Start::Now(marked)) => {
            for (_, object) in world.list(&spec.kind.group, &spec.kind.resource, spec.namespace.as_deref()) {
                if spec.selector.matches(object) {
                    out.push(shown("ADDED", object));
                }
            }
            if marked {
                let mut end = bookmark(current);
                let value = json!({"k8s.io/initial-events-end": "true"});
                set(&mut end, &["object", "metadata", "annotations"], value);
                out.push(end);
                state.booked = current;
            }
            current
        }
    };
    let Some(changes) = world.since(from) else {
        state.ended = true;
        let gone = ApiError::new(
            StatusCode::GONE,
            "Expired",
            format!("too old resource version: {from} ({current})"),
        );
        out.push(json!({"type": "ERROR", "object": gone.to_status()}));
        return out;
    };
    for change in changes {
        let here = change.key.is(&spec.kind.group, &spec.kind.resource)
            && spec.namespace.as_deref().is_none_or(|n| &*change.key.namespace == n);
        if !here {
            continue;
        }
        let now = change.kind != ChangeKind::Deleted && spec.selector.matches(&change.object);
        let then = change.before.as_ref().is_some_and(|b| spec.selector.matches(b));
        match (then, now) {
            (false, true) => out.push(shown("ADDED", &change.object)),
            (true, true) => out.push(shown("MODIFIED", &change.object)),
            (true, false) => out.push(shown("DELETED", &change.object)),
            (false, false) => {}
        }
    }
    state.at = Some(current);
    if world.now() >= spec.until {
        state.ended = true;
        if spec.bookmarks && state.booked < current {
            out.push(bookmark(current));
        }
    }
    out
}
