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
    limits(pod, &["/spec/containers", "/spec/initContainers"]).any(|held| !held.is_empty())
}

/// Accelerators that the containers of a pod hold together, by resource name; of a pod or of a template of one.
pub(crate) fn of_pod(pod: &Value) -> BTreeMap<String, u64> {
    let mut sum = BTreeMap::new();
    for (resource, count) in limits(pod, &["/spec/containers"]).flatten() {
        *sum.entry(resource).or_default() += count;
    }
    sum
}

fn limits<'p>(pod: &'p Value, containers: &'p [&str]) -> impl Iterator<Item = BTreeMap<String, u64>> + 'p {
    let containers = containers.iter().filter_map(|pointer| pod.pointer(pointer)?.as_array()).flatten();
    containers.map(|container| counts(container.pointer("/resources/limits")))
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
