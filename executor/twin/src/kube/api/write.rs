//! The one way into the store: every create, update and patch ends here.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Answer, Route, about, about_kind, admission, convert, crds, defaults, validate};
use crate::call::Call;
use crate::kinds::{Kind, crd};
use crate::kube::error::{ApiError, ApiResult, Cause};
use crate::kube::fields::{self, Manager};
use crate::world::key::{number, set, text, unset};
use crate::world::{Key, World};

/// What is written where.
pub(super) struct Target<'a> {
    pub(super) kind: &'a Kind,
    pub(super) key: Key,
    /// Empty for the main resource.
    pub(super) sub: &'a str,
    /// Ownership was settled by an apply.
    pub(super) applied: bool,
}

pub(super) fn create(world: &mut World, call: &Call, route: &Route, kind: &Kind) -> ApiResult<Answer> {
    let mut object = call.json()?;
    let name = match text(&object, "/metadata/name") {
        "" => match text(&object, "/metadata/generateName") {
            "" => String::new(),
            prefix => format!("{prefix}{}", world.suffix()),
        },
        name => name.to_owned(),
    };
    let key = route.key(kind, &name);
    if name.is_empty() {
        let cause = Cause::new(
            "FieldValueRequired",
            "metadata.name",
            "Required value: name or generateName is required",
        );
        return Err(ApiError::invalid(about_kind(kind, &key), &[cause]));
    }
    set(&mut object, &["metadata", "name"], name.into());
    check_kind(kind, &object)?;
    check_namespace(world, kind, &key, &object)?;
    if world.get(&key).is_some() {
        // That is seen when it would be stored, after schema and webhooks.
        let target = Target { kind, key: key.clone(), sub: "", applied: false };
        store(&mut world.clone(), call, &target, None, object)?;
        return Err(ApiError::already_exists(about(kind, &key)));
    }
    let target = Target { kind, key, sub: "", applied: false };
    let (body, warnings) = store(world, call, &target, None, object)?;
    Ok(Answer::with(201, body, warnings))
}

pub(super) fn update(
    world: &mut World,
    call: &Call,
    route: &Route,
    kind: &Kind,
    name: &str,
) -> ApiResult<Answer> {
    let object = call.json()?;
    let key = route.key(kind, name);
    check_kind(kind, &object)?;
    if text(&object, "/metadata/name") != name {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({}) does not match the name on the URL ({name})",
            text(&object, "/metadata/name")
        )));
    }
    let old = world.get(&key).cloned().ok_or_else(|| ApiError::not_found(about(kind, &key)))?;
    let target = Target { kind, key, sub: route.sub.as_deref().unwrap_or_default(), applied: false };
    if kind.needs_a_version() && text(&object, "/metadata/resourceVersion").is_empty() {
        let cause = Cause::new(
            "FieldValueInvalid",
            "metadata.resourceVersion",
            "Invalid value: 0: must be specified for an update",
        );
        return Err(ApiError::invalid(about_kind(kind, &target.key), &[cause]));
    }
    let (body, warnings) = store(world, call, &target, Some(&old), object)?;
    Ok(Answer::with(200, body, warnings))
}

fn check_kind(kind: &Kind, object: &Value) -> ApiResult<()> {
    let (version, found) = (text(object, "/apiVersion"), text(object, "/kind"));
    if (!version.is_empty() && version != kind.api_version()) || (!found.is_empty() && found != kind.kind) {
        return Err(ApiError::bad_request(format!(
            "the API version in the data ({version}) does not match the expected API version ({})",
            kind.api_version()
        )));
    }
    Ok(())
}

