//! What the Karpenter component needs to know.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::NodeTemplate;
use crate::{Version, name::ObjectName};

/// The section `karpenter` of an inventory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Karpenter {
    /// The controller's Deployment.
    pub deployment: ObjectName,
    /// The version that its label `app.kubernetes.io/version` says.
    pub version: Version,
    /// NodePools, by name.
    pub node_pools: Vec<NodePool>,
    /// EC2NodeClasses, by name.
    pub node_classes: Vec<NodeClass>,
}

/// A NodePool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodePool {
    /// Its name.
    pub name: String,
    /// The API version in which it was read.
    pub api_version: String,
    /// `spec.disruption.budgets`, as it is.
    pub budgets: Value,
    /// `spec.template.spec.expireAfter`; nodes expire whatever the budgets say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expire_after: Option<String>,
    /// Its NodeClass.
    pub node_class: String,
    /// The nodes that it makes; absent where that was not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<NodeTemplate>,
    /// Whether it has the condition Ready.
    pub ready: bool,
    /// How many NodeClaims it has.
    pub claims: u64,
    /// How many of them have drifted.
    pub drifted: u64,
}

/// An EC2NodeClass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeClass {
    /// Its name.
    pub name: String,
    /// Aliases of its `amiSelectorTerms`, such as `al2023@latest`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ami_aliases: Vec<String>,
    /// Whether it has the condition Ready.
    pub ready: bool,
}
