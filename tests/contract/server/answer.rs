//! An answer, with what rows want to know of it.

use serde_json::Value;

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    of: String,
    pub(crate) status: u16,
    /// JSON, or the text as a string.
    pub(crate) body: Value,
    pub(crate) warnings: Vec<String>,
    pub(crate) retry_after: Option<String>,
    /// `Content-Type`.
    pub(crate) kind: String,
}

impl Answer {
    pub(crate) fn new(of: &str, parts: &http::response::Parts, bytes: &[u8]) -> Self {
        let text = |name: &str| -> Vec<String> {
            parts.headers.get_all(name).iter().filter_map(|v| v.to_str().ok().map(str::to_owned)).collect()
        };
        let body = serde_json::from_slice(bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(bytes).trim().to_owned()));
        Self {
            of: of.to_owned(),
            status: parts.status.as_u16(),
            body,
            warnings: text("warning"),
            retry_after: text("retry-after").pop(),
            kind: text("content-type").pop().unwrap_or_default(),
        }
    }

    /// The body of an answer with this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}: {:#}", self.of, self.body);
        self.body
    }

    /// A refusal with this status and reason; returns its message.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, reason: &str) -> String {
        assert_eq!(self.status, status, "{}: {:#}", self.of, self.body);
        assert_eq!(self.body["kind"], "Status", "{}", self.of);
        assert_eq!(self.body["reason"].as_str().unwrap_or_default(), reason, "{}: {:#}", self.of, self.body);
        assert_eq!(self.body["code"], status, "{}", self.of);
        self.body["message"].as_str().unwrap_or_default().to_owned()
    }
}

/// Text at a pointer.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The status of a condition, empty where there is none.
pub(crate) fn condition<'a>(object: &'a Value, kind: &str) -> &'a str {
    object
        .pointer("/status/conditions")
        .and_then(Value::as_array)
        .and_then(|all| all.iter().find(|c| c["type"] == kind))
        .map(|c| text(c, "/status"))
        .unwrap_or_default()
}
