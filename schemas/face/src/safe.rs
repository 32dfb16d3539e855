//! Foreign text (names of pods, output of programs, answers of servers) made harmless for a terminal and a review:
//! no escape sequences, no control characters, nothing that hides or turns around what stands beside it, and no
//! credentials in addresses.

use std::{
    borrow::Cow,
    fmt::{self, Write as _},
};

/// Text that can be shown anywhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SafeText(String);

impl SafeText {
    /// One line of at most `max` characters; line breaks and tabs become blanks.
    pub fn line(text: &str, max: usize) -> Self {
        let line: String =
            visible(text).chars().map(|c| if matches!(c, '\n' | '\t') { ' ' } else { c }).collect();
        Self(cut(line, max))
    }

    /// Several lines of at most `max` characters together; line breaks and tabs stay.
    pub fn block(text: &str, max: usize) -> Self {
        Self(cut(visible(text), max))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SafeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

fn cut(mut text: String, max: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(max) {
        // One character less, so that the mark fits as well.
        let end =
            text.get(..end).and_then(|kept| kept.char_indices().next_back()).map_or(0, |(last, _)| last);
        text.truncate(end);
        text.push('…');
    }
    text
}

/// Whether a character may be shown; line breaks and tabs may.
pub(crate) fn shows(c: char) -> bool {
    match c {
        '\n' | '\t' => true,
        // Direction, zero width, fillers, line separators, tags.
        '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}' => false,
        c => !c.is_control(),
    }
}

/// Text in which every character that must not be shown is written as JSON escapes it.
pub fn escaped(text: &str) -> Cow<'_, str> {
    if text.chars().all(shows) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if shows(c) {
            escaped.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a string does not fail.
            let _ = write!(escaped, "\\u{unit:04x}");
        }
    }
    Cow::Owned(escaped)
}

/// The same, and sequences that only set colours stay.
pub(crate) fn escaped_but_colors(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let mut shown = escaped(parts.next().unwrap_or_default()).into_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
        shown.push_str(if rest.starts_with('m') { "\u{1b}[" } else { "\\u001b[" });
        shown.push_str(&escaped(part));
    }
    shown
}

/// Without escape sequences; every other character that must not be shown becomes U+FFFD, so that it is seen.
fn visible(text: &str) -> String {
    let text = &masked(text);
    let text: Cow<'_, str> =
        if text.contains('\r') { text.replace("\r\n", "\n").into() } else { Cow::Borrowed(text) };
    let mut shown = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => match rest.next_if(|next| matches!(next, '[' | ']' | 'P' | 'X' | '^' | '_')) {
                Some('[') => skip_csi(&mut rest),
                Some(_) => skip_string(&mut rest),
                None => {
                    rest.next_if(char::is_ascii_graphic);
                }
            },
            '\u{9b}' => skip_csi(&mut rest),
            '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => skip_string(&mut rest),
            c if shows(c) => shown.push(c),
            _ => shown.push('\u{fffd}'),
        }
    }
    shown
}

/// With stars for the user and password of every address in it; every byte keeps its place.
fn masked(text: &str) -> Cow<'_, str> {
    let mut masked = Cow::Borrowed(text);
    for (at, mark) in text.match_indices("://") {
        let start = at + mark.len();
        let rest = text.get(start..).unwrap_or_default();
        let authority =
            rest.split(|c: char| "/?#'\"<>`".contains(c) || c.is_whitespace()).next().unwrap_or_default();
        if let Some(length) = authority.rfind('@') {
            masked.to_mut().replace_range(start..start + length, &"*".repeat(length));
        }
    }
    masked
}

type Rest<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// Parameters, then one final byte.
fn skip_csi(rest: &mut Rest<'_>) {
    while rest.next_if(|c| matches!(c, '\u{20}'..='\u{3f}')).is_some() {}
    rest.next_if(|c| matches!(c, '\u{40}'..='\u{7e}'));
}

/// A string for the terminal, to its end mark or, unfinished, to the end of the line.
fn skip_string(rest: &mut Rest<'_>) {
    while let Some(c) = rest.next_if(|c| *c != '\n') {
        match c {
            '\u{7}' | '\u{9c}' => return,
            '\u{1b}' => {
                rest.next_if(|next| *next == '\\');
                return;
            }
            _ => {}
        }
    }
}

/// A source text in which every byte keeps its place: what must not be shown is replaced by as many bytes.
pub(crate) fn in_place(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c.len_utf8() {
                _ if shows(c) => text.push(c),
                1 if c == '\r' => text.push(' '),
                3 => text.push('\u{fffd}'),
                length => text.extend(std::iter::repeat_n('?', length)),
            }
        }
        text.extend(chunk.invalid().iter().map(|_| '?'));
    }
    masked(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> String {
        SafeText::line(text, 80).as_str().to_owned()
    }

    #[test]
    fn escape_sequences_leave_nothing_behind() {
        assert_eq!(line("\u{1b}[31mred\u{1b}[0m"), "red");
        assert_eq!(line("\u{1b}]0;title\u{7}pod"), "pod");
        assert_eq!(line("\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\"), "link");
        assert_eq!(line("\u{9b}2Jpod"), "pod");
        assert_eq!(line("\u{1b}cpod"), "pod");
        assert_eq!(line("pod\u{1b}"), "pod");
        assert_eq!(SafeText::block("a\u{1b}]0;never closed\nb", 80).as_str(), "a\nb");
    }

    #[test]
    fn what_hides_is_seen() {
        assert_eq!(line("a\u{202e}b"), "a\u{fffd}b");
        assert_eq!(line("a\u{200b}b\u{0}"), "a\u{fffd}b\u{fffd}");
        assert_eq!(line("a\r\nb\tc"), "a b c");
        assert_eq!(line("a\rb"), "a\u{fffd}b");
        assert_eq!(line("Füße 節点"), "Füße 節点");
    }

    #[test]
    fn credentials_in_addresses_are_masked() {
        assert_eq!(line("at https://user:hunter2@host/x@y"), "at https://************@host/x@y");
        assert_eq!(line("'oci://a@b' https://host/a@b"), "'oci://*@b' https://host/a@b");
        assert_eq!(line("s3://ünï@h"), "s3://*****@h");
        assert_eq!(in_place(b"u: https://a:b@c\n"), "u: https://***@c\n");
    }

    #[test]
    fn long_text_is_cut_at_a_character() {
        assert_eq!(SafeText::line("äöüß", 4).as_str(), "äöüß");
        assert_eq!(SafeText::line("äöüßé", 4).as_str(), "äöü…");
        assert_eq!(SafeText::line("ab", 1).as_str(), "…");
    }

    #[test]
    fn a_source_keeps_its_offsets() {
        for text in ["a\u{1b}b", "a\u{202e}b", "\u{ad}x", "\u{e0041}x", "a\r\n", "plain"] {
            assert_eq!(in_place(text.as_bytes()).len(), text.len(), "{text:?}");
            assert!(in_place(text.as_bytes()).chars().all(shows), "{text:?}");
        }
        assert_eq!(in_place(b"a\xff\xfeb"), "a??b");
    }
}
