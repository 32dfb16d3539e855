//! Effects on an RDS instance. RDS has no idempotency token, so every name is fixed by the plan, and what is there already under
//! it is looked at and adopted.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{name::Label, plan::Operand};

/// `CreateDBSnapshot`. Blocked until it is available.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RdsSnapshot {
    /// The database.
    pub target: Label,
    /// The snapshot's name; unique by the observation that it holds a part of.
    pub snapshot: String,
}

/// `DeleteDBSnapshot` of a snapshot that a step of the plan took. Blocked until it is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RdsDeleteSnapshot {
    /// The database that it was taken of.
    pub target: Label,
    /// The snapshot.
    pub snapshot: String,
}

/// `DeleteDBInstance` of an instance that a restore put aside, never of the database itself: what it holds is kept as a last
/// snapshot. Protection from deletion is taken off before. Blocked until it is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RdsDeleteInstance {
    /// The database that took its name.
    pub target: Label,
    /// The instance.
    pub instance: String,
    /// The name of the last snapshot.
    pub last_snapshot: String,
}

/// Puts an instance back as a snapshot holds it, under its own name and endpoint: the live one is renamed aside and kept, then
/// the snapshot is restored under the original name with the settings that a restore would lose. Where it stands is read from
/// what is there, so that it goes on from any point. Blocked until the restored instance is available.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RdsRestore {
    /// The database.
    pub target: Label,
    /// The snapshot.
    pub snapshot: String,
    /// The name that the live instance is given.
    pub aside: String,
    /// The instance as it was, a capture of [`crate::plan::CaptureKind::Cloud`]: class, subnet group, security groups, parameter
    /// group, Multi-AZ, deletion protection, and the resource id by which the live one is told from the restored one.
    pub instance: Operand,
}

/// `RestoreDBInstanceFromDBSnapshot` under a name of its own, to prove that the snapshot can be restored, and its deletion once it
/// was available. Blocked until both are done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RdsProveSnapshot {
    /// The database.
    pub target: Label,
    /// The snapshot.
    pub snapshot: String,
    /// The name of the trial instance.
    pub trial: String,
    /// The instance as it was.
    pub instance: Operand,
}
