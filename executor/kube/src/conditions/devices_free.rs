//! No pod is left on a node that keeps a driver from being unloaded. Pods hold it that ask for a device, that run under its runtime class
//! and ask for none, and that mount what it puts on the host.

use serde_json::Value;
use switchback_schemas::{
    journal::Verdict,
    plan::{BoundObject, DeviceHolders},
};

use super::verdict;
use crate::{
    api::{Kinds, Reader},
    classify::CallError,
    fields::{text, texts},
    nodes::{self, pods_query},
    pods::{self, filters::daemon_set},
    target,
};

pub(super) async fn check(
    api: &Reader,
    node: &BoundObject,
    holders: &DeviceHolders,
) -> Result<Verdict, CallError> {
    let kinds = Kinds::new(api);
    let found = target::find(api, &kinds, node).await?;
    if found.object()?.is_none() {
        return Ok(verdict(true, &format!("{} is gone", found.named)));
    }
    let pods = api.list(&nodes::pods()?, &pods_query(&found.named.name)).await?;
    let left: Vec<String> = pods.iter().filter(|pod| holds(pod, holders)).map(pods::name).collect();
    Ok(match left.len() {
        0 => verdict(true, &format!("no pod on {} holds its driver", found.named)),
        n => verdict(false, &format!("{n} pods on {} hold its driver: {}", found.named, left.join(", "))),
    })
}

fn holds(pod: &Value, holders: &DeviceHolders) -> bool {
    let over = matches!(text(pod, "/status/phase"), "Succeeded" | "Failed");
    !over && !is_taken_off(pod, holders) && keeps(pod, "/spec", holders)
}

/// Whether a pod, or one of a template, uses the driver. `spec` is where its spec stands.
pub(crate) fn keeps(object: &Value, spec: &str, holders: &DeviceHolders) -> bool {
    let list =
        |at: &str| object.pointer(&format!("{spec}/{at}")).and_then(Value::as_array).into_iter().flatten();
    let asks = list("containers").chain(list("initContainers")).any(|container| {
        let limits = container.pointer("/resources/limits").and_then(Value::as_object);
        limits.into_iter().flatten().any(|(name, count)| {
            name.starts_with(&holders.resources) && count.as_u64() != Some(0) && count.as_str() != Some("0")
        })
    });
    let class = text(object, &format!("{spec}/runtimeClassName"));
    let mounts = list("volumes").any(|volume| {
        let path = text(volume, "/hostPath/path");
        holders.host_paths.iter().any(|of| {
            path.strip_prefix(of.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    });
    asks || mounts || holders.runtime_classes.iter().any(|of| of == class)
}

/// Whether the operator takes a pod off its node by itself before it restarts the driver.
fn is_taken_off(pod: &Value, holders: &DeviceHolders) -> bool {
    let selects = texts(pod, "/spec/nodeSelector");
    daemon_set(pod).is_some()
        && (text(pod, "/metadata/namespace") == holders.operator
            || selects.keys().any(|key| key.starts_with(&holders.taken_off_by)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn held(spec: &Value, namespace: &str, owner: &str) -> bool {
        let holders = DeviceHolders {
            resources: "nvidia.com/".to_owned(),
            runtime_classes: vec!["nvidia".to_owned()],
            host_paths: vec!["/run/nvidia/driver".to_owned()],
            operator: "gpu-operator".to_owned(),
            taken_off_by: "nvidia.com/gpu.deploy.".to_owned(),
        };
        let pod = json!({"metadata": {"namespace": namespace, "ownerReferences": [{"kind": owner, "controller": true}]}, "spec": spec,
            "status": {"phase": "Running"}});
        holds(&pod, &holders)
    }

    #[test]
    fn gotcha_pods_without_a_request_hold_the_driver_too() {
        let asks = json!({"containers": [{"resources": {"limits": {"nvidia.com/mig-1g.5gb": "1"}}}]});
        let class = json!({"runtimeClassName": "nvidia", "containers": [{}]});
        let mounts =
            json!({"containers": [{}], "volumes": [{"hostPath": {"path": "/run/nvidia/driver/usr"}}]});
        for spec in [&asks, &class, &mounts] {
            assert!(held(spec, "ml", "Job"), "{spec}");
            assert!(held(spec, "ml", "DaemonSet"), "no drain moves it: {spec}");
            assert!(!held(spec, "gpu-operator", "DaemonSet"), "the operator's own: {spec}");
        }
        assert!(!held(
            &json!({"containers": [{}], "volumes": [{"hostPath": {"path": "/run/nvidia/drivers"}}]}),
            "ml",
            "Job"
        ));
        assert!(!held(
            &json!({"containers": [{"resources": {"limits": {"nvidia.com/gpu": "0"}}}]}),
            "ml",
            "Job"
        ));
    }

    #[test]
    fn a_daemon_set_that_selects_by_the_operators_label_is_taken_off_by_it() {
        let spec =
            json!({"runtimeClassName": "nvidia", "nodeSelector": {"nvidia.com/gpu.deploy.client": "true"}});
        assert!(!held(&spec, "monitoring", "DaemonSet"));
        assert!(
            held(&spec, "monitoring", "ReplicaSet"),
            "the operator deletes it and its owner makes it anew"
        );
    }
}
