//! As much of HTTP as a test needs to ask a server on loopback.

use std::{
    io::{self, Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

/// A status and a body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// One request on a connection of its own. HTTP/1.0, so that the answer ends with the connection and is in one piece.
pub(crate) fn ask(port: u16, method: &str, path: &str, json: Option<&str>) -> io::Result<Answer> {
    ask_as(&format!("127.0.0.1:{port}"), port, method, path, json)
}

/// The same under another name of the server.
pub(crate) fn ask_as(
    host: &str,
    port: u16,
    method: &str,
    path: &str,
    json: Option<&str>,
) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_mins(1)))?;
    write!(stream, "{method} {path} HTTP/1.0\r\nHost: {host}\r\n")?;
    if let Some(json) = json {
        write!(stream, "Content-Type: application/json\r\nContent-Length: {}\r\n", json.len())?;
    }
    write!(stream, "\r\n{}", json.unwrap_or_default())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    parse(&text).ok_or_else(|| io::Error::other(format!("{method} {path}: no answer of HTTP: {text}")))
}

fn parse(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, body: body.to_owned() })
}
