//! The webhooks of runtimes: two of them must not be chosen for the same format with the same priority (`validateServingRuntimePriority`).

use serde_json::Value;

use super::{GROUP, configured};
use crate::world::key::{list, text};
use crate::world::{Key, World};

const RUNTIMES: [(&str, &str); 2] =
    [("servingruntimes", "servingruntime"), ("clusterservingruntimes", "clusterservingruntime")];

pub(super) fn admit(world: &World, key: &Key, new: &Value) -> Result<(), String> {
    let Some((resource, hook)) = RUNTIMES.into_iter().find(|(resource, _)| key.is(GROUP, resource)) else {
        return Ok(());
    };
    let webhook = format!("{hook}.serving.kserve.io");
    if !configured(world, "validatingwebhookconfigurations", &webhook) || is_disabled(new) {
        return Ok(());
    }
    let namespace = Some(key.namespace.as_ref()).filter(|namespace: &&str| !namespace.is_empty());
    let others = world.list(GROUP, resource, namespace).filter(|(other, _)| other.name != key.name);
    for (other, runtime) in
        others.filter(|(_, runtime)| !is_disabled(runtime) && share_a_protocol(runtime, new))
    {
        if let Some(format) = chosen(new).find(|format| chosen(runtime).any(|there| there == *format)) {
            return Err(format!(
                "admission webhook \"{hook}.kserve-webhook-server.validator\" denied the request: same priority assigned for the model format {} in the {resource} {} and {}",
                format.0, other.name, key.name
            ));
        }
    }
    Ok(())
}

fn is_disabled(runtime: &Value) -> bool {
    runtime.pointer("/spec/disabled") == Some(&Value::Bool(true))
}

fn share_a_protocol(one: &Value, other: &Value) -> bool {
    list(one, "/spec/protocolVersions")
        .iter()
        .any(|protocol| list(other, "/spec/protocolVersions").contains(protocol))
}

/// Formats for which it is chosen without being named: name, version and priority.
fn chosen(runtime: &Value) -> impl Iterator<Item = (String, &Value, i64)> {
    list(runtime, "/spec/supportedModelFormats").iter().filter_map(|format| {
        let selected = format.get("autoSelect") == Some(&Value::Bool(true));
        let priority = format.get("priority").and_then(Value::as_i64)?;
        let version = format.get("version").unwrap_or(&Value::Null);
        selected.then(|| (text(format, "/name").to_lowercase(), version, priority))
    })
}