pub(super) fn check_namespace(world: &World, kind: &Kind, key: &Key, object: &Value) -> ApiResult<()> {
    if !kind.namespaced {
        return Ok(());
    }
    let inside = text(object, "/metadata/namespace");
    if !inside.is_empty() && inside != &*key.namespace {
        return Err(ApiError::bad_request(format!(
            "the namespace of the provided object does not match the namespace sent on the request: {inside} is not {}",
            key.namespace
        )));
    }
    let namespace = Key::core("namespaces", "", &key.namespace);
    let Some(found) = world.get(&namespace) else {
        return Err(ApiError::not_found(crate::kube::error::About {
            group: "",
            kind: "namespaces",
            name: &key.namespace,
        }));
    };
    if text(found, "/metadata/deletionTimestamp").is_empty() {
        return Ok(());
    }
    let message = format!(
        "{} {:?} is forbidden: unable to create new content in namespace {} because it is being terminated",
        if kind.group.is_empty() {
            kind.resource.clone()
        } else {
            format!("{}.{}", kind.resource, kind.group)
        },
        key.name,
        key.namespace
    );
    let mut details = json!({"name": &*key.name, "kind": kind.resource, "causes": [{
        "reason": "NamespaceTerminating", "message": format!("namespace {} is being terminated", key.namespace),
        "field": "metadata.namespace"}]});
    if !kind.group.is_empty() {
        set(&mut details, &["group"], kind.group.clone().into());
    }
    Err(ApiError::new(http::StatusCode::FORBIDDEN, "Forbidden", message).with_details(details))
}

/// Checks, fills in and stores an object. `new` is in the version of `target.kind`.
pub(super) fn store(
    world: &mut World,
    call: &Call,
    target: &Target<'_>,
    old: Option<&Arc<Value>>,
    mut new: Value,
) -> ApiResult<(Value, Vec<String>)> {
    let kind = target.kind;
    let shown_old = old.map(|o| convert::present(world, kind, o)).transpose()?;
    if let Some(old) = old {
        check_version(kind, &target.key, old, &new)?;
    }
    let mut warnings = unknown_fields(call, kind, &mut new)?;
    set(&mut new, &["apiVersion"], kind.api_version().into());
    set(&mut new, &["kind"], kind.kind.clone().into());
    match (&shown_old, target.sub) {
        (Some(old), "status") => new = with_status_of(old, &new),
        (Some(old), _) if kind.status => keep_status(old, &mut new),
        (None, _) if kind.status && kind.kind != "Node" => unset(&mut new, &["status"]),
        _ => {}
    }
    let ownership = new.pointer("/metadata/managedFields").cloned();
    let deleting = system_metadata(shown_old.as_ref(), &mut new);
    defaults::fill(world, kind, shown_old.is_none(), &mut new);
    if kind.kind == "CustomResourceDefinition" {
        match &shown_old {
            None => crds::born(&mut new),
            Some(_) if target.sub.is_empty() => crds::changed(&mut new),
            Some(_) => {}
        }
        crds::check(kind, &target.key, &new)?;
    }
    validate::check(kind, &target.key, shown_old.as_ref(), &new)?;
    admission::check(world, kind, &target.key, if old.is_none() { "CREATE" } else { "UPDATE" })?;
    if target.sub.is_empty() {
        admission::ask(world, &target.key, shown_old.as_ref(), &new)?;
    }
    // A Deployment counts its annotations as part of what is asked for.
    if let Some(old) = shown_old.as_ref().filter(|_| kind.kind == "Deployment" && target.sub.is_empty())
        && old.pointer("/metadata/annotations") != new.pointer("/metadata/annotations")
        && let Some(generation) = number(old, "/metadata/generation")
    {
        set(&mut new, &["metadata", "generation"], (generation + 1).into());
    }
    own(world, call, target, shown_old.as_ref(), &mut new, ownership);
    if deleting && text(&new, "/metadata/deletionTimestamp").is_empty() {
        return Err(ApiError::internal("deletionTimestamp was lost"));
    }
    let stored = match &kind.custom {
        Some(custom) => {
            let storage = format!("{}/{}", kind.group, custom.storage);
            convert::convert(world, kind, &new, &storage)?
        }
        None => new,
    };
    let result = match old {
        None => world.create(target.key.clone(), stored),
        Some(old) => world.replace(&target.key, old, stored).unwrap_or_else(|| old.clone()),
    };
    warnings.dedup();
    Ok((convert::present(world, kind, &result)?, warnings))
}

