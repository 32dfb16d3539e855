//! The section `mlflow`: tracking servers, who may be logging to one, and who else is told a database on RDS.

mod address;
mod consumers;
mod settings;

use std::collections::BTreeMap;

use serde_json::Value;
use switchback_schemas::{
    inventory::servers::{Autoscaler, MlflowSection, PodMake, Server},
    name::{ObjectName, ObjectRef},
};

pub(super) use consumers::{Told, told};

use super::{found::Found, lists::Lists};
use crate::{
    api::{Kinds, Query, Reader},
    classify::CallError,
    fields::{text, texts},
    nodes::built_in,
    pods::owners::controller,
};

/// The variable and the option that say where a server keeps its runs.
const VARIABLE: &str = "MLFLOW_BACKEND_STORE_URI";
const OPTION: &str = "backend-store-uri";
/// Kinds of volumes that a pod beside the server's can have as well.
const SHARED: [&str; 4] = ["secret", "configMap", "projected", "emptyDir"];

/// The section, under its component's name; nothing where no server was found.
pub(super) async fn read(
    lists: &mut Lists,
    reader: &Reader,
    kinds: &Kinds<'_>,
    told: Vec<Told>,
) -> Option<Found> {
    let found: Vec<Value> = lists.workloads.iter().filter(|object| is_server(object)).cloned().collect();
    if found.is_empty() {
        return None;
    }
    let mut servers = Vec::new();
    for deployment in &found {
        servers.push(server(lists, reader, kinds, deployment).await);
    }
    servers.sort_by(|a, b| a.deployment.cmp(&b.deployment));
    let section = MlflowSection {
        servers,
        loggers: consumers::loggers(told),
        databases: consumers::databases(&lists.workloads),
    };
    Found::new("mlflow", serde_json::to_value(section), Vec::new())
}

/// A Deployment with an image of MLflow, or with what only its server is told.
fn is_server(object: &Value) -> bool {
    text(object, "/kind") == "Deployment"
        && containers(object).any(|container| {
            let image = text(container, "/image").split('@').next().unwrap_or_default();
            let image = image.rsplit('/').next().and_then(|last| last.split(':').next()).unwrap_or_default();
            let settings = settings::read(container);
            image.contains("mlflow")
                || settings.env.contains_key(VARIABLE)
                || settings.options.contains_key(OPTION)
        })
}

fn containers(object: &Value) -> impl Iterator<Item = &Value> {
    object.pointer("/spec/template/spec/containers").and_then(Value::as_array).into_iter().flatten()
}

async fn server(lists: &mut Lists, reader: &Reader, kinds: &Kinds<'_>, deployment: &Value) -> Server {
    let namespace = text(deployment, "/metadata/namespace");
    let name = text(deployment, "/metadata/name");
    let all = services(reader, namespace).await;
    let all = all.unwrap_or_else(|error| lists.missing(format!("Services of {namespace}"), &error));
    let scaling = autoscalers(reader, kinds, namespace).await;
    let scaling = scaling
        .unwrap_or_else(|error| lists.missing(format!("HorizontalPodAutoscalers of {namespace}"), &error));
    let account = text(deployment, "/spec/template/spec/serviceAccountName");
    let strategy = text(deployment, "/spec/strategy/type");
    let of = |container: &Value| (text(container, "/name").to_owned(), settings::read(container));
    let labels = texts(deployment, "/spec/template/metadata/labels");
    let mut services: Vec<String> =
        all.iter().filter(|service| selects(service, &labels)).map(full_name).collect();
    services.sort();
    let mut autoscalers: Vec<Autoscaler> =
        scaling.iter().filter(|object| scales(object, name)).map(autoscaler).collect();
    autoscalers.sort();
    Server {
        deployment: ObjectName::namespaced(namespace, name),
        // What the API server fills in.
        strategy: if strategy.is_empty() { "RollingUpdate" } else { strategy }.to_owned(),
        service_account: (!account.is_empty()).then(|| account.to_owned()),
        containers: containers(deployment).map(of).collect(),
        services,
        autoscalers,
        pods: make(deployment, &labels),
    }
}

async fn services(reader: &Reader, namespace: &str) -> Result<Vec<Value>, CallError> {
    let query = Query { namespace: Some(namespace.to_owned()), ..Query::all() };
    reader.list(&built_in("v1", "Service")?, &query).await
}

/// Where the kind is not served there are none.
async fn autoscalers(reader: &Reader, kinds: &Kinds<'_>, namespace: &str) -> Result<Vec<Value>, CallError> {
    let Some(resource) = kinds.find("autoscaling/v2", "HorizontalPodAutoscaler").await? else {
        return Ok(Vec::new());
    };
    let query = Query { namespace: Some(namespace.to_owned()), ..Query::all() };
    reader.list(&resource, &query).await
}

