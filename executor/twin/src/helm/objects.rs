//! What helm does to the objects of a release.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::release::Release;
use super::{Stop, chart};
use crate::call::Call;
use crate::kube::api::{self, Answer};
use crate::kube::fields;
use crate::kube::fields::merge::{merge_into, remove_path};
use crate::world::key::{set, text, unset};
use crate::world::{Key, World};

/// Where an object lives. A kind that is not served yet cannot be placed.
fn place(world: &World, object: &Value, namespace: &str) -> Option<(Key, String)> {
    let kind = world.kind_of(object)?;
    let name = text(object, "/metadata/name");
    let own = match text(object, "/metadata/namespace") {
        "" => namespace,
        own => own,
    };
    let namespace = if kind.namespaced { own } else { "" };
    let root = if kind.group.is_empty() {
        format!("/api/{}", kind.version)
    } else {
        format!("/apis/{}/{}", kind.group, kind.version)
    };
    let scope = if kind.namespaced { format!("/namespaces/{namespace}") } else { String::new() };
    Some((Key::new(&kind.group, &kind.resource, namespace, name), format!("{root}{scope}/{}", kind.resource)))
}

fn unmapped(object: &Value) -> Stop {
    Stop::error(format!(
        "unable to build kubernetes objects from release manifest: resource mapping not found for name: {:?} namespace: {:?} from \"\": no matches for kind {:?} in version {:?}\nensure CRDs are installed first",
        text(object, "/metadata/name"),
        text(object, "/metadata/namespace"),
        text(object, "/kind"),
        text(object, "/apiVersion")
    ))
}

fn call(
    world: &mut World,
    method: &str,
    path: String,
    kind: &str,
    body: &Value,
    query: &[(&str, &str)],
) -> Result<Value, Stop> {
    let call = Call {
        method: method.into(),
        path,
        query: query.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
        content_type: kind.into(),
        agent: "Helm".into(),
        body: body.to_string().into_bytes(),
        ..Call::default()
    };
    match api::answer(world, &call) {
        Ok(Answer::Json { body, .. }) => Ok(body),
        Ok(Answer::Watch(_) | Answer::Raw(_)) => Ok(Value::Null),
        Err(error) => Err(Stop::error(error.message)),
    }
}

/// Refuses objects that are there and are not the release's.
pub(super) fn check_ownership(
    world: &World,
    objects: &[Value],
    release: &str,
    namespace: &str,
    verb: &str,
) -> Result<(), Stop> {
    for object in objects {
        let Some((key, _)) = place(world, object, namespace) else { return Err(unmapped(object)) };
        let Some(found) = world.get(&key) else { continue };
        let mut faults = Vec::new();
        if text(found, "/metadata/labels/app.kubernetes.io~1managed-by") != "Helm" {
            faults.push("label validation error: missing key \"app.kubernetes.io/managed-by\": must be set to \"Helm\"".to_owned());
        }
        for (annotation, wanted) in
            [("meta.helm.sh/release-name", release), ("meta.helm.sh/release-namespace", namespace)]
        {
            let found = found
                .pointer("/metadata/annotations")
                .and_then(|a| a.get(annotation))
                .and_then(Value::as_str);
            match found {
                Some(value) if value == wanted => {}
                Some(value) => faults.push(format!("annotation validation error: key {annotation:?} must equal {wanted:?}: current value is {value:?}")),
                None => faults.push(format!("annotation validation error: missing key {annotation:?}: must be set to {wanted:?}")),
            }
        }
        if !faults.is_empty() {
            return Err(Stop::error(format!(
                "Unable to continue with {verb}: {} {:?} in namespace {:?} exists and cannot be imported into the current release: invalid ownership metadata; {}",
                text(object, "/kind"),
                key.name,
                key.namespace,
                faults.join("; ")
            )));
        }
    }
    Ok(())
}

