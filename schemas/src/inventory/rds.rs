//! What is known of databases.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{name::Label, plan::Arn};

/// The section `rds` of an inventory: instances by target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct RdsSection(pub BTreeMap<Label, RdsInstance>);

/// An instance of RDS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RdsInstance {
    /// Its name, with account and region.
    pub arn: Arn,
    /// `DbiResourceId`: another one after a restore.
    pub resource_id: String,
    /// `available`, `modifying`, ….
    pub status: String,
    /// `postgres`, `mysql`, ….
    pub engine: String,
    /// Its version.
    pub engine_version: String,
    /// Its class, such as `db.m6g.large`.
    pub class: String,
    /// Its storage, in GiB.
    pub storage: u64,
    /// Where it answers, `HOST:PORT`.
    pub endpoint: String,
    /// The database that was made with it, if RDS was asked to make one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// Whether it stands in two zones.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub multi_az: bool,
    /// Whether it is protected from deletion.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deletion_protection: bool,
    /// Its cluster, if it is a member of Aurora.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Changes that wait for its maintenance window.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<String>,
    /// The latest moment to which a restore is possible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restorable_until: Option<Timestamp>,
    /// Its manual snapshots, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub snapshots: Vec<Snapshot>,
}

/// A snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Snapshot {
    /// Its name.
    pub name: String,
    /// `available`, `creating`, `failed`, ….
    pub status: String,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<Timestamp>,
}
