//! Manifests: what a person wrote, checked as a whole.
//!
//! Four looks at the same tree, each with its own faults and none repeating another's: the text as YAML
//! ([`crate::source`]), the shape of each document against the schema of its kind, the typed read, and what the
//! documents mean together. All faults of all files come out at once.

mod checks;
mod envelope;
mod faults;
mod finding;
mod kinds;
mod meaning;
mod nearest;
mod place;
mod schema;
mod set;
mod shape;
mod touch;
mod upgrade;

use std::{any::Any, collections::BTreeMap, ops::Deref, sync::Arc};

use serde::de::DeserializeOwned;
use serde_json::Value;
use switchback_schemas::{
    Diagnostic, Digest, Label, codes,
    manifest::{ChartSource, ComponentUpgrade, Document, Platform, Verification, Waiver},
    name::Label as Name,
};

pub use self::{
    checks::Checks,
    kinds::{Kinds, UpgradeKind},
    touch::Touch,
    upgrade::{Spec, Upgrade, Written, upgrade},
};
use self::{place::Place, set::Set};
use crate::source;

/// A document among those that were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocRef(usize);

/// A document that knows where it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Spanned<T> {
    /// Where it was written, for [`Manifests::label`].
    pub doc: DocRef,
    /// What it says.
    pub value: T,
}

impl<T: DeserializeOwned> Spanned<T> {
    /// A document from the JSON that it is.
    pub fn read(doc: DocRef, value: Value) -> Result<Self, serde_json::Error> {
        Ok(Self { doc, value: serde_json::from_value(value)? })
    }
}

impl<T> Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// Documents of one kind.
pub type Documents<S> = Vec<Spanned<Document<S>>>;

/// A set of manifests that is whole and without contradiction. Documents are kept by name, so that neither the names nor the
/// order of files matter to what is made of them.
#[derive(Debug)]
pub struct Manifests {
    /// The platform.
    pub platform: Spanned<Document<Platform>>,
    /// Upgrades of components that only the catalog knows.
    pub components: Documents<ComponentUpgrade>,
    /// Verifications that upgrades name.
    pub verifications: BTreeMap<Name, Spanned<Document<Verification>>>,
    /// Findings that somebody accepts.
    pub waivers: Documents<Waiver>,
    /// Digest of what the documents say, over canonical JSON: whatever their files, order, comments and quoting.
    pub digest: Digest,
    /// Upgrades by kind and name.
    upgrades: BTreeMap<&'static str, BTreeMap<Name, Arc<dyn Written>>>,
    places: Vec<Place>,
}

/// The digest stands for what the documents say.
impl PartialEq for Manifests {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest && self.places == other.places
    }
}

impl Manifests {
    /// Where charts come from: a directory is relative to the file that names it, and so to where the command runs.
    pub fn charts(&self, doc: DocRef, source: &ChartSource) -> ChartSource {
        let ChartSource::Directory(path) = source else { return source.clone() };
        let beside = self.file(doc).rsplit_once('/').map_or("", |(directory, _)| directory);
        let mut parts: Vec<&str> = beside.split('/').filter(|part| *part != ".").collect();
        for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
            match (part, parts.last().copied()) {
                ("..", Some(last)) if !last.is_empty() && last != ".." => drop(parts.pop()),
                _ => parts.push(part),
            }
        }
        let path = parts.join("/");
        ChartSource::Directory(if beside.is_empty() { path.trim_start_matches('/').to_owned() } else { path })
    }

    /// A label at a JSON pointer of a document, such as `/spec/to`. A pointer that leads past what is written labels
    /// the last part of it that is; the empty pointer labels the first field.
    pub fn label(&self, doc: DocRef, pointer: &str, text: impl Into<String>) -> Label {
        self.places
            .get(doc.0)
            .map_or_else(|| Label::new("", 0..0, ""), |place| place.label(pointer, text.into()))
    }

    /// Upgrades of one kind, by name.
    pub fn of<S: Spec>(&self) -> impl Iterator<Item = &Spanned<Document<S>>> {
        let written = self.upgrades.get(S::KIND).into_iter().flat_map(BTreeMap::values);
        written.filter_map(|written| {
            let any: &dyn Any = &**written;
            any.downcast_ref()
        })
    }

    /// Upgrades of all kinds that a plan can be made from.
    pub fn upgrades(&self) -> impl Iterator<Item = &dyn Written> {
        self.upgrades.values().flat_map(BTreeMap::values).map(|written| &**written)
    }

    /// The upgrade of a name, of whatever kind: names that a requirement could mean twice were refused.
    pub fn named(&self, name: &Name) -> Option<&dyn Upgrade> {
        self.upgrades.values().find_map(|of_kind| of_kind.get(name)).map(|written| written.upgrade())
    }

    /// The file that a document stands in.
    pub fn file(&self, doc: DocRef) -> &str {
        self.places.get(doc.0).map_or("", |place| &place.file)
    }
}

/// Reads manifests from files given by name and content. Without any error among the diagnostics there are manifests.
/// The order of the files changes nothing.
pub fn read<N, B>(
    kinds: &Kinds<'_>,
    files: impl IntoIterator<Item = (N, B)>,
) -> (Option<Manifests>, Vec<Diagnostic>)
where
    N: Into<String>,
    B: AsRef<[u8]>,
{
    let mut files: Vec<(String, B)> = files.into_iter().map(|(name, bytes)| (name.into(), bytes)).collect();
    files.sort_by(|a, b| a.0.cmp(&b.0));
    let mut set = Set::new(kinds);
    let mut diagnostics = Vec::new();
    for (name, bytes) in &files {
        let (source, faults) = source::read(name, bytes.as_ref());
        set.whole &= !source.lost;
        diagnostics.extend(faults);
        for root in source.documents {
            diagnostics.extend(set.add(Place { file: name.clone(), root }));
        }
    }
    diagnostics.extend(meaning::check(&set));
    diagnostics.sort_by(|a, b| order(a).cmp(&order(b)));
    diagnostics.dedup();
    let mut diagnostics = source::first(diagnostics);
    let failed = diagnostics.iter().any(Diagnostic::is_error);
    if failed {
        return (None, diagnostics);
    }
    let manifests = set.finish().unwrap_or_else(|error| {
        diagnostics.push(Diagnostic::error(codes::BUG, format!("the manifests have no digest: {error}")));
        None
    });
    (manifests, diagnostics)
}

/// Diagnostics come in the order of the text, those of no place first.
fn order(diagnostic: &Diagnostic) -> (Option<(&str, usize)>, &str, &str) {
    let place = diagnostic.labels.first().map(|label| (label.file.as_str(), label.start));
    (place, diagnostic.code.as_str(), &diagnostic.message)
}
