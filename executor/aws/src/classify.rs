//! What an answer, or its absence, means: the one place where that is decided.
//!
//! A connection that was never made and an answer that refuses are *not done*; what broke off after the request may have left
//! is *in doubt*. Only an answer that names an error of the API is an answer of the API: a bare 404 of something in between
//! says nothing about what is there.

use std::error::Error as StdError;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use switchback_executor::{
    ports::{Certainty, Classify, FailedCall},
    untrusted::text,
};
use switchback_schemas::journal::{Class, Evidence, WaitsFor};

use crate::codes::{CONFLICTS, DENIED, EXPIRED, THROTTLED, is_capacity};

/// Why a call has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallError {
    /// There are no usable credentials, so nothing was sent.
    #[error("no usable credentials for AWS: {what}")]
    NoCredentials {
        /// What was said.
        what: String,
    },
    /// No connection was made, so nothing was sent.
    #[error("AWS cannot be reached: {what}")]
    NotSent {
        /// What was said.
        what: String,
    },
    /// The connection broke after the request may have left.
    #[error("the connection to AWS broke: {what}")]
    Lost {
        /// What was said.
        what: String,
    },
    /// The answer did not come in time.
    #[error("AWS did not answer in time: {what}")]
    Deadline {
        /// What was said.
        what: String,
    },
    /// An answer that says yes and cannot be understood.
    #[error("the answer of AWS cannot be read: {what}")]
    Garbled {
        /// What was wrong.
        what: String,
    },
    /// A request that must not be sent.
    #[error("{what}")]
    Malformed {
        /// What was wrong.
        what: String,
    },
    /// An answer that says no.
    #[error("{0}")]
    Refused(Fault),
}

/// An answer that says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", if code.is_empty() { format!("{status} without an error of the API: ") } else { format!("{code}: ") })]
pub(crate) struct Fault {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The API's own name of the error; empty when the answer has none, which is then no answer of the API.
    pub(crate) code: String,
    /// What was said, cleaned.
    pub(crate) message: String,
}

impl Fault {
    fn judge(&self) -> (Certainty, Class) {
        use Certainty::{InDoubt, NotDone};
        let code = self.code.as_str();
        match self.status {
            _ if THROTTLED.contains(&code) => (NotDone, Class::Throttled),
            _ if EXPIRED.contains(&code) || DENIED.contains(&code) => (NotDone, Class::Denied),
            _ if CONFLICTS.contains(&code) => (NotDone, Class::Conflict),
            429 => (NotDone, Class::Throttled),
            408 | 500.. => (InDoubt, Class::Unreachable),
            // Something in between answered, and nothing reached the API.
            _ if code.is_empty() => (NotDone, Class::Unreachable),
            _ => (NotDone, Class::Refused),
        }
    }
}

impl CallError {
    /// What an error of the SDK means.
    pub(crate) fn from_sdk<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + StdError + 'static,
    {
        if let Some(what) = no_credentials(error) {
            return Self::NoCredentials { what };
        }
        match error {
            SdkError::ConstructionFailure(_) => {
                Self::Malformed { what: format!("a request that cannot be sent: {}", text::chain(error)) }
            }
            SdkError::TimeoutError(_) => Self::Deadline { what: text::chain(error) },
            SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
                Some(failure) => Self::from_connector(failure, failure.is_timeout()),
                None => Self::Lost { what: text::chain(error) },
            },
            SdkError::ResponseError(failure) => unread(failure.raw().status().as_u16(), &text::chain(error)),
            SdkError::ServiceError(failure) => {
                let status = failure.raw().status().as_u16();
                match failure.err().code() {
                    Some(code) => Self::refused(status, code, failure.err().message().unwrap_or_default()),
                    None => unread(status, &text::chain(error)),
                }
            }
            _ => Self::Lost { what: text::chain(error) },
        }
    }

    /// What a connector's error means.
    pub(crate) fn from_connector(error: &(dyn StdError + 'static), timeout: bool) -> Self {
        let what = text::chain(error);
        match timeout {
            _ if never_connected(error) => Self::NotSent { what },
            true => Self::Deadline { what },
            false => Self::Lost { what },
        }
    }

    /// An answer that says no.
    pub(crate) fn refused(status: u16, code: &str, message: &str) -> Self {
        // Query APIs and REST APIs spell some faults differently.
        let code = code.rsplit(['#', ':']).next().unwrap_or(code);
        let code = code.strip_suffix("Fault").unwrap_or(code);
        Self::Refused(Fault { status, code: text::line(code), message: text::line(message) })
    }

    /// A request that must not be sent.
    pub(crate) fn malformed(what: impl Into<String>) -> Self {
        Self::Malformed { what: what.into() }
    }

    /// The API's own name of the error; empty when there is none.
    pub(crate) fn code(&self) -> &str {
        match self {
            Self::Refused(fault) => &fault.code,
            _ => "",
        }
    }

    /// What the API said; empty when it said nothing.
    pub(crate) fn message(&self) -> &str {
        match self {
            Self::Refused(fault) => &fault.message,
            _ => "",
        }
    }

    /// The API itself says that the thing is not there.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(
            self.code(),
            "ResourceNotFoundException"
                | "ResourceNotFound"
                | "DBInstanceNotFound"
                | "DBSnapshotNotFound"
                | "InvalidInstanceID.NotFound"
        )
    }

    /// Somebody is at it already.
    pub(crate) fn is_in_use(&self) -> bool {
        matches!(self.code(), "ResourceInUseException" | "ResourceInUse")
    }

    /// Something of that name is there already.
    pub(crate) fn already_exists(&self) -> bool {
        self.is_in_use() || matches!(self.code(), "DBInstanceAlreadyExists" | "DBSnapshotAlreadyExists")
    }

    /// Other credentials may do.
    pub(crate) fn is_expired(&self) -> bool {
        EXPIRED.contains(&self.code())
    }

    /// A later call may be answered.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self.judge().1, Class::Throttled | Class::Unreachable)
    }

    fn judge(&self) -> (Certainty, Class) {
        match self {
            Self::NoCredentials { .. } => (Certainty::NotDone, Class::Denied),
            Self::NotSent { .. } => (Certainty::NotDone, Class::Unreachable),
            // An outage is waited out: no number of tries that nobody answered in time makes it a failure.
            Self::Lost { .. } | Self::Garbled { .. } | Self::Deadline { .. } => {
                (Certainty::InDoubt, Class::Unreachable)
            }
            Self::Malformed { .. } => (Certainty::NotDone, Class::Bug),
            Self::Refused(fault) => fault.judge(),
        }
    }

    /// For people.
    pub(crate) fn line(&self) -> String {
        text::line(&self.to_string())
    }

    fn evidence(&self) -> Evidence {
        Evidence::line(self.line())
    }
}

