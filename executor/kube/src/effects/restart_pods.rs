//! `kube.restartPods`: deletes pods of DaemonSets on a node that do not run a version, each under its UID.

use serde_json::json;
use switchback_executor::ports::Classify as _;
use switchback_schemas::{
    journal::Outcome,
    plan::{BoundObject, NodePods},
};

use crate::{
    api::{Kinds, Sought, Writer},
    classify::CallError,
    conditions::daemon_pods,
    fields::text,
    nodes,
    pods::filters::daemon_set,
    target::{self, done, refused},
};

pub(super) async fn run(api: &Writer, effect: &NodePods<BoundObject>) -> Result<Outcome, CallError> {
    let kinds = Kinds::new(&api.read);
    let found = target::find(&api.read, &kinds, &effect.node).await?;
    let Some(node) = found.object()? else { return Ok(refused(format!("{} is gone", found.named))) };
    if !nodes::is_cordoned(node) {
        return Ok(refused(nodes::uncordoned(&found.named.name)));
    }
    let Some(version) = effect.pods.version.as_deref() else {
        return Ok(refused("the plan says no version of the pods to restart"));
    };
    let resource = nodes::pods()?;
    let mut deleted = 0_u64;
    for pod in daemon_pods::list(&api.read, &effect.pods).await? {
        let here = text(&pod, "/spec/nodeName") == found.named.name;
        if !here
            || daemon_set(&pod).is_none()
            || !daemon_pods::stays(&pod)
            || daemon_pods::runs(&pod, version)
        {
            continue;
        }
        let (namespace, name) = (text(&pod, "/metadata/namespace"), text(&pod, "/metadata/name"));
        let sought = Sought::new(&resource, Some(namespace), name);
        let options = json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": text(&pod, "/metadata/uid")},
        });
        match api.delete(sought, &options).await {
            Ok(()) => deleted += 1,
            // It went away in between; another one of its name is of the present template.
            Err(error) if sought.is_gone(&error) || error.is_other_uid() => {}
            Err(error) => return Ok(error.of_write()),
        }
    }
    Ok(done(format!("{deleted} pods on {} deleted", found.named)))
}
