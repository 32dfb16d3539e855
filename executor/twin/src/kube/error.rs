//! What the API face refuses, in the words of a real API server.

use http::StatusCode;
use serde_json::{Map, Value, json};

pub(crate) use crate::kinds::Cause;

/// A refusal: everything that a `Status` answer carries.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{code} {reason}: {message}")]
pub(crate) struct ApiError {
    /// HTTP status.
    pub code: u16,
    /// The machine-readable reason; empty where the real server sends none.
    pub reason: &'static str,
    /// The text for people.
    pub message: String,
    /// `details`, where there are any.
    pub details: Option<Value>,
    /// Seconds for `Retry-After`.
    pub retry_after: Option<u32>,
    /// A path that the server does not serve answers in plain text, not with a `Status`.
    pub plain: bool,
}

/// Shorthand for what most functions here return.
pub(crate) type ApiResult<T> = Result<T, ApiError>;

/// The resource an error speaks about, as it is put into `details`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About<'a> {
    /// API group, empty for core.
    pub group: &'a str,
    /// Plural or kind, as the real server prints it at that place.
    pub kind: &'a str,
    /// Object name.
    pub name: &'a str,
}

impl About<'_> {
    fn qualified(&self) -> String {
        if self.group.is_empty() { self.kind.to_owned() } else { format!("{}.{}", self.kind, self.group) }
    }

    fn details(&self) -> Map<String, Value> {
        let mut details = Map::new();
        if !self.name.is_empty() {
            details.insert("name".into(), self.name.into());
        }
        if !self.group.is_empty() {
            details.insert("group".into(), self.group.into());
        }
        details.insert("kind".into(), self.kind.into());
        details
    }
}

impl ApiError {
    /// An error without details.
    pub(crate) fn new(code: StatusCode, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            code: code.as_u16(),
            reason,
            message: message.into(),
            details: None,
            retry_after: None,
            plain: false,
        }
    }

    fn about(code: StatusCode, reason: &'static str, about: About<'_>, message: String) -> Self {
        Self { details: Some(Value::Object(about.details())), ..Self::new(code, reason, message) }
    }

    /// 404 for an object.
    pub(crate) fn not_found(about: About<'_>) -> Self {
        let message = format!("{} {:?} not found", about.qualified(), about.name);
        Self::about(StatusCode::NOT_FOUND, "NotFound", about, message)
    }

    /// 404 for a path: plain text.
    pub(crate) fn no_path() -> Self {
        Self { plain: true, ..Self::new(StatusCode::NOT_FOUND, "", "404 page not found") }
    }

    /// 404 for a version of a known group that is not served.
    pub(crate) fn no_resource() -> Self {
        Self {
            details: Some(json!({})),
            ..Self::new(StatusCode::NOT_FOUND, "NotFound", "the server could not find the requested resource")
        }
    }

    /// 409 for a create of what is there.
    pub(crate) fn already_exists(about: About<'_>) -> Self {
        let message = format!("{} {:?} already exists", about.qualified(), about.name);
        Self::about(StatusCode::CONFLICT, "AlreadyExists", about, message)
    }

    /// 409 for a stale resourceVersion.
    pub(crate) fn stale(about: About<'_>) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} {:?}: the object has been modified; please apply your changes to the latest version and try again",
            about.qualified(),
            about.name
        );
        Self::about(StatusCode::CONFLICT, "Conflict", about, message)
    }

    /// 409 for a precondition on the uid.
    pub(crate) fn wrong_uid(about: About<'_>, wanted: &str, found: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} {:?}: the UID in the precondition ({wanted}) does not match the UID in record ({found}). The object might have been deleted and then recreated",
            about.qualified(),
            about.name
        );
        Self::about(StatusCode::CONFLICT, "Conflict", about, message)
    }

    /// 400.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequest", message)
    }

    /// 422 with one cause a field; `about.kind` is the kind, not the plural.
    pub(crate) fn invalid(about: About<'_>, causes: &[Cause]) -> Self {
        let text = match causes {
            [one] => format!("{}: {}", one.field, one.message),
            many => {
                let all: Vec<String> = many.iter().map(|c| format!("{}: {}", c.field, c.message)).collect();
                format!("[{}]", all.join(", "))
            }
        };
        let message = format!("{} {:?} is invalid: {text}", about.qualified(), about.name);
        let mut details = about.details();
        details.insert("causes".into(), causes.iter().map(Cause::to_json).collect());
        Self {
            details: Some(Value::Object(details)),
            ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message)
        }
    }

    /// 500 without a reason, as the real server answers programming errors of a caller.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "", message)
    }

    /// 501: the twin has no contract row for it.
    pub(crate) fn not_simulated(what: impl std::fmt::Display) -> Self {
        Self::new(
            StatusCode::NOT_IMPLEMENTED,
            "NotImplemented",
            format!("not simulated: {what}; a twin behaviour needs a row in tests/contract"),
        )
    }

    /// Adds `Retry-After`.
    #[must_use]
    pub(crate) fn after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        let details = self.details.get_or_insert_with(|| json!({}));
        if let Some(map) = details.as_object_mut() {
            map.insert("retryAfterSeconds".into(), seconds.into());
        }
        self
    }

    /// Replaces the details.
    #[must_use]
    pub(crate) fn with_details(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }

    /// The `Status` object.
    pub(crate) fn to_status(&self) -> Value {
        let mut status = Map::new();
        status.insert("kind".into(), "Status".into());
        status.insert("apiVersion".into(), "v1".into());
        status.insert("metadata".into(), json!({}));
        status.insert("status".into(), "Failure".into());
        status.insert("message".into(), self.message.clone().into());
        if !self.reason.is_empty() {
            status.insert("reason".into(), self.reason.into());
        }
        if let Some(details) = &self.details {
            status.insert("details".into(), details.clone());
        }
        status.insert("code".into(), self.code.into());
        Value::Object(status)
    }
}
