//! The catalog: facts about versions, with the source of each. Data, embedded; one file per component.

use switchback_schemas::{Diagnostic, Digest, Version, codes};

use crate::{components::karpenter::facts::KarpenterFacts, source};

const KARPENTER: &str = include_str!("components/karpenter/catalog.yaml");

/// Facts of every component that has some.
#[derive(Debug)]
pub struct Catalog {
    /// Karpenter's.
    pub karpenter: KarpenterFacts,
    /// Digest of the files' bytes.
    pub digest: Digest,
}

impl Catalog {
    /// The catalog of this build. An error is a bug of this build.
    pub fn embedded() -> Result<Self, Diagnostic> {
        Ok(Self { karpenter: read("karpenter/catalog.yaml", KARPENTER)?, digest: Digest::of(KARPENTER) })
    }
}

fn read<T: serde::de::DeserializeOwned>(name: &str, text: &str) -> Result<T, Diagnostic> {
    let bug = |what: String| {
        Diagnostic::error(codes::BUG, format!("the catalog file {name} cannot be read: {what}"))
    };
    let (file, faults) = source::read(name, text.as_bytes());
    if let Some(fault) = faults.into_iter().find(Diagnostic::is_error) {
        return Err(bug(fault.message));
    }
    let document = file.documents.first().ok_or_else(|| bug("it is empty".to_owned()))?;
    serde_json::from_value(document.to_value()).map_err(|error| bug(error.to_string()))
}

/// A range of versions, both ends included, by their minor lines: `1.26` to `1.34`.
pub fn within(version: &Version, min: &Version, max: &Version) -> bool {
    let line = version.minor_line();
    *min <= line && line <= *max
}
