//! A twin's control endpoints, spoken to in plain HTTP on loopback: one short request, one short answer.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::Value;

/// How long a request may take; a clock that moves far lets many actors act.
const WITHIN: Duration = Duration::from_mins(2);

/// Bytes of an answer that are read at most.
const LARGEST: u64 = 256 << 20;

/// A twin's control endpoints.
#[derive(Clone, Debug)]
pub(crate) struct Control {
    address: SocketAddr,
}

/// Why a twin did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ControlError {
    /// It is no address of a twin.
    #[error("{0:?} is no address of a twin, such as http://127.0.0.1:41234")]
    Address(String),
    /// It cannot be reached.
    #[error("the twin at {address} does not answer; is `twin serve` still there")]
    Unreachable {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    /// It refused.
    #[error("the twin refused {what}: {said}")]
    Refused { what: String, said: String },
}

impl Control {
    /// For the endpoint of a mark.
    pub(crate) fn new(endpoint: &str) -> Result<Self, ControlError> {
        let wrong = || ControlError::Address(endpoint.to_owned());
        let address = endpoint.strip_prefix("http://").ok_or_else(wrong)?.trim_end_matches('/');
        Ok(Self { address: address.parse().map_err(|_| wrong())? })
    }

    pub(crate) fn get(&self, path: &str) -> Result<Value, ControlError> {
        self.call("GET", path, None)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value, ControlError> {
        self.call("POST", path, Some(body))
    }

    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, ControlError> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let answer = self
            .exchange(method, path, &body)
            .map_err(|source| ControlError::Unreachable { address: self.address, source })?;
        let refused =
            |said: &str| ControlError::Refused { what: format!("{method} {path}"), said: said.to_owned() };
        let (head, content) =
            answer.split_once("\r\n\r\n").ok_or_else(|| refused("with an answer that is no HTTP"))?;
        if head.split(' ').nth(1) != Some("200") {
            return Err(refused(content));
        }
        serde_json::from_str(content).map_err(|error| refused(&error.to_string()))
    }

    fn exchange(&self, method: &str, path: &str, body: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&self.address, WITHIN)?;
        stream.set_read_timeout(Some(WITHIN))?;
        stream.set_write_timeout(Some(WITHIN))?;
        // HTTP/1.0: the answer is whole when the connection ends.
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.0\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}",
            self.address
        );
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.take(LARGEST).read_to_string(&mut answer)?;
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_twins_are_spoken_to() {
        assert!(Control::new("http://127.0.0.1:80/").is_ok());
        for wrong in ["https://127.0.0.1:80", "http://example.com", "127.0.0.1:80", ""] {
            assert!(Control::new(wrong).is_err(), "{wrong}");
        }
    }
}
