//! What is wrong with the catalog itself, what it does not know, and what has grown old.

use std::collections::BTreeSet;

use jiff::civil::Date;
use serde::Serialize;
use switchback_schemas::{Version, manifest::VersionRange};

use super::{Catalog, ComponentFacts, Strength};

/// Days after which a source should be read again.
const OLD: i32 = 180;

/// Something to know about the catalog.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Finding {
    /// The file contradicts itself or names what is not there.
    Fault {
        /// The component.
        component: String,
        /// What.
        what: String,
    },
    /// Nothing is known where something is known of others.
    Hole {
        /// The component.
        component: String,
        /// What.
        what: String,
    },
    /// A source was read long ago.
    Old {
        /// The component.
        component: String,
        /// What.
        what: String,
    },
}

impl Finding {
    /// The component that it is about.
    pub fn component(&self) -> &str {
        match self {
            Self::Fault { component, .. } | Self::Hole { component, .. } | Self::Old { component, .. } => {
                component
            }
        }
    }

    /// Whether the catalog cannot be trusted as it is.
    pub fn is_fault(&self) -> bool {
        matches!(self, Self::Fault { .. })
    }
}

/// Checks all components. Ages are judged for a day; without one they are not.
pub fn check(catalog: &Catalog, as_of: Option<Date>) -> Vec<Finding> {
    let known: BTreeSet<&str> = catalog.components.keys().map(String::as_str).collect();
    let mut findings: Vec<Finding> = Vec::new();
    for facts in catalog.components.values() {
        let mut look = Look { facts, findings: &mut findings };
        look.versions();
        look.sources(as_of);
        look.compatibility(&known);
        look.ranges();
        look.support();
        look.durations();
    }
    findings.sort();
    findings.dedup();
    findings
}

struct Look<'a> {
    facts: &'a ComponentFacts,
    findings: &'a mut Vec<Finding>,
}

impl<'a> Look<'a> {
    fn fault(&mut self, what: String) {
        self.findings.push(Finding::Fault { component: self.facts.component.clone(), what });
    }

    fn hole(&mut self, what: String) {
        self.findings.push(Finding::Hole { component: self.facts.component.clone(), what });
    }

    fn known(&self) -> impl Iterator<Item = &'a Version> + use<'a> {
        self.facts.versions.iter().map(|release| &release.version)
    }

    fn versions(&mut self) {
        for pair in self.facts.versions.windows(2) {
            if let [one, next] = pair
                && one.version >= next.version
            {
                self.fault(format!("{} stands before {}: versions rise", one.version, next.version));
            }
        }
        if let Some(rule) = &self.facts.hops.one_at_a_time
            && !rule.lines.is_empty()
        {
            for version in self.known() {
                if !rule.lines.iter().any(|line| version.is_of(line)) {
                    self.fault(format!("{version} is of no line that follows another"));
                }
            }
        }
    }

    /// Nine times of ten it takes no less than as a rule.
    fn durations(&mut self) {
        for duration in &self.facts.durations {
            if duration.p90.is_some_and(|p90| p90.0 < duration.takes.0) {
                self.fault(format!("{} takes less nine times of ten than as a rule", duration.what));
            }
        }
    }

