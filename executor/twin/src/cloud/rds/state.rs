//! RDS: instances, snapshots, and the databases in them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cloud::words::words;

/// RDS.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Rds {
    /// Instances by identifier.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub instances: BTreeMap<String, Instance>,
    /// Manual snapshots by identifier.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub snapshots: BTreeMap<String, Snapshot>,
    /// Manual snapshots that an account may have; 100 where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot_quota: Option<usize>,
}

/// An instance.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Instance {
    /// Whose it is; the cloud's account where it is left out.
    pub account: String,
    /// Where it is; the cloud's region where it is left out.
    pub region: String,
    /// `DbiResourceId`; worked out where it is left out. A restore makes another one.
    pub resource_id: String,
    /// What it is made of; a snapshot remembers it.
    pub settings: Settings,
    /// Its databases by name.
    pub databases: BTreeMap<String, Database>,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// The status while nothing is done to it; `available` where it is left out. A text, since a fault may say any.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub status: String,
    /// Of a running world: changes that wait for the maintenance window, by the name of their parameter.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub pending: BTreeMap<String, String>,
    /// Of a running world: what is being done to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
}

/// What an instance is made of.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// `postgres`, `mysql`, ….
    pub engine: String,
    /// Its version.
    pub engine_version: String,
    /// Its class, such as `db.m6g.large`.
    pub class: String,
    /// GiB of storage.
    pub storage: i64,
    /// `gp3` where it is left out.
    pub storage_type: String,
    /// The port; the engine's own where it is left out.
    pub port: i64,
    /// The database that was made with it.
    pub db_name: String,
    /// Its master user.
    pub username: String,
    /// Its subnet group.
    pub subnet_group: String,
    /// Its security groups.
    pub security_groups: Vec<String>,
    /// Its parameter group.
    pub parameter_group: String,
    /// Whether it stands in two zones.
    pub multi_az: bool,
    /// Whether it is protected from deletion.
    pub deletion_protection: bool,
    /// Its zone.
    pub zone: String,
    /// Days that automated backups are kept.
    pub backup_retention: i64,
    /// Whether its storage is encrypted.
    pub encrypted: bool,
    /// Its cluster, if it is a member of Aurora.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cluster: String,
    /// Tags.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

words! {
    /// The status of an instance while something is done to it.
    #[derive(Default)]
    pub enum OperationStatus {
        /// It comes.
        Creating = "creating",
        /// A snapshot is taken.
        BackingUp = "backing-up",
        /// Its settings change.
        #[default]
        Modifying = "modifying",
        /// Its identifier changes.
        Renaming = "renaming",
        /// It goes.
        Deleting = "deleting",
    }
}

words! {
    /// How far a snapshot is.
    #[derive(Default)]
    pub enum SnapshotStatus {
        /// It is being taken.
        Creating = "creating",
        /// It can be restored.
        #[default]
        Available = "available",
        /// It was not taken.
        Failed = "failed",
        /// It is gone: shown once, never kept.
        Deleted = "deleted",
    }
}

/// A database.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Database {
    /// Its Alembic revision; empty where it has none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub revision: String,
    /// Rows by table.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rows: BTreeMap<String, i64>,
}

/// Something that is being done to an instance.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Operation {
    /// What it is.
    pub status: OperationStatus,
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends: Option<Timestamp>,
    /// The identifier that it then has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rename: Option<String>,
    /// What it then is made of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<Settings>,
    /// The snapshot that is then available.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// The status afterwards, where it fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fails: Option<String>,
}

/// A manual snapshot.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Snapshot {
    /// Whose it is; the cloud's account where it is left out.
    pub account: String,
    /// Where it is; the cloud's region where it is left out.
    pub region: String,
    /// The instance that it is of.
    pub instance: String,
    /// `DbiResourceId` of that instance.
    pub resource_id: String,
    /// How far it is; `available` where it is left out.
    pub status: SnapshotStatus,
    /// When it was begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub begun: Option<Timestamp>,
    /// When it is (or was) ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<Timestamp>,
    /// What the instance was made of.
    pub settings: Settings,
    /// The databases as they were.
    pub databases: BTreeMap<String, Database>,
    /// Whether a restore of it fails, with the instance in `incompatible-restore`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub broken: bool,
    /// Tags.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

impl Settings {
    /// Fills in what is left out, as RDS does.
    pub(crate) fn fill(&mut self, region: &str) {
        let or = |text: &mut String, default: &str| {
            if text.is_empty() {
                default.clone_into(text);
            }
        };
        or(&mut self.engine, "postgres");
        or(&mut self.engine_version, "16.4");
        or(&mut self.class, "db.m6g.large");
        or(&mut self.storage_type, "gp3");
        or(&mut self.username, "postgres");
        or(&mut self.subnet_group, "default");
        or(&mut self.parameter_group, &default_group(&self.engine, &self.engine_version));
        or(&mut self.zone, &format!("{region}a"));
        if self.storage == 0 {
            self.storage = 100;
        }
        if self.port == 0 {
            self.port = if self.engine.contains("mysql") || self.engine == "mariadb" { 3306 } else { 5432 };
        }
        if self.security_groups.is_empty() {
            self.security_groups = vec![DEFAULT_GROUP.to_owned()];
        }
    }
}

/// The security group of a VPC that is taken where none is named.
pub(crate) const DEFAULT_GROUP: &str = "sg-0default";

/// The parameter group that is taken where none is named.
pub(crate) fn default_group(engine: &str, version: &str) -> String {
    let major = version.split('.').next().unwrap_or_default();
    let family = if engine == "postgres" {
        major.to_owned()
    } else {
        version.split('.').take(2).collect::<Vec<_>>().join(".")
    };
    format!("default.{engine}{family}")
}
