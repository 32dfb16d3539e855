//! Objects of custom kinds that Helm releases hold: whether they are there, whether Helm leaves them, and who names them.

use serde_json::Value;
use switchback_schemas::{
    inventory::{Crd, CustomObject, Release},
    name::{ObjectName, ObjectRef},
};

use super::lists::Lists;
use crate::{
    api::{Query, Reader, Resource, Sought},
    conditions::stored,
    fields::text,
};

/// The annotation with which an object tells Helm to leave it.
const KEEP: &str = "helm.sh/resource-policy";

/// A kind with more objects is not searched for who names others.
const MOST: u64 = 2_000;

/// Whether a live object tells Helm to leave it.
pub(super) fn keeps(object: &Value) -> bool {
    let annotations = object.pointer("/metadata/annotations");
    annotations.and_then(|annotations| annotations.get(KEEP)?.as_str()) == Some("keep")
}

/// Adds them to their releases. Where no release holds one, nothing is read.
pub(super) async fn read(lists: &mut Lists, reader: &Reader, crds: &[Crd], releases: &mut [Release]) {
    let definitions = lists.crds.clone();
    for release in releases.iter_mut() {
        for object in &release.objects {
            let Some((reference, resource)) = custom(object, &definitions) else { continue };
            let namespace = reference.namespace.as_deref();
            match reader.look(Sought::new(&resource, namespace, &reference.name)).await {
                Ok(Some(live)) => {
                    let custom = CustomObject { keep: keeps(&live), object: reference, used_by: Vec::new() };
                    release.custom.push(custom);
                }
                Ok(None) => {}
                Err(error) => lists.note(reference.to_string(), &error.to_string()),
            }
        }
    }
    if releases.iter().all(|release| release.custom.is_empty()) {
        return;
    }
    for crd in crds.iter().filter(|crd| crd.objects != Some(0)) {
        let Some(definition) = definitions.iter().find(|object| text(object, "/metadata/name") == crd.name)
        else {
            continue;
        };
        if crd.objects.is_none_or(|objects| objects > MOST) {
            lists
                .note(format!("which objects of CRD {} name others", crd.name), "there are too many to read");
            continue;
        }
        let resource = stored::resource(definition, &crd.storage);
        let users = match reader.list(&resource, &Query::all()).await {
            Ok(users) => users,
            Err(error) => lists.missing(format!("which objects of CRD {} name others", crd.name), &error),
        };
        for custom in releases.iter_mut().flat_map(|release| &mut release.custom) {
            let names = |user: &&Value| names(user, &custom.object);
            custom.used_by.extend(users.iter().filter(names).map(reference));
        }
    }
    for custom in releases.iter_mut().flat_map(|release| &mut release.custom) {
        custom.used_by.retain(|user| *user != custom.object);
        custom.used_by.sort();
        custom.used_by.dedup();
    }
}

/// An object of a release that is of a custom kind, and where it is served.
fn custom(object: &Value, definitions: &[Value]) -> Option<(ObjectRef, Resource)> {
    let reference = reference(object);
    let of_kind = |crd: &&Value| {
        text(crd, "/spec/names/kind") == reference.kind && text(crd, "/spec/group") == reference.group()
    };
    let definition = definitions.iter().find(of_kind)?;
    let (_, version) = reference.api_version.split_once('/')?;
    let resource = stored::resource(definition, version);
    Some((reference, resource))
}

fn reference(object: &Value) -> ObjectRef {
    let namespace = text(object, "/metadata/namespace");
    let name = ObjectName {
        namespace: (!namespace.is_empty()).then(|| namespace.to_owned()),
        name: text(object, "/metadata/name").to_owned(),
    };
    ObjectRef::new(text(object, "/apiVersion"), text(object, "/kind"), &name)
}

/// Whether an object names another one: a field that is called after its kind holds its name (`runtime`, `servingRuntimeName`,
/// `nodeClassRef.name`), or one beside a `kind` that is its own.
fn names(user: &Value, object: &ObjectRef) -> bool {
    let own = |field: &str| user.get(field).is_some_and(|field| holds(field, "", object));
    own("spec") || own("status")
}

fn holds(value: &Value, called: &str, object: &ObjectRef) -> bool {
    match value {
        Value::Object(fields) => {
            let of_kind = fields.get("kind").and_then(Value::as_str) == Some(object.kind.as_str());
            fields.iter().any(|(key, value)| {
                let is_name = key == "name" && value.as_str() == Some(object.name.as_str());
                let called = if key == "name" { called } else { key };
                (of_kind && is_name) || holds(value, called, object)
            })
        }
        Value::Array(items) => items.iter().any(|item| holds(item, called, object)),
        Value::String(text) => *text == object.name && is_called_after(called, &object.kind),
        _ => false,
    }
}

/// Whether a field is called after a kind: `runtime` after `ClusterServingRuntime`, `issuerRef` after `ClusterIssuer`.
fn is_called_after(field: &str, kind: &str) -> bool {
    const SHORTEST: usize = 4;
    let field = field.to_ascii_lowercase();
    let field = field.strip_suffix("name").unwrap_or(&field);
    let field = field.strip_suffix("ref").unwrap_or(field);
    field.len() >= SHORTEST && kind.to_ascii_lowercase().ends_with(field)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn who_names_an_object_is_found_by_the_name_of_the_field() {
        let object = |kind: &str, name: &str| ObjectRef::new("x.dev/v1", kind, &ObjectName::cluster(name));
        let runtime = object("ClusterServingRuntime", "sklearn");
        for spec in [
            json!({"predictor": {"model": {"runtime": "sklearn"}}}),
            json!({"servingRuntimeName": "sklearn"}),
            json!({"runtimes": [{"kind": "ClusterServingRuntime", "name": "sklearn"}]}),
        ] {
            assert!(names(&json!({"spec": spec}), &runtime), "{spec}");
        }
        assert!(names(&json!({"status": {"servingRuntimeName": "sklearn"}}), &runtime));
        assert!(names(&json!({"spec": {"nodeClassRef": {"name": "a"}}}), &object("EC2NodeClass", "a")));
        assert!(names(&json!({"spec": {"issuerRef": {"name": "a"}}}), &object("ClusterIssuer", "a")));
        for spec in [
            json!({"predictor": {"model": {"runtime": "xgboost"}}}),
            json!({"container": {"name": "sklearn"}}),
            json!({"env": [{"name": "MODEL", "value": "sklearn"}]}),
            json!({"backends": [{"kind": "Service", "name": "sklearn"}]}),
        ] {
            assert!(!names(&json!({"spec": spec, "metadata": {"name": "sklearn"}}), &runtime), "{spec}");
        }
    }
}
