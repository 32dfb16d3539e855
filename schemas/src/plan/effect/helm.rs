//! Effects on Helm releases.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strum::{IntoStaticStr, VariantNames};

use crate::{
    Digest, Version,
    name::ObjectName,
    plan::{Arguments, Operand},
};

/// Effects on Helm releases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, IntoStaticStr, VariantNames)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[strum(serialize_all = "camelCase")]
#[schemars(rename = "HelmEffect")]
pub enum HelmEffect<V = Operand> {
    /// Upgrades (or installs) a release.
    Upgrade(HelmUpgrade),
    /// Rolls a release back to a revision.
    Rollback(HelmRollback<V>),
}

impl HelmEffect {
    /// The same with other arguments.
    pub fn map<A: Arguments>(&self, by: &mut A) -> Result<HelmEffect<A::Value>, A::Error> {
        Ok(match self {
            Self::Upgrade(upgrade) => HelmEffect::Upgrade(upgrade.clone()),
            Self::Rollback(rollback) => HelmEffect::Rollback(HelmRollback {
                release: rollback.release.clone(),
                to: by.value(&rollback.to)?,
                keep_crds: rollback.keep_crds.clone(),
            }),
        })
    }
}

/// `helm upgrade`, never with `--wait`: readiness is a verification of ours, so that nothing long runs as a child.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HelmUpgrade {
    /// The release.
    pub release: ObjectName,
    /// The chart.
    pub chart: Chart,
    /// Values that change, as nested fields, merged over those that the release was given before
    /// (`--reset-then-reuse-values`): so no secret among the others has to stand in a plan.
    pub set: Value,
    /// Digest of all values given after the merge, as compact sorted JSON.
    pub values: Digest,
}

/// A chart in one version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Chart {
    /// Its name.
    pub name: String,
    /// Where it is: `oci://…`, `https://…`, or a directory.
    pub repository: String,
    /// Its version.
    pub version: Version,
    /// Digest of the chart archive, or of the files of a directory.
    pub digest: Digest,
}

/// `helm rollback` to a revision that was proven to exist before the upgrade.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "HelmRollback")]
pub struct HelmRollback<V = Operand> {
    /// The release.
    pub release: ObjectName,
    /// The revision rolled back to.
    pub to: V,
    /// CRDs that the revision rolled back to does not hold and that must survive: they get Helm's keep policy first
    /// (user-pain P-35).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keep_crds: Vec<String>,
}
