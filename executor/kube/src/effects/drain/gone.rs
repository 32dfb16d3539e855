//! A node that is not there any more. What follows ends its machine, so one look is not enough.

use switchback_executor::ports::Call;
use switchback_schemas::{
    journal::{Outcome, WaitsFor},
    plan::BoundObject,
};

use crate::{
    api::{Kinds, Reader},
    claims::{self, Claim},
    classify::CallError,
    target::{done, unconfirmed},
};

/// Believed at the second look, and not while Karpenter says that the machine of the node is there.
pub(super) async fn of_node(
    api: &Reader,
    kinds: &Kinds<'_>,
    call: &Call,
    node: &BoundObject,
) -> Result<Outcome, CallError> {
    let named = &node.object;
    let claims = claims::all(api, kinds).await?;
    if let Some(claim) = claims.iter().find(|claim| !claim.is_leaving && stands_for(claim, node)) {
        let what = format!("whether {named} is gone");
        let why = format!("it is not there, and NodeClaim {}, which made its machine, is", claim.name);
        return Ok(Outcome::Blocked { waits_for: vec![WaitsFor::Unreadable { what, why }] });
    }
    let gone = format!("{named} is gone");
    Ok(unconfirmed(call, &gone).unwrap_or_else(|| done(&gone)))
}

/// Whether a NodeClaim made the machine of a node.
fn stands_for(claim: &Claim, node: &BoundObject) -> bool {
    match (&claim.provider_id, &node.provider_id) {
        (Some(claimed), Some(machine)) => claimed == machine,
        _ => claim.node == node.object.name,
    }
}
