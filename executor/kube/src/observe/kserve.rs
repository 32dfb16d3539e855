//! The section `kserve`: its controller, InferenceServices with their Deployments, runtimes, and what else serves.

use serde_json::Value;
use switchback_schemas::inventory::kserve::{Controller, InferenceService, Kserve, Predictor, Serving};

use super::{found::Found, lists::Lists};
use crate::{
    api::{Kinds, Query, Reader},
    fields::{has_condition, name, reference, text, texts},
    pods::gpus,
};

/// The Deployment of its controller, whatever the chart.
const CONTROLLER: &str = "kserve-controller-manager";
/// The annotation with which a service asks for a mode.
const MODE: &str = "serving.kserve.io/deploymentMode";
/// The label of everything that is made for a service.
const OF_SERVICE: &str = "serving.kserve.io/inferenceservice";
const GROUP: &str = "serving.kserve.io";
/// Kinds of objects that serve beside InferenceServices.
const OTHERS: [&str; 3] = ["InferenceGraph", "TrainedModel", "LLMInferenceService"];
const RUNTIMES: [&str; 2] = ["ServingRuntime", "ClusterServingRuntime"];
/// Fields of a predictor that hold a model of some framework, beside `model`.
const FRAMEWORKS: [&str; 10] = [
    "model",
    "sklearn",
    "xgboost",
    "tensorflow",
    "pytorch",
    "triton",
    "onnx",
    "huggingface",
    "pmml",
    "lightgbm",
];

pub(super) async fn read(lists: &mut Lists, reader: &Reader, kinds: &Kinds<'_>) -> Option<Found> {
    let deployments: Vec<Value> =
        lists.workloads.iter().filter(|workload| text(workload, "/kind") == "Deployment").cloned().collect();
    let controller = deployments.iter().find(|it| text(it, "/metadata/name") == CONTROLLER)?;
    let controller = read_controller(controller);
    let objects = all(lists, reader, kinds, "InferenceService").await;
    let mut services: Vec<InferenceService> =
        objects.iter().map(|object| service(object, &deployments)).collect();
    services.sort_by(|a, b| a.name.cmp(&b.name));
    let mut runtimes = Vec::new();
    for kind in RUNTIMES {
        runtimes.extend(all(lists, reader, kinds, kind).await.iter().map(reference));
    }
    let mut others = Vec::new();
    for kind in OTHERS {
        let found = all(lists, reader, kinds, kind).await;
        others.extend(
            found
                .iter()
                .map(|object| Serving { object: reference(object), ready: has_condition(object, "Ready") }),
        );
    }
    runtimes.sort();
    others.sort_by(|a, b| a.object.cmp(&b.object));
    let section = Kserve { controller, services, runtimes, others };
    Found::new("kserve", serde_json::to_value(section), objects)
}

/// All objects of a kind, in the version in which they are stored from now on; none where there is no such kind.
async fn all(lists: &mut Lists, reader: &Reader, kinds: &Kinds<'_>, kind: &str) -> Vec<Value> {
    let of_kind = |crd: &&Value| text(crd, "/spec/group") == GROUP && text(crd, "/spec/names/kind") == kind;
    let Some(crd) = lists.crds.iter().find(of_kind) else { return Vec::new() };
    let version = crate::conditions::stored::storage_version(crd).unwrap_or_default();
    let version = format!("{GROUP}/{version}");
    lists.list(reader, kinds, (&version, kind), &Query::all()).await
}

fn read_controller(object: &Value) -> Controller {
    let containers = object.pointer("/spec/template/spec/containers").and_then(Value::as_array);
    let mut words = containers.into_iter().flatten().flat_map(|container| {
        let list = |field: &str| container.get(field).and_then(Value::as_array).into_iter().flatten();
        list("command").chain(list("args")).filter_map(Value::as_str)
    });
    Controller {
        deployment: name(object),
        replicas: replicas(object),
        leader_elect: words
            .any(|word| matches!(word, "--leader-elect" | "--leader-elect=true" | "-leader-elect")),
        recreate: text(object, "/spec/strategy/type") == "Recreate",
        labels: texts(object, "/spec/selector/matchLabels"),
    }
}

fn replicas(object: &Value) -> u64 {
    object.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1)
}

