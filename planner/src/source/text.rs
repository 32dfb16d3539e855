//! Bytes to text: size, encoding, and characters that nobody can see.

use std::ops::Range;

use switchback_schemas::{Diagnostic, codes};

use super::{MAX_BYTES, faults::Faults};

/// Places that one diagnostic shows.
const SHOWN: usize = 5;

/// The text after a byte order mark, and where it begins in the file.
pub(super) struct Text<'a> {
    pub(super) text: &'a str,
    pub(super) start: usize,
}

/// Checks the bytes; nothing comes back when they cannot be parsed.
pub(super) fn check<'a>(bytes: &'a [u8], faults: &mut Faults<'_>) -> Option<Text<'a>> {
    if bytes.len() > MAX_BYTES {
        let message = format!("{} has more than {} MiB", faults.file(), MAX_BYTES >> 20);
        faults.add(|_| {
            Diagnostic::error(codes::SOURCE_TOO_LARGE, message).help("split it; a manifest is a few pages")
        });
        return None;
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let at = error.valid_up_to();
            let byte = bytes.get(at).copied().unwrap_or_default();
            let message = format!("byte {at} (0x{byte:02x}) is not UTF-8");
            let help = match bytes {
                [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "the file is UTF-16; save it as UTF-8",
                _ => "save the file as UTF-8",
            };
            faults.error(
                codes::SOURCE_NOT_UTF8,
                message,
                at..at + 1,
                "the first byte that is not UTF-8",
                help,
            );
            return None;
        }
    };
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let text = text.get(start..).unwrap_or_default();
    let parseable = invisible(text, start, faults);
    parseable.then_some(Text { text, start })
}

/// Reports characters that hide; false when YAML itself forbids one of them.
fn invisible(text: &str, start: usize, faults: &mut Faults<'_>) -> bool {
    let mut shown: Vec<(Range<usize>, char, &'static str)> = Vec::new();
    let mut count = 0_usize;
    let mut parseable = true;
    for (at, character) in text.char_indices() {
        let Some(what) = hides(character) else { continue };
        count += 1;
        parseable &= !character.is_control();
        if shown.len() < SHOWN {
            let at = start + at;
            shown.push((at..at + character.len_utf8(), character, what));
        }
    }
    let Some((_, character, what)) = shown.first() else { return true };
    let message = match count {
        1 => format!("{what} (U+{:04X}) is used", u32::from(*character)),
        _ => format!("{count} invisible or direction-changing characters are used"),
    };
    let escape = format!("\"\\u{:04x}\"", u32::from(*character));
    faults.add(|faults| {
        let labels = shown.iter().map(|(range, character, what)| {
            faults.label(range.clone(), format!("{what}, U+{:04X}", u32::from(*character)))
        });
        Diagnostic::error(codes::YAML_INVISIBLE, message)
            .at_all(labels)
            .help(format!("remove it, or write it as an escape in double quotes: {escape}"))
    });
    parseable
}

/// What a character hides behind, if it does. Variation selectors are let through: emoji in comments use them.
fn hides(character: char) -> Option<&'static str> {
    match character {
        '\t' | '\n' | '\r' => None,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            Some("a character that changes the direction of text")
        }
        '\u{2028}' | '\u{2029}' | '\u{85}' => Some("a line break that YAML does not know"),
        '\u{ad}'
        | '\u{34f}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200d}'
        | '\u{2060}'..='\u{2065}'
        | '\u{206a}'..='\u{206f}'
        | '\u{3164}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}' => Some("an invisible character"),
        control if control.is_control() => Some("a control character"),
        _ => None,
    }
}
