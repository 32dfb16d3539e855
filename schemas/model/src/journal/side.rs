//! The side log's lines: what people said to a run, each in a place of its own.
//!
//! `<length: 8 hex> <crc32c: 8 hex> {"seq": N, "prev": LINK, "entry": ENTRY}\n`, chained as the journal's lines are. People write without a
//! lease and runs count what they have acted on, so an entry that cannot be read keeps its place: nothing that was said after it is
//! taken for something else, or lost.

use serde::{Deserialize, Serialize};
use switchback_schemas::journal::SideEntry;

use super::{
    Head, Unwritable, framed, link,
    reader::{Damage, checked},
};

/// What people said to a run, as far as it can be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Side {
    /// By place: an entry, or why it cannot be read.
    pub places: Vec<Result<SideEntry, Damage>>,
    /// Lines that nobody wrote here: repeated, moved or put in between, so that they have no place.
    pub strays: usize,
    head: Head,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Chained<E> {
    seq: u64,
    prev: String,
    entry: E,
}

impl FromIterator<SideEntry> for Side {
    fn from_iter<I: IntoIterator<Item = SideEntry>>(entries: I) -> Self {
        Self { places: entries.into_iter().map(Ok).collect(), ..Self::default() }
    }
}

impl Side {
    /// Reads all lines. What a crash cut short was never acknowledged to the person who said it, and is left out.
    pub fn read(bytes: &[u8]) -> Self {
        let mut side = Self::default();
        // What could not be read, until the next line shows whether it had a place.
        let mut unread: Option<(Damage, &[u8])> = None;
        let mut rest = bytes;
        while !rest.is_empty() {
            let end = rest.iter().position(|byte| *byte == b'\n');
            let (line, after) = rest.split_at(end.unwrap_or(rest.len()));
            rest = after.get(1..).unwrap_or_default();
            if line.is_empty() {
                continue;
            }
            let found = chained(line);
            match found {
                Ok(found) if side.follows(&found, unread.is_some()) => {
                    side.skip_to(found.seq, &mut unread);
                    side.head.next = found.seq.saturating_add(1);
                    side.head.prev = link(line);
                    side.places.push(Ok(found.entry));
                }
                // Without the end of its line it is being written, or was when its process died.
                Err(damage) if end.is_none() && damage.may_be_torn() => {}
                Ok(found) => {
                    side.strays += usize::from(unread.is_some());
                    let damage =
                        if found.seq == side.head.next { Damage::Chain } else { Damage::Sequence(found.seq) };
                    unread = Some((damage, line));
                }
                Err(damage) => {
                    side.strays += usize::from(unread.is_some());
                    unread = Some((damage, line));
                }
            }
        }
        if let Some((damage, line)) = unread {
            side.head = Head { next: side.head.next.saturating_add(1), prev: link(line) };
            side.places.push(Err(damage));
        }
        side
    }

    /// Whether a line may come next. After one that cannot be read its link cannot be compared.
    fn follows(&self, found: &Chained<SideEntry>, after_unread: bool) -> bool {
        found.prev == self.head.prev && found.seq == self.head.next
            || after_unread && found.seq > self.head.next
    }

    /// Gives places to what stands before a number and cannot be read. A line without one that a crash cut short has none.
    fn skip_to(&mut self, seq: u64, unread: &mut Option<(Damage, &[u8])>) {
        let Some((damage, _)) = unread.take() else { return };
        let missing = seq.saturating_sub(self.head.next);
        match missing {
            0 => self.strays += usize::from(!damage.may_be_torn()),
            missing => {
                let missing = usize::try_from(missing).unwrap_or(usize::MAX).min(MOST_MISSING);
                self.places.extend(std::iter::repeat_n(Err(damage), missing));
            }
        }
    }

    /// The line of the next entry, with its line feed.
    pub fn line(&self, entry: &SideEntry) -> Result<Vec<u8>, Unwritable> {
        let Head { next: seq, prev } = self.head.clone();
        let mut line = framed(&serde_json::to_vec(&Chained { seq, prev, entry })?);
        line.push(b'\n');
        Ok(line)
    }

    /// That fewer entries are there than were heard already, in words: what is said now would take a place of one of those.
    pub fn cut(&self, heard: u64) -> Option<String> {
        let there = self.places.len();
        let is_cut = u64::try_from(there).is_ok_and(|there| there < heard);
        is_cut.then(|| {
            format!(
                "{heard} entries of what people said to the run were heard, and its side log holds {there}"
            )
        })
    }

