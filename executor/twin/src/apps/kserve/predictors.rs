//! What the controller makes for one InferenceService, and what it says of it.

use serde_json::{Map, Value, json};

use super::{CONFIG, GROUP, MODE, OF_SERVICE, Running, list, number, set, text};
use crate::world::{Key, World};

/// Annotations of a service that are not copied to its pods.
const NOT_COPIED: [&str; 3] = [
    "autoscaling.knative.dev/min-scale",
    "autoscaling.knative.dev/max-scale",
    "kubectl.kubernetes.io/last-applied-configuration",
];

/// Brings what one service has to what it asks for.
pub(super) fn reconcile(world: &mut World, running: &Running, key: &Key) {
    let Some(service) = world.get(key).cloned() else { return };
    if !text(&service, "/metadata/deletionTimestamp").is_empty() {
        return;
    }
    let told = mode(world, running, &service);
    if told != running.raw() {
        // Knative is not there, and every word but its own leads to it.
        return status(world, key, &told, None, "ServerlessModeRejected");
    }
    let Some(template) = template(world, running, key, &service) else {
        return status(world, key, &told, None, "RuntimeNotRecognized");
    };
    let owned = Key::new("apps", "deployments", &key.namespace, &format!("{}-predictor", key.name));
    let replicas = number(&service, "/spec/predictor/minReplicas").unwrap_or(1);
    match world.get(&owned) {
        None => {
            let deployment = deployment(key, &service, replicas, &template);
            world.create(owned.clone(), deployment);
            world.create(Key::core("services", &key.namespace, &owned.name), front(key, &service));
        }
        Some(found) if found.pointer("/spec/template") != Some(&template) => {
            world.modify(&owned, |deployment| set(deployment, &["spec", "template"], template));
        }
        Some(_) => {}
    }
    let available = world.get(&owned).is_some_and(|deployment| {
        let conditions = list(deployment, "/status/conditions");
        conditions.iter().any(|it| text(it, "/type") == "Available" && text(it, "/status") == "True")
    });
    let url = format!("http://{}-{}.example.invalid", key.name, key.namespace);
    status(world, key, &told, Some(url), if available { "" } else { "PredictorNotReady" });
}

/// The word of a service's mode: what its status has goes before its annotation, and that before the default.
fn mode(world: &World, running: &Running, service: &Value) -> String {
    let seen = text(service, "/status/deploymentMode");
    if !seen.is_empty() {
        return seen.to_owned();
    }
    let new = |told: &str| match told {
        "RawDeployment" if running.renamed() => "Standard".to_owned(),
        "Serverless" if running.renamed() => "Knative".to_owned(),
        told => told.to_owned(),
    };
    let asked = service.pointer("/metadata/annotations").and_then(|all| all.get(MODE)?.as_str());
    let deploy = config(world, running, "deploy");
    new(asked.unwrap_or_else(|| text(&deploy, "/defaultDeploymentMode")))
}

/// A key of the controller's configuration, which is JSON in a text.
fn config(world: &World, running: &Running, key: &str) -> Value {
    let map = world.get(&Key::core("configmaps", &running.namespace, CONFIG));
    let text = map.map(|map| text(map, &format!("/data/{key}")).to_owned()).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

/// The pods of a service; `None` where there is no such runtime.
fn template(world: &World, running: &Running, key: &Key, service: &Value) -> Option<Value> {
    let model = service.pointer("/spec/predictor/model")?;
    let runtime = world.get(&Key::new(GROUP, "clusterservingruntimes", "", text(model, "/runtime")))?;
    let mut container = list(runtime, "/spec/containers").first()?.clone();
    if let Some(resources) = model.get("resources") {
        set(&mut container, &["resources"], resources.clone());
    }
    if running.release >= [0, 17] {
        set(&mut container, &["env"], json!([{"name": "INFERENCE_SERVICE_NAME", "value": &*key.name}]));
    }
    let all =
        service.pointer("/metadata/annotations").and_then(Value::as_object).cloned().unwrap_or_default();
    let copied: Map<String, Value> =
        all.into_iter().filter(|(name, _)| !NOT_COPIED.contains(&name.as_str())).collect();
    let mut template = json!({
        "metadata": {"labels": labels(key), "annotations": copied},
        "spec": {"containers": [container]},
    });
    if !text(model, "/storageUri").is_empty() {
        let image = config(world, running, "storageInitializer");
        let fetches = json!({"name": "storage-initializer", "image": text(&image, "/image"),
                             "args": [text(model, "/storageUri"), "/mnt/models"]});
        set(&mut template, &["spec", "initContainers"], json!([fetches]));
    }
    for field in ["nodeSelector", "tolerations"] {
        if let Some(value) = service.pointer(&format!("/spec/predictor/{field}")) {
            set(&mut template, &["spec", field], value.clone());
        }
    }
    Some(template)
}

fn labels(key: &Key) -> Value {
    json!({"app": format!("isvc.{}-predictor", key.name), OF_SERVICE: &*key.name})
}

fn owner(key: &Key, service: &Value) -> Value {
    json!([{"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "name": &*key.name,
            "uid": text(service, "/metadata/uid"), "controller": true, "blockOwnerDeletion": true}])
}

fn deployment(key: &Key, service: &Value, replicas: i64, template: &Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"labels": labels(key), "ownerReferences": owner(key, service)},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": {"app": format!("isvc.{}-predictor", key.name)}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
            "template": template,
        },
    })
}

/// The Service in front of its pods.
fn front(key: &Key, service: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"labels": labels(key), "ownerReferences": owner(key, service)},
        "spec": {"type": "ClusterIP", "selector": {"app": format!("isvc.{}-predictor", key.name)},
                 "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}]},
    })
}

/// Says what became of a service: why it is not Ready, or nothing.
fn status(world: &mut World, key: &Key, told: &str, url: Option<String>, why: &str) {
    let Some(service) = world.get(key).cloned() else { return };
    let before = service.get("status").cloned().unwrap_or_else(|| json!({}));
    let mut after = before.clone();
    set(&mut after, &["deploymentMode"], told.into());
    if let Some(url) = url {
        set(&mut after, &["url"], url.into());
    }
    let runtime = text(&service, "/spec/predictor/model/runtime");
    if !runtime.is_empty() {
        set(&mut after, &["clusterServingRuntimeName"], runtime.into());
    }
    let value = if why.is_empty() { "True" } else { "False" };
    for condition in ["PredictorReady", "Ready"] {
        let conditions = world.with_condition(&after, condition, value, why, "");
        set(&mut after, &["conditions"], conditions);
    }
    if after != before {
        world.set_status(key, after);
    }
}