impl Classify for CallError {
    fn classify(&self) -> FailedCall {
        let (certainty, class) = self.judge();
        let failed = FailedCall::new(certainty, class, self.evidence());
        let message = self.line();
        match class {
            Class::Denied => failed.waiting(WaitsFor::Credentials { message }),
            _ if is_capacity(self.code()) => failed.waiting(WaitsFor::Capacity { message }),
            _ => failed,
        }
    }
}

/// An answer that has no error of the API in it.
fn unread(status: u16, what: &str) -> CallError {
    match status {
        200..=299 => CallError::Garbled { what: text::line(what) },
        _ => CallError::Refused(Fault { status, code: String::new(), message: text::line(what) }),
    }
}

fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

fn no_credentials(error: &(dyn StdError + 'static)) -> Option<String> {
    causes(error).any(<dyn StdError>::is::<CredentialsError>).then(|| text::chain(error))
}

fn never_connected(error: &(dyn StdError + 'static)) -> bool {
    causes(error)
        .filter_map(|cause| cause.downcast_ref::<hyper_util::client::legacy::Error>())
        .any(hyper_util::client::legacy::Error::is_connect)
}

#[cfg(test)]
mod tests {
    use super::*;
    use switchback_schemas::journal::Outcome;

    #[test]
    fn refusals_are_classified_by_the_apis_own_code() {
        let cases = [
            (400, "ThrottlingException", Class::Throttled),
            (400, "Throttling", Class::Throttled),
            (409, "ResourceInUseException", Class::Conflict),
            (400, "InvalidDBInstanceState", Class::Conflict),
            (400, "InvalidParameterException", Class::Refused),
            (404, "ResourceNotFoundException", Class::Refused),
        ];
        for (status, code, class) in cases {
            let outcome = CallError::refused(status, code, "m").of_write();
            assert!(
                matches!(&outcome, Outcome::NotDone { class: found, .. } if *found == class),
                "{code}: {outcome:?}"
            );
        }
        assert_eq!(
            CallError::refused(400, "DBSnapshotAlreadyExistsFault", "").code(),
            "DBSnapshotAlreadyExists"
        );
        assert_eq!(
            CallError::refused(400, "com.amazonaws.eks#ClientException", "").code(),
            "ClientException"
        );
    }

    #[test]
    fn credentials_and_capacity_block_and_are_no_failure() {
        for code in
            ["ExpiredTokenException", "ExpiredToken", "AccessDeniedException", "UnauthorizedOperation"]
        {
            let outcome = CallError::refused(403, code, "no").of_write();
            let Outcome::Blocked { waits_for } = &outcome else { panic!("{code}: {outcome:?}") };
            assert!(matches!(waits_for.as_slice(), [WaitsFor::Credentials { .. }]), "{code}");
        }
        let none = CallError::NoCredentials { what: "nothing in the environment".into() };
        assert!(matches!(none.of_read(), Outcome::Blocked { .. }));
        let full = CallError::refused(400, "SnapshotQuotaExceeded", "100 of 100").of_write();
        let Outcome::Blocked { waits_for } = &full else { panic!("{full:?}") };
        assert!(matches!(waits_for.as_slice(), [WaitsFor::Capacity { .. }]));
    }

    #[test]
    fn what_broke_off_is_in_doubt_for_writes_and_unreachable_for_reads() {
        for error in [
            CallError::Lost { what: "reset".into() },
            CallError::Deadline { what: "30 s".into() },
            CallError::refused(500, "ServerException", "oops"),
            CallError::refused(503, "", "busy"),
        ] {
            assert!(matches!(error.of_write(), Outcome::InDoubt { .. }), "{error}");
            assert!(matches!(error.of_read(), Outcome::NotDone { class: Class::Unreachable, .. }), "{error}");
        }
    }

    #[test]
    fn a_404_without_the_apis_own_error_is_no_answer() {
        let error = unread(404, "<html>not found</html>");
        assert!(!error.is_not_found());
        assert!(error.may_pass());
        assert_eq!(error.failure().class, Class::Unreachable);
        assert!(CallError::refused(404, "ResourceNotFoundException", "No cluster found").is_not_found());
    }
}
