//! Admission webhooks, and the nodes on which those stand that answer them.

use std::collections::BTreeSet;

use serde_json::Value;
use switchback_schemas::{
    inventory::Webhook,
    name::{ObjectName, ObjectRef},
};

use super::lists::Lists;
use crate::{api::Reader, fields::text, services};

pub(super) async fn read(lists: &mut Lists, reader: &Reader) -> Vec<Webhook> {
    let configurations = std::mem::take(&mut lists.webhooks);
    let mut webhooks = Vec::new();
    for configuration in &configurations {
        let name = ObjectName::cluster(text(configuration, "/metadata/name"));
        let object = ObjectRef::new(text(configuration, "/apiVersion"), text(configuration, "/kind"), &name);
        let entries = configuration.get("webhooks").and_then(Value::as_array);
        for entry in entries.into_iter().flatten() {
            webhooks.push(webhook(lists, reader, &object, entry).await);
        }
    }
    webhooks.sort_by(|a, b| (&a.object, &a.name).cmp(&(&b.object, &b.name)));
    webhooks
}

async fn webhook(lists: &mut Lists, reader: &Reader, object: &ObjectRef, entry: &Value) -> Webhook {
    let service = entry.get("clientConfig").and_then(services::named);
    let (mut nodes, mut pods) = (BTreeSet::new(), BTreeSet::new());
    if let (Some(service), Some(config)) = (&service, entry.get("clientConfig")) {
        let endpoints = services::ready_endpoints(reader, service, services::port(config)).await;
        let endpoints = endpoints
            .unwrap_or_else(|error| lists.missing(format!("endpoints of Service {service}"), &error));
        for endpoint in endpoints {
            nodes.extend(endpoint.node);
            pods.extend(endpoint.pod);
        }
    }
    Webhook {
        object: object.clone(),
        name: text(entry, "/name").to_owned(),
        // `Fail` is the default of `admissionregistration.k8s.io/v1`.
        fail_closed: text(entry, "/failurePolicy") != "Ignore",
        service,
        nodes: nodes.into_iter().collect(),
        pods: pods.into_iter().collect(),
    }
}
