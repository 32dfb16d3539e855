//! The shape of a file of the catalog.
//!
//! Ranges are those of [`VersionRange`]. Every fact names a key of `sources`; what no source says is not written down, and
//! shows as a hole.

use std::{collections::BTreeMap, fmt};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use switchback_schemas::{Version, manifest::VersionRange, seconds::Length};

/// Facts about one component.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ComponentFacts {
    /// Its name; the file's.
    pub component: String,
    /// Its name as people write it.
    pub title: String,
    /// How an inventory shows its version.
    #[serde(default)]
    pub observed: Option<Observed>,
    /// Charts that belong to it and do not show its version: those of its CRDs.
    #[serde(default)]
    pub companions: Vec<String>,
    /// Where the facts were read, by key.
    pub sources: BTreeMap<String, Source>,
    /// Versions that are known: the newest patches, and exact versions that a fact names.
    pub versions: Vec<Release>,
    /// Versions not to go to.
    #[serde(default)]
    pub bad: Vec<Bad>,
    /// How it may move up.
    #[serde(default)]
    pub hops: Hops,
    /// What it works with, by component.
    #[serde(default)]
    pub compatibility: Vec<Compatibility>,
    /// How far its minor may be from another component's.
    #[serde(default)]
    pub skew: Vec<Skew>,
    /// Until when versions are supported.
    #[serde(default)]
    pub support: Vec<Support>,
    /// How it may move down.
    #[serde(default)]
    pub down: Vec<Down>,
    /// Versions that change stored data.
    #[serde(default)]
    pub migrations: Vec<Migration>,
    /// What hops disturb.
    #[serde(default)]
    pub disruption: Vec<Disruption>,
    /// How long things take.
    #[serde(default)]
    pub durations: Vec<Duration>,
    /// What to check or do at a version.
    #[serde(default)]
    pub notes: Vec<Note>,
    /// What was looked for and not found.
    #[serde(default)]
    pub holes: Vec<String>,
}

impl ComponentFacts {
    /// Whether a chart is this component, and shows its version.
    pub fn is_chart(&self, chart: &str) -> bool {
        matches!(&self.observed, Some(Observed::Charts(charts)) if charts.iter().any(|one| one == chart))
    }

    /// Whether something is known of the line of a version.
    pub fn knows(&self, version: &Version) -> bool {
        let line = version.minor_line();
        self.versions.iter().any(|release| release.version.is_of(&line))
    }

    /// Rows that say with what versions work: those of every matrix with a component but of failures.
    pub fn statements(&self, with: &str) -> impl Iterator<Item = &Row> {
        let said = move |matrix: &&Compatibility| matrix.with == with && matrix.strength != Strength::Breaks;
        self.compatibility.iter().filter(said).flat_map(|matrix| &matrix.rows)
    }
}

/// How an inventory shows a component's version.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Observed {
    /// The minor of the API server.
    Cluster,
    /// The oldest minor of the kubelets.
    Kubelets,
    /// The application version of the Helm release of one of these charts.
    Charts(Vec<String>),
}

/// Where a fact was read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Source {
    /// The page or file, with its revision.
    pub title: String,
    /// When it was read.
    pub read_on: Date,
    /// How good it is.
    pub grade: Grade,
}

/// How good a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Grade {
    /// Read in source code, an API model or official text.
    A,
    /// One secondary page.
    C,
    /// Derived from other facts, not read.
    D,
    /// Not verified.
    U,
}

/// A version that is known.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Release {
    /// The version.
    pub version: Version,
    /// When it, or its line, came out.
    #[serde(default)]
    pub released: Option<Date>,
    /// The key of its source.
    pub source: String,
}

/// Versions not to go to.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Bad {
    /// The versions.
    pub versions: VersionRange,
    /// Why.
    pub why: String,
    /// The key of its source.
    pub source: String,
}

/// How a component may move up. Without a rule any later version may follow, and no source says so.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Hops {
    /// One line after the other.
    #[serde(default)]
    pub one_at_a_time: Option<OneAtATime>,
    /// Pairs that need a stop between them.
    #[serde(default)]
    pub not_directly: Vec<NotDirectly>,
}

/// Lines follow each other.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OneAtATime {
    /// All lines in their order; when it is left out, minors are counted: 1.31, 1.32, 1.33.
    #[serde(default)]
    pub lines: Vec<Version>,
    /// The rule in its source's words.
    pub why: String,
    /// The key of its source.
    pub source: String,
}

