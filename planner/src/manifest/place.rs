//! Where a document stands: JSON pointers to labels.

use std::sync::Arc;

use switchback_schemas::Label;

use crate::source::{Found, Node, first_key};

/// A document in its file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Place {
    pub(super) file: String,
    pub(super) root: Arc<Node>,
}

impl Place {
    /// The name that the document gives itself, if it gets as far as that.
    pub(super) fn name(&self) -> Option<&str> {
        let scalar = self.root.get("metadata")?.get("name")?.scalar()?;
        scalar.value().is_string().then_some(&scalar.text)
    }

    /// A label at a JSON pointer.
    pub(super) fn label(&self, pointer: &str, text: String) -> Label {
        let found = self.root.find(pointer);
        let range = found.alias.as_ref().map_or_else(|| found.range(), |(alias, _)| alias.clone());
        Label::new(&self.file, range, text)
    }

    /// Labels at a JSON pointer: where it is written, and, under an alias, where that is used.
    pub(super) fn labels(&self, pointer: &str, text: &str) -> Vec<Label> {
        let found = self.root.find(pointer);
        self.with_alias(&found, Label::new(&self.file, found.range(), text))
    }

    /// Labels at a key of the mapping that a pointer leads to.
    pub(super) fn key_labels(&self, pointer: &str, key: &str, text: &str) -> Vec<Label> {
        let found = self.root.find(pointer);
        let entries = found.node.entries().unwrap_or_default();
        let entry = entries.iter().find(|entry| entry.key == key);
        let range = entry.map_or_else(|| found.range(), |entry| entry.key_span.clone());
        self.with_alias(&found, Label::new(&self.file, range, text))
    }

    /// Labels at the first key of the mapping that a pointer leads to, for what is missing in it.
    pub(super) fn first_labels(&self, pointer: &str, text: &str) -> Vec<Label> {
        let found = self.root.find(pointer);
        let range = match found.node.entries() {
            Some([_, ..]) => first_key(found.node.resolved()),
            _ => found.range(),
        };
        self.with_alias(&found, Label::new(&self.file, range, text))
    }

    fn with_alias(&self, found: &Found<'_>, label: Label) -> Vec<Label> {
        let other = found.alias.as_ref().map(|(alias, anchor)| match label.start == alias.start {
            true => Label::new(&self.file, anchor.clone(), "which stands for this"),
            false => Label::new(&self.file, alias.clone(), "used here"),
        });
        std::iter::once(label).chain(other).collect()
    }
}
