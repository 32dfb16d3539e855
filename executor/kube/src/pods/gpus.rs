//! GPUs and other accelerators, by the names of their extended resources.

use std::collections::BTreeMap;

use serde_json::Value;

/// Resource names that stand for an accelerator: vendor and what the name begins with.
const ACCELERATORS: [(&str, &str); 6] = [
    ("nvidia.com/", "gpu"),
    ("nvidia.com/", "mig-"),
    ("amd.com/", "gpu"),
    ("gpu.intel.com/", ""),
    ("habana.ai/", "gaudi"),
    ("aws.amazon.com/", "neuron"),
];

fn is_accelerator(resource: &str) -> bool {
    ACCELERATORS
        .iter()
        .any(|(vendor, kind)| resource.strip_prefix(vendor).is_some_and(|name| name.starts_with(kind)))
}

/// Accelerators that a node has, by resource name.
pub(crate) fn of_node(node: &Value) -> BTreeMap<String, u64> {
    counts(node.pointer("/status/capacity"))
}

/// Whether a pod holds an accelerator.
pub(crate) fn held_by(pod: &Value) -> bool {
    let containers = ["/spec/containers", "/spec/initContainers"].into_iter();
    containers
        .filter_map(|pointer| pod.pointer(pointer)?.as_array())
        .flatten()
        .any(|container| !counts(container.pointer("/resources/limits")).is_empty())
}

fn counts(resources: Option<&Value>) -> BTreeMap<String, u64> {
    let resources = resources.and_then(Value::as_object).into_iter().flatten();
    resources
        .filter(|(name, _)| is_accelerator(name))
        .filter_map(|(name, count)| {
            let count = count.as_u64().or_else(|| count.as_str()?.parse().ok())?;
            (count > 0).then(|| (name.clone(), count))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn accelerators_are_counted() {
        let node = json!({"status": {"capacity": {"cpu": "32", "nvidia.com/gpu": "8", "nvidia.com/mig-1g.5gb": "0"}}});
        assert_eq!(of_node(&node), BTreeMap::from([("nvidia.com/gpu".to_owned(), 8)]));
        let pod = json!({"spec": {"containers": [{"resources": {"limits": {"amd.com/gpu": 1}}}]}});
        assert!(held_by(&pod));
        assert!(!held_by(&json!({"spec": {"containers": [{}]}})));
    }
}
