//! The journal's lines: how a record becomes bytes, and how bytes become records again.
//!
//! One line a record, `<length: 8 hex> <crc32c: 8 hex> <json>\n`. Length and checksum are over the JSON's bytes; hex is
//! lower-case, so that every bit of a line counts. A record names the first 16 bytes of the SHA-256 of the line before
//! it, without its line feed: dropping, repeating, reordering and splicing are seen.

mod reader;
mod side;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use switchback_schemas::journal::{Event, Record};

pub use reader::{Corrupt, Damage, Journal, Refused, Torn, read};
pub use side::Side;

/// Bytes before the JSON: two numbers of eight digits, each followed by a space.
const HEAD: usize = 18;

/// A JSON longer than this is no record of ours; bounds what a reader allocates.
const MAX_JSON: usize = 16 << 20;

/// A record and its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The record.
    pub record: Record,
    /// Its line, with the line feed.
    pub bytes: Vec<u8>,
}

/// Where the next record goes.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Head {
    /// Its sequence number.
    pub next: u64,
    /// What it names as the line before; empty for the first.
    pub prev: String,
}

/// A record that cannot be written as JSON. Records hold nothing that cannot; meeting this is a bug.
#[derive(Debug, thiserror::Error)]
#[error("a journal record cannot be written as JSON: {0}")]
pub struct Unwritable(#[from] serde_json::Error);

impl Head {
    /// Makes the next line and moves on.
    pub fn line(&mut self, epoch: u64, at: Timestamp, event: Event) -> Result<Line, Unwritable> {
        let record = Record { seq: self.next, epoch, at, prev: self.prev.clone(), event };
        let json = serde_json::to_vec(&record)?;
        let mut bytes = framed(&json);
        self.next = self.next.saturating_add(1);
        self.prev = link(&bytes);
        bytes.push(b'\n');
        Ok(Line { record, bytes })
    }
}

/// JSON with its length and checksum before it, without a line feed.
pub fn framed(json: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{:08x} {:08x} ", json.len(), crc32c::crc32c(json)).into_bytes();
    bytes.extend_from_slice(json);
    bytes
}

/// What the record after a line names it by.
fn link(line: &[u8]) -> String {
    let digit = |n: u8| char::from_digit(u32::from(n), 16).unwrap_or('0');
    Sha256::digest(line).iter().take(16).flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
