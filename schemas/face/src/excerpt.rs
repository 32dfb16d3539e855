//! A source text that finds its lines quickly and shows no more of them than a person can read.

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

use crate::{SafeText, safe};

/// Bytes that one excerpt may have; lines longer than this are cut around what is labelled.
const EXCERPT: usize = 4_000;
/// Bytes around a label in a line that is cut.
const AROUND: usize = 60;
/// Bytes that one label may underline.
const UNDERLINED: usize = 400;

/// A text with its name and where its lines begin.
#[derive(Debug)]
pub(crate) struct Excerpt {
    name: String,
    text: String,
    lines: Vec<usize>,
}

impl Excerpt {
    /// A file. Bytes that are not text, or must not be shown, are replaced without moving what follows.
    pub(crate) fn new(name: &str, bytes: &[u8]) -> Self {
        let text = safe::in_place(bytes);
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { name: SafeText::line(name, 200).to_string(), text, lines }
    }

    /// Line and column of a byte, both from 0; columns count characters.
    pub(crate) fn position(&self, byte: usize) -> (usize, usize) {
        let byte = self.text.floor_char_boundary(byte);
        let line = self.lines.partition_point(|start| *start <= byte).saturating_sub(1);
        let before = self.text.get(self.line_start(line)..byte).unwrap_or_default();
        (line, before.chars().count())
    }

    /// What of a label can be underlined: inside of the text, on one line, not too long.
    pub(crate) fn underlined(&self, start: usize, end: usize) -> (usize, usize) {
        let start = self.text.floor_char_boundary(start);
        let line_end = self.line_end(self.position(start).0).max(start);
        let end = self.text.floor_char_boundary(end.min(line_end).min(start + UNDERLINED));
        (start, end.saturating_sub(start))
    }

    fn line_start(&self, line: usize) -> usize {
        self.lines.get(line).copied().unwrap_or(self.text.len())
    }

    /// The end of a line, without its line break.
    fn line_end(&self, line: usize) -> usize {
        self.lines.get(line + 1).map_or(self.text.len(), |next| next - 1)
    }
}

impl SourceCode for Excerpt {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let start = self.text.floor_char_boundary(span.offset());
        let end = self.text.ceil_char_boundary(span.offset() + span.len()).max(start);
        // Two labels far apart are asked for as one excerpt first; refused, they are shown one by one.
        if end - start > EXCERPT {
            return Err(MietteError::OutOfBounds);
        }
        let (first, _) = self.position(start);
        let (last, _) = self.position(end.saturating_sub(1).max(start));
        let mut from = if before == 0 { start } else { self.line_start(first.saturating_sub(before)) };
        let mut to = self.line_end((last + after).min(self.lines.len().saturating_sub(1))).max(end);
        if to - from > EXCERPT {
            from = self.text.floor_char_boundary(start.saturating_sub(AROUND)).max(self.line_start(first));
            to = self.text.ceil_char_boundary(end + AROUND).min(self.line_end(last)).max(end);
        }
        let (line, column) = self.position(from);
        let data = self.text.get(from..to).unwrap_or_default();
        let lines = data.matches('\n').count() + 1;
        let span = SourceSpan::from((from, to - from));
        let contents =
            MietteSpanContents::new_named(self.name.clone(), data.as_bytes(), span, line, column, lines);
        Ok(Box::new(contents))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(excerpt: &Excerpt, start: usize, end: usize) -> String {
        let contents = excerpt.read_span(&(start, end - start).into(), 1, 1).expect("it is inside");
        String::from_utf8(contents.data().to_vec()).expect("whole characters")
    }

    #[test]
    fn the_lines_around_a_place_are_shown() {
        let excerpt = Excerpt::new("a", b"one\ntwo\nthree\nfour\n");
        assert_eq!(read(&excerpt, 8, 13), "two\nthree\nfour");
        assert_eq!(read(&excerpt, 0, 3), "one\ntwo");
        assert_eq!(excerpt.position(9), (2, 1));
        assert_eq!(excerpt.position(99), (4, 0));
    }

    #[test]
    fn long_lines_are_cut_around_a_place() {
        let text = format!("{}é!{}", "é".repeat(9_000), "x".repeat(9_000));
        let excerpt = Excerpt::new("a", text.as_bytes());
        let shown = read(&excerpt, 18_002, 18_003);
        assert!(shown.contains('!'), "{}", shown.len());
        assert!(shown.len() <= 2 * AROUND + 4, "{}", shown.len());
        assert_eq!(excerpt.underlined(0, 18_000).1, UNDERLINED);
    }

    #[test]
    fn labels_end_with_their_line() {
        let excerpt = Excerpt::new("a", b"one\ntwo\n");
        assert_eq!(excerpt.underlined(1, 7), (1, 2));
        assert_eq!(excerpt.underlined(50, 70), (8, 0));
    }
}
