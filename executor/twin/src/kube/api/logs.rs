//! Logs of pods: what a world says that they write. Nothing of the platform writes any by itself.

use serde_json::Value;

use super::{Answer, Route};
use crate::call::{Call, Raw};
use crate::kinds::Kind;
use crate::kube::error::{ApiError, ApiResult};
use crate::world::World;
use crate::world::key::{list, text};

/// The annotation of a pod that holds its log.
const LOG: &str = "twin.switchback.dev/log";

pub(super) fn answer(
    world: &World,
    call: &Call,
    route: &Route,
    kind: &Kind,
    name: &str,
) -> ApiResult<Answer> {
    let pod = super::read::get(world, route, kind, name)?;
    let containers: Vec<&str> =
        list(&pod, "/spec/containers").iter().map(|container| text(container, "/name")).collect();
    let container = match (call.param("container").filter(|name| !name.is_empty()), containers.as_slice()) {
        (Some(asked), known) if known.contains(&asked) => asked.to_owned(),
        (None, [first, ..]) => (*first).to_owned(),
        (asked, _) => {
            let asked = asked.unwrap_or_default();
            return Err(ApiError::bad_request(format!("container {asked} is not valid for pod {name}")));
        }
    };
    let statuses = list(&pod, "/status/containerStatuses");
    let status = statuses.iter().find(|status| text(status, "/name") == container);
    let began = |status: &&Value| {
        ["/state/running", "/state/terminated", "/lastState/terminated"]
            .iter()
            .any(|at| status.pointer(at).is_some())
    };
    if !status.is_some_and(|status| began(&status)) {
        return Err(ApiError::bad_request(format!(
            "container {container:?} in pod {name:?} is waiting to start: ContainerCreating"
        )));
    }
    let written = pod.pointer("/metadata/annotations").and_then(|all| all.get(LOG)?.as_str());
    let limit = call.param("limitBytes").and_then(|bytes| bytes.parse::<usize>().ok()).unwrap_or(usize::MAX);
    let mut body = written.unwrap_or_default().to_owned();
    while body.len() > limit {
        body.pop();
    }
    Ok(Answer::Raw(Raw { code: 200, content_type: "text/plain", headers: Vec::new(), body }))
}
