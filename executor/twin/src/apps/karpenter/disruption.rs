//! Drift and consolidation of empty nodes, within the budgets of the pool.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::claims::{do_not_disrupt, pool_label};
use super::{
    CLASS_HASH, GROUP, MADE_BY, MINOR, POOL_HASH, class_hash, class_of, drop_condition, is, launch, minor,
    pool_hash, pool_of, set_condition,
};
use crate::kube::api::may_go;
use crate::kube::controllers::share;
use crate::world::key::{list, text};
use crate::world::{DeleteOptions, Key, World};

fn annotation<'a>(object: &'a Value, name: &str) -> &'a str {
    object
        .pointer("/metadata/annotations")
        .and_then(|a| a.get(name))
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// Marks claims that are no longer what their pool says.
pub(super) fn drift(world: &mut World, version: &str) {
    let claims: Vec<_> = world.list(GROUP, "nodeclaims", None).map(|(k, c)| (k.clone(), c.clone())).collect();
    for (key, claim) in claims {
        if !text(&claim, "/metadata/deletionTimestamp").is_empty() || !is(&claim, "Registered") {
            continue;
        }
        let reason = reason(world, &claim, version);
        match reason {
            Some(reason) => set_condition(world, &key, "Drifted", "True", reason),
            None => drop_condition(world, &key, "Drifted"),
        }
    }
}

fn reason(world: &World, claim: &Value, version: &str) -> Option<&'static str> {
    let pool = world.get(&Key::new(GROUP, "nodepools", "", pool_of(claim)))?;
    if annotation(claim, POOL_HASH) != pool_hash(pool) {
        return Some("NodePoolDrifted");
    }
    let class = class_of(world, pool.pointer("/spec/template/spec"))?;
    if annotation(claim, CLASS_HASH) != class_hash(&class) {
        return Some("NodeClassDrifted");
    }
    // Whatever the alias, its image is that of the control plane's minor.
    let made_for = annotation(claim, MINOR);
    if !made_for.is_empty() && made_for != minor(world) {
        return Some("AMIDrift");
    }
    let made = number(annotation(claim, MADE_BY));
    let event = world.settings().karpenter.drift_events.iter().any(|event| {
        let event = number(event);
        made < event && event <= number(version)
    });
    event.then_some("NodeClassDrifted")
}

/// A version as numbers that compare.
fn number(version: &str) -> Vec<u32> {
    version.trim_start_matches('v').split('.').map(|p| p.parse().unwrap_or(0)).collect()
}

/// Replaces drifted and removes empty nodes, as far as budgets let.
pub(super) fn disrupt(world: &mut World) {
    let pools: Vec<_> = world.list(GROUP, "nodepools", None).map(|(k, p)| (k.clone(), p.clone())).collect();
    for (key, pool) in pools {
        for why in ["Empty", "Drifted"] {
            let mut room = allowed(world, &pool, why);
            for (claim_key, claim) in candidates(world, &key.name, why) {
                if room == 0 {
                    break;
                }
                if why == "Drifted" && !replaced(world, &pool, &claim_key) {
                    continue;
                }
                // An empty node that drifted only goes; others wait for their replacement above.
                world.delete(&claim_key, DeleteOptions::default());
                drop_condition(world, &claim_key, "Drifted");
                room -= 1;
                let _ = claim;
            }
        }
    }
}

/// Nodes of the pool that may be disrupted for a reason now.
fn allowed(world: &World, pool: &Value, why: &str) -> i64 {
    let name = text(pool, "/metadata/name");
    let claims: Vec<_> = world.list(GROUP, "nodeclaims", None).filter(|(_, c)| pool_of(c) == name).collect();
    let total = i64::try_from(claims.iter().filter(|(_, c)| is(c, "Initialized")).count()).unwrap_or(0);
    let down = claims
        .iter()
        .filter(|(_, c)| {
            is(c, "Initialized")
                && (!text(c, "/metadata/deletionTimestamp").is_empty() || !node_ready(world, c))
        })
        .count();
    let down = i64::try_from(down).unwrap_or(0);
    let budgets = list(pool, "/spec/disruption/budgets");
    let default = json!({"nodes": "10%"});
    let all: Vec<&Value> = if budgets.is_empty() { vec![&default] } else { budgets.iter().collect() };
    all.iter()
        .filter(|b| {
            let reasons = list(b, "/reasons");
            // A schedule is played as always open: the window a plan asks for is its own.
            reasons.is_empty() || reasons.iter().any(|r| r == why)
        })
        .map(|b| {
            let nodes = text(b, "/nodes");
            let most = if nodes.ends_with('%') {
                share(Some(&nodes.into()), total, true)
            } else {
                nodes.parse().unwrap_or(0)
            };
            (most - down).max(0)
        })
        .min()
        .unwrap_or(total)
}

