//! The shape of `catalog.yaml`.

use std::collections::BTreeMap;

use serde::Deserialize;
use switchback_schemas::{Version, seconds::Length};

use crate::lower::drivers::known::KnownDrivers;

/// Facts about drivers of NVIDIA.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DriverFacts {
    /// When they were read.
    pub read_on: String,
    /// Where they were read, by key.
    pub sources: BTreeMap<String, String>,
    /// Driver pods.
    pub pods: Pods,
    /// How often the operator looks at nodes.
    pub look: Look,
    /// What keeps it from uncordoning a node.
    pub initial_state: InitialState,
    /// How operands are taken off a node.
    pub deploy: Deploy,
    /// The part of a driver's pod that would move pods by itself.
    pub manager: Manager,
    /// Drivers by lines of the operator.
    pub releases: Vec<Release>,
    /// The key of its source.
    pub release_source: String,
    /// Facts that stand in code, with the keys of their sources.
    pub in_code: BTreeMap<String, String>,
    /// What is known of drivers, whoever brings them; it stands in a file of its own.
    #[serde(skip)]
    pub known: KnownDrivers,
}

/// Driver pods: a label that they have.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pods {
    /// Its key.
    pub label: String,
    /// Its value.
    pub value: String,
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

/// What says that a node was cordoned before its upgrade.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InitialState {
    /// The annotation.
    pub annotation: String,
    /// The key of its source.
    pub source: String,
}

/// Labels of a node by which operands are deployed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Deploy {
    /// What they begin with.
    pub prefix: String,
    /// What follows.
    pub operands: Vec<String>,
    /// Their value while a driver is upgraded.
    pub paused: String,
    /// The key of its source.
    pub source: String,
}

/// The driver manager, which runs before a driver where the operator upgrades nothing by itself.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manager {
    /// Variables by which it cordons a node, evicts its pods and uncordons it.
    pub switches: Vec<String>,
    /// The key of its source.
    pub source: String,
}

/// Drivers of a line of the operator.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Release {
    /// The line.
    pub operator: Version,
    /// The drivers.
    pub drivers: Vec<Version>,
}

impl DriverFacts {
    /// A source for the plan's table.
    pub fn source(&self, key: &str) -> Option<switchback_schemas::plan::Source> {
        let title = self.sources.get(key)?.clone();
        Some(switchback_schemas::plan::Source { title, read_on: self.read_on.clone() })
    }
}

#[cfg(test)]
mod tests {
    use crate::{component::Component as _, components::gpu_driver::GpuDriver};

    #[test]
    fn every_fact_names_a_source_and_every_source_is_named() {
        let facts = GpuDriver.facts().expect("the catalog");
        let mut named = vec![
            &facts.pods.source,
            &facts.look.source,
            &facts.initial_state.source,
            &facts.deploy.source,
            &facts.manager.source,
            &facts.release_source,
        ];
        named.extend(facts.in_code.values());
        for source in &named {
            assert!(facts.sources.contains_key(*source), "{source}");
        }
        for source in facts.sources.keys() {
            assert!(named.contains(&source), "nothing names {source}");
        }
    }
}
