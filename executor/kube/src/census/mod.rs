//! A look at what stands on a cluster: everything that runs, by its topmost controller, with how many pods it wants and how many are
//! Ready. Only reads.

mod depend;
mod pods;
mod pools;
mod workloads;

use serde_json::Value;
use switchback_executor::ports::Look;

use crate::{
    api::{Kinds, Query, Reader},
    claims,
    classify::CallError,
    nodes::{self, built_in},
    pods::owners::Owners,
};
use pods::Pods;

/// Looks once.
pub(crate) async fn look(api: &Reader) -> Result<Look, CallError> {
    let kinds = Kinds::new(api);
    let list = async |version: &str, kind: &str| api.list(&built_in(version, kind)?, &Query::all()).await;
    let metadata = async |version: &str, kind: &str| {
        // Of these only owners and labels count, and a look comes often.
        api.list(&built_in(version, kind)?, &Query::metadata()).await
    };
    let mut owners = Owners::new(api, &kinds);
    owners.know(&metadata("apps/v1", "ReplicaSet").await?);
    let mut controllers = Vec::new();
    for (version, kind) in workloads::KINDS {
        let found = list(version, kind).await?;
        owners.know(&found);
        controllers.extend(found);
    }
    let found = api.list(&nodes::pods()?, &Query::all()).await?;
    let groups = groups(&metadata("v1", "Node").await?);
    let pods = Pods::of(found, &groups, &mut owners).await?;
    let mut look = Look::default();
    workloads::count(&controllers, &pods, &mut owners, &mut look).await?;
    let services = list("v1", "Service").await?;
    let slices = list("discovery.k8s.io/v1", "EndpointSlice").await?;
    depend::services(&services, &slices, &pods, &mut look);
    depend::budgets(&list("policy/v1", "PodDisruptionBudget").await?, &pods, &mut look);
    depend::inference(api, &kinds, &mut look).await?;
    look.pools = pools::health(api, &kinds).await?;
    Ok(look)
}

/// For each node, the group that it belongs to.
fn groups(nodes: &[Value]) -> std::collections::BTreeMap<String, String> {
    let group = |node: &Value| {
        let labels = node.pointer("/metadata/labels")?;
        let of = |label: &str, what: &str| {
            labels.get(label).and_then(Value::as_str).map(|name| format!("{what}/{name}"))
        };
        of("eks.amazonaws.com/nodegroup", "nodegroup").or_else(|| of(claims::NODE_POOL, "nodepool"))
    };
    let named = |node: &Value| Some((crate::fields::text(node, "/metadata/name").to_owned(), group(node)?));
    nodes.iter().filter_map(named).collect()
}
