//! What an answer, or its absence, means: the one place where that is decided.
//!
//! Two questions are answered for a write: did it happen, and what kind of trouble was it. The first has no default. A
//! connection that was never made and an answer that refuses are *not done*; everything that broke off after the request
//! may have left is *in doubt*. For a read the first question does not arise.

use std::error::Error as StdError;

use http::StatusCode;
use serde_json::Value;
use switchback_executor::{
    ports::{Certainty, Classify, FailedCall},
    untrusted::text,
};
use switchback_schemas::journal::{Class, Evidence};

use super::odd::Odd;

/// Why a call has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallError {
    /// No connection was made, so nothing was sent.
    #[error("the API server cannot be reached: {what}")]
    NotSent {
        /// What was said.
        what: String,
    },
    /// There are no usable credentials, so nothing was sent.
    #[error("no usable credentials for the API server: {what}")]
    NoCredentials {
        /// What was said.
        what: String,
    },
    /// The connection broke after the request may have left.
    #[error("the connection to the API server broke: {what}")]
    Lost {
        /// What was said.
        what: String,
    },
    /// The answer did not come in time.
    #[error("the API server did not answer within {seconds} s")]
    Deadline {
        /// How long was waited.
        seconds: u64,
    },
    /// An answer that says yes and cannot be understood.
    #[error("the API server's answer cannot be read: {what}")]
    Garbled {
        /// What was wrong.
        what: String,
    },
    /// An answer that says yes and is no evidence: of something else than what was asked for.
    #[error("the API server's answer is no evidence: {0}")]
    Odd(Odd),
    /// A request that must not be sent: a name that is none, an object without a namespace.
    #[error("a request that cannot be sent: {what}")]
    Malformed {
        /// What was wrong.
        what: String,
    },
    /// The API server does not serve the kind in this version.
    #[error("the API server does not serve {kind} in {api_version}")]
    NotServed {
        /// Group and version.
        api_version: String,
        /// The kind.
        kind: String,
    },
    /// An answer that says no.
    #[error("{0}")]
    Refused(Status),
}

/// An answer that says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}{}{reason}: {message}", if .reason.is_empty() { "" } else { " " })]
pub(crate) struct Status {
    /// The HTTP status.
    pub(crate) code: u16,
    /// `NotFound`, `Conflict`, …; may be empty.
    pub(crate) reason: String,
    /// The name of the object that it is about; may be empty.
    pub(crate) about: String,
    /// What was said, cleaned.
    pub(crate) message: String,
    /// Its causes.
    pub(crate) causes: Vec<Cause>,
}

/// One cause of a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cause {
    /// `FieldManagerConflict`, `DisruptionBudget`, …
    pub(crate) reason: String,
    /// What was said, cleaned.
    pub(crate) message: String,
    /// The field; may be empty.
    pub(crate) field: String,
}

impl Status {
    /// Reads an answer that says no.
    pub(crate) fn read(code: StatusCode, body: &[u8]) -> Self {
        let status: Value = serde_json::from_slice(body).unwrap_or_default();
        let clean = |value: Option<&Value>| text::line(value.and_then(Value::as_str).unwrap_or_default());
        let message = match status.get("message") {
            Some(message) => clean(Some(message)),
            None => text::line(&String::from_utf8_lossy(body)),
        };
        let cause = |cause: &Value| Cause {
            reason: clean(cause.get("reason")),
            message: clean(cause.get("message")),
            field: clean(cause.get("field")),
        };
        let causes = status.pointer("/details/causes").and_then(Value::as_array);
        Self {
            code: code.as_u16(),
            reason: clean(status.get("reason")),
            about: clean(status.pointer("/details/name")),
            message,
            causes: causes.into_iter().flatten().map(cause).collect(),
        }
    }

    /// The cause with this reason.
    pub(crate) fn cause(&self, reason: &str) -> Option<&Cause> {
        self.causes.iter().find(|cause| cause.reason == reason)
    }

