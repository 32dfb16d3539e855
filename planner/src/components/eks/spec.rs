//! The kind `EksUpgrade`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use switchback_schemas::{
    Version,
    manifest::{OnFailure, Requires, Rollout},
    name::Label,
    plan::ResolveConflicts,
    seconds::Length,
};

use crate::manifest::upgrade;

/// Moves an EKS cluster minor by minor: the control plane, its add-ons, and its nodes before the next minor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EksUpgrade {
    /// The cluster.
    pub target: Label,
    /// The minor to reach, such as `"1.33"`.
    pub to: Version,
    /// Which nodes move after the last minor; after every other they all move, since EKS wants them at the cluster's minor.
    #[serde(default)]
    pub nodes: LastNodes,
    /// Add-ons for which the default version of each minor is not the right one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addons: Vec<AddonRule>,
    /// How nodes move that we drain ourselves.
    #[serde(default)]
    pub rollout: Rollout,
    /// How long to watch the cluster after each control plane before nodes move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bake: Option<Length>,
    /// Findings of insights that are accepted, each with its evidence. Nothing is ever forced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub insights: Vec<AcceptedInsight>,
    /// Whether nodes may stay behind the control plane while it moves on, as the version skew policy allows and the EKS API text
    /// does not.
    #[serde(default)]
    pub parity: Parity,
    /// What must come first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<Requires>,
    /// Verifications after each minor.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verify: Vec<Label>,
    /// What follows a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
}

/// Which nodes move after the last minor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LastNodes {
    /// All of them.
    #[default]
    Follow,
    /// None: they stay one minor behind, so that the control plane can roll back without them.
    Stay,
}

/// What is demanded of nodes before the control plane moves on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Parity {
    /// They are all at the cluster's minor.
    #[default]
    Required,
    /// They may be up to three minors behind.
    Skew,
}

/// What one add-on moves to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AddonRule {
    /// The add-on, such as `vpc-cni`.
    pub name: String,
    /// Exact versions by minor, such as `"1.33": v1.20.1-eksbuild.3`; the default of the minor where there is none.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub versions: std::collections::BTreeMap<Version, String>,
    /// What happens to fields that somebody else set; they stay when it is left out.
    #[serde(default)]
    pub conflicts: ResolveConflicts,
    /// It stays as it is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep: bool,
}

/// A finding of an insight that somebody accepts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AcceptedInsight {
    /// The insight's name, as EKS shows it.
    pub name: String,
    /// Who accepts it, and on which evidence.
    pub because: String,
    /// Until when.
    pub expires: jiff::Timestamp,
}

upgrade!(EksUpgrade);