fn check_version(kind: &Kind, key: &Key, old: &Value, new: &Value) -> ApiResult<()> {
    let (wanted, found) = (text(new, "/metadata/resourceVersion"), text(old, "/metadata/resourceVersion"));
    if !wanted.is_empty() && wanted != found {
        return Err(ApiError::stale(about(kind, key)));
    }
    let (wanted, found) = (text(new, "/metadata/uid"), text(old, "/metadata/uid"));
    if !wanted.is_empty() && wanted != found {
        return Err(ApiError::wrong_uid(about_kind(kind, key), wanted, found));
    }
    Ok(())
}

fn unknown_fields(call: &Call, kind: &Kind, new: &mut Value) -> ApiResult<Vec<String>> {
    let found = match &kind.custom {
        Some(custom) => crd::prune(&custom.openapi, new),
        None => {
            let mut found = Vec::new();
            kind.schema.unknown_fields(new, "", &mut found);
            for path in &found {
                let parts: Vec<&str> = path.split('.').collect();
                unset(new, &parts);
            }
            found
        }
    };
    if found.is_empty() {
        return Ok(found);
    }
    match call.param("fieldValidation") {
        Some("Ignore") => Ok(Vec::new()),
        Some("Strict") => {
            let all: Vec<String> = found.iter().map(|f| format!("unknown field {f:?}")).collect();
            Err(ApiError::bad_request(format!(
                "{} in version {:?} cannot be handled as a {}: strict decoding error: {}",
                kind.kind,
                kind.version,
                kind.kind,
                all.join(", ")
            )))
        }
        _ => Ok(found.iter().map(|f| format!("unknown field {f:?}")).collect()),
    }
}

fn with_status_of(old: &Value, new: &Value) -> Value {
    let mut out = old.clone();
    match new.get("status") {
        Some(status) => set(&mut out, &["status"], status.clone()),
        None => unset(&mut out, &["status"]),
    }
    if let Some(fields) = new.pointer("/metadata/managedFields") {
        set(&mut out, &["metadata", "managedFields"], fields.clone());
    }
    out
}

fn keep_status(old: &Value, new: &mut Value) {
    match old.get("status") {
        Some(status) => set(new, &["status"], status.clone()),
        None => unset(new, &["status"]),
    }
}

/// Puts back what callers cannot change. Says whether the object is being deleted.
fn system_metadata(old: Option<&Value>, new: &mut Value) -> bool {
    const OURS: [&str; 6] = [
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ];
    for field in OURS {
        match old.and_then(|o| o.pointer(&format!("/metadata/{field}"))) {
            Some(value) => set(new, &["metadata", field], value.clone()),
            None => unset(new, &["metadata", field]),
        }
    }
    unset(new, &["metadata", "managedFields"]);
    for field in ["labels", "annotations", "finalizers", "ownerReferences"] {
        let empty = match new.pointer(&format!("/metadata/{field}")) {
            Some(Value::Object(m)) => m.is_empty(),
            Some(Value::Array(a)) => a.is_empty(),
            Some(Value::Null) => true,
            _ => false,
        };
        if empty {
            unset(new, &["metadata", field]);
        }
    }
    old.is_some_and(|o| !text(o, "/metadata/deletionTimestamp").is_empty())
}

/// Settles `managedFields`.
fn own(
    world: &World,
    call: &Call,
    target: &Target<'_>,
    old: Option<&Value>,
    new: &mut Value,
    given: Option<Value>,
) {
    let present =
        if target.applied { given } else { old.and_then(|o| o.pointer("/metadata/managedFields").cloned()) };
    if let Some(fields) = present {
        set(new, &["metadata", "managedFields"], fields);
    }
    if target.applied {
        return;
    }
    let who = Manager {
        name: call.manager(),
        apply: false,
        subresource: target.sub.to_owned(),
        api_version: target.kind.api_version(),
        time: world.stamp(),
        set: fields::Set::new(),
    };
    fields::after_update(old, new, &target.kind.schema, &who);
}
