//! What was read, before it is known to be whole.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};
use switchback_schemas::{
    Diagnostic, Digest, codes,
    manifest::{ComponentUpgrade, Document, Platform, Verification, Waiver},
};

use super::{
    DocRef, Documents, Manifests, Spanned, Written, envelope,
    kinds::{COMPONENT_UPGRADE, Kinds, PLATFORM, VERIFICATION, WAIVER},
    place::Place,
    shape,
};

/// The documents so far.
pub(super) struct Set<'k> {
    pub(super) kinds: &'k Kinds<'k>,
    /// Whether every document could be read far enough to know its kind and name.
    pub(super) whole: bool,
    pub(super) platforms: Documents<Platform>,
    /// Upgrades with their kinds.
    pub(super) upgrades: BTreeMap<DocRef, (&'static str, Arc<dyn Written>)>,
    pub(super) components: Documents<ComponentUpgrade>,
    pub(super) verifications: Documents<Verification>,
    waivers: Documents<Waiver>,
    /// Kind and name of every document, also of those whose spec is wrong.
    pub(super) names: Vec<(&'static str, String, DocRef)>,
    pub(super) places: Vec<Place>,
}

impl<'k> Set<'k> {
    /// None yet.
    pub(super) fn new(kinds: &'k Kinds<'k>) -> Self {
        Self {
            kinds,
            whole: true,
            platforms: Vec::new(),
            upgrades: BTreeMap::new(),
            components: Vec::new(),
            verifications: Vec::new(),
            waivers: Vec::new(),
            names: Vec::new(),
            places: Vec::new(),
        }
    }

    /// Takes one document and says what is wrong with it alone.
    pub(super) fn add(&mut self, place: Place) -> Vec<Diagnostic> {
        let kind = match envelope::kind(self.kinds, &place) {
            Ok(kind) => kind,
            Err(diagnostics) => {
                self.whole = false;
                return diagnostics;
            }
        };
        let doc = DocRef(self.places.len());
        match place.name() {
            Some(name) => self.names.push((kind, name.to_owned(), doc)),
            None => self.whole = false,
        }
        let value = place.root.to_value();
        let mut diagnostics = shape::check(self.kinds.compiled(kind), &value, &place);
        if diagnostics.is_empty() && !place.root.damaged() {
            let typed = self.typed(kind, doc, value);
            diagnostics.extend(typed.err().map(|error| {
                let message = format!("the schema of {kind} admits what its type does not: {error}");
                Diagnostic::error(codes::BUG, message)
                    .at(place.label("/kind", "this document".to_owned()))
                    .help("please report this with the document")
            }));
        }
        self.places.push(place);
        diagnostics
    }

    fn typed(&mut self, kind: &'static str, doc: DocRef, value: Value) -> Result<(), serde_json::Error> {
        if let Some(upgrade) = self.kinds.upgrade(kind) {
            self.upgrades.insert(doc, (kind, upgrade.typed(doc, value)?));
            return Ok(());
        }
        match kind {
            PLATFORM => self.platforms.push(Spanned::read(doc, value)?),
            COMPONENT_UPGRADE => self.components.push(Spanned::read(doc, value)?),
            VERIFICATION => self.verifications.push(Spanned::read(doc, value)?),
            WAIVER => self.waivers.push(Spanned::read(doc, value)?),
            _ => {}
        }
        Ok(())
    }

    /// The set as it is worked with, when nothing is wrong with it.
    pub(super) fn finish(mut self) -> Result<Option<Manifests>, serde_json::Error> {
        let Some(platform) = self.platforms.pop() else { return Ok(None) };
        by_name(&mut self.components);
        by_name(&mut self.waivers);
        let mut upgrades: BTreeMap<&'static str, BTreeMap<_, _>> = BTreeMap::new();
        for (kind, written) in self.upgrades.into_values() {
            upgrades.entry(kind).or_default().insert(written.name().clone(), written);
        }
        let named = |document: Spanned<Document<Verification>>| (document.metadata.name.clone(), document);
        let mut manifests = Manifests {
            platform,
            components: self.components,
            verifications: self.verifications.into_iter().map(named).collect(),
            waivers: self.waivers,
            digest: Digest::of(""),
            upgrades,
            places: self.places,
        };
        manifests.digest = digest(&manifests)?;
        Ok(Some(manifests))
    }
}

fn by_name<S>(documents: &mut Documents<S>) {
    documents.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
}

/// Over canonical JSON: keys are sorted, and documents are by kind and name.
fn digest(manifests: &Manifests) -> Result<Digest, serde_json::Error> {
    let mut upgrades = serde_json::Map::new();
    for (kind, by_name) in &manifests.upgrades {
        let values: Result<Vec<Value>, _> = by_name.values().map(|written| written.to_value()).collect();
        upgrades.insert((*kind).to_owned(), Value::Array(values?));
    }
    Digest::of_json(&json!({
        "platform": manifests.platform.value,
        "upgrades": upgrades,
        "components": manifests.components.iter().map(|one| &one.value).collect::<Vec<_>>(),
        "verifications": manifests.verifications.values().map(|one| &one.value).collect::<Vec<_>>(),
        "waivers": manifests.waivers.iter().map(|one| &one.value).collect::<Vec<_>>(),
    }))
}

#[cfg(test)]
mod tests {
    /// A map of JSON values that kept the order of writing would make the digest one of files.
    #[test]
    fn keys_of_json_are_sorted() {
        let value: serde_json::Value =
            serde_json::from_str(r#"{"b": 1, "a": {"d": 2, "c": 3}}"#).expect("JSON");
        assert_eq!(value.to_string(), r#"{"a":{"c":3,"d":2},"b":1}"#);
    }
}