    /// A JSON patch whose test failed: the API server says no more than this.
    fn is_failed_test(&self) -> bool {
        self.code == 422
            && self.causes.is_empty()
            && self.message.starts_with("the server rejected our request")
    }

    fn judge(&self) -> (Certainty, Class) {
        use Certainty::{InDoubt, NotDone};
        let says = |part: &str| self.message.contains(part);
        match self.code {
            // With whatever status the webhook likes.
            _ if says("admission webhook ") && says(" denied the request") => (NotDone, Class::Vetoed),
            401 => (NotDone, Class::Denied),
            403 if says("exceeded quota") => (NotDone, Class::Throttled),
            // Authorisation says who may not do what; quotas, admission and webhooks refuse with the same status, and say of what.
            // Something in between that lets nobody through says neither.
            403 if says(" cannot ") || !says(" is forbidden: ") => (NotDone, Class::Denied),
            // Of a server that does not know the path, or of something in between: nothing is said of any object.
            404 if self.about.is_empty() => (NotDone, Class::Unreachable),
            409 | 410 => (NotDone, Class::Conflict),
            422 if self.is_failed_test() => (NotDone, Class::Conflict),
            429 => (NotDone, Class::Throttled),
            500 if says("failed calling webhook") => (NotDone, Class::Unreachable),
            500 if says("field not declared in schema") || says("more than one PodDisruptionBudget") => {
                (NotDone, Class::Refused)
            }
            500..=599 => (InDoubt, Class::Unreachable),
            _ => (NotDone, Class::Refused),
        }
    }
}

impl CallError {
    /// What a client's error means.
    pub(crate) fn from_client(error: &kube::Error) -> Self {
        if matches!(error, kube::Error::Auth(_)) {
            return Self::NoCredentials { what: text::chain(error) };
        }
        if never_connected(error) { Self::NotSent { what: text::chain(error) } } else { Self::lost(error) }
    }

    /// A connection that broke.
    pub(crate) fn lost(error: &kube::Error) -> Self {
        Self::Lost { what: text::chain(error) }
    }

    /// The path is not served, or the object is not there.
    pub(crate) fn is_no_path(&self) -> bool {
        matches!(self, Self::Refused(status) if status.code == 404)
    }

    pub(crate) fn is_conflict(&self) -> bool {
        matches!(self, Self::Refused(status) if status.code == 409 || status.is_failed_test())
    }

    /// A UID precondition that does not hold: the object of that name is another one.
    pub(crate) fn is_other_uid(&self) -> bool {
        matches!(self, Self::Refused(status) if status.code == 409 && status.message.contains("UID in the precondition"))
    }

    pub(crate) fn is_forbidden(&self) -> bool {
        matches!(self, Self::Refused(status) if status.code == 403)
    }

    /// A page of a list, or a history, that is too old.
    pub(crate) fn is_expired(&self) -> bool {
        matches!(self, Self::Refused(status) if status.code == 410)
    }

    fn judge(&self) -> (Certainty, Class) {
        match self {
            Self::NotSent { .. } => (Certainty::NotDone, Class::Unreachable),
            Self::NoCredentials { .. } => (Certainty::NotDone, Class::Denied),
            // Who does not answer in time is as far away as who breaks off: that is waited out, and no number of tries is too many.
            Self::Lost { .. } | Self::Garbled { .. } | Self::Odd(_) | Self::Deadline { .. } => {
                (Certainty::InDoubt, Class::Unreachable)
            }
            Self::Malformed { .. } => (Certainty::NotDone, Class::Bug),
            Self::NotServed { .. } => (Certainty::NotDone, Class::Refused),
            Self::Refused(status) => status.judge(),
        }
    }

    fn evidence(&self) -> Evidence {
        let mut lines = vec![text::line(&self.to_string())];
        if let Self::Refused(status) = self {
            let cause = |cause: &Cause| match cause.field.as_str() {
                "" | "<nil>" => cause.message.clone(),
                field => format!("{field}: {}", cause.message),
            };
            let says_more = |line: &String| !line.is_empty() && !status.message.contains(line.as_str());
            lines.extend(status.causes.iter().map(cause).filter(says_more).take(20));
        }
        Evidence(lines)
    }
}