fn owned(object: &Value, release: &str, namespace: &str) -> Value {
    let mut object = object.clone();
    set(&mut object, &["metadata", "labels", "app.kubernetes.io/managed-by"], "Helm".into());
    set(&mut object, &["metadata", "annotations", "meta.helm.sh/release-name"], release.into());
    set(&mut object, &["metadata", "annotations", "meta.helm.sh/release-namespace"], namespace.into());
    object
}

/// How helm 3 is called among field managers: as its program is.
const AS_HELM: [(&str, &str); 1] = [("fieldManager", "helm")];

/// Brings one object to what the chart says. `old` is what the release said before.
pub(super) fn put(
    world: &mut World,
    object: &Value,
    old: Option<&Value>,
    release: &str,
    namespace: &str,
) -> Result<(), Stop> {
    let (key, path) = place(world, object, namespace).ok_or_else(|| unmapped(object))?;
    let wanted = owned(object, release, namespace);
    if super::four(world) {
        let path = format!("{path}/{}", key.name);
        let query = [("fieldManager", "helm"), ("force", "false")];
        return call(world, "PATCH", path, "application/apply-patch+yaml", &wanted, &query).map(|_| ());
    }
    let Some(live) = world.get(&key).cloned() else {
        return call(world, "POST", path, "application/json", &wanted, &AS_HELM).map(|_| ());
    };
    // A three-way merge: what the chart dropped goes, what it says is put over what is there.
    let Some(kind) = world.kind_of(&wanted) else { return Err(unmapped(object)) };
    let mut merged = (*live).clone();
    set(&mut merged, &["apiVersion"], kind.api_version().into());
    if let Some(old) = old {
        let old = owned(old, release, namespace);
        let keep: BTreeSet<_> = fields::leaves(&wanted, &kind.schema, false).into_keys().collect();
        for gone in fields::leaves(&old, &kind.schema, false).into_keys().filter(|p| !keep.contains(p)) {
            remove_path(&mut merged, &gone);
        }
    }
    merge_into(&mut merged, &wanted, &kind.schema);
    unset(&mut merged, &["metadata", "resourceVersion"]);
    let stored = (*live).clone();
    set(&mut merged, &["metadata", "resourceVersion"], text(&stored, "/metadata/resourceVersion").into());
    call(world, "PUT", format!("{path}/{}", key.name), "application/json", &merged, &AS_HELM).map(|_| ())
}

/// What helm 3 stops at when it rolls back: an object of the older revision that the newer one does not hold and that stands all
/// the same. Its patch takes the resourceVersion away, which the server needs for CRDs and objects of custom kinds.
pub(super) fn refuse_unheld(world: &World, release: &Release, before: &Release) -> Result<(), Stop> {
    if super::four(world) {
        return Ok(());
    }
    let namespace = text(&release.0, "/namespace");
    let held: Vec<_> =
        chart::objects(before.manifest()).iter().map(|object| identity(object, namespace)).collect();
    for object in chart::objects(release.manifest()) {
        let Some((key, _)) = place(world, &object, namespace) else { continue };
        let strict = world.kind_of(&object).is_some_and(|kind| kind.needs_a_version());
        if strict && !held.contains(&identity(&object, namespace)) && world.get(&key).is_some() {
            let name = &key.name;
            return Err(Stop::error(format!(
                "cannot patch {name:?} with kind {}: {}.{} {name:?} is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update",
                text(&object, "/kind"),
                key.resource,
                key.group,
            )));
        }
    }
    Ok(())
}

/// Deletes an object that a manifest no longer holds, unless the live object says that it wants to stay.
pub(super) fn drop_from(world: &mut World, object: &Value, namespace: &str) {
    let Some((key, _)) = place(world, object, namespace) else { return };
    if world.get(&key).is_some_and(|live| !keeps(live)) {
        world.delete(&key, crate::world::DeleteOptions::default());
    }
}

