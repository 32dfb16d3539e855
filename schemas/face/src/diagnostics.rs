//! Diagnostics with the lines they are about.

use std::{collections::BTreeMap, fmt};

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, SourceCode, ThemeCharacters, ThemeStyles};
use serde::Serialize;
use switchback_schemas::{Diagnostic, Label, Severity};

use crate::{Look, SafeText, excerpt::Excerpt};

/// Characters of one message, label or help.
const TEXT: usize = 2_000;

/// The texts that labels point into, by file name.
#[derive(Debug, Default)]
pub struct Sources(BTreeMap<String, Excerpt>);

impl Sources {
    /// No texts yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file. Bytes that are not text, or must not be shown, are replaced without moving what follows.
    pub fn add(&mut self, name: &str, bytes: &[u8]) {
        self.0.insert(name.to_owned(), Excerpt::new(name, bytes));
    }

    /// Line and column of a byte, both from 1; columns count characters.
    fn position(&self, file: &str, byte: usize) -> Option<(usize, usize)> {
        let (line, column) = self.0.get(file)?.position(byte);
        Some((line + 1, column + 1))
    }
}

impl<N: AsRef<str>, B: AsRef<[u8]>> FromIterator<(N, B)> for Sources {
    fn from_iter<I: IntoIterator<Item = (N, B)>>(files: I) -> Self {
        let mut sources = Self::new();
        for (name, bytes) in files {
            sources.add(name.as_ref(), bytes.as_ref());
        }
        sources
    }
}

/// All diagnostics for a person, each with its lines, and one line that counts them. Nothing for none.
pub fn text(diagnostics: &[Diagnostic], sources: &Sources, look: Look) -> String {
    if diagnostics.is_empty() {
        return String::new();
    }
    let characters = match look.unicode {
        true => ThemeCharacters::unicode(),
        false => ThemeCharacters::ascii(),
    };
    let styles = match look.color {
        true => ThemeStyles::ansi(),
        false => ThemeStyles::none(),
    };
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme { characters, styles })
        .with_width(look.width)
        .with_links(false)
        .with_context_lines(1);
    let mut text = String::new();
    for diagnostic in diagnostics {
        let shown = Shown::new(diagnostic, sources);
        // Writing to a string fails only if a source cannot be read; then the plain words still get out.
        if handler.render_report(&mut text, &shown).is_err() {
            text.push_str(&plain(diagnostic, sources));
        }
        text.push('\n');
    }
    text.push_str(&summary(diagnostics));
    text.push('\n');
    text.lines().flat_map(|line| [line.trim_end(), "\n"]).collect()
}

/// `3 errors and 1 warning`.
pub fn summary(diagnostics: &[Diagnostic]) -> String {
    let count = |severity, one: &str, more: &str| {
        let n = diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count();
        match n {
            0 => None,
            1 => Some(format!("1 {one}")),
            n => Some(format!("{n} {more}")),
        }
    };
    let parts: Vec<String> = [
        count(Severity::Error, "error", "errors"),
        count(Severity::Warning, "warning", "warnings"),
        count(Severity::Advice, "note", "notes"),
    ]
    .into_iter()
    .flatten()
    .collect();
    match parts.as_slice() {
        [] => "no findings".to_owned(),
        [one] => one.clone(),
        [first, second] => format!("{first} and {second}"),
        many => many.join(", "),
    }
}

/// One diagnostic on one line, as compilers write it: `file:line:column: error SB0110: message`.
fn plain(diagnostic: &Diagnostic, sources: &Sources) -> String {
    let place = diagnostic.labels.first().map_or_else(String::new, |label| {
        let file = SafeText::line(&label.file, TEXT);
        sources
            .position(&label.file, label.start)
            .map_or_else(|| format!("{file}: "), |(line, column)| format!("{file}:{line}:{column}: "))
    });
    let word = word(diagnostic.severity);
    format!("{place}{word} {}: {}\n", diagnostic.code, SafeText::line(&diagnostic.message, TEXT))
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Advice => "note",
    }
}

/// All diagnostics for a program: one JSON object, with lines and columns beside the bytes.
pub fn json(diagnostics: &[Diagnostic], sources: &Sources) -> Result<String, serde_json::Error> {
    let count = |severity| diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count();
    let all = All {
        errors: count(Severity::Error),
        warnings: count(Severity::Warning),
        diagnostics: diagnostics.iter().map(|diagnostic| One::new(diagnostic, sources)).collect(),
    };
    serde_json::to_string_pretty(&all).map(|text| text + "\n")
}

#[derive(Serialize)]
struct All<'a> {
    errors: usize,
    warnings: usize,
    diagnostics: Vec<One<'a>>,
}

#[derive(Serialize)]
struct One<'a> {
    code: &'a str,
    severity: Severity,
    message: &'a str,
    labels: Vec<Placed<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
}

#[derive(Serialize)]
struct Placed<'a> {
    file: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    start: usize,
    end: usize,
    text: &'a str,
}

impl<'a> One<'a> {
    fn new(diagnostic: &'a Diagnostic, sources: &Sources) -> Self {
        let placed = |label: &'a Label| {
            let position = sources.position(&label.file, label.start);
            Placed {
                file: &label.file,
                line: position.map(|(line, _)| line),
                column: position.map(|(_, column)| column),
                start: label.start,
                end: label.end,
                text: &label.text,
            }
        };
        Self {
            code: diagnostic.code.as_str(),
            severity: diagnostic.severity,
            message: &diagnostic.message,
            labels: diagnostic.labels.iter().map(placed).collect(),
            help: diagnostic.help.as_deref(),
        }
    }
}

