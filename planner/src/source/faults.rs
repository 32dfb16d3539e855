//! Collects what is wrong with one file.

use std::{collections::BTreeMap, ops::Range};

use switchback_schemas::{
    Diagnostic, Label,
    codes::{self, Code},
};

use super::MAX_FAULTS;

/// The faults of one file, up to a number that a person can still read.
pub(super) struct Faults<'a> {
    file: &'a str,
    list: Vec<Diagnostic>,
    more: bool,
}

impl<'a> Faults<'a> {
    pub(super) fn new(file: &'a str) -> Self {
        Self { file, list: Vec::new(), more: false }
    }

    /// The file, as the user named it.
    pub(super) fn file(&self) -> &str {
        self.file
    }

    /// A label in this file.
    pub(super) fn label(&self, range: Range<usize>, text: impl Into<String>) -> Label {
        Label::new(self.file, range, text)
    }

    /// One more fault, built only where it will be told.
    pub(super) fn add(&mut self, build: impl FnOnce(&Self) -> Diagnostic) {
        if self.full() {
            self.more = true;
        } else {
            let fault = build(self);
            self.list.push(fault);
        }
    }

    /// A fault with one place.
    pub(super) fn error(
        &mut self,
        code: Code,
        message: impl Into<String>,
        range: Range<usize>,
        label: &str,
        help: impl Into<String>,
    ) {
        self.add(|faults| Diagnostic::error(code, message).at(faults.label(range, label)).help(help));
    }

    /// Whether no more faults are told.
    pub(super) fn full(&self) -> bool {
        self.list.len() >= MAX_FAULTS
    }

    /// Whether nothing is wrong so far.
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn finish(mut self) -> Vec<Diagnostic> {
        if self.more {
            self.list.push(more(self.file));
        }
        self.list
    }
}

fn more(file: &str) -> Diagnostic {
    let message = format!("{file} has more faults; only the first {MAX_FAULTS} are shown");
    Diagnostic::error(codes::SOURCE_MORE, message).help("fix those that are shown and check again")
}

/// Of sorted diagnostics the first ones of each file.
pub(crate) fn first(diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut kept = Vec::new();
    for diagnostic in diagnostics {
        let Some(label) = diagnostic.labels.first() else {
            kept.push(diagnostic);
            continue;
        };
        let count = match counts.get_mut(&label.file) {
            Some(count) => count,
            None => counts.entry(label.file.clone()).or_default(),
        };
        *count += 1;
        if *count <= MAX_FAULTS {
            kept.push(diagnostic);
        }
    }
    let over = counts.into_iter().filter(|(_, count)| *count > MAX_FAULTS);
    kept.extend(over.map(|(file, _)| more(&file)));
    kept
}
