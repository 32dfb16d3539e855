//! What the API server fills in.

use serde_json::{Map, Value, json};

use crate::kinds::Kind;
use crate::world::World;
use crate::world::key::{list, set, text};

/// Fills in the defaults of an object that is written.
pub(super) fn fill(world: &mut World, kind: &Kind, created: bool, object: &mut Value) {
    match kind.kind.as_str() {
        "Deployment" => {
            missing(
                object,
                "/spec",
                json!({"replicas": 1, "strategy": {"type": "RollingUpdate"}, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600}),
            );
            if text(object, "/spec/strategy/type") == "RollingUpdate" {
                missing(object, "/spec/strategy", json!({"rollingUpdate": {}}));
                missing(
                    object,
                    "/spec/strategy/rollingUpdate",
                    json!({"maxUnavailable": "25%", "maxSurge": "25%"}),
                );
            }
            template(object.pointer_mut("/spec/template"));
        }
        "ReplicaSet" => {
            missing(object, "/spec", json!({"replicas": 1}));
            template(object.pointer_mut("/spec/template"));
        }
        "DaemonSet" => {
            missing(
                object,
                "/spec",
                json!({"updateStrategy": {"type": "RollingUpdate"}, "revisionHistoryLimit": 10}),
            );
            if text(object, "/spec/updateStrategy/type") == "RollingUpdate" {
                missing(object, "/spec/updateStrategy", json!({"rollingUpdate": {}}));
                missing(
                    object,
                    "/spec/updateStrategy/rollingUpdate",
                    json!({"maxUnavailable": 1, "maxSurge": 0}),
                );
            }
            template(object.pointer_mut("/spec/template"));
        }
        "StatefulSet" => stateful_set(created, object),
        "Job" => job(world, created, object),
        "CronJob" => {
            missing(
                object,
                "/spec",
                json!({"concurrencyPolicy": "Allow", "suspend": false, "successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 1}),
            );
            template(object.pointer_mut("/spec/jobTemplate/spec/template"));
        }
        "Pod" => {
            pod_spec(object.get_mut("spec"));
            if created {
                set(object, &["status"], json!({"phase": "Pending", "qosClass": "BestEffort"}));
            }
        }
        "Node" if created && object.get("spec").is_none() => set(object, &["spec"], json!({})),
        "Service" => service(world, object),
        "Secret" => secret(object),
        "Namespace" if created => {
            set(object, &["spec"], json!({"finalizers": ["kubernetes"]}));
            set(object, &["status"], json!({"phase": "Active"}));
            let name = text(object, "/metadata/name").to_owned();
            set(object, &["metadata", "labels", "kubernetes.io/metadata.name"], name.into());
        }
        "PodDisruptionBudget" if created => {
            let status =
                json!({"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0});
            set(object, &["status"], status);
        }
        "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration" => {
            if let Some(hooks) = object.get_mut("webhooks").and_then(Value::as_array_mut) {
                for hook in hooks {
                    missing(
                        hook,
                        "",
                        json!({"failurePolicy": "Fail", "matchPolicy": "Equivalent", "timeoutSeconds": 10, "namespaceSelector": {}, "objectSelector": {}}),
                    );
                }
            }
        }
        _ => {
            if let Some(custom) = &kind.custom {
                crate::kinds::crd::fill_defaults(&custom.openapi, object);
            }
        }
    }
    if created
        && matches!(kind.kind.as_str(), "Deployment" | "ReplicaSet" | "Job")
        && object.get("status").is_none()
    {
        set(object, &["status"], json!({}));
    }
}

/// Adds the fields that are not there; null counts as not there.
fn missing(object: &mut Value, pointer: &str, fields: Value) {
    let (Some(Value::Object(map)), Value::Object(fields)) = (object.pointer_mut(pointer), fields) else {
        return;
    };
    for (name, value) in fields {
        if map.get(&name).is_none_or(Value::is_null) {
            map.insert(name, value);
        }
    }
}

fn template(template: Option<&mut Value>) {
    let Some(template) = template else { return };
    // Empty maps are not kept, so taking the last annotation away gives the old template back.
    if let Some(Value::Object(metadata)) = template.get_mut("metadata") {
        metadata.retain(|_, value| value.as_object().is_none_or(|map| !map.is_empty()));
    }
    pod_spec(template.get_mut("spec"));
}

/// Defaults of a pod spec.
pub(super) fn pod_spec(spec: Option<&mut Value>) {
    let Some(spec) = spec else { return };
    missing(
        spec,
        "",
        json!({
            "restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst",
            "securityContext": {}, "schedulerName": "default-scheduler",
        }),
    );
    for group in ["containers", "initContainers"] {
        let Some(containers) = spec.get_mut(group).and_then(Value::as_array_mut) else { continue };
        for container in containers {
            let image = text(container, "/image").to_owned();
            let floating = image.ends_with(":latest")
                || !image.rsplit('/').next().unwrap_or_default().contains([':', '@']);
            let pull = if floating { "Always" } else { "IfNotPresent" };
            missing(
                container,
                "",
                json!({
                    "resources": {}, "terminationMessagePath": "/dev/termination-log",
                    "terminationMessagePolicy": "File", "imagePullPolicy": pull,
                }),
            );
            if let Some(ports) = container.get_mut("ports").and_then(Value::as_array_mut) {
                for port in ports {
                    missing(port, "", json!({"protocol": "TCP"}));
                }
            }
        }
    }
}

fn stateful_set(created: bool, object: &mut Value) {
    missing(
        object,
        "/spec",
        json!({
            "replicas": 1, "podManagementPolicy": "OrderedReady", "updateStrategy": {"type": "RollingUpdate"},
            "revisionHistoryLimit": 10, "persistentVolumeClaimRetentionPolicy": {},
        }),
    );
    let keep = json!({"whenDeleted": "Retain", "whenScaled": "Retain"});
    missing(object, "/spec/persistentVolumeClaimRetentionPolicy", keep);
    if text(object, "/spec/updateStrategy/type") == "RollingUpdate" {
        missing(object, "/spec/updateStrategy", json!({"rollingUpdate": {}}));
        missing(object, "/spec/updateStrategy/rollingUpdate", json!({"partition": 0}));
    }
    template(object.pointer_mut("/spec/template"));
    if created && object.get("status").is_none() {
        set(object, &["status"], json!({"replicas": 0, "availableReplicas": 0}));
    }
}

fn items<'a>(value: &'a mut Value, pointer: &str) -> impl Iterator<Item = &'a mut Value> {
    value.pointer_mut(pointer).and_then(Value::as_array_mut).into_iter().flatten()
}

fn job(world: &mut World, created: bool, object: &mut Value) {
    let replaced =
        if object.pointer("/spec/podFailurePolicy").is_some() { "Failed" } else { "TerminatingOrFailed" };
    missing(
        object,
        "/spec",
        json!({
            "parallelism": 1, "backoffLimit": 6, "completionMode": "NonIndexed", "suspend": false,
            "podReplacementPolicy": replaced, "manualSelector": false,
        }),
    );
    for rule in items(object, "/spec/podFailurePolicy/rules") {
        for pattern in items(rule, "/onPodConditions") {
            if pattern.get("status").is_none() {
                set(pattern, &["status"], "True".into());
            }
        }
    }
    if object.pointer("/spec/completions").is_none() && object.pointer("/spec/parallelism") == Some(&json!(1))
    {
        set(object, &["spec", "completions"], 1.into());
    }
    template(object.pointer_mut("/spec/template"));
    if !created {
        return;
    }
    let uid = world.uid();
    let name = text(object, "/metadata/name").to_owned();
    set(object, &["metadata", "uid"], uid.clone().into());
    set(object, &["spec", "selector"], json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}));
    for (label, value) in [
        ("batch.kubernetes.io/controller-uid", &uid),
        ("batch.kubernetes.io/job-name", &name),
        ("controller-uid", &uid),
        ("job-name", &name),
    ] {
        set(object, &["spec", "template", "metadata", "labels", label], value.clone().into());
    }
}

