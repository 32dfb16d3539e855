//! What a Helm release consists of. A plan holds no chart, so this is taken from the renders when it is made.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name::ObjectName;

/// A release that the plan moves, with the objects of every revision that it passes through: the one before, and those that it is
/// upgraded to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReleaseObjects {
    /// The release.
    pub release: ObjectName,
    /// Its objects, sorted.
    pub objects: Vec<Objects>,
    /// What its hooks make, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<Objects>,
    /// What its roles allow. The API server lets nobody write a role that allows more than he may himself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<Grant>,
    /// Roles that are not its own and that its bindings name.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub binds: BTreeSet<RoleName>,
}

/// Objects of one resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Objects {
    /// The API group; empty for the core group.
    pub group: String,
    /// The resource in the plural, as it stands in paths.
    pub resource: String,
    /// Their namespace; absent for cluster-scoped objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Their names.
    pub names: BTreeSet<String>,
}

/// Rules of a role of a chart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Grant {
    /// Where they hold; absent for everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The rules.
    pub rules: Vec<PolicyRule>,
}

/// A rule of RBAC, as the API writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyRule {
    /// API groups; empty text for the core group.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub api_groups: BTreeSet<String>,
    /// Resources in the plural, with a subresource after `/`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub resources: BTreeSet<String>,
    /// Names of objects; empty for all of them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub resource_names: BTreeSet<String>,
    /// Paths that are no resources.
    #[serde(default, rename = "nonResourceURLs", skip_serializing_if = "BTreeSet::is_empty")]
    pub non_resource_urls: BTreeSet<String>,
    /// Verbs.
    pub verbs: BTreeSet<String>,
}

/// A role by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RoleName {
    /// The namespace of a Role; absent for a cluster role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}
