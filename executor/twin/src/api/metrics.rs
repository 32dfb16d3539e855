//! `/metrics`: of all that an API server counts, the calls to deprecated APIs. The twin counts none of its own; those that the
//! world declares as seen by EKS are also in its API server's metric.

use std::fmt::Write as _;

use http::StatusCode;

use super::{Answer, Call, access};
use crate::cloud::Raw;
use crate::error::{ApiError, ApiResult};
use crate::world::World;

const NAME: &str = "apiserver_requested_deprecated_apis";

/// The answer, where the path is this one.
pub(super) fn answer(world: &World, call: &Call) -> ApiResult<Option<Answer>> {
    if call.path != "/metrics" {
        return Ok(None);
    }
    if call.method != "GET" {
        return Err(ApiError::not_simulated(format!("{} {}", call.method, call.path)));
    }
    if let Some(user) = access::kept_from(world, call, "/metrics")? {
        let message = format!("forbidden: User {user:?} cannot get path \"/metrics\"");
        return Err(ApiError::new(StatusCode::FORBIDDEN, "Forbidden", message));
    }
    let mut body = format!(
        "# HELP {NAME} [STABLE] Gauge of deprecated APIs that have been requested, broken out by API group, version, resource, subresource, and removed_release.\n# TYPE {NAME} gauge\n"
    );
    let cloud = world.cloud();
    let uses = cloud
        .face()
        .and_then(|name| cloud.eks.clusters.get(name))
        .into_iter()
        .flat_map(|c| &c.deprecated_use);
    for used in uses {
        let parts: Vec<&str> = used.usage.trim_start_matches('/').split('/').collect();
        let (group, version, resource) = match parts.as_slice() {
            ["apis", group, version, resource, ..] => (*group, *version, *resource),
            ["api", version, resource, ..] => ("", *version, *resource),
            _ => continue,
        };
        let removed = &used.stop_serving;
        let _ = writeln!(
            body,
            "{NAME}{{group=\"{group}\",removed_release=\"{removed}\",resource=\"{resource}\",subresource=\"\",version=\"{version}\"}} 1"
        );
    }
    Ok(Some(Answer::Raw(Raw {
        code: 200,
        content_type: "text/plain; version=0.0.4; charset=utf-8",
        headers: Vec::new(),
        body,
    })))
}
