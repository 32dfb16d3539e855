//! Effects on Helm releases.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strum::{IntoStaticStr, VariantNames};

use crate::{
    Digest, Version,
    name::{ObjectName, ObjectRef},
    plan::{Arguments, Operand},
};

/// Effects on Helm releases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, IntoStaticStr, VariantNames)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[strum(serialize_all = "camelCase")]
#[schemars(rename = "HelmEffect")]
pub enum HelmEffect<V = Operand> {
    /// Upgrades a release.
    Upgrade(HelmUpgrade),
    /// Rolls a release back to a revision.
    Rollback(HelmRollback<V>),
    /// Installs a release that is not there.
    Install(HelmInstall),
    /// Uninstalls a release.
    Uninstall(HelmUninstall),
    /// Takes a release out of helm's sight. Its objects stay as they are.
    Detach(HelmRelease),
    /// Gives a detached release back to helm.
    Attach(HelmRelease),
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
                takes: rollback.takes.clone(),
                leaves: rollback.leaves.clone(),
            }),
            Self::Install(install) => HelmEffect::Install(install.clone()),
            Self::Uninstall(uninstall) => HelmEffect::Uninstall(uninstall.clone()),
            Self::Detach(release) => HelmEffect::Detach(release.clone()),
            Self::Attach(release) => HelmEffect::Attach(release.clone()),
        })
    }
}

impl<V> HelmEffect<V> {
    /// The release that it changes.
    pub fn release(&self) -> &ObjectName {
        match self {
            Self::Upgrade(upgrade) => &upgrade.release,
            Self::Rollback(rollback) => &rollback.release,
            Self::Install(install) => &install.release,
            Self::Uninstall(uninstall) => &uninstall.release,
            Self::Detach(detached) | Self::Attach(detached) => &detached.release,
        }
    }

    /// What it takes over, and what it leaves standing.
    pub fn handovers(&self) -> [&[Handover]; 2] {
        match self {
            Self::Upgrade(upgrade) => [&upgrade.takes, &upgrade.leaves],
            Self::Rollback(rollback) => [&rollback.takes, &rollback.leaves],
            Self::Install(install) => [&install.takes, &[]],
            Self::Uninstall(uninstall) => [&[], &uninstall.leaves],
            Self::Detach(_) | Self::Attach(_) => [&[], &[]],
        }
    }
}

/// Objects that go from one release to another as they are, by the same UID: they change who owns them and nothing else.
///
/// Helm adopts only what is annotated for the release, so the annotations change first and nothing else can be taken along. Helm deletes
/// what a release no longer holds, unless the live object says `helm.sh/resource-policy: keep`; so what is left says so while helm works.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Handover {
    /// The release that they come from, or go to; absent where they belong to none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other: Option<ObjectName>,
    /// The objects.
    pub objects: Vec<ObjectRef>,
}

/// `helm install`, never with `--wait`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HelmInstall {
    /// The release.
    pub release: ObjectName,
    /// The chart.
    pub chart: Chart,
    /// The values that it is given, as nested fields.
    pub set: Value,
    /// Digest of them, as compact sorted JSON.
    pub values: Digest,
    /// Objects that it takes over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub takes: Vec<Handover>,
}

/// `helm uninstall`. What it leaves is first taken out of the release, since helm reads on uninstall what the release says to keep, and
/// not what the live object says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HelmUninstall {
    /// The release.
    pub release: ObjectName,
    /// Objects that stay.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leaves: Vec<Handover>,
}

/// A release, and nothing more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HelmRelease {
    /// The release.
    pub release: ObjectName,
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
    /// Objects that it takes over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub takes: Vec<Handover>,
    /// Objects that the chart no longer holds and that stay.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leaves: Vec<Handover>,
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
    /// Objects that it takes back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub takes: Vec<Handover>,
    /// Objects that the revision rolled back to does not hold and that stay.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leaves: Vec<Handover>,
}
