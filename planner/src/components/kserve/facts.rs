//! The shape of `catalog.yaml`.

use std::collections::BTreeMap;

use serde::Deserialize;
use switchback_schemas::{Seconds, Version, seconds::Length};

/// Facts about KServe.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KserveFacts {
    /// When they were read.
    pub read_on: String,
    /// Where they were read, by key.
    pub sources: BTreeMap<String, String>,
    /// Where the charts were split.
    pub split: Split,
    /// What releases consist of, in the order in which they move.
    pub parts: Vec<Part>,
    /// The lease by which the controller elects a leader.
    pub lease: LeaseFact,
    /// Where deployment modes got other words.
    pub words: Words,
    /// Versions whose first start changes the pods of services.
    pub restarts: Vec<Restart>,
    /// Where images stand that the controller puts into pods of services.
    pub images: Images,
    /// Where stored LLM objects moved to another version.
    pub llm_storage: LlmStorage,
    /// Until which version the minimal charts of LLM CRDs lose fields.
    pub minimal: Minimal,
}

/// Where the charts were split.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Split {
    /// The first version with the new charts.
    pub at: Version,
    /// What follows from it.
    pub why: String,
    /// The key of its source.
    pub source: String,
    /// New names of charts by old ones.
    pub renamed: BTreeMap<String, String>,
    /// What moves to a chart of its own.
    pub moved: Vec<MovedObjects>,
}

/// Objects that an older chart holds and only a chart of their own holds from the split on.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MovedObjects {
    /// Their kind.
    pub kind: String,
    /// Of CRDs: what the kinds that they define begin with.
    pub defines: Option<String>,
    /// The chart.
    pub chart: String,
    /// The value without which that chart does not hold them.
    pub value: Option<String>,
    /// The key of its source.
    pub source: String,
}

impl MovedObjects {
    /// Whether an object is one of them.
    pub fn is(&self, object: &serde_json::Value) -> bool {
        let text = |pointer| object.pointer(pointer).and_then(serde_json::Value::as_str);
        let defined = text("/spec/names/kind").unwrap_or_default();
        text("/kind") == Some(&self.kind)
            && self.defines.as_ref().is_none_or(|defines| defined.starts_with(defines.as_str()))
    }
}

/// A part of KServe: what one release of it holds.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Part {
    /// The part of its step's id.
    pub part: String,
    /// What it is, for people.
    pub title: String,
    /// What it holds.
    pub holds: Holds,
    /// Its charts below the split.
    #[serde(default)]
    pub before: Vec<String>,
    /// Its charts from the split on.
    #[serde(default)]
    pub after: Vec<String>,
    /// The key of its source.
    pub source: String,
}

/// What a part holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Holds {
    /// CustomResourceDefinitions.
    Crds,
    /// Runtimes and configurations that services name.
    Runtimes,
    /// The controller of InferenceServices and its webhooks.
    Controller,
    /// Another controller with webhooks of its own.
    Others,
}

/// The lease by which a controller elects a leader.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LeaseFact {
    /// Its name, in the namespace of the controller.
    pub name: String,
    /// What follows from holding it.
    pub why: String,
    /// The key of its source.
    pub source: String,
}

/// Other words for the same deployment modes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Words {
    /// The first version with the new words.
    pub at: Version,
    /// The annotation with which a service asks for a mode.
    pub annotation: String,
    /// New words by old ones.
    pub map: BTreeMap<String, String>,
    /// What happens to a service that keeps the old word.
    pub why: String,
    /// The key of its source.
    pub source: String,
}

/// A version whose controller changes the pods of every service when it starts.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Restart {
    /// The version that is crossed.
    pub crossing: Version,
    /// Why.
    pub why: String,
    /// The key of its source.
    pub source: String,
}

/// Images that the controller puts into pods of services.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Images {
    /// The ConfigMap that names them.
    pub config_map: String,
    /// Its keys whose images stand in pods of services that fetch a model.
    pub fetching: Vec<String>,
    /// The key of its source.
    pub source: String,
}

