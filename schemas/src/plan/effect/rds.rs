//! Effects on an RDS instance. RDS has no idempotency token, so every name is fixed by the plan, and what is there already under
//! it is looked at and adopted.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

use crate::{
    name::Label,
    plan::{Arguments, Operand},
};

/// Effects on an RDS instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, IntoStaticStr, VariantNames)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[strum(serialize_all = "camelCase")]
#[schemars(rename = "RdsEffect")]
pub enum RdsEffect<V = Operand> {
    /// Makes a snapshot.
    Snapshot(RdsSnapshot),
    /// Proves that a snapshot can be restored.
    ProveSnapshot(RdsProveSnapshot<V>),
    /// Puts an instance back as a snapshot holds it.
    Restore(RdsRestore<V>),
    /// Deletes a snapshot that a step took.
    DeleteSnapshot(RdsDeleteSnapshot),
    /// Deletes an instance that a restore put aside.
    DeleteInstance(RdsDeleteInstance),
}

impl RdsEffect {
    /// The same with other arguments.
    pub fn map<A: Arguments>(&self, by: &mut A) -> Result<RdsEffect<A::Value>, A::Error> {
        Ok(match self {
            Self::Snapshot(snapshot) => RdsEffect::Snapshot(snapshot.clone()),
            Self::ProveSnapshot(prove) => RdsEffect::ProveSnapshot(RdsProveSnapshot {
                target: prove.target.clone(),
                snapshot: prove.snapshot.clone(),
                trial: prove.trial.clone(),
                instance: by.value(&prove.instance)?,
            }),
            Self::Restore(restore) => RdsEffect::Restore(RdsRestore {
                target: restore.target.clone(),
                snapshot: restore.snapshot.clone(),
                aside: restore.aside.clone(),
                instance: by.value(&restore.instance)?,
            }),
            Self::DeleteSnapshot(delete) => RdsEffect::DeleteSnapshot(delete.clone()),
            Self::DeleteInstance(delete) => RdsEffect::DeleteInstance(delete.clone()),
        })
    }
}

impl<V> RdsEffect<V> {
    /// The database.
    pub fn target(&self) -> &Label {
        match self {
            Self::Snapshot(snapshot) => &snapshot.target,
            Self::ProveSnapshot(prove) => &prove.target,
            Self::Restore(restore) => &restore.target,
            Self::DeleteSnapshot(delete) => &delete.target,
            Self::DeleteInstance(delete) => &delete.target,
        }
    }
}

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
#[schemars(rename = "RdsRestore")]
pub struct RdsRestore<V = Operand> {
    /// The database.
    pub target: Label,
    /// The snapshot.
    pub snapshot: String,
    /// The name that the live instance is given.
    pub aside: String,
    /// The instance as it was, a capture of [`crate::plan::CaptureKind::Cloud`]: class, subnet group, security groups, parameter
    /// group, Multi-AZ, deletion protection, and the resource id by which the live one is told from the restored one.
    pub instance: V,
}

/// `RestoreDBInstanceFromDBSnapshot` under a name of its own, to prove that the snapshot can be restored, and its deletion once it
/// was available. Blocked until both are done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "RdsProveSnapshot")]
pub struct RdsProveSnapshot<V = Operand> {
    /// The database.
    pub target: Label,
    /// The snapshot.
    pub snapshot: String,
    /// The name of the trial instance.
    pub trial: String,
    /// The instance as it was.
    pub instance: V,
}
