//! Collects what is wrong with one file.

use std::ops::Range;

use switchback_schemas::{
    Diagnostic, Label,
    codes::{self, Code},
};

use super::MAX_FAULTS;

/// The faults of one file, up to a number that a person can still read.
pub(super) struct Faults<'a> {
    file: &'a str,
    list: Vec<Diagnostic>,
    more: usize,
}

impl<'a> Faults<'a> {
    pub(super) fn new(file: &'a str) -> Self {
        Self { file, list: Vec::new(), more: 0 }
    }

    /// A label in this file.
    pub(super) fn label(&self, range: Range<usize>, text: impl Into<String>) -> Label {
        Label::new(self.file, range, text)
    }

    /// One more fault, built only where it will be told.
    pub(super) fn add(&mut self, build: impl FnOnce(&Self) -> Diagnostic) {
        if self.full() {
            self.more += 1;
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

    /// Whether more faults are only counted.
    pub(super) fn full(&self) -> bool {
        self.list.len() >= MAX_FAULTS
    }

    /// Whether nothing is wrong so far.
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn finish(mut self) -> Vec<Diagnostic> {
        if self.more > 0 {
            let message = format!("{} has {} more faults than are shown", self.file, self.more);
            let help = "fix those that are shown and check again";
            self.list.push(Diagnostic::error(codes::SOURCE_MORE, message).help(help));
        }
        self.list
    }
}
