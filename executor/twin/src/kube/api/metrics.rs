//! `/metrics`: of all that an API server counts, the calls to deprecated APIs. The twin counts none of its own; those that the
//! world declares as seen by the provider are also in its API server's metric.

use std::fmt::Write as _;

use http::StatusCode;

use super::{Answer, access};
use crate::call::{Call, Raw};
use crate::kube::error::{ApiError, ApiResult};
use crate::kube::neighbours::Neighbours;
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
    let provider = Neighbours::of(world).provider;
    for calls in provider.map(|p| p.deprecated_calls(world)).unwrap_or_default() {
        let parts: Vec<&str> = calls.path.trim_start_matches('/').split('/').collect();
        let (group, version, resource) = match parts.as_slice() {
            ["apis", group, version, resource, ..] => (*group, *version, *resource),
            ["api", version, resource, ..] => ("", *version, *resource),
            _ => continue,
        };
        let removed = &calls.removed_in;
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
