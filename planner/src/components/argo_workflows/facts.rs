//! The shape of `catalog.yaml`.

use std::collections::BTreeMap;

use serde::Deserialize;
use switchback_schemas::{Version, manifest::VersionRange};

/// Facts about Argo Workflows.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ArgoFacts {
    /// When they were read.
    pub read_on: String,
    /// Where they were read, by key.
    pub sources: BTreeMap<String, String>,
    /// Which version a chart installs.
    pub charts: Vec<Chart>,
    /// Where the full CRDs are.
    pub full_crds: FullCrds,
    /// From which chart on a lone controller is not rolled with a surge.
    pub recreate: Since,
    /// Its CRDs.
    pub crds: Vec<String>,
    /// Fields that are gone.
    pub removed: Vec<Removed>,
    /// Jumps that strand running Workflows.
    pub jumps: Vec<Jump>,
    /// What a controller does to its database when it starts.
    pub archive: Vec<Migration>,
    /// Versions in which running Workflows may end otherwise.
    pub outcomes: Vec<Outcome>,
    /// What service accounts of Workflows need.
    pub accounts: Vec<Account>,
    /// Values that are called otherwise.
    pub values: Vec<Renamed>,
}

/// Charts that install a version.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Chart {
    /// The charts.
    pub charts: VersionRange,
    /// The version of Argo Workflows.
    pub app: Version,
}

/// Where the full CRDs are.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FullCrds {
    /// The first chart whose templates do not hold the CRDs.
    pub since: Version,
    /// The directory of the chart in which they lie.
    pub directory: String,
    /// The key of its source.
    pub source: String,
}

/// Something that a chart does from a version on.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Since {
    /// The chart.
    pub since: Version,
    /// The key of its source.
    pub source: String,
}

/// A field that is gone.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Removed {
    /// Its name.
    pub field: String,
    /// The first version without it.
    pub at: Version,
    /// What stands for it.
    pub instead: String,
    /// Whether `argo convert` writes that.
    pub converts: bool,
    /// The key of its source.
    pub source: String,
}

/// A jump that strands running Workflows.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Jump {
    /// From any of these.
    pub from: VersionRange,
    /// To any of these.
    pub to: VersionRange,
    /// Why.
    pub why: String,
    /// Versions that know both sides.
    pub over: String,
    /// The key of its source.
    pub source: String,
}

/// What a controller does to its database when it starts.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Migration {
    /// The first version that does.
    pub at: Version,
    /// Kinds of databases.
    pub databases: Vec<String>,
    /// What it does.
    pub what: String,
    /// The key of its source.
    pub source: String,
}

/// Versions in which running Workflows may end otherwise.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Outcome {
    /// The versions.
    pub versions: VersionRange,
    /// How.
    pub why: String,
    /// The key of its source.
    pub source: String,
}

/// What service accounts of Workflows need from a version on.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Account {
    /// The first version.
    pub at: Version,
    /// The API group.
    pub group: String,
    /// The resource.
    pub resource: String,
    /// The verbs.
    pub verbs: Vec<String>,
    /// The key of its source.
    pub source: String,
}

/// A value that is called otherwise from a chart on.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Renamed {
    /// The first chart that calls it so.
    pub since: Version,
    /// What it was called.
    pub was: String,
    /// What it is called.
    pub is: String,
    /// The key of its source.
    pub source: String,
}

impl ArgoFacts {
    /// The version that a chart installs, if it was read.
    pub fn app_of(&self, chart: &Version) -> Option<&Version> {
        self.charts.iter().find(|row| row.charts.contains(chart)).map(|row| &row.app)
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
    use crate::{component::Component as _, components::argo_workflows::ArgoWorkflows};

    fn facts() -> ArgoFacts {
        ArgoWorkflows.facts().expect("the catalog")
    }

    #[test]
    fn every_fact_names_a_source() {
        let facts = facts();
        let removed = facts.removed.iter().map(|row| &row.source);
        let jumps = facts.jumps.iter().map(|row| &row.source);
        let archive = facts.archive.iter().map(|row| &row.source);
        let outcomes = facts.outcomes.iter().map(|row| &row.source);
        let accounts = facts.accounts.iter().map(|row| &row.source);
        let values = facts.values.iter().map(|row| &row.source);
        let single = [&facts.full_crds.source, &facts.recreate.source];
        for source in
            removed.chain(jumps).chain(archive).chain(outcomes).chain(accounts).chain(values).chain(single)
        {
            assert!(facts.sources.contains_key(source), "{source}");
        }
    }

    #[test]
    fn a_chart_between_two_rows_installs_nothing_that_is_known() {
        let facts = facts();
        let app = |chart: &str| facts.app_of(&chart.parse().expect(chart)).map(Version::to_string);
        assert_eq!(app("1.0.18").as_deref(), Some("4.0.6"));
        assert_eq!(app("0.45.0").as_deref(), Some("3.6.0"));
        assert_eq!(app("0.45.21").as_deref(), Some("3.7.0"));
        assert_eq!(app("0.45.13"), None);
        assert_eq!(app("1.1.0"), None);
    }
}
