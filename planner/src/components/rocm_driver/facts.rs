//! The shape of `catalog.yaml`.

use std::collections::BTreeMap;

use serde::Deserialize;
use switchback_schemas::{Version, seconds::Length};

/// Facts about drivers of AMD.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RocmFacts {
    /// When they were read.
    pub read_on: String,
    /// Where they were read, by key.
    pub sources: BTreeMap<String, String>,
    /// States of a node.
    pub states: States,
    /// How often the operator looks at nodes.
    pub look: Look,
    /// Drivers that need a reboot.
    pub reboots: Reboots,
    /// Numbers of drivers.
    pub own_numbers: OwnNumbers,
    /// The DRA driver.
    pub dra: Dra,
    /// The taint of a cordoned node.
    pub cordon: Cordon,
    /// What was looked for and not found.
    pub holes: Vec<String>,
}

/// States of a node.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct States {
    /// The operator is not at work on it.
    pub rest: Vec<String>,
    /// The operator is at work on it.
    pub busy: Vec<String>,
    /// It has failed at it.
    pub failed: Vec<String>,
    /// The key of its source.
    pub source: String,
}

/// How often the operator looks at nodes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Look {
    /// The time between two looks.
    pub every: Length,
    /// The key of its source.
    pub source: String,
}

/// Drivers that need a reboot.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Reboots {
    /// The newest.
    pub up_to: Version,
    /// The key of its source.
    pub source: String,
}

/// Numbers of drivers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OwnNumbers {
    /// From this ROCm on they are other ones.
    pub from: Version,
    /// The driver of that ROCm.
    pub example: Version,
    /// The key of its source.
    pub source: String,
}

/// The DRA driver.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Dra {
    /// The oldest drivers that need it, one of each numbering.
    pub drivers: Vec<Version>,
    /// How new it has to be.
    pub at_least: Version,
    /// The key of its source.
    pub source: String,
}

/// The taint of a cordoned node.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cordon {
    /// Its key.
    pub taint: String,
    /// The key of its source.
    pub source: String,
}

impl RocmFacts {
    /// A source for the plan's table.
    pub fn source(&self, key: &str) -> Option<switchback_schemas::plan::Source> {
        let title = self.sources.get(key)?.clone();
        Some(switchback_schemas::plan::Source { title, read_on: self.read_on.clone() })
    }
}

#[cfg(test)]
mod tests {
    use crate::{component::Component as _, components::rocm_driver::RocmDriver};

    #[test]
    fn every_fact_names_a_source_and_every_source_is_named() {
        let facts = RocmDriver.facts().expect("the catalog");
        let named = [
            &facts.states.source,
            &facts.look.source,
            &facts.reboots.source,
            &facts.own_numbers.source,
            &facts.dra.source,
            &facts.cordon.source,
        ];
        for source in named {
            assert!(facts.sources.contains_key(source), "{source}");
        }
        for source in facts.sources.keys() {
            assert!(named.contains(&source), "nothing names {source}");
        }
        assert!(!facts.holes.is_empty());
    }
}
