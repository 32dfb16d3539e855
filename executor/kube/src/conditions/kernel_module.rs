//! A kernel module of a version is loaded on a node. Kernel Module Management says so in the NodeModulesConfig of the node's name: what
//! is to be loaded stands in its spec, what was loaded in its status, each by the image that it came from.

use serde_json::Value;
use switchback_schemas::{
    journal::Verdict,
    name::{ObjectName, ObjectRef},
    plan::{BoundObject, KernelModule},
};

use super::verdict;
use crate::{
    api::{Kinds, Reader, Sought},
    classify::CallError,
    fields::text,
    target,
};

pub(super) async fn check(
    api: &Reader,
    node: &BoundObject,
    module: &KernelModule,
) -> Result<Verdict, CallError> {
    let kinds = Kinds::new(api);
    let found = target::find(api, &kinds, node).await?;
    if found.object()?.is_none() {
        return Ok(verdict(false, &format!("{} is gone", found.named)));
    }
    let name = &found.named.name;
    let config = ObjectRef::new("kmm.sigs.x-k8s.io/v1beta1", "NodeModulesConfig", &ObjectName::cluster(name));
    let resource = kinds.of(&config).await?;
    let config = api.look(Sought::new(&resource, None, name)).await?;
    let (holds, line) = match &config {
        Some(config) => judge(name, config, module),
        None => (false, format!("node {name} has no NodeModulesConfig")),
    };
    Ok(verdict(holds, &line))
}

fn judge(node: &str, config: &Value, module: &KernelModule) -> (bool, String) {
    let image = |part: &str| image_of(config, part, module);
    let what = format!("kernel module {}/{}", module.namespace, module.name);
    match (image("spec"), image("status")) {
        (Some(wanted), Some(loaded)) if wanted == loaded => {
            (is_of(loaded, &module.version), format!("{what} on node {node} is loaded from {loaded}"))
        }
        (Some(wanted), Some(loaded)) => {
            (false, format!("{what} on node {node} is loaded from {loaded}, and is to be from {wanted}"))
        }
        (Some(wanted), None) => {
            (false, format!("{what} on node {node} is not loaded yet, and is to be from {wanted}"))
        }
        (None, Some(loaded)) => (false, format!("{what} on node {node} is being unloaded ({loaded})")),
        (None, None) => (false, format!("{what} is not loaded on node {node}, and is not to be")),
    }
}

/// The image of a module in a part of a NodeModulesConfig.
pub(crate) fn image_of<'a>(config: &'a Value, part: &str, module: &KernelModule) -> Option<&'a str> {
    let modules = config.pointer(&format!("/{part}/modules")).and_then(Value::as_array)?;
    let is = |one: &&Value| text(one, "/namespace") == module.namespace && text(one, "/name") == module.name;
    let one = modules.iter().find(is)?;
    Some(text(one, "/config/containerImage")).filter(|image| !image.is_empty())
}

/// Whether an image is of a version. A tag is `ubuntu-22.04-5.15.0-94-generic-30.20.1`, so an ending alone could be that of another version.
fn is_of(image: &str, version: &str) -> bool {
    image.strip_suffix(version).is_some_and(|rest| rest.ends_with('-'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn driver(version: &str) -> KernelModule {
        KernelModule {
            namespace: "kube-amd-gpu".to_owned(),
            name: "gpus".to_owned(),
            version: version.to_owned(),
        }
    }

    fn module(name: &str, version: &str) -> Value {
        let image = format!("registry.example/amdgpu_kmod:ubuntu-22.04-5.15.0-94-generic-{version}");
        json!({"namespace": "kube-amd-gpu", "name": name, "config": {"containerImage": image}})
    }

    #[test]
    fn what_is_to_be_loaded_and_what_was_are_both_asked() {
        let config =
            |spec: Value, status: Value| json!({"spec": {"modules": spec}, "status": {"modules": status}});
        let (old, new) = (module("gpus", "30.20"), module("gpus", "30.20.1"));
        let other = module("nics", "1.0");
        let judged = |spec, status, version| judge("n", &config(spec, status), &driver(version)).0;
        assert!(judged(json!([other, new]), json!([new, other]), "30.20.1"));
        assert!(!judged(json!([new]), json!([old]), "30.20.1"), "not loaded yet");
        assert!(!judged(json!([old]), json!([old]), "30.20.1"), "of the old version");
        assert!(!judged(json!([new]), json!([]), "30.20.1"));
        assert!(!judged(json!([]), json!([new]), "30.20.1"), "being unloaded");
        assert!(!judged(json!([]), json!([]), "30.20.1"));
        assert!(!judged(json!([new]), json!([new]), "0.20.1"), "an ending is not a version");
    }
}