/// A hop that needs a stop.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NotDirectly {
    /// From any of these.
    pub from: VersionRange,
    /// To any of these.
    pub to: VersionRange,
    /// Why, and over what to go.
    pub why: String,
    /// The key of its source.
    pub source: String,
}

/// How strong a fact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strength {
    /// Known to fail. Never crossed.
    Breaks,
    /// The vendor says that it is needed. Crossed only by a waiver.
    Requires,
    /// The vendor tried it. Outside of it is allowed and named.
    Tested,
    /// The vendor wrote it down. Outside of it is allowed and named.
    Documented,
}

impl Strength {
    /// Whether no state may break such a fact.
    pub fn hard(self) -> bool {
        matches!(self, Self::Breaks | Self::Requires)
    }
}

impl fmt::Display for Strength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Breaks => "breaks",
            Self::Requires => "requires",
            Self::Tested => "tested",
            Self::Documented => "documented",
        })
    }
}

/// One matrix: this component's versions against another's. A version of this component that no row of any matrix with that
/// component covers has no fact.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Compatibility {
    /// The other component.
    pub with: String,
    /// How strong its rows are.
    pub strength: Strength,
    /// The rows; those of one matrix do not overlap.
    pub rows: Vec<Row>,
}

/// One row of a matrix.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Row {
    /// Versions of this component.
    pub when: VersionRange,
    /// Versions of third components for which the row holds.
    #[serde(default)]
    pub given: BTreeMap<String, VersionRange>,
    /// Versions of the other component: those it works with, or fails with if the matrix is of `breaks`.
    pub on: VersionRange,
    /// The key of its source.
    pub source: String,
}

/// How many minors this component may be ahead of or behind another one.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Skew {
    /// The other component.
    pub with: String,
    /// How strong it is.
    pub strength: Strength,
    /// Minors that it may be ahead.
    pub ahead: u64,
    /// Minors that it may be behind.
    pub behind: u64,
    /// The rule in its source's words.
    pub why: String,
    /// The key of its source.
    pub source: String,
}

/// Until when versions are supported.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Support {
    /// The versions.
    pub versions: VersionRange,
    /// Last day of standard support.
    #[serde(default)]
    pub standard_until: Option<Date>,
    /// Day after which nothing can move to them.
    pub until: Date,
    /// The key of its source.
    pub source: String,
}

/// How a hop can be taken back. The first that matches a hop counts.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Down {
    /// From any of these, down.
    pub from: VersionRange,
    /// To any of these.
    pub to: VersionRange,
    /// How.
    pub way: Way,
    /// If given, only these among `to` can be reached; a hop up therefore starts from one of them.
    #[serde(default)]
    pub only: Option<VersionRange>,
    /// Days after the hop within which it has to begin.
    #[serde(default)]
    pub within_days: Option<u32>,
    /// Whether the component's next hop up ends the possibility.
    #[serde(default)]
    pub closed_by_next: bool,
    /// What it costs, and why.
    pub why: String,
    /// The key of its source.
    pub source: String,
}

/// The kind of a rollback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// The inverse hop.
    Inverse,
    /// Only by restoring data that was saved before.
    Restore,
    /// None.
    None,
}

/// Versions whose start changes stored data.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Migration {
    /// The first version with it.
    pub at: Version,
    /// What changes.
    pub what: String,
    /// How a hop over it is taken back, if a source says so; goes before the rows of `down`.
    #[serde(default)]
    pub back: Option<Way>,
    /// The key of its source.
    pub source: String,
}

/// What a hop that crosses a version disturbs.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Disruption {
    /// The version that is crossed; every hop when it is left out.
    #[serde(default)]
    pub crossing: Option<Version>,
    /// How much.
    pub grade: switchback_schemas::plan::Disruption,
    /// What happens.
    pub why: String,
    /// The key of its source.
    pub source: String,
}

/// How long something takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Duration {
    /// What.
    pub what: String,
    /// The steps of the component's hops that take so long, by their paths inside of a hop and without versions; `*` stands for one
    /// part. None where it is told to people only.
    #[serde(default)]
    pub steps: Vec<String>,
    /// How long, as a rule.
    pub takes: Length,
    /// Nine times of ten at most; as long as the rule when it is left out.
    #[serde(default)]
    pub p90: Option<Length>,
    /// The key of its source.
    pub source: String,
}

/// What to check or do when a version is crossed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Note {
    /// The first version that it holds for.
    pub at: Version,
    /// What.
    pub what: String,
    /// The key of its source.
    pub source: String,
}