fn service(object: &Value, deployments: &[Value]) -> InferenceService {
    let name = name(object);
    let said = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let annotations = object.pointer("/metadata/annotations");
    let mode = annotations.and_then(|annotations| annotations.get(MODE)?.as_str()).unwrap_or_default();
    let predictor = object.pointer("/spec/predictor").unwrap_or(&Value::Null);
    let chosen = ["/status/servingRuntimeName", "/status/clusterServingRuntimeName"];
    let chosen = chosen.into_iter().map(|pointer| text(object, pointer)).find(|name| !name.is_empty());
    let runtime = Some(text(predictor, "/model/runtime")).filter(|name| !name.is_empty()).or(chosen);
    let of_service = |deployment: &&Value| {
        let labels = deployment.pointer("/metadata/labels");
        text(deployment, "/metadata/namespace") == name.namespace.as_deref().unwrap_or_default()
            && labels.and_then(|labels| labels.get(OF_SERVICE)?.as_str()) == Some(name.name.as_str())
    };
    InferenceService {
        ready: has_condition(object, "Ready"),
        url: said(text(object, "/status/url")),
        mode: said(mode),
        mode_seen: said(text(object, "/status/deploymentMode")),
        runtime: runtime.and_then(said),
        fetches: fetches(predictor),
        predictors: deployments.iter().filter(of_service).map(deployment).collect(),
        name,
    }
}

/// Whether a predictor's model lies in a store, from which an init container fetches it.
fn fetches(predictor: &Value) -> bool {
    let has = |model: &Value| {
        ["storageUri", "storageUris", "storage"]
            .iter()
            .any(|field| model.get(field).is_some_and(|it| !it.is_null()))
    };
    FRAMEWORKS.iter().filter_map(|framework| predictor.get(framework)).any(has)
}

fn deployment(object: &Value) -> Predictor {
    let replicas = replicas(object);
    let pods = object.pointer("/spec/template").cloned().unwrap_or_default();
    let recreate = text(object, "/spec/strategy/type") == "Recreate";
    let surge = object.pointer("/spec/strategy/rollingUpdate/maxSurge");
    Predictor {
        deployment: name(object),
        replicas,
        surge: if recreate { 0 } else { share(surge, replicas) },
        gpus: gpus::of_pod(&pods).values().sum(),
    }
}

/// Pods beyond its replicas that a Deployment may have while it rolls: a number, or hundredths that are rounded up; a quarter where it
/// does not say.
fn share(surge: Option<&Value>, replicas: u64) -> u64 {
    let hundredths = match surge {
        Some(Value::Number(count)) => return count.as_u64().unwrap_or(1),
        Some(Value::String(text)) => text.trim_end_matches('%').parse::<u64>().unwrap_or(25),
        _ => 25,
    };
    hundredths.saturating_mul(replicas).div_ceil(100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_service_says_its_mode_its_runtime_and_what_its_pods_take() {
        let object = json!({"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService",
            "metadata": {"namespace": "ml", "name": "chat", "annotations": {"serving.kserve.io/deploymentMode": "RawDeployment"}},
            "spec": {"predictor": {"model": {"storageUri": "s3://models/chat", "modelFormat": {"name": "vllm"}}}},
            "status": {"deploymentMode": "RawDeployment", "url": "http://chat.ml", "clusterServingRuntimeName": "vllm",
                       "conditions": [{"type": "Ready", "status": "True"}]}});
        let deployment = json!({"kind": "Deployment", "metadata": {"namespace": "ml", "name": "chat-predictor",
            "labels": {"serving.kserve.io/inferenceservice": "chat"}},
            "spec": {"replicas": 5, "template": {"spec": {"containers": [{"resources": {"limits": {"nvidia.com/gpu": "2"}}}]}}}});
        let other = json!({"kind": "Deployment", "metadata": {"namespace": "other", "name": "chat-predictor",
            "labels": {"serving.kserve.io/inferenceservice": "chat"}}});
        let read = service(&object, &[deployment, other]);
        assert!(read.ready && read.fetches);
        assert_eq!(read.mode.as_deref(), Some("RawDeployment"));
        assert_eq!(read.mode_seen.as_deref(), Some("RawDeployment"));
        assert_eq!(read.runtime.as_deref(), Some("vllm"));
        let predictors: Vec<_> = read.predictors.iter().map(|it| (it.replicas, it.surge, it.gpus)).collect();
        assert_eq!(predictors, [(5, 2, 2)], "a quarter of five, rounded up");
    }

    #[test]
    fn a_surge_is_a_number_or_a_share() {
        assert_eq!(share(Some(&json!(3)), 10), 3);
        assert_eq!(share(Some(&json!("100%")), 4), 4);
        assert_eq!(share(None, 1), 1);
    }

    #[test]
    fn a_controller_says_whether_it_elects_a_leader() {
        let object = |args: Value| {
            json!({"metadata": {"namespace": "kserve", "name": "kserve-controller-manager"},
                   "spec": {"strategy": {"type": "RollingUpdate"}, "selector": {"matchLabels": {"a": "b"}},
                            "template": {"spec": {"containers": [{"args": ["--v=10"]}, {"args": args}]}}}})
        };
        assert!(read_controller(&object(json!(["--leader-elect"]))).leader_elect);
        let without = read_controller(&object(json!(["--leader-elect=false"])));
        assert!(!without.leader_elect && !without.recreate);
        assert_eq!((without.replicas, without.labels.len()), (1, 1));
    }
}
