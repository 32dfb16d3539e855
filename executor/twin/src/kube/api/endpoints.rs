//! EndpointSlices: worked out from Services and pods whenever they are listed. Nothing is stored, so nothing else works on them.

use serde_json::{Value, json};

use super::select::Selector;
use super::{Route, convert::pod_ready};
use crate::call::Call;
use crate::kinds::Kind;
use crate::kube::error::ApiResult;
use crate::world::key::{list, text};
use crate::world::{Key, World, labels};

/// The list that a real server's controller would have made.
pub(super) fn slices(world: &World, call: &Call, route: &Route, kind: &Kind) -> ApiResult<Value> {
    let selector = Selector::parse(call.param("labelSelector"), call.param("fieldSelector"), &kind.kind)?;
    let items: Vec<Value> = world
        .list("", "services", route.namespace.as_deref())
        .filter_map(|(key, service)| slice(world, key, service))
        .filter(|slice| selector.matches(slice))
        .collect();
    Ok(json!({
        "kind": format!("{}List", kind.kind), "apiVersion": kind.api_version(),
        "metadata": {"resourceVersion": world.resource_version().to_string()}, "items": items,
    }))
}

/// The slice of a Service that selects pods.
fn slice(world: &World, key: &Key, service: &Value) -> Option<Value> {
    let wanted = service.pointer("/spec/selector").and_then(Value::as_object).filter(|s| !s.is_empty())?;
    let pods: Vec<_> = world
        .list("", "pods", Some(&key.namespace))
        .filter(|(_, pod)| {
            let labels = labels(pod);
            wanted.iter().all(|(name, value)| labels.get(name) == Some(value))
                && !text(pod, "/status/podIP").is_empty()
                && !matches!(text(pod, "/status/phase"), "Succeeded" | "Failed")
        })
        .collect();
    let endpoints: Vec<Value> = pods.iter().map(|(key, pod)| endpoint(key, pod)).collect();
    let ports: Vec<Value> = pods.first().map(|(_, pod)| ports(service, pod)).unwrap_or_default();
    let uid = text(service, "/metadata/uid");
    Some(json!({
        "metadata": {
            "name": format!("{}-{}", key.name, uid.get(..5).unwrap_or(uid)), "namespace": &*key.namespace,
            "labels": {"endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
                "kubernetes.io/service-name": &*key.name},
            "ownerReferences": [{"apiVersion": "v1", "kind": "Service", "name": &*key.name, "uid": uid,
                "controller": true, "blockOwnerDeletion": true}],
        },
        "addressType": "IPv4",
        "endpoints": if endpoints.is_empty() { Value::Null } else { endpoints.into() },
        "ports": if ports.is_empty() { Value::Null } else { ports.into() },
    }))
}

fn endpoint(key: &Key, pod: &Value) -> Value {
    let going = !text(pod, "/metadata/deletionTimestamp").is_empty();
    json!({
        "addresses": [text(pod, "/status/podIP")],
        "conditions": {"ready": pod_ready(pod) && !going, "serving": pod_ready(pod), "terminating": going},
        "nodeName": text(pod, "/spec/nodeName"),
        "targetRef": {"kind": "Pod", "namespace": &*key.namespace, "name": &*key.name, "uid": text(pod, "/metadata/uid")},
    })
}

/// Ports of a Service as its pods have them; one whose name no container knows is left out.
fn ports(service: &Value, pod: &Value) -> Vec<Value> {
    let of_pod = |name: &str| {
        let containers = list(pod, "/spec/containers").iter();
        containers
            .flat_map(|c| list(c, "/ports"))
            .find(|p| text(p, "/name") == name)?
            .get("containerPort")
            .cloned()
    };
    list(service, "/spec/ports")
        .iter()
        .filter_map(|port| {
            let target = port.get("targetPort")?;
            let number = target.as_str().map_or_else(|| Some(target.clone()), of_pod)?;
            Some(json!({"name": text(port, "/name"), "port": number, "protocol": text(port, "/protocol")}))
        })
        .collect()
}