    /// What was said and can be read, in order.
    pub fn said(&self) -> impl DoubleEndedIterator<Item = &SideEntry> {
        self.places.iter().filter_map(|place| place.as_ref().ok())
    }

    /// What was said and cannot be read, with the places, from 1.
    pub fn damaged(&self) -> impl Iterator<Item = (usize, &Damage)> {
        self.places.iter().enumerate().filter_map(|(at, place)| Some((at + 1, place.as_ref().err()?)))
    }
}

/// More entries than people say to a run: bounds what one forged number can ask for.
const MOST_MISSING: usize = 10_000;

fn chained(line: &[u8]) -> Result<Chained<SideEntry>, Damage> {
    serde_json::from_slice(checked(line)?).map_err(|error| Damage::Shape(error.to_string()))
}

#[cfg(test)]
mod tests {
    use switchback_schemas::{
        RunId,
        journal::{Identified, SideKind},
    };

    use super::*;

    fn entry(text: &str) -> SideEntry {
        SideEntry {
            run: RunId::new("r-1").unwrap(),
            at: jiff::Timestamp::UNIX_EPOCH,
            by: Identified::Asserted("ada".to_owned()),
            says: SideKind::Note { text: text.to_owned() },
        }
    }

    fn written(texts: &[&str]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for text in texts {
            let line = Side::read(&bytes).line(&entry(text)).unwrap();
            bytes.extend(line);
        }
        bytes
    }

    fn lines(bytes: &[u8]) -> Vec<&[u8]> {
        bytes.split_inclusive(|byte| *byte == b'\n').collect()
    }

    #[test]
    fn every_flipped_bit_is_seen_and_hides_nothing_after_it() {
        let whole = written(&["one", "two", "three"]);
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            let side = Side::read(&bytes);
            assert!(side.damaged().count() + side.strays > 0, "byte {at}: {side:?}");
            // What was said last stands where it stood, unless it is what was damaged.
            let last = lines(&whole)[..2].concat().len();
            if at < last - 1 {
                assert_eq!(side.places.len(), 3, "byte {at}");
                assert_eq!(side.places[2], Ok(entry("three")), "byte {at}");
            }
        }
    }

    #[test]
    fn what_was_cut_short_has_no_place() {
        let whole = written(&["one", "two"]);
        let first = lines(&whole)[0].len();
        // Without its line feed alone it is whole: whoever writes next ends it.
        for end in first..whole.len() - 1 {
            let mut bytes = whole[..end].to_vec();
            assert_eq!(Side::read(&bytes).places, [Ok(entry("one"))], "{end}");
            if end > first {
                bytes.push(b'\n');
            }
            // As a writer finds it: it goes on after what it read.
            let next = Side::read(&whole[..end]).line(&entry("three")).unwrap();
            bytes.extend(next);
            let side = Side::read(&bytes);
            assert_eq!(side.said().collect::<Vec<_>>(), [&entry("one"), &entry("three")], "{end}");
            assert_eq!((side.damaged().count(), side.strays), (0, 0), "{end}");
        }
    }

    #[test]
    fn a_line_that_is_put_in_repeated_moved_or_taken_out_is_seen() {
        let whole = written(&["one", "two", "three"]);
        let at = lines(&whole);
        let mut forged = framed(&serde_json::to_vec(&entry("forged")).unwrap());
        forged.push(b'\n');
        let orders: [Vec<&[u8]>; 6] = [
            vec![at[0], at[1], at[2], &forged],
            vec![at[0], &forged, at[1], at[2]],
            vec![at[0], at[0], at[1], at[2]],
            vec![at[1], at[0], at[2]],
            vec![at[0], at[2]],
            vec![at[1], at[2]],
        ];
        for (case, lines) in orders.iter().enumerate() {
            let side = Side::read(&lines.concat());
            assert!(side.damaged().count() + side.strays > 0, "{case}: {side:?}");
            let unforged =
                |entry: &&SideEntry| matches!(&entry.says, SideKind::Note { text } if text == "forged");
            assert_eq!(side.said().filter(unforged).count(), 0, "{case}: {side:?}");
        }
    }

    #[test]
    fn a_forged_number_asks_for_no_memory() {
        let mut bytes = written(&["one"]);
        bytes.extend(b"not a line\n");
        let far = Chained { seq: u64::MAX, prev: String::new(), entry: entry("far") };
        bytes.extend(framed(&serde_json::to_vec(&far).unwrap()));
        bytes.push(b'\n');
        assert!(Side::read(&bytes).places.len() <= MOST_MISSING + 2);
    }
}
