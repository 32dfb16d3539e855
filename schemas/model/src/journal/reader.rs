//! Reading a journal back.
//!
//! A process may die while it appends, so a bad tail with nothing valid after it is no damage: it was never
//! acknowledged, and it is cut off and reported. Anything else that is bad refuses the journal as a whole.

use serde::Deserialize;
use switchback_schemas::{
    format::{Document, Format, Unreadable},
    journal::Record,
};

use super::{HEAD, Head, MAX_JSON, link};

/// What a journal holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journal {
    /// Its records, in order; never empty.
    pub records: Vec<Record>,
    /// Where the next one goes.
    pub head: Head,
    /// How many bytes the records take.
    pub bytes: u64,
    /// What was left of a write that never came to its end.
    pub torn: Option<Torn>,
}

impl Journal {
    /// Whether it has come to where a run was, on the same way: the record after that place names the same line.
    pub fn reaches(&self, place: &Head) -> bool {
        if *place == self.head {
            return true;
        }
        let next = usize::try_from(place.next).ok().and_then(|at| self.records.get(at));
        next.is_some_and(|record| record.seq == place.next && record.prev == place.prev)
    }
}

/// The remains of an append that a crash cut short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Torn {
    /// Where it begins.
    pub offset: u64,
    /// How long it is.
    pub bytes: u64,
}

/// Why bytes are not taken as a journal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Another release wrote it, in a format that this build does not read.
    #[error(transparent)]
    Format(#[from] Unreadable),
    /// It is not what was written.
    #[error(transparent)]
    Damaged(#[from] Corrupt),
}

/// A journal that is not what was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the journal is damaged at byte {offset}, record {seq}: {damage}")]
pub struct Corrupt {
    /// Where the bad line begins.
    pub offset: u64,
    /// The number of the record that was expected there.
    pub seq: u64,
    /// What is wrong with it.
    pub damage: Damage,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// There is no record at all: journals are made with their first record.
    #[error("it holds no record")]
    Empty,
    /// It has no line feed.
    #[error("the line has no end")]
    Unended,
    /// It does not begin with a length and a checksum.
    #[error("the line does not begin with a length and a checksum")]
    Head,
    /// It is not as long as it says.
    #[error("the line is not as long as it says")]
    Length,
    /// A whole record, and something else than a line feed after it. No interrupted write looks like this.
    #[error("a whole record is not followed by the end of its line")]
    Joined,
    /// Its checksum does not match.
    #[error("the checksum does not match")]
    Checksum,
    /// It is not a record. Its checksum matches, so that is what was written: by a newer release, or by somebody else.
    #[error("not a record of this format: {0}")]
    Shape(String),
    /// It has another number than its place.
    #[error("it is numbered {0}: a record was dropped, repeated or moved")]
    Sequence(u64),
    /// It follows another line than the one before it.
    #[error("it does not follow from the line before it")]
    Chain,
}

impl Damage {
    /// Whether an interrupted write can look like this.
    pub(super) fn may_be_torn(&self) -> bool {
        matches!(self, Self::Unended | Self::Head | Self::Length | Self::Checksum)
    }
}

/// Reads all records, and says where the journal ends.
pub fn read(bytes: &[u8]) -> Result<Journal, Refused> {
    format(bytes)?;
    let mut records = Vec::new();
    let mut head = Head::default();
    let mut rest = bytes;
    let offset = |rest: &[u8]| (bytes.len() - rest.len()) as u64;
    let mut torn = None;
    while !rest.is_empty() {
        match take(rest, &head) {
            Ok((record, next, after)) => {
                records.push(record);
                head = next;
                rest = after;
            }
            Err(damage) if damage.may_be_torn() && !any_whole(after_line(rest)) => {
                torn = Some(Torn { offset: offset(rest), bytes: rest.len() as u64 });
                break;
            }
            Err(damage) => return Err(Corrupt { offset: offset(rest), seq: head.next, damage }.into()),
        }
    }
    if records.is_empty() {
        return Err(Corrupt { offset: 0, seq: 0, damage: Damage::Empty }.into());
    }
    Ok(Journal { records, head, bytes: offset(rest), torn })
}

/// The first record as far as every release has written it.
#[derive(Deserialize)]
struct First {
    event: FirstEvent,
}

#[derive(Deserialize)]
struct FirstEvent {
    format: Option<Format>,
}

/// Looks at the format that the first record names, before records of another release are taken for damage.
fn format(bytes: &[u8]) -> Result<(), Unreadable> {
    let line = bytes.split(|byte| *byte == b'\n').next().and_then(unframed);
    let first = line.and_then(|json| serde_json::from_slice::<First>(json).ok());
    first.and_then(|first| first.event.format).map_or(Ok(()), |format| format.check(Document::Journal))
}

/// The record at the beginning of `rest`, the place after it, and what follows.
fn take<'bytes>(rest: &'bytes [u8], head: &Head) -> Result<(Record, Head, &'bytes [u8]), Damage> {
    let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
        return Err(if checked(rest) == Err(Damage::Joined) { Damage::Joined } else { Damage::Unended });
    };
    let (line, after) = rest.split_at(end);
    let json = checked(line)?;
    let record: Record = serde_json::from_slice(json).map_err(|error| Damage::Shape(error.to_string()))?;
    if record.seq != head.next {
        return Err(Damage::Sequence(record.seq));
    }
    if record.prev != head.prev {
        return Err(Damage::Chain);
    }
    let next = Head { next: head.next.saturating_add(1), prev: link(line) };
    Ok((record, next, after.get(1..).unwrap_or_default()))
}

/// The JSON of a line, if its length and checksum hold.
fn unframed(line: &[u8]) -> Option<&[u8]> {
    checked(line).ok()
}

/// The JSON of a line whose length and checksum hold.
pub(super) fn checked(line: &[u8]) -> Result<&[u8], Damage> {
    let (head, json) = line.split_at_checked(HEAD).ok_or(Damage::Head)?;
    let number = |digits: Option<&[u8]>| {
        let lower = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
        let digits = digits.filter(|digits| digits.iter().all(lower))?;
        u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let spaced = head.get(8) == Some(&b' ') && head.get(17) == Some(&b' ');
    let (Some(length), Some(crc), true) = (number(head.get(..8)), number(head.get(9..17)), spaced) else {
        return Err(Damage::Head);
    };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if json.get(..length).is_some_and(|whole| whole.len() < json.len() && crc32c::crc32c(whole) == crc) {
        return Err(Damage::Joined);
    }
    if json.len() > MAX_JSON || json.len() != length {
        return Err(Damage::Length);
    }
    match crc32c::crc32c(json) == crc {
        true => Ok(json),
        false => Err(Damage::Checksum),
    }
}

fn after_line(rest: &[u8]) -> &[u8] {
    let end = rest.iter().position(|byte| *byte == b'\n');
    end.and_then(|end| rest.get(end + 1..)).unwrap_or_default()
}

/// Whether a whole line stands anywhere in what follows a bad one.
fn any_whole(rest: &[u8]) -> bool {
    rest.split(|byte| *byte == b'\n').any(|line| unframed(line).is_some())
}
