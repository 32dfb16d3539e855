//! A twin's control endpoints.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use serde_json::Value;

/// One request on loopback.
pub(crate) fn call(endpoint: &str, method: &str, path: &str, body: &str) -> Value {
    send(endpoint, method, path, ("application/json", body))
}

/// The same with a body of a type.
pub(crate) fn send(endpoint: &str, method: &str, path: &str, (kind, body): (&str, &str)) -> Value {
    let address = endpoint.strip_prefix("http://").expect("an endpoint");
    let mut stream = TcpStream::connect(address).expect("the twin listens");
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.0\r\nhost: {address}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(head.as_bytes()).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("HTTP");
    assert!(head.contains(" 200 ") || head.contains(" 201 "), "{method} {path}: {head} {body}");
    serde_json::from_str(body).expect("JSON")
}
