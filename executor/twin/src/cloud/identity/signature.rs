//! Signature Version 4, as a server checks it: from what came in and the secret alone.
//!
//! Source: AWS General Reference, "Create a signed AWS API request". The time of a signature is not held against the twin's
//! clock, since whoever signs has a clock of his own.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::call::{Call, decode};

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
    let Some(signed) = parse(call) else { return false };
    let Some((date, rest)) = signed.scope.split_once('/') else { return false };
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
    let text = ["AWS4-HMAC-SHA256", &signed.date, &signed.scope, &hex(&Sha256::digest(canonical.as_bytes()))]
        .join("\n");
    let key = ["aws4_request"].iter().fold(
        hmac(
            &hmac(&hmac(format!("AWS4{secret}").as_bytes(), date.as_bytes()), region.as_bytes()),
            service.as_bytes(),
        ),
        |key, last| hmac(&key, last.as_bytes()),
    );
    hex(&hmac(&key, text.as_bytes())) == signed.signature
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
            payload: hex(&Sha256::digest(&call.body)),
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
        payload: hex(&Sha256::digest(&call.body)),
        query: query(call, ""),
    })
}

fn query(call: &Call, without: &str) -> String {
    let mut all: Vec<String> = call
        .query
        .iter()
        .filter(|(name, _)| name != without)
        .map(|(name, value)| format!("{}={}", encode(name, false), encode(value, false)))
        .collect();
    all.sort();
    all.join("&")
}

/// The path, whose parts are encoded once more than they were sent.
fn path(raw: &str) -> String {
    let once = raw.split('/').map(|p| encode(&decode(p), false)).collect::<Vec<_>>().join("/");
    encode(if once.is_empty() { "/" } else { &once }, true)
}

fn encode(text: &str, slashes: bool) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || (slashes && byte == b'/') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    const BLOCK: usize = 64;
    let mut block = if key.len() > BLOCK { Sha256::digest(key).to_vec() } else { key.to_vec() };
    block.resize(BLOCK, 0);
    let padded = |pad: u8| block.iter().map(|b| b ^ pad).collect::<Vec<u8>>();
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
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
