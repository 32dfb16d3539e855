//! DaemonSets that follow a ClusterPolicy.

use serde_json::{Value, json};

use super::{DRIVER, PRESENT};
use crate::world::key::{set, text};
use crate::world::{DeleteOptions, Key, World};

/// Operands by their field of the policy: the DaemonSet, and its image.
const OPERANDS: [(&str, &str, &str); 5] = [
    ("driver", DRIVER, "nvcr.io/nvidia/driver"),
    ("toolkit", "nvidia-container-toolkit-daemonset", "nvcr.io/nvidia/k8s/container-toolkit"),
    ("devicePlugin", "nvidia-device-plugin-daemonset", "nvcr.io/nvidia/k8s-device-plugin"),
    ("dcgm", "nvidia-dcgm", "nvcr.io/nvidia/cloud-native/dcgm"),
    ("dcgmExporter", "nvidia-dcgm-exporter", "nvcr.io/nvidia/k8s/dcgm-exporter"),
];

/// Makes each enabled operand as the policy says, and deletes the others.
pub(super) fn follow(world: &mut World, (namespace, version): (&str, &str), policy: &Value) {
    let by_itself = world.settings().gpu_operator.template_events.iter().any(|known| known == version);
    for (field, name, image) in OPERANDS {
        let key = Key::new("apps", "daemonsets", namespace, name);
        let Some(spec) =
            policy.pointer(&format!("/spec/{field}")).filter(|spec| spec["enabled"] != json!(false))
        else {
            if world.get(&key).is_some() {
                world.delete(&key, DeleteOptions::default());
            }
            continue;
        };
        let mut template = template(policy, spec, (field, name, image));
        if by_itself && field == "driver" {
            set(
                &mut template,
                &["metadata", "annotations", "twin.switchback.dev/operator-version"],
                version.into(),
            );
        }
        if world.get(&key).is_some() {
            world.modify(&key, |o| set(o, &["spec", "template"], template));
        } else {
            world.create(key, daemon_set(policy, namespace, name, &template));
        }
    }
}

fn template(policy: &Value, spec: &Value, (field, name, image): (&str, &str, &str)) -> Value {
    let mut labels = policy.pointer("/spec/daemonsets/labels").cloned().unwrap_or_else(|| json!({}));
    set(&mut labels, &["app"], name.into());
    let mut pod = json!({
        "nodeSelector": {PRESENT: "true"},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "containers": [{"name": name, "image": format!("{image}:{}", text(spec, "/version"))}],
    });
    if field == "driver" {
        let manager = text(spec, "/manager/version");
        let init = json!([{"name": "k8s-driver-manager",
            "image": format!("nvcr.io/nvidia/cloud-native/k8s-driver-manager:{manager}")}]);
        set(&mut pod, &["initContainers"], init);
    }
    json!({"metadata": {"labels": labels}, "spec": pod})
}

fn daemon_set(policy: &Value, namespace: &str, name: &str, template: &Value) -> Value {
    let strategy = match name {
        DRIVER => json!({"type": "OnDelete"}),
        _ => json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}),
    };
    json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}, "ownerReferences": [{
            "apiVersion": text(policy, "/apiVersion"), "kind": "ClusterPolicy", "name": text(policy, "/metadata/name"),
            "uid": text(policy, "/metadata/uid"), "controller": true, "blockOwnerDeletion": true}]},
        "spec": {"selector": {"matchLabels": {"app": name}}, "updateStrategy": strategy, "revisionHistoryLimit": 10,
            "template": template},
    })
}
