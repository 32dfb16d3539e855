//! What is known of drivers of NVIDIA, whoever brings them onto a node: the shape of `known.yaml`.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Deserialize;
use switchback_schemas::{Diagnostic, Version};

use crate::catalog;

/// The file, for the catalog of each component that reads it.
pub const KNOWN: &str = include_str!("known.yaml");

/// What is known.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KnownDrivers {
    /// When it was read.
    pub read_on: String,
    /// Where it was read, by key.
    pub sources: BTreeMap<String, String>,
    /// The oldest driver that a major of CUDA works with.
    pub cuda: Vec<Cuda>,
    /// The key of its source.
    pub cuda_source: String,
    /// Branches with an end.
    pub branches: Vec<Branch>,
    /// The key of its source.
    pub branch_source: String,
    /// The oldest driver of a product.
    pub hardware: Vec<Hardware>,
    /// The key of its source.
    pub hardware_source: String,
    /// The breaker of NVSentinel.
    pub breaker: Breaker,
    /// What was looked for and not found.
    pub holes: Vec<String>,
}

/// The oldest driver of a major of CUDA.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cuda {
    /// The major.
    pub major: Version,
    /// The driver.
    pub driver: Version,
}

/// A branch with an end.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Branch {
    /// The branch.
    #[serde(rename = "branch")]
    pub of: Version,
    /// What NVIDIA calls it.
    pub designation: String,
    /// Its last day.
    pub until: Date,
}

/// The oldest driver of a product.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Hardware {
    /// A part of its name.
    pub product: String,
    /// The driver.
    pub driver: Version,
}

/// The breaker of NVSentinel.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Breaker {
    /// Hundredths of the GPU nodes at which it trips.
    pub percent: u64,
    /// The key of its source.
    pub source: String,
}

impl KnownDrivers {
    /// Reads it. An error is a bug of this build.
    pub fn read() -> Result<Self, Diagnostic> {
        catalog::read("drivers/known.yaml", KNOWN)
    }

    /// A source for the plan's table.
    pub fn source(&self, key: &str) -> Option<switchback_schemas::plan::Source> {
        let title = self.sources.get(key)?.clone();
        Some(switchback_schemas::plan::Source { title, read_on: self.read_on.clone() })
    }

    /// The branch of a driver, where its end is known.
    pub fn branch(&self, driver: &Version) -> Option<&Branch> {
        self.branches.iter().find(|known| driver.is_of(&known.of))
    }

    /// The oldest driver that a CUDA works with, where it is known.
    pub fn for_cuda(&self, cuda: &Version) -> Option<&Version> {
        self.cuda.iter().find(|row| row.major.major() == cuda.major()).map(|row| &row.driver)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fact_names_a_source_and_every_source_is_named() {
        let known = KnownDrivers::read().expect("the file");
        let named = [&known.cuda_source, &known.branch_source, &known.hardware_source, &known.breaker.source];
        assert!(named.iter().all(|source| known.sources.contains_key(*source)), "{named:?}");
        assert_eq!(known.sources.len(), named.len());
        assert!(!known.holes.is_empty());
    }
}
