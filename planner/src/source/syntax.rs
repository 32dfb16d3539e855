//! Syntax errors of the parser, in words and with a place.

use std::ops::Range;

use granit_parser::{ErrorKind, ScanError};
use switchback_schemas::codes;

use super::{MAX_DEPTH, faults::Faults, text::Text};

/// Adds a syntax error.
pub(super) fn report(error: &ScanError, text: &Text<'_>, faults: &mut Faults<'_>) {
    let at = error.marker().byte_offset().unwrap_or_default().min(text.text.len());
    let range = visible(text.text, at);
    let range = text.start + range.start..text.start + range.end;
    if matches!(error.kind(), ErrorKind::RecursionLimitExceeded) {
        return too_deep(range, faults);
    }
    if let Some(tab) = indenting_tab(text.text, at) {
        let tab = text.start + tab..text.start + tab + 1;
        let (message, help) = ("a tab is used for indentation", "indent with spaces");
        return faults.error(codes::YAML_TAB, message, tab, "this is a tab", help);
    }
    let (message, help) = words(error);
    faults.error(codes::YAML_SYNTAX, message, range, "here", help);
}

/// Adds that a document is nested too deeply.
pub(super) fn too_deep(range: Range<usize>, faults: &mut Faults<'_>) {
    let message = format!("the document is nested deeper than {MAX_DEPTH} levels");
    faults.error(codes::YAML_DEPTH, message, range, "the first level too deep", "write it flatter");
}

/// The character at a place; at the end of a line or of the text the last one before it.
fn visible(text: &str, at: usize) -> Range<usize> {
    let after = text.get(at..).and_then(|rest| rest.chars().next()).filter(|next| !next.is_whitespace());
    if let Some(character) = after {
        return at..at + character.len_utf8();
    }
    let before = text.get(..at).unwrap_or_default().trim_end();
    let character = before.chars().next_back().map_or(0, char::len_utf8);
    before.len() - character..before.len()
}

/// The tab among the blanks that begin the line of a place, or the line before an unfinished one.
fn indenting_tab(text: &str, at: usize) -> Option<usize> {
    let start = text.get(..at)?.rfind('\n').map_or(0, |newline| newline + 1);
    let line = text.get(start..)?;
    let blanks = line.len() - line.trim_start_matches([' ', '\t', '-']).len();
    line.get(..blanks)?.find('\t').map(|tab| start + tab)
}

/// What the parser says, as a fragment, and what usually helps.
fn words(error: &ScanError) -> (String, &'static str) {
    let (message, help) = match error.kind() {
        ErrorKind::MappingValueNotAllowed => {
            ("a `:` begins a second value on one line", "quote the value if it holds `: `")
        }
        ErrorKind::InvalidQuotedScalarIndent | ErrorKind::DocumentIndicatorInQuotedScalar => (
            "a quote is not closed here, or a text of several lines is not indented",
            "close the quote; indent the lines of a long text",
        ),
        ErrorKind::UnclosedQuotedScalar => {
            ("a quote is never closed", "close the quote on the value it opens")
        }
        ErrorKind::UnclosedFlowCollection { .. }
        | ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping => {
            ("`[` or `{` is never closed", "close it, or quote the value")
        }
        ErrorKind::ExpectedBlockMappingKey => {
            ("a field name followed by `:` is expected here", "check the indentation of this line")
        }
        ErrorKind::ExpectedBlockSequenceEntry => {
            ("an item that begins with `- ` is expected here", "check the indentation of this line")
        }
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => {
            ("a `:` is missing after a field name", "write `name: value`; quote texts of several lines")
        }
        ErrorKind::InvalidIndentation => {
            ("the indentation fits no open block", "align the line with the fields it belongs to")
        }
        ErrorKind::UnexpectedCharacter { .. } => {
            ("a plain value cannot begin with this character", "quote the value")
        }
        ErrorKind::MultipleDocumentsUnsupported | ErrorKind::InvalidDocumentEnd => {
            ("a document marker is used wrongly", "put `---` on a line of its own")
        }
        kind => return (kind.to_string(), "check the quotes, commas and indentation around this place"),
    };
    (message.to_owned(), help)
}
