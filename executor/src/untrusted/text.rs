//! Foreign text, made safe to print, to put into an address, and short enough to keep. Secrets that it names are hidden here,
//! where it is read, and so in the journal, in events and in every answer.

use std::{error::Error, fmt, iter::successors};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use switchback_model::secret::redact_text;

/// Longest line that is kept, in characters.
const LINE: usize = 400;

/// What an address may hold as it is (RFC 3986, unreserved); signatures of AWS want the same.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Text as one part of an address: of its path, or a value of its query.
pub fn url_part(text: &str) -> impl fmt::Display + '_ {
    utf8_percent_encode(text, RESERVED)
}

/// One line: terminal escapes, control characters and characters that change the direction or hide are gone, line ends
/// are spaces, what has the shape of a secret is hidden, and what is longer than 400 characters is cut.
pub fn line(text: &str) -> String {
    clean(&redact_text(&plain(text)))
}

/// Who somebody is, or what something is called, in one line: compared with what was said before, so nothing of it is hidden.
pub fn identity(text: &str) -> String {
    clean(&plain(text))
}

/// Escapes go first: they may stand in the middle of a secret's name.
fn plain(text: &str) -> String {
    without_escapes(text).collect()
}

fn clean(text: &str) -> String {
    let mut out = String::new();
    let mut space = false;
    let mut length = 0;
    for c in text.chars() {
        if c.is_whitespace() {
            space = length > 0;
            continue;
        }
        if length >= LINE {
            out.push('…');
            break;
        }
        if space {
            out.push(' ');
            space = false;
            length += 1;
        }
        out.push(c);
        length += 1;
    }
    out
}

/// The last `max` lines that say something, each made safe.
pub fn last_lines(text: &str, max: usize) -> Vec<String> {
    // As a whole first: a key stands on many lines.
    let text = plain(text);
    let text = redact_text(&text);
    let lines: Vec<String> = text.lines().map(line).filter(|line| !line.is_empty()).collect();
    let skip = lines.len().saturating_sub(max);
    lines.into_iter().skip(skip).collect()
}

/// An error and what it comes from, once each. Bodies and headers are no part of it.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut parts: Vec<String> = Vec::new();
    for part in successors(Some(error), |&error| error.source()).map(ToString::to_string) {
        if !parts.iter().any(|earlier| earlier.contains(&part)) {
            parts.push(part);
        }
    }
    line(&parts.join(": "))
}

fn without_escapes(text: &str) -> impl Iterator<Item = char> + '_ {
    let mut chars = text.chars().peekable();
    std::iter::from_fn(move || {
        loop {
            let c = chars.next()?;
            match c {
                '\u{1b}' => match chars.peek() {
                    // CSI: parameters up to a letter.
                    Some('[') => {
                        chars.next();
                        while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {}
                    }
                    // OSC: up to BEL or the string terminator.
                    Some(']') => while chars.next().is_some_and(|c| c != '\u{7}' && c != '\\') {},
                    _ => {
                        chars.next();
                    }
                },
                '\n' => return Some('\n'),
                c if c.is_whitespace() => return Some(' '),
                c if c.is_control() || is_invisible(c) => {}
                c => return Some(c),
            }
        }
    })
}

/// Characters that change the direction of text or cannot be seen.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_invisible_characters_are_gone() {
        assert_eq!(line("a\u{1b}[31mred\u{1b}[0m\n\tb"), "ared b");
        assert_eq!(line("x\u{1b}]0;title\u{7}y"), "xy");
        assert_eq!(line("pod\u{202e}gpj\u{200b}.x\u{0}"), "podgpj.x");
        assert_eq!(line("  "), "");
    }

    #[test]
    fn f1_secrets_are_hidden_where_text_is_read() {
        let said = "Error: dial postgres://u:hunter2@db/x\n-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n\
                    Authorization: Bearer hunter2\n\u{1b}[1m--token=hunter2\n\
                    \u{1b}[36mtoken\u{1b}[0m=hunter2 \u{1b}[1mpassword \u{1b}[0m: hunter2\n";
        let lines = last_lines(said, 10);
        assert!(!lines.concat().contains("hunter2"), "{lines:?}");
        assert_eq!(lines.first().map(String::as_str), Some("Error: dial postgres://***@db/x"));
    }

    #[test]
    fn long_lines_are_cut_and_only_the_last_lines_kept() {
        let long = line(&"ä".repeat(1000));
        assert_eq!(long.chars().count(), LINE + 1);
        assert!(long.ends_with('…'));
        assert_eq!(last_lines("a\n\nb\nc\n", 2), ["b", "c"]);
    }

    #[test]
    fn a_part_of_an_address_ends_nothing_and_begins_nothing() {
        assert_eq!(url_part("a b/ä+~?x=1&y").to_string(), "a%20b%2F%C3%A4%2B~%3Fx%3D1%26y");
        assert_eq!(url_part("up{job=\"c\"}").to_string(), "up%7Bjob%3D%22c%22%7D");
    }
}
