//! NodeClaims of Karpenter.

use serde_json::Value;
use switchback_schemas::inventory::Subject;

use crate::{
    api::{Kinds, Query, Reader, Resource},
    classify::CallError,
    fields::{has_condition, text},
};

/// The label of nodes and NodeClaims that names their NodePool.
pub(crate) const NODE_POOL: &str = "karpenter.sh/nodepool";

/// Versions of `karpenter.sh`, newest first.
const VERSIONS: [&str; 2] = ["karpenter.sh/v1", "karpenter.sh/v1beta1"];

/// A NodeClaim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    /// Its name.
    pub(crate) name: String,
    /// Its UID.
    pub(crate) uid: String,
    /// Its node; empty while there is none.
    pub(crate) node: String,
    /// Its provider id.
    pub(crate) provider_id: Option<String>,
    /// Whether it has drifted.
    pub(crate) drifted: bool,
    /// Whether it is being deleted, and its machine with it.
    pub(crate) is_leaving: bool,
}

/// A kind of `karpenter.sh`, in the newest version that is served; `None` when none is.
pub(crate) async fn resource(kinds: &Kinds<'_>, kind: &str) -> Result<Option<Resource>, CallError> {
    for version in VERSIONS {
        if let Some(resource) = kinds.find(version, kind).await? {
            return Ok(Some(resource));
        }
    }
    Ok(None)
}

/// Objects of a kind of `karpenter.sh`, as what could not be read.
pub(crate) fn subject(kind: &str) -> Subject {
    Subject::Objects { api_version: VERSIONS[0].to_owned(), kind: kind.to_owned() }
}

/// All NodeClaims; none where Karpenter is not installed.
pub(crate) async fn all(api: &Reader, kinds: &Kinds<'_>) -> Result<Vec<Claim>, CallError> {
    let Some(resource) = resource(kinds, "NodeClaim").await? else { return Ok(Vec::new()) };
    Ok(api.list(&resource, &Query::all()).await?.iter().map(read).collect())
}

/// The NodeClaim of a node.
pub(crate) fn of_node<'claims>(claims: &'claims [Claim], node: &Value) -> Option<&'claims Claim> {
    let (name, provider_id) = (text(node, "/metadata/name"), text(node, "/spec/providerID"));
    claims.iter().find(|claim| {
        claim.node == name
            || claim.provider_id.as_deref().is_some_and(|id| !id.is_empty() && id == provider_id)
    })
}

fn read(claim: &Value) -> Claim {
    let provider_id = text(claim, "/status/providerID");
    Claim {
        name: text(claim, "/metadata/name").to_owned(),
        uid: text(claim, "/metadata/uid").to_owned(),
        node: text(claim, "/status/nodeName").to_owned(),
        provider_id: (!provider_id.is_empty()).then(|| provider_id.to_owned()),
        drifted: has_condition(claim, "Drifted"),
        is_leaving: claim.pointer("/metadata/deletionTimestamp").is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_claim_is_found_by_its_node_or_its_instance() {
        let claims = [read(&json!({"metadata": {"name": "c", "uid": "u"},
            "status": {"providerID": "aws:///a/i-1", "conditions": [{"type": "Drifted", "status": "True"}]}}))];
        assert!(claims[0].drifted);
        assert!(
            of_node(&claims, &json!({"metadata": {"name": "n"}, "spec": {"providerID": "aws:///a/i-1"}}))
                .is_some()
        );
        assert!(of_node(&claims, &json!({"metadata": {"name": "n"}, "spec": {}})).is_none());
    }
}
