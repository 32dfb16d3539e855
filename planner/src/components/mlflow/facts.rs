//! The shape of `catalog.yaml`.

use std::collections::BTreeMap;

use serde::Deserialize;
use switchback_schemas::{Version, manifest::VersionRange};

/// Facts about MLflow.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MlflowFacts {
    /// When they were read.
    pub read_on: String,
    /// Where they were read, by key.
    pub sources: BTreeMap<String, String>,
    /// Heads of the database's revisions by release, rising.
    pub heads: Vec<Head>,
    /// What a server does at its start to a database that is not at its head.
    pub starts: Vec<Start>,
}

/// The head that a release ships.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Head {
    /// The release.
    pub version: Version,
    /// The revision that its server demands.
    pub head: String,
    /// The key of its source.
    pub source: String,
}

/// What servers of some releases do at their start.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Start {
    /// Which releases.
    pub versions: VersionRange,
    /// What they do.
    pub does: Does,
    /// Why.
    pub why: String,
    /// The key of its source.
    pub source: String,
}

/// What a server does to a database that is not at its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Does {
    /// It may migrate it by itself.
    Migrates,
    /// It does not start.
    Refuses,
}

impl MlflowFacts {
    /// The head of a release: its own row's, or that of both its neighbours where they have one.
    pub fn head(&self, version: &Version) -> Option<&Head> {
        let below = self.heads.iter().rfind(|row| row.version <= *version)?;
        let above = self.heads.iter().find(|row| row.version >= *version)?;
        (below.head == above.head).then_some(below)
    }

    /// The newest release that is known.
    pub fn newest(&self) -> Option<&Version> {
        self.heads.last().map(|row| &row.version)
    }

    /// What a release does at its start.
    pub fn start(&self, version: &Version) -> Option<&Start> {
        self.starts.iter().find(|start| start.versions.contains(version))
    }

    /// A source for the plan's table.
    pub fn source(&self, key: &str) -> Option<switchback_schemas::plan::Source> {
        let title = self.sources.get(key)?.clone();
        Some(switchback_schemas::plan::Source { title, read_on: self.read_on.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{component::Component as _, components::mlflow::Mlflow};

    fn v(text: &str) -> Version {
        text.parse().expect(text)
    }

    fn facts() -> MlflowFacts {
        Mlflow.facts().expect("the catalog")
    }

    #[test]
    fn rows_rise_and_name_their_sources() {
        let facts = facts();
        assert!(facts.heads.windows(2).all(|pair| pair[0].version < pair[1].version));
        let named = facts.heads.iter().map(|row| &row.source).chain(facts.starts.iter().map(|s| &s.source));
        for source in named {
            assert!(facts.sources.contains_key(source), "{source}");
        }
    }

    #[test]
    fn a_release_between_two_heads_has_none_that_is_known() {
        let facts = facts();
        let head = |text: &str| facts.head(&v(text)).map(|row| row.head.as_str());
        assert_eq!(head("3.17.1"), Some("dc11669786a5"), "both neighbours have it");
        assert_eq!(head("2.13.1"), None, "a patch brought a migration, and nobody knows which");
        assert_eq!(head("3.18.0"), Some("f4a9b2c7d1e6"));
        assert_eq!(head("3.18.1"), None, "newer than what was read");
        assert_eq!(head("1.30.0"), None, "older than what was read");
    }

    #[test]
    fn every_release_has_one_rule_for_its_start() {
        let facts = facts();
        for row in &facts.heads {
            let rules = facts.starts.iter().filter(|start| start.versions.contains(&row.version)).count();
            assert_eq!(rules, 1, "{}", row.version);
        }
        assert_eq!(facts.start(&v("3.9.0")).map(|start| start.does), Some(Does::Refuses));
        assert_eq!(facts.start(&v("3.10.0")).map(|start| start.does), Some(Does::Migrates));
        assert_eq!(facts.start(&v("3.12.0")).map(|start| start.does), Some(Does::Migrates));
    }
}
