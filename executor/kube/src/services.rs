//! Services: which ready endpoints stand behind them.

use serde_json::Value;
use switchback_schemas::name::ObjectName;

use crate::{
    api::{Query, Reader, Sought},
    classify::CallError,
    fields::text,
    nodes::built_in,
};

/// A ready endpoint of a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// The node that it stands on, if it stands on one.
    pub(crate) node: Option<String>,
    /// The pod that it is, if it is one.
    pub(crate) pod: Option<String>,
}

/// The Service that a webhook's `clientConfig` names.
pub(crate) fn named(config: &Value) -> Option<ObjectName> {
    let service = config.get("service")?;
    Some(ObjectName::namespaced(text(service, "/namespace"), text(service, "/name")))
}

/// The pod that an endpoint stands for.
fn pod(target: &Value) -> Option<String> {
    (text(target, "/kind") == "Pod").then(|| text(target, "/name").to_owned())
}

/// The port on which a webhook's `clientConfig` calls its Service.
pub(crate) fn port(config: &Value) -> u64 {
    config.pointer("/service/port").and_then(Value::as_u64).unwrap_or(443)
}

/// Ready endpoints behind a port of a Service; none when the Service is not there.
pub(crate) async fn ready_endpoints(
    api: &Reader,
    service: &ObjectName,
    port: u64,
) -> Result<Vec<Endpoint>, CallError> {
    let namespace = service.namespace.as_deref();
    let kind = built_in("v1", "Service")?;
    let Some(object) = api.look(Sought::new(&kind, namespace, &service.name)).await? else {
        return Ok(Vec::new());
    };
    let Some(name) = port_name(&object, port) else { return Ok(Vec::new()) };
    let query = Query {
        namespace: service.namespace.clone(),
        labels: Some(format!("kubernetes.io/service-name={}", service.name)),
        ..Query::all()
    };
    let slices = api.list(&built_in("discovery.k8s.io/v1", "EndpointSlice")?, &query).await?;
    Ok(slices.iter().filter(|slice| serves(slice, name)).flat_map(ready).collect())
}

/// The name of a port of a Service; empty for an only port without a name.
fn port_name(service: &Value, port: u64) -> Option<&str> {
    let ports = service.pointer("/spec/ports").and_then(Value::as_array)?;
    let found = ports.iter().find(|entry| entry.get("port").and_then(Value::as_u64) == Some(port))?;
    Some(text(found, "/name"))
}

fn serves(slice: &Value, port: &str) -> bool {
    let ports = slice.get("ports").and_then(Value::as_array);
    ports.into_iter().flatten().any(|entry| text(entry, "/name") == port)
}

fn ready(slice: &Value) -> Vec<Endpoint> {
    let endpoints = slice.get("endpoints").and_then(Value::as_array).into_iter().flatten();
    endpoints
        // A missing `ready` means ready, as the API says.
        .filter(|endpoint| endpoint.pointer("/conditions/ready").and_then(Value::as_bool).unwrap_or(true))
        .map(|endpoint| Endpoint {
            node: endpoint.get("nodeName").and_then(Value::as_str).map(str::to_owned),
            pod: endpoint.get("targetRef").and_then(pod),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn endpoints_count_on_the_named_port_only() {
        let service =
            json!({"spec": {"ports": [{"name": "web", "port": 443}, {"name": "metrics", "port": 8080}]}});
        assert_eq!(port_name(&service, 443), Some("web"));
        assert_eq!(port_name(&service, 8443), None);
        let slice = json!({"ports": [{"name": "web", "port": 8443}], "endpoints": [
            {"conditions": {"ready": true}, "nodeName": "n1", "targetRef": {"kind": "Pod", "name": "a"}}, {"conditions": {"ready": false}}, {"conditions": {}}]});
        assert!(serves(&slice, "web"));
        assert!(!serves(&slice, "metrics"));
        assert_eq!(
            ready(&slice),
            [Endpoint { node: Some("n1".into()), pod: Some("a".into()) }, Endpoint { node: None, pod: None }]
        );
    }
}