impl Classify for CallError {
    fn classify(&self) -> FailedCall {
        let (certainty, class) = self.judge();
        FailedCall::new(certainty, class, self.evidence())
    }
}

fn never_connected(error: &kube::Error) -> bool {
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<hyper_util::client::legacy::Error>() {
            return error.is_connect();
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use switchback_executor::ports::Failure;
    use switchback_schemas::journal::Outcome;

    fn status(code: u16, body: &Value) -> CallError {
        CallError::Refused(Status::read(StatusCode::from_u16(code).unwrap(), body.to_string().as_bytes()))
    }

    fn says(code: u16, message: &str) -> (Certainty, Class) {
        status(code, &json!({"message": message})).judge()
    }

    #[test]
    fn refusals_are_not_done() {
        use Certainty::NotDone;
        let cases = [
            (401, "Unauthorized", Class::Denied),
            (403, "nodes is forbidden: User \"r\" cannot list resource \"nodes\"", Class::Denied),
            (403, "<html>403 Forbidden</html>", Class::Denied),
            (403, "pods \"x\" is forbidden: exceeded quota: q", Class::Throttled),
            (403, "pods \"x\" is forbidden: violates PodSecurity \"restricted:latest\"", Class::Refused),
            (400, "admission webhook \"v.x\" denied the request: no", Class::Vetoed),
            (403, "admission webhook \"v.x\" denied the request: user cannot do this", Class::Vetoed),
            (400, "strict decoding error: unknown field \"spec.replicaz\"", Class::Refused),
            (404, "404 page not found", Class::Unreachable),
            (409, "the object has been modified", Class::Conflict),
            (422, "the server rejected our request due to an error in our request", Class::Conflict),
            (422, "Pool \"p\" is invalid: spec: size must be under 100", Class::Refused),
            (429, "too many requests", Class::Throttled),
            (500, "failed calling webhook \"deny.wire.dev\": service not found", Class::Unreachable),
            (500, "x: .spec.replicaz: field not declared in schema", Class::Refused),
        ];
        for (code, message, class) in cases {
            assert_eq!(says(code, message), (NotDone, class), "{code} {message}");
        }
    }

    #[test]
    fn what_broke_off_is_in_doubt_for_writes_and_unreachable_for_reads() {
        for error in [
            CallError::Lost { what: "reset".into() },
            CallError::Deadline { seconds: 30 },
            status(500, &json!({"message": "etcdserver: request timed out"})),
            status(503, &json!({})),
            status(504, &json!({"message": "Timeout"})),
        ] {
            assert!(matches!(error.of_write(), Outcome::InDoubt { .. }), "{error}");
            assert_eq!(error.classify().class(), Class::Unreachable, "{error}");
            assert_eq!(error.failure().class, Class::Unreachable, "{error}");
            assert!(matches!(error.of_read(), Outcome::NotDone { class: Class::Unreachable, .. }));
        }
        let refused = CallError::NotSent { what: "connection refused".into() };
        assert!(matches!(refused.of_write(), Outcome::NotDone { class: Class::Unreachable, .. }));
    }

    #[test]
    fn evidence_is_clean_and_names_fields() {
        let error = status(
            409,
            &json!({"message": "Apply failed\u{1b}[31m with 1 conflict", "reason": "Conflict", "details": {"causes": [
                {"reason": "FieldManagerConflict", "message": "conflict with \"hel\u{202e}m\"", "field": ".spec.replicas"}]}}),
        );
        let Failure { evidence, .. } = error.failure();
        assert_eq!(
            evidence.0,
            ["409 Conflict: Apply failed with 1 conflict", ".spec.replicas: conflict with \"helm\""]
        );
    }

    #[test]
    fn answers_that_are_no_status_are_still_told() {
        let error = CallError::Refused(Status::read(StatusCode::NOT_FOUND, b"404 page not found\n"));
        assert_eq!(error.to_string(), "404: 404 page not found");
        assert!(error.is_no_path());
    }
}
