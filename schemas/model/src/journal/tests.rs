//! The reader, against every way in which bytes can be other than they were written.

use switchback_schemas::{
    format::Document,
    journal::{Event, Record},
};

use super::{Corrupt, Damage, Head, Journal, Line, Refused, read};

fn lines(count: usize) -> Vec<Line> {
    let mut head = Head::default();
    let at = "2026-11-20T10:00:00Z".parse().unwrap();
    let note = |n: usize| Event::Noted { text: format!("note {n} with \u{e9} and \\n") };
    (0..count).map(|n| head.line(1, at, note(n)).unwrap()).collect()
}

fn bytes(lines: &[Line]) -> Vec<u8> {
    lines.iter().flat_map(|line| line.bytes.clone()).collect()
}

fn damaged(bytes: &[u8]) -> Corrupt {
    match read(bytes).unwrap_err() {
        Refused::Damaged(corrupt) => corrupt,
        Refused::Format(unreadable) => panic!("{unreadable}"),
    }
}

fn records(journal: &Journal) -> Vec<&Record> {
    journal.records.iter().collect()
}

#[test]
fn what_is_written_is_read_back() {
    let lines = lines(5);
    let journal = read(&bytes(&lines)).unwrap();
    assert_eq!(records(&journal), lines.iter().map(|line| &line.record).collect::<Vec<_>>());
    assert_eq!((journal.head.next, journal.torn), (5, None));
}

#[test]
fn a_journal_cut_anywhere_keeps_its_whole_lines_and_says_what_was_torn() {
    let lines = lines(4);
    let whole = bytes(&lines);
    for cut in 0..whole.len() {
        let mut kept = 0;
        let mut end = 0;
        for line in &lines {
            if end + line.bytes.len() <= cut {
                end += line.bytes.len();
                kept += 1;
            }
        }
        match read(&whole[..cut]) {
            Err(_) => assert!(kept == 0 && damaged(&whole[..cut]).damage == Damage::Empty, "{cut}"),
            Ok(journal) => {
                assert_eq!(journal.records.len(), kept, "cut at {cut}");
                assert_eq!(journal.bytes, end as u64);
                assert_eq!(journal.torn.map(|torn| torn.bytes), Some((cut - end) as u64).filter(|n| *n > 0));
            }
        }
    }
}

#[test]
fn every_flipped_bit_is_seen() {
    let lines = lines(3);
    let whole = bytes(&lines);
    let last = lines[0].bytes.len() + lines[1].bytes.len();
    for byte in 0..whole.len() {
        for bit in 0..8 {
            let mut damaged = whole.clone();
            damaged[byte] ^= 1 << bit;
            match read(&damaged) {
                Err(_) => {}
                // Only the last line can look like a write that never came to its end.
                Ok(journal) => {
                    assert!(byte >= last, "byte {byte} bit {bit} is not seen");
                    assert_eq!(journal.records.len(), 2);
                    assert!(journal.torn.is_some());
                }
            }
        }
    }
}

#[test]
fn lines_dropped_repeated_moved_or_spliced_are_refused() {
    let own = lines(5);
    let mut foreign = Head::default();
    let at = "2026-11-21T10:00:00Z".parse().unwrap();
    let other: Vec<Line> =
        (0..5).map(|_| foreign.line(1, at, Event::Noted { text: "other".to_owned() }).unwrap()).collect();
    for n in 0..4 {
        let mut dropped = own.clone();
        dropped.remove(n);
        assert!(read(&bytes(&dropped)).is_err(), "{n} is dropped");
        let mut moved = own.clone();
        moved.swap(n, n + 1);
        assert!(read(&bytes(&moved)).is_err(), "{n} is moved");
    }
    for n in 0..5 {
        let mut repeated = own.clone();
        repeated.insert(n, own[n].clone());
        assert!(read(&bytes(&repeated)).is_err(), "{n} is repeated");
    }
    for n in 1..5 {
        let mut spliced = own.clone();
        spliced[n] = other[n].clone();
        assert!(read(&bytes(&spliced)).is_err(), "{n} is spliced");
    }
}

#[test]
fn damage_says_where_it_is() {
    let own = lines(3);
    let mut changed = bytes(&own);
    let inside = own[0].bytes.len() + 40;
    changed[inside] ^= 1;
    let corrupt = damaged(&changed);
    assert_eq!(
        (corrupt.offset, corrupt.seq, corrupt.damage),
        (own[0].bytes.len() as u64, 1, Damage::Checksum)
    );
}

#[test]
fn zeros_at_the_end_are_a_torn_write_and_nothing_at_all_is_damage() {
    let mut padded = bytes(&lines(2));
    padded.extend([0; 100]);
    assert_eq!(read(&padded).unwrap().torn.unwrap().bytes, 100);
    assert_eq!(damaged(b"").damage, Damage::Empty);
    assert_eq!(damaged(&[0; 100]).damage, Damage::Empty);
}

#[test]
fn a_record_of_a_newer_release_is_refused_and_not_cut_off() {
    let mut whole = bytes(&lines(1));
    let json = br#"{"seq":1,"epoch":1,"at":"2026-11-20T10:00:00Z","prev":"","event":{"kind":"teleported"}}"#;
    whole.extend(format!("{:08x} {:08x} ", json.len(), crc32c::crc32c(json)).into_bytes());
    whole.extend_from_slice(json);
    whole.push(b'\n');
    assert!(matches!(damaged(&whole).damage, Damage::Shape(_)));
}

/// What it says beyond its format is not looked at: the records of an older release would be taken for damage.
#[test]
fn a_journal_of_another_release_is_refused_by_name_and_is_not_damaged() {
    let of = |format: &str| {
        let json = format!(
            r#"{{"seq":0,"epoch":0,"at":"2026-11-20T10:00:00Z","prev":"","event":{{"kind":"header","format":"{format}","other":1}}}}"#
        );
        let mut bytes = super::framed(json.as_bytes());
        bytes.push(b'\n');
        read(&bytes).unwrap_err()
    };
    for format in ["switchback.journal/1.0", "switchback.journal/9.0", "switchback.plan/1.0"] {
        assert!(matches!(of(format), Refused::Format(_)), "{format}: {}", of(format));
    }
    assert!(
        matches!(of(&Document::Journal.current().to_string()), Refused::Damaged(_)),
        "another shape in our own format"
    );
}