/// A diagnostic as miette takes it: the labels of one file. Those of other files are related to it.
#[derive(Debug)]
struct Shown<'a> {
    code: Option<String>,
    severity: Severity,
    message: String,
    help: Option<String>,
    source: Option<&'a Excerpt>,
    labels: Vec<LabeledSpan>,
    related: Vec<Shown<'a>>,
}

impl<'a> Shown<'a> {
    fn new(diagnostic: &Diagnostic, sources: &'a Sources) -> Self {
        let clean = |text: &str| SafeText::line(text, TEXT).to_string();
        let mut files: Vec<(&str, Vec<LabeledSpan>)> = Vec::new();
        for (index, label) in diagnostic.labels.iter().enumerate() {
            let text = Some(clean(&label.text));
            let span =
                sources.0.get(&label.file).map_or((0, 0), |text| text.underlined(label.start, label.end));
            let span = match index {
                0 => LabeledSpan::new_primary_with_span(text, span),
                _ => LabeledSpan::new_with_span(text, span),
            };
            match files.iter_mut().find(|(file, _)| *file == label.file) {
                Some((_, labels)) => labels.push(span),
                None => files.push((&label.file, vec![span])),
            }
        }
        let mut files = files.into_iter();
        let (file, labels) = files.next().unzip();
        let elsewhere = |(file, labels): (&str, Vec<LabeledSpan>)| Self {
            code: None,
            severity: Severity::Advice,
            message: format!("and in {}", clean(file)),
            help: None,
            source: sources.0.get(file),
            labels,
            related: Vec::new(),
        };
        Self {
            code: Some(diagnostic.code.to_string()),
            severity: diagnostic.severity,
            message: clean(&diagnostic.message),
            help: diagnostic.help.as_deref().map(|help| SafeText::block(help, TEXT).to_string()),
            source: file.and_then(|file| sources.0.get(file)),
            labels: labels.unwrap_or_default(),
            related: files.map(elsewhere).collect(),
        }
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Shown<'_> {}

impl miette::Diagnostic for Shown<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.code.as_ref().map(|code| Box::new(code) as _)
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
            Severity::Advice => miette::Severity::Advice,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as _)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.map(|source| source as _)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        (self.source.is_some() && !self.labels.is_empty()).then(|| Box::new(self.labels.iter().cloned()) as _)
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn miette::Diagnostic> + 'a>> {
        let related = self.related.iter().map(|shown| shown as &dyn miette::Diagnostic);
        (!self.related.is_empty()).then(|| Box::new(related) as _)
    }
}

#[cfg(test)]
mod tests {
    use switchback_schemas::codes;

    use super::*;

    const TEXT: &str = "kind: Platform\r\nspec:\r\n  to: 1.30 # \u{1b}[2Jx\r\n";

    fn diagnostic() -> Diagnostic {
        let start = TEXT.find("1.30").expect("it is there");
        Diagnostic::error(codes::MANIFEST_VERSION_NOT_TEXT, "1.30 is the number 1.3\u{1b}[0m")
            .at(Label::new("a.yaml", start..start + 4, "a text is expected here"))
            .help("quote it: '1.30'")
    }

    #[test]
    fn a_person_sees_the_line_and_no_escape() {
        let sources = Sources::from_iter([("a.yaml", TEXT)]);
        let shown = text(&[diagnostic()], &sources, Look::PLAIN);
        insta::assert_snapshot!(shown);
        let ascii = text(&[diagnostic()], &sources, Look::ASCII);
        assert!(ascii.is_ascii() || ascii.contains('\u{fffd}'), "{ascii}");
    }

    #[test]
    fn labels_in_two_files_show_both() {
        let sources = Sources::from_iter([("a.yaml", "name: x\n"), ("b.yaml", "\nname: x\n")]);
        let diagnostic = Diagnostic::error(codes::MANIFEST_DUPLICATE, "two are named x")
            .at(Label::new("a.yaml", 6..7, "again"))
            .at(Label::new("b.yaml", 7..8, "first"));
        insta::assert_snapshot!(text(&[diagnostic], &sources, Look::PLAIN));
    }

    #[test]
    fn labels_outside_of_a_source_do_no_harm() {
        let sources = Sources::from_iter([("a.yaml", "x")]);
        for range in [5..9, 1..1, 0..100] {
            for file in ["a.yaml", "gone.yaml"] {
                let diagnostic =
                    Diagnostic::error(codes::BUG, "x").at(Label::new(file, range.clone(), "here"));
                let shown = text(&[diagnostic], &sources, Look::PLAIN);
                assert!(shown.contains("SB9001"), "{shown}");
                assert!(shown.contains("1 error"), "{shown}");
            }
        }
    }

    #[test]
    fn a_program_gets_lines_and_columns() {
        let sources = Sources::from_iter([("a.yaml", TEXT)]);
        let text = json(&[diagnostic()], &sources).expect("it is JSON");
        let value: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
        assert_eq!(value["errors"], 1);
        assert_eq!(value["diagnostics"][0]["labels"][0]["line"], 3);
        assert_eq!(value["diagnostics"][0]["labels"][0]["column"], 7);
        assert_eq!(value["diagnostics"][0]["code"], "SB0206");
    }

    #[test]
    fn diagnostics_are_counted() {
        let error = Diagnostic::error(codes::BUG, "x");
        let warning = Diagnostic::warning(codes::BUG, "x");
        assert_eq!(summary(&[]), "no findings");
        assert_eq!(summary(&[error.clone(), error.clone(), warning]), "2 errors and 1 warning");
    }
}
