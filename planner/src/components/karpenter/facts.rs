//! The shape of `catalog.yaml`.

use std::collections::BTreeMap;

use serde::Deserialize;
use switchback_schemas::Version;

/// Facts about Karpenter.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KarpenterFacts {
    /// When they were read.
    pub read_on: String,
    /// Where they were read, by key.
    pub sources: BTreeMap<String, String>,
    /// Where v1beta1 ends.
    pub bridge: Bridge,
    /// Versions that drift nodes by themselves.
    pub drifts: Vec<Bad>,
    /// Calls that the controller's role needs.
    pub iam: Vec<Iam>,
    /// Its CRDs.
    pub crds: Vec<String>,
}

/// A version with something to know about it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Bad {
    /// The version.
    pub version: Version,
    /// What.
    pub why: String,
}

/// Where a stored version ends.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Bridge {
    /// The line that serves both versions.
    pub from: Version,
    /// The version that is dropped.
    pub drops: String,
    /// The first line without it.
    pub at: Version,
    /// Where that is written.
    pub source: String,
}

/// Calls that the controller's role needs from a version on.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Iam {
    /// From this version on.
    pub since: Version,
    /// The calls.
    pub add: Vec<String>,
}

impl KarpenterFacts {
    /// A source for the plan's table.
    pub fn source(&self, key: &str) -> Option<switchback_schemas::plan::Source> {
        let title = self.sources.get(key)?.clone();
        Some(switchback_schemas::plan::Source { title, read_on: self.read_on.clone() })
    }
}