/// Where stored LLM objects move to another version.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LlmStorage {
    /// Their CRDs.
    pub crds: Vec<String>,
    /// The first version that stores them anew.
    pub since: Version,
    /// The version in which they are stored then.
    pub version: String,
    /// How long the controller may take.
    pub takes: Length,
    /// The key of its source.
    pub source: String,
}

/// Minimal charts that lose fields of LLM objects.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Minimal {
    /// What the names of such charts end with.
    pub suffix: String,
    /// The first version that does not.
    pub fixed: Version,
    /// Why.
    pub why: String,
    /// The key of its source.
    pub source: String,
}

impl KserveFacts {
    /// The part that a chart is, of either layout, and its place among them.
    pub fn part(&self, chart: &str) -> Option<(usize, &Part)> {
        let is = |(_, part): &(usize, &Part)| part.before.iter().chain(&part.after).any(|one| one == chart);
        self.parts.iter().enumerate().find(is)
    }

    /// Whether a hop goes over the split of the charts.
    pub fn splits(&self, from: &Version, to: &Version) -> bool {
        *from < self.split.at && *to >= self.split.at
    }

    /// The name of a chart at a version.
    pub fn chart_at<'f>(&'f self, chart: &'f str, version: &Version) -> &'f str {
        let renamed = self.split.renamed.get(chart).filter(|_| *version >= self.split.at);
        renamed.map_or(chart, String::as_str)
    }

    /// The new word for an old one.
    pub fn word<'f>(&'f self, old: &str) -> Option<&'f str> {
        self.words.map.get(old).map(String::as_str)
    }

    /// Whether a hop goes over the new words.
    pub fn renames(&self, from: &Version, to: &Version) -> bool {
        *from < self.words.at && *to >= self.words.at
    }

    /// How long the controller may take to store LLM objects anew.
    pub fn storing(&self) -> Seconds {
        self.llm_storage.takes.0
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
    use crate::{component::Component as _, components::kserve::Kserve};

    fn facts() -> KserveFacts {
        Kserve.facts().expect("the catalog")
    }

    #[test]
    fn every_fact_names_a_source_and_every_source_is_named() {
        let facts = facts();
        let mut named: Vec<&str> = facts.parts.iter().map(|part| part.source.as_str()).collect();
        named.extend(facts.restarts.iter().map(|restart| restart.source.as_str()));
        named.extend(facts.split.moved.iter().map(|moved| moved.source.as_str()));
        named.extend([
            facts.split.source.as_str(),
            &facts.lease.source,
            &facts.words.source,
            &facts.images.source,
            &facts.llm_storage.source,
            &facts.minimal.source,
        ]);
        for source in &named {
            assert!(facts.sources.contains_key(*source), "{source}");
        }
        for source in facts.sources.keys() {
            assert!(named.contains(&source.as_str()), "nothing names {source}");
        }
    }

    #[test]
    fn a_chart_that_is_renamed_stays_the_same_part() {
        let facts = facts();
        for (old, new) in &facts.split.renamed {
            let part = |chart| facts.part(chart).map(|(number, _)| number);
            assert!(part(old).is_some() && part(old) == part(new), "{old} and {new}");
        }
        for moved in &facts.split.moved {
            assert!(facts.part(&moved.chart).is_some(), "{}", moved.chart);
        }
    }

    #[test]
    fn a_chart_is_one_part_and_crds_come_before_what_needs_them() {
        let facts = facts();
        let mut charts: Vec<&String> =
            facts.parts.iter().flat_map(|part| part.before.iter().chain(&part.after)).collect();
        charts.sort();
        charts.dedup();
        for chart in charts {
            let parts =
                facts.parts.iter().filter(|part| part.before.contains(chart) || part.after.contains(chart));
            assert_eq!(parts.count(), 1, "{chart}");
        }
        assert!(facts.parts.windows(2).all(|pair| pair[0].holds <= pair[1].holds));
    }
}
