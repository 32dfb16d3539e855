//! A call over HTTP as both faces of the platform get it, and an answer that is written already.

use percent_encoding::percent_decode_str;

/// A call as it came in.
#[derive(Debug, Clone, Default)]
pub(crate) struct Call {
    /// HTTP method.
    pub method: String,
    /// Path without the query.
    pub path: String,
    /// Decoded query parameters.
    pub query: Vec<(String, String)>,
    /// `Content-Type` without parameters.
    pub content_type: String,
    /// Bearer token.
    pub token: Option<String>,
    /// First word of `User-Agent`, up to its slash.
    pub agent: String,
    /// The path as it was sent.
    pub raw_path: String,
    /// Headers by lower-case name.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Call {
    /// A query parameter.
    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// A header, by its lower-case name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// Whether a query parameter says yes.
    pub(crate) fn flag(&self, name: &str) -> bool {
        matches!(self.param(name), Some("true" | "1" | ""))
    }
}

/// An answer as it goes out.
#[derive(Debug, Clone)]
pub(crate) struct Raw {
    /// HTTP status.
    pub code: u16,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// Other headers.
    pub headers: Vec<(&'static str, String)>,
    /// Body.
    pub body: String,
}

/// Decodes percent signs; `+` stays in paths.
pub(crate) fn decode(part: &str) -> String {
    percent_decode_str(part).decode_utf8_lossy().into_owned()
}

/// Reads a query.
pub(crate) fn query(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|p| !p.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(&name.replace('+', " ")), decode(&value.replace('+', " ")))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_decoded() {
        assert_eq!(
            query("labelSelector=a%3Db%2Cc&watch"),
            [("labelSelector".into(), "a=b,c".into()), ("watch".into(), String::new())]
        );
        assert_eq!(decode("100%"), "100%");
    }
}
