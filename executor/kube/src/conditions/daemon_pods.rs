//! A node has pods of DaemonSets, all of them are Ready, and they run the version that is named.

use serde_json::Value;
use switchback_schemas::{
    journal::Verdict,
    plan::{BoundObject, DaemonPods},
};

use super::verdict;
use crate::{
    api::{Kinds, Query, Reader},
    classify::CallError,
    fields::{self, text, texts},
    nodes,
    pods::filters::daemon_set,
    target,
};

pub(super) async fn check(api: &Reader, node: &BoundObject, pods: &DaemonPods) -> Result<Verdict, CallError> {
    let kinds = Kinds::new(api);
    let found = target::find(api, &kinds, node).await?;
    if found.object()?.is_none() {
        return Ok(verdict(false, &format!("{} is gone", found.named)));
    }
    let all = list(api, pods).await?;
    let here: Vec<&Value> = all
        .iter()
        .filter(|pod| text(pod, "/spec/nodeName") == found.named.name && daemon_set(pod).is_some())
        .collect();
    let (holds, line) = judge(&found.named.name, &here, pods);
    Ok(verdict(holds, &line))
}

/// The pods, on all nodes.
pub(crate) async fn list(api: &Reader, pods: &DaemonPods) -> Result<Vec<Value>, CallError> {
    let query = Query { namespace: Some(pods.namespace.clone()), ..Query::labelled(&pods.labels) };
    api.list(&nodes::pods()?, &query).await
}

/// Whether a pod runs a version: the tag of its image is it, or it and then what follows a `-`, such as an operating system.
pub(crate) fn runs(pod: &Value, version: &str) -> bool {
    let rest = tag(pod).and_then(|tag| tag.strip_prefix(version));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// The tag of the image of a pod's first container.
pub(crate) fn tag(pod: &Value) -> Option<&str> {
    let image = text(pod, "/spec/containers/0/image");
    let image = image.split_once('@').map_or(image, |(image, _)| image);
    let (_, name) = image.rsplit_once('/').unwrap_or(("", image));
    name.split_once(':').map(|(_, tag)| tag)
}

/// Whether a pod is not on its way out.
pub(crate) fn stays(pod: &Value) -> bool {
    !texts(pod, "/metadata").contains_key("deletionTimestamp")
}

fn judge(node: &str, here: &[&Value], pods: &DaemonPods) -> (bool, String) {
    let left = |pod: &&&Value| !stays(pod);
    let other = |pod: &&&Value| pods.version.as_deref().is_some_and(|version| !runs(pod, version));
    let waits = |pod: &&&Value| !fields::has_condition(pod, "Ready");
    let named = |pod: &&Value| fields::name(pod).to_string();
    if here.is_empty() {
        return (false, format!("node {node} has no such pod"));
    }
    if let Some(pod) = here.iter().find(left) {
        return (false, format!("{} on node {node} is being deleted", named(pod)));
    }
    if let Some(pod) = here.iter().find(other) {
        let image = text(pod, "/spec/containers/0/image");
        return (false, format!("{} on node {node} runs {image}", named(pod)));
    }
    if let Some(pod) = here.iter().find(waits) {
        let why = why_not_ready(pod).map(|why| format!(" ({why})")).unwrap_or_default();
        return (false, format!("{} on node {node} is not Ready{why}", named(pod)));
    }
    (true, format!("{} pods on node {node} are as they have to be", here.len()))
}

/// What the kubelet says of a container that does not run.
fn why_not_ready(pod: &Value) -> Option<&str> {
    let lists = ["/status/initContainerStatuses", "/status/containerStatuses"];
    let mut statuses = lists.iter().filter_map(|at| pod.pointer(at)?.as_array()).flatten();
    statuses.find_map(|status| {
        let why = ["/state/waiting/reason", "/state/terminated/reason"].map(|at| text(status, at));
        why.into_iter().find(|why| !why.is_empty() && *why != "Completed")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(image: &str, ready: &str) -> Value {
        json!({"metadata": {"name": "p", "namespace": "gpu-operator", "ownerReferences": [{"kind": "DaemonSet", "controller": true}]},
            "spec": {"containers": [{"image": image}]},
            "status": {"conditions": [{"type": "Ready", "status": ready}],
                "containerStatuses": [{"state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}})
    }

    fn of(version: &str) -> DaemonPods {
        DaemonPods {
            namespace: "gpu-operator".to_owned(),
            labels: std::collections::BTreeMap::new(),
            version: Some(version.to_owned()),
        }
    }

    #[test]
    fn a_version_is_the_tag_or_its_beginning_up_to_a_dash() {
        let image = |image: &str| runs(&pod(image, "True"), "580.95.05");
        assert!(image("nvcr.io/nvidia/driver:580.95.05"));
        assert!(image("nvcr.io/nvidia/driver:580.95.05-ubuntu22.04"));
        assert!(image("host:5000/driver:580.95.05-rhel9@sha256:00"));
        assert!(!image("nvcr.io/nvidia/driver:580.95.051"));
        assert!(!image("nvcr.io/nvidia/driver:580.82.07-ubuntu22.04"));
        assert!(!image("nvcr.io/nvidia/driver@sha256:00"));
    }

    #[test]
    fn it_is_there_of_the_version_and_ready() {
        let new = pod("driver:2-ubuntu22.04", "True");
        assert!(judge("gpu-0", &[&new], &of("2")).0);
        assert_eq!(judge("gpu-0", &[], &of("2")).1, "node gpu-0 has no such pod");
        let waits = pod("driver:2", "False");
        assert_eq!(
            judge("gpu-0", &[&waits], &of("2")).1,
            "gpu-operator/p on node gpu-0 is not Ready (CrashLoopBackOff)"
        );
        let mut going = new.clone();
        going["metadata"]["deletionTimestamp"] = json!("2026-11-20T10:00:00Z");
        assert!(!judge("gpu-0", &[&new, &going], &of("2")).0);
        assert_eq!(
            judge("gpu-0", &[&new], &of("1")).1,
            "gpu-operator/p on node gpu-0 runs driver:2-ubuntu22.04"
        );
    }
}
