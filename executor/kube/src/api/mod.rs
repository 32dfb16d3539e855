//! The API server: requests with a deadline, and answers as plain JSON.
//!
//! [`Reader`] can send nothing but GET, so whatever is built on it alone is read-only by construction. Objects are never
//! typed: an older or newer server may hold fields that no release of this program knows, and they must survive.

pub(crate) mod classify;
mod discovery;
mod kinds;
mod list;
mod odd;
mod path;
mod seen;

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use kube::client::Body;
use serde_json::Value;

pub(crate) use kinds::{Kinds, Resource};
pub(crate) use list::Query;
pub(crate) use path::{object_path, query_path};
pub(crate) use seen::{Seen, Sought, another};

use classify::{CallError, Status};

/// The name under which we write.
pub(crate) const MANAGER: &str = "switchback";

/// Whole objects.
const JSON: &str = "application/json";
/// Metadata of objects alone: a fraction of their size.
const METADATA: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

/// Sends GET requests, and nothing else.
#[derive(Clone)]
pub(crate) struct Reader {
    client: kube::Client,
    deadline: Duration,
}

/// Sends all requests.
#[derive(Clone)]
pub(crate) struct Writer {
    /// The reading half.
    pub(crate) read: Reader,
}

/// How a patch is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PatchKind {
    /// Server-side apply.
    Apply,
    /// JSON merge patch.
    Merge,
    /// JSON patch.
    Json,
}

impl PatchKind {
    fn content_type(self) -> &'static str {
        match self {
            Self::Apply => "application/apply-patch+yaml",
            Self::Merge => "application/merge-patch+json",
            Self::Json => "application/json-patch+json",
        }
    }
}

impl Reader {
    pub(crate) fn new(client: kube::Client, deadline: Duration) -> Self {
        Self { client, deadline }
    }

    /// Reads a path. What comes back is an answer and no evidence yet, so it stays in this module.
    async fn get(&self, path: &str) -> Result<Value, CallError> {
        self.get_as(path, JSON).await
    }

    /// Reads a path in one of the forms that the API server offers.
    async fn get_as(&self, path: &str, accept: &str) -> Result<Value, CallError> {
        let (status, bytes) = self.answer(request(Method::GET, path, None, accept)?).await?;
        read_answer(status, &bytes)
    }

