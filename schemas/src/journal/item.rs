//! Nodes of a batch.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ItemKey;

/// A node of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Item {
    /// Its UID.
    pub key: ItemKey,
    /// Its name, for reports and for addressing; checked against the UID.
    pub name: String,
    /// Its provider id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<String>,
    /// Its NodeClaim, if Karpenter made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_claim: Option<NodeClaimRef>,
    /// Its hardware class, for canaries.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hardware: String,
    /// Its zone.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub zone: String,
    /// UIDs of the workloads whose pods stood on it when it was chosen.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub workloads: BTreeSet<String>,
}

/// A NodeClaim by name and UID.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeClaimRef {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
}