fn node_ready(world: &World, claim: &Value) -> bool {
    world.get(&Key::core("nodes", "", text(claim, "/status/nodeName"))).is_some_and(|n| is(n, "Ready"))
}

fn candidates(world: &World, pool: &str, why: &str) -> Vec<(Key, std::sync::Arc<Value>)> {
    world
        .list(GROUP, "nodeclaims", None)
        .filter(|(_, c)| {
            pool_of(c) == pool && text(c, "/metadata/deletionTimestamp").is_empty() && is(c, "Initialized")
        })
        .filter(|(_, c)| {
            let node = text(c, "/status/nodeName");
            let labelled = world.get(&Key::core("nodes", "", node)).is_some_and(|n| {
                n.pointer("/metadata/labels").is_some_and(|l| l.get(pool_label()).is_some())
                    && n.pointer("/metadata/annotations").and_then(|a| a.get(super::DO_NOT_DISRUPT)).is_none()
            });
            let pods: Vec<_> = world
                .pods_on(node)
                .into_iter()
                .filter(|(_, p)| {
                    !list(p, "/metadata/ownerReferences").iter().any(|r| text(r, "/kind") == "DaemonSet")
                        && !matches!(text(p, "/status/phase"), "Succeeded" | "Failed")
                })
                .collect();
            let fits = match why {
                "Empty" => {
                    pods.is_empty() && !is(c, "Drifted") && idle_long(world, c) && consolidates(world, pool)
                }
                // A claim that ends its pods in time is taken whatever they say.
                _ => {
                    is(c, "Drifted")
                        && (!text(c, "/spec/terminationGracePeriod").is_empty()
                            || pods.iter().all(|(k, p)| !do_not_disrupt(p) && may_go(world, k, p)))
                }
            };
            labelled && fits
        })
        .map(|(k, c)| (k.clone(), c.clone()))
        .collect()
}

/// A node that has just come may be meant for pods that are still on their way.
fn idle_long(world: &World, claim: &Value) -> bool {
    let since = list(claim, "/status/conditions")
        .iter()
        .find(|c| text(c, "/type") == "Initialized")
        .and_then(|c| text(c, "/lastTransitionTime").parse::<Timestamp>().ok());
    since.is_some_and(|s| world.now().duration_since(s) >= SignedDuration::from_mins(2))
}

/// `consolidateAfter: Never` keeps empty nodes; while a node of the pool drains, none is taken away.
fn consolidates(world: &World, pool: &str) -> bool {
    let draining = world.list(GROUP, "nodeclaims", None).any(|(_, c)| {
        pool_of(c) == pool && (!text(c, "/metadata/deletionTimestamp").is_empty() || is(c, "Drifted"))
    });
    !draining
        && world
            .get(&Key::new(GROUP, "nodepools", "", pool))
            .is_some_and(|p| !matches!(text(p, "/spec/disruption/consolidateAfter"), "Never" | ""))
}

/// Whether the replacement of a drifted claim is ready; makes it where there is none.
fn replaced(world: &mut World, pool: &Value, claim: &Key) -> bool {
    const FOR: &str = "twin.switchback.dev/replaces";
    let mine = world
        .list(GROUP, "nodeclaims", None)
        .find(|(_, c)| annotation(c, FOR) == &*claim.name)
        .map(|(k, c)| (k.clone(), is(c, "Initialized")));
    match mine {
        Some((key, true)) => {
            world.modify(&key, |c| crate::world::key::unset(c, &["metadata", "annotations", FOR]));
            true
        }
        Some((_, false)) => false,
        None => {
            let name = text(pool, "/metadata/name");
            if world.settings().karpenter.no_capacity.iter().any(|n| n == name) {
                return false;
            }
            let version = super::running(world).unwrap_or_default();
            let key = launch::claim(world, pool, &version, None);
            let of = claim.name.to_string();
            world.modify(&key, |c| crate::world::key::set(c, &["metadata", "annotations", FOR], of.into()));
            false
        }
    }
}
