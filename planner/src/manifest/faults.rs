//! What is wrong with documents beside their shape, with labels in them.

use std::collections::BTreeSet;

use switchback_schemas::{
    Diagnostic, Label,
    codes::{self, Code},
    manifest::{Document, Platform},
    name::Label as Name,
};

use super::{
    DocRef, Spanned,
    nearest::{all, nearest},
    place::Place,
};

/// What a document may lean on.
pub(super) struct Known<'s> {
    /// Whether every document could be read far enough to know its kind and name.
    pub(super) whole: bool,
    /// The platform, if there is exactly one.
    pub(super) platform: Option<&'s Spanned<Document<Platform>>>,
    /// Names of verifications, also of those whose spec is wrong.
    pub(super) verifications: BTreeSet<&'s str>,
    /// Where documents stand.
    pub(super) places: &'s [Place],
}

/// Collects diagnostics with labels in the set's documents.
pub(super) struct Faults<'s> {
    pub(super) known: Known<'s>,
    pub(super) list: Vec<Diagnostic>,
}

impl Faults<'_> {
    pub(super) fn label(&self, doc: DocRef, pointer: &str, text: impl Into<String>) -> Option<Label> {
        self.known.places.get(doc.0).map(|place| place.label(pointer, text.into()))
    }

    /// An error with one place.
    pub(super) fn error(
        &mut self,
        code: Code,
        message: impl Into<String>,
        (doc, pointer): (DocRef, &str),
        label: &str,
        help: impl Into<String>,
    ) {
        let label = self.label(doc, pointer, label);
        self.list.push(Diagnostic::error(code, message).at_all(label).help(help));
    }

    /// An error with two places.
    pub(super) fn pair(
        &mut self,
        code: Code,
        message: impl Into<String>,
        (doc, pointer, label): (DocRef, &str, &str),
        (other, other_pointer, other_label): (DocRef, &str, &str),
        help: impl Into<String>,
    ) {
        let first = self.label(doc, pointer, label);
        let second = self.label(other, other_pointer, other_label);
        self.list.push(Diagnostic::error(code, message).at_all(first).at_all(second).help(help));
    }

    /// A name that leads nowhere.
    pub(super) fn unknown<'a>(
        &mut self,
        what: &str,
        name: &Name,
        place: (DocRef, &str),
        known: impl Iterator<Item = &'a str> + Clone,
    ) {
        let help = match nearest(name.as_str(), known.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.clone().next().is_none() => format!("no {what} is defined"),
            None => format!("defined: {}", all(known)),
        };
        let message = format!("no {what} is named `{name}`");
        self.error(codes::MANIFEST_REFERENCE, message, place, "this is not defined", help);
    }
}