/// Deletes an object of a release that is uninstalled, unless its manifest says that it wants to stay.
pub(super) fn remove(world: &mut World, object: &Value, namespace: &str) {
    if let Some((key, _)) = place(world, object, namespace).filter(|_| !keeps(object)) {
        world.delete(&key, crate::world::DeleteOptions::default());
    }
}

fn keeps(object: &Value) -> bool {
    let keep = object.pointer("/metadata/annotations").and_then(|a| a.get("helm.sh/resource-policy"));
    keep == Some(&json!("keep"))
}

/// Identity of an object between two manifests of a release: one that names no namespace is in the release's.
pub(super) fn identity(object: &Value, namespace: &str) -> (String, String, String) {
    let (group, _) = crate::kinds::split_api_version(text(object, "/apiVersion"));
    let own = match text(object, "/metadata/namespace") {
        "" => namespace,
        own => own,
    };
    (format!("{group}/{}", text(object, "/kind")), own.to_owned(), text(object, "/metadata/name").to_owned())
}

/// Installs `crds/`: once, never again.
pub(super) fn install_crds(world: &mut World, crds: &[Value]) -> Result<(), Stop> {
    for crd in crds {
        let (key, path) = place(world, crd, "").ok_or_else(|| unmapped(crd))?;
        if world.get(&key).is_none() {
            call(world, "POST", path, "application/json", crd, &[])?;
        }
    }
    if !crds.is_empty() {
        world.advance_by(std::time::Duration::from_secs(1));
    }
    Ok(())
}

/// Runs a hook to its end. The error is the text of helm.
pub(super) fn run_hook(
    world: &mut World,
    hook: &Value,
    namespace: &str,
    limit: jiff::SignedDuration,
) -> Result<(), String> {
    let object: Value = serde_yaml::from_str(text(hook, "/manifest")).map_err(|e| e.to_string())?;
    let (key, path) = place(world, &object, namespace)
        .ok_or_else(|| format!("no matches for kind {:?}", text(&object, "/kind")))?;
    let has = |policy: &str| hook["delete_policies"].as_array().is_some_and(|p| p.contains(&json!(policy)));
    let unset = hook["delete_policies"].as_array().is_none_or(Vec::is_empty);
    if has("before-hook-creation") || unset {
        world.delete(&key, crate::world::DeleteOptions::default());
        world.advance_until(jiff::SignedDuration::from_secs(60), |w| w.get(&key).is_none());
    }
    call(world, "POST", path, "application/json", &object, &[]).map_err(|stop| match stop {
        Stop::Error(message) => message,
        _ => String::new(),
    })?;
    if text(&object, "/kind") == "Job" {
        let state = |w: &World| {
            let conditions = w
                .get(&key)
                .map(|j| crate::world::key::list(j, "/status/conditions").to_vec())
                .unwrap_or_default();
            conditions
                .iter()
                .map(|c| text(c, "/type"))
                .find(|t| matches!(*t, "Complete" | "Failed"))
                .map(str::to_owned)
        };
        world.advance_until(limit, |w| state(w).is_some());
        let four = super::four(world);
        let place = format!("Job/{}/{}", key.namespace, key.name);
        match state(world).as_deref() {
            Some("Complete") => {}
            Some(_) if four => {
                return Err(format!(
                    "resource {place} not ready. status: Failed, message: Job has reached the specified backoff limit"
                ));
            }
            Some(_) => return Err("1 error occurred:\n\t* job failed: BackoffLimitExceeded\n\n".into()),
            None if four => {
                return Err(format!(
                    "resource {place} not ready. status: InProgress, message: Job in progress\ncontext deadline exceeded"
                ));
            }
            None => return Err("1 error occurred:\n\t* timed out waiting for the condition\n\n".into()),
        }
    }
    if has("hook-succeeded") {
        world.delete(&key, crate::world::DeleteOptions::default());
    }
    Ok(())
}
