//! No pod is left on a node that a drain would have to move.

use switchback_schemas::{journal::Verdict, plan::BoundObject};

use super::verdict;
use crate::{
    api::{Kinds, Reader},
    classify::CallError,
    nodes::{self, pods_query},
    pods::{
        self,
        filters::{Standing, standing},
    },
    target,
};

pub(super) async fn check(api: &Reader, node: &BoundObject) -> Result<Verdict, CallError> {
    let kinds = Kinds::new(api);
    let found = target::find(api, &kinds, node).await?;
    if found.object()?.is_none() {
        return Ok(verdict(true, &format!("{} is gone", found.named)));
    }
    let pods = api.list(&nodes::pods()?, &pods_query(&found.named.name)).await?;
    let left: Vec<String> =
        pods.iter().filter(|pod| standing(pod) != Standing::Stays).map(pods::name).collect();
    Ok(match left.len() {
        0 => verdict(true, &format!("nothing is left to move on {}", found.named)),
        n => verdict(false, &format!("{n} pods are left on {}: {}", found.named, left.join(", "))),
    })
}
