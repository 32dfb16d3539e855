//! The section `karpenter`: its controller, NodePools and NodeClasses.

use serde_json::Value;
use switchback_schemas::{
    inventory::{
        NodeTemplate,
        karpenter::{Karpenter, NodeClass, NodePool},
    },
    name::ObjectName,
};

use super::{found::Found, lists::Lists};
use crate::{
    api::{Kinds, Query, Reader},
    claims::{self, Claim, NODE_POOL},
    fields::{has_condition, text, texts},
    pods::needs,
};

/// Label that names the program of a Deployment.
const APP: &str = "app.kubernetes.io/name";
/// Label that says the program's version.
const APP_VERSION: &str = "app.kubernetes.io/version";

pub(super) async fn read(
    lists: &mut Lists,
    reader: &Reader,
    kinds: &Kinds<'_>,
    claims: &[Claim],
) -> Option<Found> {
    let deployment = lists
        .workloads
        .iter()
        .find(|workload| text(workload, "/kind") == "Deployment" && label(workload, APP) == "karpenter")?;
    let name =
        ObjectName::namespaced(text(deployment, "/metadata/namespace"), text(deployment, "/metadata/name"));
    let version = label(deployment, APP_VERSION).to_owned();
    let Ok(version) = version.parse() else {
        lists.note(
            format!("Deployment {name}"),
            &format!("its label {APP_VERSION} is {version:?}, which is no version"),
        );
        return None;
    };
    let pools = objects(lists, reader, kinds, "NodePool").await;
    let classes = ec2_node_classes(lists, reader, kinds).await;
    let of_pools = claimed(lists, reader, kinds).await;
    let mut node_pools: Vec<NodePool> = pools.iter().map(|pool| node_pool(pool, &of_pools, claims)).collect();
    node_pools.sort_by(|a, b| a.name.cmp(&b.name));
    let mut node_classes: Vec<NodeClass> = classes.iter().map(node_class).collect();
    node_classes.sort_by(|a, b| a.name.cmp(&b.name));
    let section = Karpenter { deployment: name, version, node_pools, node_classes };
    Found::new("karpenter", serde_json::to_value(section), pools.into_iter().chain(classes).collect())
}

async fn objects(lists: &mut Lists, reader: &Reader, kinds: &Kinds<'_>, kind: &str) -> Vec<Value> {
    match claims::resource(kinds, kind).await {
        Ok(Some(resource)) => lists.list_resource(reader, &resource).await,
        Ok(None) => Vec::new(),
        Err(error) => lists.missing(claims::subject(kind), &error),
    }
}

async fn ec2_node_classes(lists: &mut Lists, reader: &Reader, kinds: &Kinds<'_>) -> Vec<Value> {
    for version in ["karpenter.k8s.aws/v1", "karpenter.k8s.aws/v1beta1"] {
        if let Ok(Some(_)) = kinds.find(version, "EC2NodeClass").await {
            return lists.list(reader, kinds, (version, "EC2NodeClass"), &Query::all()).await;
        }
    }
    Vec::new()
}

/// UIDs of NodeClaims with the NodePool of each.
async fn claimed(lists: &mut Lists, reader: &Reader, kinds: &Kinds<'_>) -> Vec<(String, String)> {
    let claims = objects(lists, reader, kinds, "NodeClaim").await;
    claims
        .iter()
        .map(|claim| (text(claim, "/metadata/uid").to_owned(), label(claim, NODE_POOL).to_owned()))
        .collect()
}

fn node_pool(object: &Value, of_pools: &[(String, String)], claims: &[Claim]) -> NodePool {
    let name = text(object, "/metadata/name");
    let own = || of_pools.iter().filter(|(_, pool)| pool == name).map(|(uid, _)| uid);
    let drifted = |uid: &&String| claims.iter().any(|claim| claim.uid == **uid && claim.drifted);
    let expire_after = text(object, "/spec/template/spec/expireAfter");
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    NodePool {
        name: name.to_owned(),
        api_version: text(object, "/apiVersion").to_owned(),
        budgets: object.pointer("/spec/disruption/budgets").cloned().unwrap_or(Value::Null),
        expire_after: (!expire_after.is_empty()).then(|| expire_after.to_owned()),
        node_class: text(object, "/spec/template/spec/nodeClassRef/name").to_owned(),
        template: Some(template(object)),
        ready: has_condition(object, "Ready"),
        claims: count(own().count()),
        drifted: count(own().filter(drifted).count()),
    }
}

fn template(pool: &Value) -> NodeTemplate {
    NodeTemplate {
        labels: texts(pool, "/spec/template/metadata/labels"),
        requirements: needs::requirements(needs::list(pool, "/spec/template/spec/requirements")),
        taints: needs::taints(needs::list(pool, "/spec/template/spec/taints")),
    }
}

fn node_class(object: &Value) -> NodeClass {
    let terms = object.pointer("/spec/amiSelectorTerms").and_then(Value::as_array).into_iter().flatten();
    NodeClass {
        name: text(object, "/metadata/name").to_owned(),
        ami_aliases: terms.filter_map(|term| Some(term.get("alias")?.as_str()?.to_owned())).collect(),
        ready: has_condition(object, "Ready"),
    }
}

fn label<'a>(object: &'a Value, key: &str) -> &'a str {
    let labels = object.pointer("/metadata/labels");
    labels.and_then(|labels| labels.get(key)?.as_str()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pool_counts_its_own_claims() {
        let pool = json!({"apiVersion": "karpenter.sh/v1", "metadata": {"name": "gpu"}, "spec": {
            "disruption": {"budgets": [{"nodes": "10%"}]},
            "template": {"spec": {"expireAfter": "720h", "nodeClassRef": {"name": "default"}}}}});
        let of_pools = [("1".into(), "gpu".into()), ("2".into(), "gpu".into()), ("3".into(), "cpu".into())];
        let claim = |uid: &str| Claim {
            name: String::new(),
            uid: uid.into(),
            node: String::new(),
            provider_id: None,
            drifted: true,
            is_leaving: false,
        };
        let read = node_pool(&pool, &of_pools, &[claim("2"), claim("3")]);
        assert_eq!((read.claims, read.drifted, read.ready), (2, 1, false));
        assert_eq!(read.expire_after.as_deref(), Some("720h"));
    }
}
