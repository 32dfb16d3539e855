//! The shape of `catalog.yaml`.

use std::collections::BTreeMap;

use serde::Deserialize;
use switchback_schemas::{
    Version,
    plan::{Estimate, Source},
};

use crate::lower::drivers::known::KnownDrivers;

/// Facts about images of GPU nodes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImageFacts {
    /// When they were read.
    pub read_on: String,
    /// Where they were read, by key.
    pub sources: BTreeMap<String, String>,
    /// Labels of a node that say which driver it has.
    pub labels: Labels,
    /// GPUs that published Bottlerocket images do not work with.
    pub bottlerocket: Bottlerocket,
    /// How long a group takes until it has its nodes.
    pub group: Takes,
    /// How long the old group is retained.
    pub keep: Keep,
    /// Facts that stand in code, with the keys of their sources.
    pub in_code: BTreeMap<String, String>,
    /// What is known of drivers, whoever brings them; it stands in a file of its own.
    #[serde(skip)]
    pub known: KnownDrivers,
}

/// Labels of a node that say which driver it has.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Labels {
    /// The whole version.
    pub full: String,
    /// Its branch alone.
    pub branch: String,
    /// The key of its source.
    pub source: String,
}

/// GPUs that published Bottlerocket images do not work with.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Bottlerocket {
    /// How their instance types begin.
    pub families: Vec<String>,
    /// The oldest branch that works with them.
    pub driver: Version,
    /// The branch that the images hold.
    pub holds: Version,
    /// The key of its source.
    pub source: String,
}

/// How long something takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Takes {
    /// As a rule, in seconds.
    pub expected: u64,
    /// Nine times out of ten at most.
    pub p90: u64,
    /// The key of its source.
    pub source: String,
}

/// How long the old group is retained.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Keep {
    /// In days.
    pub days: u64,
}

impl ImageFacts {
    /// A source for the plan's table.
    pub fn source(&self, key: &str) -> Option<Source> {
        let title = self.sources.get(key)?.clone();
        Some(Source { title, read_on: self.read_on.clone() })
    }

    /// How long a group takes.
    pub fn takes(&self) -> Estimate {
        Estimate::seconds(self.group.expected, self.group.p90)
    }
}

#[cfg(test)]
mod tests {
    use crate::{component::Component as _, components::gpu_node_image::GpuNodeImage};

    #[test]
    fn every_fact_names_a_source_and_every_source_is_named() {
        let facts = GpuNodeImage.facts().expect("the catalog");
        let mut named = vec![&facts.labels.source, &facts.bottlerocket.source, &facts.group.source];
        named.extend(facts.in_code.values());
        for source in &named {
            assert!(facts.source(source).is_some(), "{source}");
        }
        for source in facts.sources.keys() {
            assert!(named.contains(&source), "nothing names {source}");
        }
        assert!(!facts.known.cuda.is_empty());
    }
}