    /// Every fact has a source that is there, and every source a fact.
    fn sources(&mut self, as_of: Option<Date>) {
        let facts = self.facts;
        let mut used: Vec<&str> = Vec::new();
        used.extend(facts.versions.iter().map(|fact| fact.source.as_str()));
        used.extend(facts.bad.iter().map(|fact| fact.source.as_str()));
        used.extend(facts.hops.one_at_a_time.iter().map(|fact| fact.source.as_str()));
        used.extend(facts.hops.not_directly.iter().map(|fact| fact.source.as_str()));
        used.extend(
            facts.compatibility.iter().flat_map(|matrix| &matrix.rows).map(|row| row.source.as_str()),
        );
        used.extend(facts.skew.iter().map(|fact| fact.source.as_str()));
        used.extend(facts.support.iter().map(|fact| fact.source.as_str()));
        used.extend(facts.down.iter().map(|fact| fact.source.as_str()));
        used.extend(facts.migrations.iter().map(|fact| fact.source.as_str()));
        used.extend(facts.disruption.iter().map(|fact| fact.source.as_str()));
        used.extend(facts.durations.iter().map(|fact| fact.source.as_str()));
        used.extend(facts.notes.iter().map(|fact| fact.source.as_str()));
        for key in &used {
            if !facts.sources.contains_key(*key) {
                self.fault(format!("a fact names the source {key}, which is not there"));
            }
        }
        for (key, source) in &facts.sources {
            if !used.contains(&key.as_str()) {
                self.fault(format!("no fact is from the source {key}"));
            }
            let days = as_of.map(|day| (day - source.read_on).get_days());
            if let Some(days) = days.filter(|days| *days > OLD) {
                let component = facts.component.clone();
                let what = format!("the source {key} was read {days} days before, on {}", source.read_on);
                self.findings.push(Finding::Old { component, what });
            }
        }
    }

    fn compatibility(&mut self, known: &BTreeSet<&str>) {
        let facts = self.facts;
        let mut partners: BTreeSet<&str> = BTreeSet::new();
        for matrix in &facts.compatibility {
            if matrix.strength != Strength::Breaks {
                partners.insert(&matrix.with);
            }
            let named = matrix.rows.iter().flat_map(|row| row.given.keys()).chain([&matrix.with]);
            for name in named.collect::<BTreeSet<_>>() {
                if !known.contains(name.as_str()) || *name == facts.component {
                    self.fault(format!("a matrix names {name}, of which there are no facts"));
                }
            }
            for version in self.known() {
                let rows: Vec<_> = matrix.rows.iter().filter(|row| row.when.contains(version)).collect();
                if let [one, two, ..] = rows.as_slice()
                    && one.given == two.given
                {
                    let both = format!("{} and {}", one.when, two.when);
                    self.fault(format!("two rows of one matrix with {} hold {version}: {both}", matrix.with));
                }
            }
        }
        for skew in &facts.skew {
            if !known.contains(skew.with.as_str()) {
                self.fault(format!("a skew names {}, of which there are no facts", skew.with));
            }
        }
        for partner in partners {
            let rows = || facts.statements(partner);
            for version in self.known() {
                if !rows().any(|row| row.when.contains(version)) {
                    self.hole(format!("{version} has no fact about {partner}"));
                }
            }
        }
    }

    /// Ranges that hold none of the known versions say nothing.
    fn ranges(&mut self) {
        let facts = self.facts;
        let mut ranges: Vec<&VersionRange> = Vec::new();
        ranges.extend(facts.compatibility.iter().flat_map(|matrix| &matrix.rows).map(|row| &row.when));
        ranges.extend(facts.support.iter().map(|support| &support.versions));
        for range in ranges {
            if !self.known().any(|version| range.contains(version)) {
                self.hole(format!("no version of {range} is listed"));
            }
        }
        for only in facts.down.iter().filter_map(|down| down.only.as_ref()) {
            if !self.known().any(|version| only.contains(version)) {
                self.fault(format!("none of the versions that can be rolled back to is listed: {only}"));
            }
        }
    }

    fn support(&mut self) {
        let facts = self.facts;
        for version in self.known() {
            let rows = facts.support.iter().filter(|support| support.versions.contains(version)).count();
            match rows {
                0 if !facts.support.is_empty() => self.hole(format!("{version} has no support dates")),
                0 | 1 => {}
                _ => self.fault(format!("{version} has two rows of support dates")),
            }
        }
        for support in &facts.support {
            if support.standard_until.is_some_and(|standard| standard > support.until) {
                self.fault(format!("standard support of {} ends after all support", support.versions));
            }
        }
    }
}
