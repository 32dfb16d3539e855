//! Signature Version 4, as a server checks it: from what came in and the secret alone.
//!
//! Source: AWS General Reference, "Create a signed AWS API request". The time of a signature is not held against the twin's
//! clock, since whoever signs has a clock of his own.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest as _, Sha256};

use crate::call::{Call, decode};

/// All but letters, digits and `-._~`.
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same for a whole path.
const PATH: &AsciiSet = &PART.remove(b'/');

/// What a signature says about itself.
struct Signed {
    scope: String,
    headers: String,
    signature: String,
    date: String,
    payload: String,
    query: String,
}

/// Whether the signature of a call is one of this secret.
pub(crate) fn holds(call: &Call, secret: &str) -> bool {
    parse(call).is_some_and(|signed| expected(call, secret, &signed).as_ref() == Some(&signed.signature))
}

/// What the signature of a call would be with this secret.
fn expected(call: &Call, secret: &str, signed: &Signed) -> Option<String> {
    let (date, rest) = signed.scope.split_once('/')?;
    let mut parts = rest.split('/');
    let (region, service) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let headers = signed.headers.split(';').fold(String::new(), |mut out, name| {
        let _ = writeln!(out, "{name}:{}", value(call, name));
        out
    });
    let canonical = [
        call.method.as_str(),
        &path(&call.raw_path),
        &signed.query,
        &headers,
        &signed.headers,
        &signed.payload,
    ]
    .join("\n");
    let text =
        ["AWS4-HMAC-SHA256", &signed.date, &signed.scope, &hex::encode(Sha256::digest(canonical))].join("\n");
    let seed = format!("AWS4{secret}").into_bytes();
    let key = [date, region, service, "aws4_request"].iter().try_fold(seed, |key, part| hmac(&key, part))?;
    hmac(&key, &text).map(hex::encode)
}

fn value(call: &Call, name: &str) -> String {
    call.header(name).unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn parse(call: &Call) -> Option<Signed> {
    if let Some(signature) = call.param("X-Amz-Signature") {
        let (_, scope) = call.param("X-Amz-Credential")?.split_once('/')?;
        return Some(Signed {
            scope: scope.to_owned(),
            headers: call.param("X-Amz-SignedHeaders")?.to_owned(),
            signature: signature.to_owned(),
            date: call.param("X-Amz-Date")?.to_owned(),
            payload: hex::encode(Sha256::digest(&call.body)),
            query: query(call, "X-Amz-Signature"),
        });
    }
    let text = call.header("authorization")?.strip_prefix("AWS4-HMAC-SHA256")?;
    let part = |name: &str| text.split(',').find_map(|p| p.trim().strip_prefix(name)).map(str::to_owned);
    let credential = part("Credential=")?;
    Some(Signed {
        scope: credential.split_once('/')?.1.to_owned(),
        headers: part("SignedHeaders=")?,
        signature: part("Signature=")?,
        date: call.header("x-amz-date")?.to_owned(),
        payload: hex::encode(Sha256::digest(&call.body)),
        query: query(call, ""),
    })
}

fn query(call: &Call, without: &str) -> String {
    let mut all: Vec<String> = call
        .query
        .iter()
        .filter(|(name, _)| name != without)
        .map(|(name, value)| format!("{}={}", encode(name, PART), encode(value, PART)))
        .collect();
    all.sort();
    all.join("&")
}

/// The path, whose parts are encoded once more than they were sent.
fn path(raw: &str) -> String {
    let once = raw.split('/').map(|p| encode(&decode(p), PART)).collect::<Vec<_>>().join("/");
    encode(if once.is_empty() { "/" } else { &once }, PATH)
}

fn encode(text: &str, set: &'static AsciiSet) -> String {
    utf8_percent_encode(text, set).to_string()
}

/// Nothing only where the key could not be one, which no length of it is.
fn hmac(key: &[u8], message: &str) -> Option<Vec<u8>> {
    let mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    Some(mac.chain_update(message).finalize().into_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of AWS's own documentation (`GET ?Action=ListUsers` of IAM).
    #[test]
    fn the_documented_example_holds() {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut call = Call {
            method: "GET".into(),
            path: "/".into(),
            raw_path: "/".into(),
            query: crate::call::query("Action=ListUsers&Version=2010-05-08"),
            headers: vec![
                header("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
                header("host", "iam.amazonaws.com"),
                header("x-amz-date", "20150830T123600Z"),
                header(
                    "authorization",
                    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
                ),
            ],
            ..Call::default()
        };
        assert!(holds(&call, "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"));
        assert!(!holds(&call, "another"));
        call.query = crate::call::query("Action=ListRoles&Version=2010-05-08");
        assert!(!holds(&call, "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"));
    }

    #[test]
    fn names_with_signs_are_encoded_twice() {
        assert_eq!(path("/clusters/a%3Ab"), "/clusters/a%253Ab");
        assert_eq!(path("/"), "/");
    }
}
