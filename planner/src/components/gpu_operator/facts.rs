//! The shape of `catalog.yaml`.

use std::collections::BTreeMap;

use serde::Deserialize;
use switchback_schemas::{Version, seconds::Length};

/// Facts about the GPU Operator.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GpuFacts {
    /// When they were read.
    pub read_on: String,
    /// Where they were read, by key.
    pub sources: BTreeMap<String, String>,
    /// Where the chart writes its version into every operand.
    pub chart_label: ChartLabel,
    /// How often the operator looks at nodes.
    pub look: Look,
    /// What of a ClusterPolicy goes into the driver's pods.
    pub driver_template: DriverTemplate,
    /// Releases that change the driver's pods whatever the ClusterPolicy says.
    pub templates: Vec<TemplateChange>,
    /// Operands with a version of their own.
    pub operands: Vec<Operand>,
    /// The oldest driver manager.
    pub manager_floor: ManagerFloor,
    /// What to know of single hops.
    pub traps: Vec<Trap>,
}

/// Where the chart writes its version into every operand.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChartLabel {
    /// A JSON pointer into the ClusterPolicy.
    pub field: String,
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

/// What of a ClusterPolicy goes into the driver's pods.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DriverTemplate {
    /// JSON pointers into the ClusterPolicy.
    pub fields: Vec<String>,
    /// Parts of them that do not.
    pub without: Vec<String>,
    /// The key of its source.
    pub source: String,
}

/// A release that changes the driver's pods by itself.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TemplateChange {
    /// The first release that does.
    pub at: Version,
    /// How.
    pub why: String,
    /// The key of its source.
    pub source: String,
}

/// An operand with a version of its own.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Operand {
    /// Its field of a ClusterPolicy's spec.
    pub field: String,
    /// Its DaemonSet.
    pub daemon_set: String,
    /// Its name for people.
    pub title: String,
    /// The key of its source.
    pub source: String,
}

/// The oldest driver manager that operators from a version on work with.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ManagerFloor {
    /// From this operator on.
    pub since: Version,
    /// This manager.
    pub version: Version,
    /// The key of its source.
    pub source: String,
}

/// What to know of a hop over a version.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Trap {
    /// The version that is crossed.
    pub over: Version,
    /// Where it is known only of hops from one version.
    #[serde(default)]
    pub from: Option<Version>,
    /// Where it is known only of hops to one version.
    #[serde(default)]
    pub to: Option<Version>,
    /// What.
    pub what: String,
    /// The key of its source.
    pub source: String,
}

impl GpuFacts {
    /// Whether a hop crosses a version.
    pub fn crosses(from: Option<&Version>, to: &Version, version: &Version) -> bool {
        from.is_none_or(|from| from < version) && version <= to
    }

    /// A source for the plan's table.
    pub fn source(&self, key: &str) -> Option<switchback_schemas::plan::Source> {
        let title = self.sources.get(key)?.clone();
        Some(switchback_schemas::plan::Source { title, read_on: self.read_on.clone() })
    }
}

#[cfg(test)]
mod tests {
    use crate::{component::Component as _, components::gpu_operator::GpuOperator};

    #[test]
    fn every_fact_names_a_source_and_every_source_is_named() {
        let facts = GpuOperator.facts().expect("the catalog");
        let mut named: Vec<&String> = vec![
            &facts.chart_label.source,
            &facts.look.source,
            &facts.driver_template.source,
            &facts.manager_floor.source,
        ];
        named.extend(facts.templates.iter().map(|row| &row.source));
        named.extend(facts.operands.iter().map(|row| &row.source));
        named.extend(facts.traps.iter().map(|row| &row.source));
        for source in &named {
            assert!(facts.sources.contains_key(*source), "{source}");
        }
        for source in facts.sources.keys() {
            assert!(named.contains(&source), "nothing names {source}");
        }
    }
}
