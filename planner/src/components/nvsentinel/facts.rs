//! The shape of `catalog.yaml`.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Facts about NVSentinel.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SentinelFacts {
    /// When they were read.
    pub read_on: String,
    /// Where they were read, by key.
    pub sources: BTreeMap<String, String>,
    /// Why a change of the database is no upgrade.
    pub database: DatabaseChange,
    /// How a database of Percona moves.
    pub percona: Percona,
    /// What cordons nodes.
    pub quarantine: QuarantineFacts,
    /// CRDs that Helm does not upgrade.
    pub crds: Crds,
}

/// Why a change of the database is no upgrade.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DatabaseChange {
    /// What happens.
    pub why: String,
    /// The runbook that does it.
    pub runbook: String,
    /// The key of its source.
    pub source: String,
}

/// How a database of Percona moves.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Percona {
    /// The rule.
    pub what: String,
    /// The key of its source.
    pub source: String,
}

/// What cordons nodes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QuarantineFacts {
    /// Its Deployment.
    pub deployment: String,
    /// What happens while its breaker is tripped.
    pub while_tripped: String,
    /// The key of its source.
    pub source: String,
}

/// CRDs that Helm does not upgrade.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Crds {
    /// Their names.
    pub names: Vec<String>,
    /// The key of its source.
    pub source: String,
}

impl SentinelFacts {
    /// A source for the plan's table.
    pub fn source(&self, key: &str) -> Option<switchback_schemas::plan::Source> {
        let title = self.sources.get(key)?.clone();
        Some(switchback_schemas::plan::Source { title, read_on: self.read_on.clone() })
    }
}

#[cfg(test)]
mod tests {
    use crate::{component::Component as _, components::nvsentinel::Nvsentinel};

    #[test]
    fn every_fact_names_a_source_and_every_source_is_named() {
        let facts = Nvsentinel.facts().expect("the catalog");
        let named =
            [&facts.database.source, &facts.percona.source, &facts.quarantine.source, &facts.crds.source];
        assert!(named.iter().all(|source| facts.sources.contains_key(*source)), "{named:?}");
        assert!(facts.sources.keys().all(|source| named.contains(&source)), "{:?}", facts.sources);
    }
}
