//! What is known of NVSentinel.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The section `nvsentinel` of an inventory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Nvsentinel {
    /// Its namespace.
    pub namespace: String,
    /// Whether fault-quarantine runs, which cordons nodes.
    pub quarantines: bool,
    /// Rule sets by which it cordons; absent where they could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule_sets: Option<Vec<RuleSet>>,
    /// The circuit breaker; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaker: Option<Breaker>,
    /// Nodes that have GPUs, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<WatchedNode>,
    /// The database that it keeps events in, as its StatefulSets and custom objects show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<EventStore>,
}

/// A rule set of fault-quarantine that is enabled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RuleSet {
    /// Its name.
    pub name: String,
    /// Labels of a node that keep it from matching, each with the value `false`.
    pub opt_out: Vec<String>,
}

/// A node that has GPUs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WatchedNode {
    /// Its name.
    pub name: String,
    /// Labels that may keep NVSentinel from it, as they are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub opt_out: BTreeMap<String, String>,
    /// Whether NVSentinel has quarantined it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub quarantined: bool,
}

/// The circuit breaker of fault-quarantine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Breaker {
    /// The name of its ConfigMap.
    pub config_map: String,
    /// Whether it is enabled: a ConfigMap of one that is not may be stale.
    pub enabled: bool,
    /// `CLOSED` or `TRIPPED`.
    pub status: String,
    /// Hundredths of the GPU nodes at which it trips, where its Deployment says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<u64>,
}

/// A database of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EventStore {
    /// MongoDB by the chart of Bitnami.
    BitnamiMongodb,
    /// MongoDB by the operator of Percona.
    PerconaMongodb,
    /// PostgreSQL.
    Postgresql,
}