/// A Service without a selector has its endpoints from elsewhere.
fn selects(service: &Value, labels: &BTreeMap<String, String>) -> bool {
    let selector = texts(service, "/spec/selector");
    !selector.is_empty() && selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}

fn full_name(service: &Value) -> String {
    format!("{}.{}", text(service, "/metadata/name"), text(service, "/metadata/namespace"))
}

fn scales(autoscaler: &Value, deployment: &str) -> bool {
    text(autoscaler, "/spec/scaleTargetRef/kind") == "Deployment"
        && text(autoscaler, "/spec/scaleTargetRef/name") == deployment
}

fn autoscaler(object: &Value) -> Autoscaler {
    let namespace = text(object, "/metadata/namespace");
    let above = controller(object).map(|owner| {
        let name = ObjectName::namespaced(namespace, text(owner, "/name"));
        ObjectRef::new(text(owner, "/apiVersion"), text(owner, "/kind"), &name)
    });
    Autoscaler {
        name: text(object, "/metadata/name").to_owned(),
        // 1 is the default of the API.
        min: object.pointer("/spec/minReplicas").and_then(Value::as_u64).unwrap_or(1),
        controller: above,
    }
}

/// What a pod of the same make needs.
fn make(deployment: &Value, template: &BTreeMap<String, String>) -> PodMake {
    let pod = |field: &str| deployment.pointer(&format!("/spec/template/spec/{field}"));
    let list = |field: &str| pod(field).and_then(Value::as_array).cloned().unwrap_or_default();
    let expressions = deployment.pointer("/spec/selector/matchExpressions").and_then(Value::as_array);
    // A selector with expressions cannot be written as labels; those of the template find the pods of this make.
    let labels = match expressions {
        Some(expressions) if !expressions.is_empty() => template.clone(),
        _ => texts(deployment, "/spec/selector/matchLabels"),
    };
    let (volumes, others): (Vec<Value>, Vec<Value>) =
        list("volumes").into_iter().partition(|volume| SHARED.iter().any(|kind| volume.get(kind).is_some()));
    PodMake {
        labels,
        image_pull_secrets: list("imagePullSecrets").iter().map(|s| text(s, "/name").to_owned()).collect(),
        node_selector: texts(deployment, "/spec/template/spec/nodeSelector"),
        tolerations: list("tolerations"),
        security_context: pod("securityContext").cloned().unwrap_or_default(),
        volumes,
        other_volumes: others.iter().map(|volume| text(volume, "/name").to_owned()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn deployment(container: &Value) -> Value {
        json!({"kind": "Deployment", "metadata": {"namespace": "a", "name": "b"}, "spec": {
            "selector": {"matchLabels": {"app": "b"}},
            "template": {"metadata": {"labels": {"app": "b", "tier": "x"}}, "spec": {"containers": [container]}}}})
    }

    #[test]
    fn a_server_is_known_by_its_image_or_its_settings() {
        for container in [
            json!({"image": "ghcr.io/mlflow/mlflow:v3.8.0"}),
            json!({"image": "registry:5000/team/mlflow-postgres@sha256:00"}),
            json!({"image": "x", "env": [{"name": "MLFLOW_BACKEND_STORE_URI", "value": "y"}]}),
            json!({"image": "x", "args": ["--backend-store-uri", "y"]}),
        ] {
            assert!(is_server(&deployment(&container)), "{container}");
        }
        assert!(
            !is_server(&deployment(&json!({"image": "mlflow.example.com/web:1"}))),
            "the registry's name"
        );
        assert!(!is_server(&deployment(&json!({"image": "x", "env": [{"name": "MLFLOW_TRACKING_URI"}]}))));
    }

    #[test]
    fn volumes_that_hold_a_server_to_its_place_are_only_named() {
        let mut object = deployment(&json!({}));
        object["spec"]["template"]["spec"]["volumes"] = json!([{"name": "ca", "configMap": {"name": "ca"}}, {"name": "data", "persistentVolumeClaim": {"claimName": "d"}}]);
        let made = make(&object, &texts(&object, "/spec/template/metadata/labels"));
        assert_eq!((made.volumes.len(), made.other_volumes), (1, vec!["data".to_owned()]));
        assert_eq!(made.labels, [("app".to_owned(), "b".to_owned())].into());
        object["spec"]["selector"]["matchExpressions"] = json!([{"key": "tier", "operator": "Exists"}]);
        assert_eq!(make(&object, &texts(&object, "/spec/template/metadata/labels")).labels.len(), 2);
    }

    #[test]
    fn an_autoscaler_says_who_is_above_it() {
        let object = json!({"metadata": {"namespace": "a", "name": "keda-hpa-b", "ownerReferences": [
            {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": "b", "controller": true}]},
            "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "b"}}});
        assert!(scales(&object, "b"));
        assert!(!scales(&object, "c"));
        let read = autoscaler(&object);
        assert_eq!(read.min, 1);
        assert_eq!(read.controller.unwrap().to_string(), "ScaledObject a/b");
    }
}