    /// Reads a path that answers with plain text.
    pub(crate) async fn text(&self, path: &str) -> Result<String, CallError> {
        let (status, bytes) = self.answer(request(Method::GET, path, None, "text/plain")?).await?;
        if !status.is_success() {
            return Err(CallError::Refused(Status::read(status, &bytes)));
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Asks the API server's authorisation, which stores nothing: whether it says yes.
    pub(crate) async fn is_allowed(&self, kind: &str, spec: &Value) -> Result<bool, CallError> {
        let path = format!("/apis/authorization.k8s.io/v1/{}s", kind.to_lowercase());
        let body = serde_json::json!({"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec});
        let answer = self.send(Method::POST, &path, Some(("application/json", &body))).await?;
        review(kind, &answer)
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, &Value)>,
    ) -> Result<Value, CallError> {
        let (status, bytes) = self.answer(request(method, path, body, JSON)?).await?;
        read_answer(status, &bytes)
    }

    async fn answer(&self, request: Request<Body>) -> Result<(StatusCode, Bytes), CallError> {
        let answered = async {
            let response = self.client.send(request).await.map_err(|e| CallError::from_client(&e))?;
            let status = response.status();
            let bytes = response.into_body().collect_bytes().await.map_err(|e| CallError::lost(&e))?;
            Ok((status, bytes))
        };
        match tokio::time::timeout(self.deadline, answered).await {
            Ok(answered) => answered,
            Err(_) => Err(CallError::Deadline { seconds: self.deadline.as_secs() }),
        }
    }
}

impl Writer {
    pub(crate) fn new(read: Reader) -> Self {
        Self { read }
    }

    /// Creates an object.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value, CallError> {
        seen::written(body, self.read.send(Method::POST, path, Some(("application/json", body))).await?)
    }

    /// Requests an eviction, which is answered with a Status.
    pub(crate) async fn evict(&self, path: &str, eviction: &Value) -> Result<(), CallError> {
        let answer = self.read.send(Method::POST, path, Some(("application/json", eviction))).await?;
        seen::accepted(&answer)
    }

    /// Replaces an object.
    pub(crate) async fn put(&self, path: &str, body: &Value) -> Result<Value, CallError> {
        seen::written(body, self.read.send(Method::PUT, path, Some(("application/json", body))).await?)
    }

    /// Patches an object, or one of its subresources.
    pub(crate) async fn patch(
        &self,
        (sought, path): (Sought<'_>, &str),
        kind: PatchKind,
        body: &Value,
    ) -> Result<Seen, CallError> {
        sought.seen(self.read.send(Method::PATCH, path, Some((kind.content_type(), body))).await?)
    }

    /// Deletes an object; the body holds preconditions. It is answered with a Status, or with the object where a finalizer keeps it.
    pub(crate) async fn delete(&self, sought: Sought<'_>, body: &Value) -> Result<(), CallError> {
        let path = sought.path()?;
        let answer = self.read.send(Method::DELETE, &path, Some(("application/json", body))).await?;
        seen::accepted(&answer).or_else(|odd| sought.seen(answer).map(drop).map_err(|_| odd))
    }
}

fn request(
    method: Method,
    path: &str,
    body: Option<(&str, &Value)>,
    accept: &str,
) -> Result<Request<Body>, CallError> {
    let mut builder = Request::builder().method(method).uri(path).header("accept", accept);
    let body = match body {
        Some((content_type, value)) => {
            builder = builder.header("content-type", content_type);
            Body::from(value.to_string().into_bytes())
        }
        None => Body::empty(),
    };
    builder.body(body).map_err(|e| CallError::Malformed { what: format!("request for {path}: {e}") })
}

fn read_answer(status: StatusCode, bytes: &[u8]) -> Result<Value, CallError> {
    if status.is_success() {
        return serde_json::from_slice(bytes)
            .map_err(|e| CallError::Garbled { what: format!("{status} with a body that is not JSON: {e}") });
    }
    Err(CallError::Refused(Status::read(status, bytes)))
}

/// What a review says. A no that comes of an authorizer which failed is none.
fn review(kind: &str, answer: &Value) -> Result<bool, CallError> {
    let status = |field: &str| answer.pointer(&format!("/status/{field}"));
    let garbled = |what: String| CallError::Garbled { what };
    match (status("allowed").and_then(Value::as_bool), status("evaluationError").and_then(Value::as_str)) {
        (Some(false), Some(error)) if !error.is_empty() && status("denied") != Some(&Value::Bool(true)) => {
            Err(garbled(format!("a {kind} that could not be evaluated: {error}")))
        }
        (Some(allowed), _) => Ok(allowed),
        (None, _) => Err(garbled(format!("a {kind} without status.allowed"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_no_of_an_authorizer_that_failed_is_no_answer() {
        let said = |status: Value| review("SubjectAccessReview", &json!({"status": status})).ok();
        assert_eq!(said(json!({"allowed": true, "evaluationError": "webhook: timeout"})), Some(true));
        assert_eq!(said(json!({"allowed": false})), Some(false));
        assert_eq!(said(json!({"allowed": false, "evaluationError": ""})), Some(false));
        assert_eq!(
            said(json!({"allowed": false, "denied": true, "evaluationError": "node: no graph"})),
            Some(false)
        );
        assert_eq!(said(json!({"allowed": false, "evaluationError": "webhook: timeout"})), None);
        assert_eq!(said(json!({})), None);
    }
}