fn service(world: &mut World, object: &mut Value) {
    missing(
        object,
        "/spec",
        json!({"type": "ClusterIP", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster", "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"}),
    );
    if text(object, "/spec/clusterIP").is_empty() && text(object, "/spec/type") != "ExternalName" {
        let n = world.count();
        let address = format!("10.96.{}.{}", (n >> 8) & 0xFF, n & 0xFF);
        set(object, &["spec", "clusterIP"], address.clone().into());
        set(object, &["spec", "clusterIPs"], json!([address]));
    }
    if let Some(ports) = object.pointer_mut("/spec/ports").and_then(Value::as_array_mut) {
        for port in ports {
            let number = port.get("port").cloned().unwrap_or(Value::Null);
            missing(port, "", json!({"protocol": "TCP", "targetPort": number}));
        }
    }
    if object.get("status").is_none() {
        set(object, &["status"], json!({"loadBalancer": {}}));
    }
}

fn secret(object: &mut Value) {
    use base64::Engine as _;
    missing(object, "", json!({"type": "Opaque"}));
    let plain: Map<String, Value> =
        object.get("stringData").and_then(Value::as_object).cloned().unwrap_or_default();
    for (name, value) in plain {
        let coded = base64::engine::general_purpose::STANDARD.encode(value.as_str().unwrap_or_default());
        set(object, &["data", &name], coded.into());
    }
    crate::world::key::unset(object, &["stringData"]);
    if list(object, "/data").is_empty() && object.get("data").is_some_and(Value::is_null) {
        crate::world::key::unset(object, &["data"]);
    }
}
