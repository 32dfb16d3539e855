//! CustomResourceDefinitions: what they serve and store, and how many objects hang on them.

use serde_json::Value;
use switchback_schemas::{
    inventory::{Conversion, Crd},
    name::ObjectName,
};

use super::{custom, lists::Lists};
use crate::{
    api::Reader,
    conditions::{conversion, stored},
    fields::text,
    services,
};

pub(super) async fn read(lists: &mut Lists, reader: &Reader) -> Vec<Crd> {
    let objects = std::mem::take(&mut lists.crds);
    let mut crds = Vec::new();
    for object in &objects {
        crds.push(crd(lists, reader, object).await);
    }
    lists.crds = objects;
    crds.sort_by(|a, b| a.name.cmp(&b.name));
    crds
}

async fn crd(lists: &mut Lists, reader: &Reader, object: &Value) -> Crd {
    let name = text(object, "/metadata/name");
    let storage = stored::storage_version(object).unwrap_or_default();
    let counted = reader.count(&stored::resource(object, storage)).await.map(Some);
    let objects = counted.unwrap_or_else(|error| lists.missing(format!("objects of CRD {name}"), &error));
    Crd {
        name: name.to_owned(),
        kind: text(object, "/spec/names/kind").to_owned(),
        namespaced: text(object, "/spec/scope") == "Namespaced",
        uid: text(object, "/metadata/uid").to_owned(),
        served: served(object),
        storage: storage.to_owned(),
        stored: stored::stored_versions(object).into_iter().map(str::to_owned).collect(),
        conversion: conversion(lists, reader, object).await,
        objects,
        release: release(object),
        keep: custom::keeps(object),
    }
}

fn served(object: &Value) -> Vec<String> {
    let versions = object.pointer("/spec/versions").and_then(Value::as_array).into_iter().flatten();
    versions
        .filter(|version| version.get("served").and_then(Value::as_bool) == Some(true))
        .map(|version| text(version, "/name").to_owned())
        .collect()
}

async fn conversion(lists: &mut Lists, reader: &Reader, object: &Value) -> Conversion {
    let Some(config) = conversion::webhook(object) else { return Conversion::None {} };
    let Some(service) = services::named(config) else {
        return Conversion::Webhook { service: None, ready: true };
    };
    let endpoints = services::ready_endpoints(reader, &service, services::port(config)).await;
    let endpoints =
        endpoints.unwrap_or_else(|error| lists.missing(format!("endpoints of Service {service}"), &error));
    Conversion::Webhook { service: Some(service), ready: !endpoints.is_empty() }
}

/// The release that an object belongs to, as Helm writes it on the object.
fn release(object: &Value) -> Option<ObjectName> {
    let annotations = object.pointer("/metadata/annotations")?;
    let text = |key: &str| annotations.get(key).and_then(Value::as_str);
    Some(ObjectName::namespaced(text("meta.helm.sh/release-namespace")?, text("meta.helm.sh/release-name")?))
}
