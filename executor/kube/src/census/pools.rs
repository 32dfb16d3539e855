//! NodePools: whether Karpenter can make nodes of them, and why not.

use std::collections::BTreeMap;

use serde_json::Value;
use switchback_executor::{ports::PoolHealth, untrusted::text::line};

use crate::{
    api::{Kinds, Query, Reader, Seen, Sought},
    claims::{NODE_POOL, resource},
    classify::CallError,
    fields::{condition, text},
};

/// NodePools by name; none where Karpenter is not installed.
pub(super) async fn health(
    api: &Reader,
    kinds: &Kinds<'_>,
) -> Result<BTreeMap<String, PoolHealth>, CallError> {
    let mut health: BTreeMap<String, PoolHealth> = BTreeMap::new();
    let Some(pools) = resource(kinds, "NodePool").await? else { return Ok(health) };
    let mut classes: BTreeMap<String, Option<String>> = BTreeMap::new();
    for pool in api.list(&pools, &Query::all()).await? {
        let name = text(&pool, "/metadata/name");
        let (kind, class) = class_of(&pool);
        let key = format!("{kind} {class}");
        if !classes.contains_key(&key) {
            classes.insert(key.clone(), class_trouble(api, kinds, &pool).await?);
        }
        // A class that is not Ready is the cause, the pool what follows from it.
        let cause = classes.get(&key).cloned().flatten();
        let not_ready = not_true(&pool, "Ready").map(|why| line(&format!("NodePool {name} {why}")));
        health.insert(name.to_owned(), PoolHealth { not_ready: cause.or(not_ready), claims: Vec::new() });
    }
    if let Some(claims) = resource(kinds, "NodeClaim").await? {
        for claim in api.list(&claims, &Query::all()).await? {
            let labels = claim.pointer("/metadata/labels");
            let pool = labels.and_then(|labels| labels.get(NODE_POOL)?.as_str()).unwrap_or_default();
            let Some(health) = health.get_mut(pool) else { continue };
            let name = text(&claim, "/metadata/name");
            let stuck = ["Launched", "Registered", "Initialized"].into_iter().find_map(|condition| {
                let why = not_true(&claim, condition)?;
                // A claim that is only young says nothing yet.
                let says = why.contains(": ") && !why.contains("AwaitingReconciliation");
                says.then(|| line(&format!("NodeClaim {name} {why}")))
            });
            health.claims.extend(stuck);
        }
    }
    Ok(health)
}

fn class_of(pool: &Value) -> (&str, &str) {
    let class = |field: &str| text(pool, &format!("/spec/template/spec/nodeClassRef/{field}"));
    (class("kind"), class("name"))
}

/// Why a pool's node class is not Ready. A class of a kind that is not served, or that may not be read, says nothing by itself.
async fn class_trouble(api: &Reader, kinds: &Kinds<'_>, pool: &Value) -> Result<Option<String>, CallError> {
    let (kind, name) = class_of(pool);
    let group = text(pool, "/spec/template/spec/nodeClassRef/group");
    for version in ["v1", "v1beta1"] {
        let Some(resource) = kinds.find(&format!("{group}/{version}"), kind).await? else { continue };
        let class = match api.look(Sought::new(&resource, None, name)).await {
            Ok(class) => class.map(Seen::into_object),
            Err(error) if error.is_forbidden() => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(class) = class else { return Ok(Some(line(&format!("{kind} {name} does not exist")))) };
        return Ok(not_true(&class, "Ready").map(|why| line(&format!("{kind} {name} {why}"))));
    }
    Ok(None)
}

/// How a condition that is there is not True.
fn not_true(object: &Value, kind: &str) -> Option<String> {
    let condition = condition(object, kind)?;
    let (reason, message) = (text(condition, "/reason"), text(condition, "/message"));
    let told = if message.is_empty() { reason.to_owned() } else { format!("{reason}: {message}") };
    let what = if kind == "Ready" { "is not Ready".to_owned() } else { format!("is not {kind}") };
    (text(condition, "/status") != "True").then(|| format!("{what} ({told})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_condition_that_is_not_true_says_why() {
        let object = |status: &str| {
            json!({"status": {"conditions": [{"type": "Ready", "status": status,
            "reason": "NodeClassNotReady", "message": "no subnets"}]}})
        };
        assert_eq!(
            not_true(&object("False"), "Ready").unwrap(),
            "is not Ready (NodeClassNotReady: no subnets)"
        );
        assert!(not_true(&object("Unknown"), "Ready").is_some());
        assert_eq!(not_true(&object("True"), "Ready"), None);
        assert_eq!(not_true(&json!({}), "Ready"), None, "an old release says nothing");
    }
}
