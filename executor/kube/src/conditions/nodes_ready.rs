//! So many nodes of a pool are Ready and schedulable.

use switchback_executor::ports::Call;
use switchback_schemas::{journal::Verdict, name::Label};

use super::verdict;
use crate::{
    api::{Query, Reader},
    classify::CallError,
    nodes::{self, built_in},
};

pub(super) async fn check(
    api: &Reader,
    call: &Call,
    pool: &Label,
    at_least: u64,
) -> Result<Verdict, CallError> {
    let Some(pool) = call.fleet.pools.iter().find(|known| known.name == *pool) else {
        return Ok(Verdict::unknown(format!("the plan has no pool {pool}")));
    };
    let nodes = api.list(&built_in("v1", "Node")?, &Query::labelled(&pool.labels)).await?;
    let ready = nodes.iter().filter(|node| nodes::is_ready(node) && !nodes::is_cordoned(node)).count();
    let ready = u64::try_from(ready).unwrap_or(u64::MAX);
    let line = format!(
        "{ready} of {} nodes of pool {} are Ready and schedulable, wanted {at_least}",
        nodes.len(),
        pool.name
    );
    Ok(verdict(ready >= at_least, &line))
}
