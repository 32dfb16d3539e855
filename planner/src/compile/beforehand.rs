//! What a run would find out in the middle, and can be seen beforehand: a Verification that is false, a Deployment that is paused, a
//! window in which a step has no room.

use std::collections::{BTreeMap, BTreeSet};

use switchback_model::{Graph, forecast::forecast};
use switchback_schemas::{
    Diagnostic, codes,
    inventory::{Inventory, Subject},
    manifest::Check,
    name::ObjectRef,
    plan::{Condition, KubeCondition, Plan, Target, WindowUse},
};

use crate::{context::Cx, index::nodes_of};

/// Verifications that are false as the platform was observed.
pub(super) fn verifications(cx: &Cx<'_>) {
    for (name, doc) in &cx.manifests.verifications {
        let Some(seen) = is_false(cx, &doc.spec.check) else { continue };
        let message = format!("Verification {name} is false before the run: {seen}");
        cx.findings.say_about(
            name.as_str(),
            Diagnostic::warning(codes::PLAN_VERIFICATION, message)
                .at(cx.label(doc.doc, "/spec/check", "not so now"))
                .help("correct it, or what it checks: a step that it verifies would fail"),
        );
    }
}

/// What was seen of a check that does not hold; `None` where it holds, or where only the run can look.
fn is_false(cx: &Cx<'_>, check: &Check) -> Option<String> {
    let inventory = cx.inventory;
    match check {
        Check::Pods { namespace, match_labels, ready } => {
            if is_unread(inventory, "v1", "Pod") {
                return None;
            }
            let of = |key: &String, value: &String, pod: &switchback_schemas::inventory::Pod| {
                pod.labels.get(key) == Some(value)
            };
            let found = inventory.pods.iter().filter(|pod| {
                pod.name.namespace.as_ref() == Some(namespace)
                    && match_labels.iter().all(|(key, value)| of(key, value, pod))
            });
            let found = found.count() as u64;
            (found < *ready).then(|| format!("{found} pods of {ready} are there"))
        }
        Check::Nodes { pool, ready } => {
            let pool = cx.pools.iter().find(|known| known.name == *pool)?;
            let nodes = nodes_of(inventory, pool);
            let found = nodes.iter().filter(|node| node.ready).count() as u64;
            (found < *ready).then(|| {
                format!(
                    "{found} of {} nodes of pool {} are Ready, wanted at least {ready}",
                    nodes.len(),
                    pool.name
                )
            })
        }
        Check::Deployment(name) => {
            let object = ObjectRef::new("apps/v1", "Deployment", name);
            match cx.index.workload(&object) {
                Some(found) if found.ready < found.replicas => {
                    Some(format!("{} of {} replicas of {object} are ready", found.ready, found.replicas))
                }
                Some(_) => None,
                None if is_unread(inventory, "apps/v1", "Deployment") => None,
                None => Some(format!("there is no {object}")),
            }
        }
        Check::Devices { pool, resource, each } => {
            let pool = cx.pools.iter().find(|known| known.name == *pool)?;
            nodes_of(inventory, pool).into_iter().find_map(|node| {
                let offered = node.gpus.get(resource).copied().filter(|offered| offered < each)?;
                Some(format!("node {} offers {offered} of {resource}, wanted at least {each}", node.name))
            })
        }
        Check::Command { .. }
        | Check::Http { .. }
        | Check::Inference { .. }
        | Check::Prometheus { .. }
        | Check::Logs { .. }
        | Check::Condition { .. } => None,
    }
}

fn is_unread(inventory: &Inventory, api_version: &str, kind: &str) -> bool {
    let missing = |what: &Subject| matches!(what, Subject::Objects { api_version: version, kind: of } if version == api_version && of == kind);
    inventory.unread.iter().any(|unread| missing(&unread.what))
}

/// Deployments whose rollout some step waits for, and that are paused: nothing of what is changed reaches their pods.
pub(super) fn paused(cx: &Cx<'_>, plan: &Plan) {
    let mut said = BTreeSet::new();
    for condition in plan.works().flat_map(|(_, work)| work.conditions()).flat_map(Condition::leaves) {
        let Condition::Kube(KubeCondition::Rollout { object: Target::Object(object) }) = condition else {
            continue;
        };
        if !cx.index.workload(object).is_some_and(|found| found.paused) || !said.insert(object) {
            continue;
        }
        let message =
            format!("{object} is paused (spec.paused): a rollout that the plan waits for never begins");
        cx.findings.say_about(
            &object.to_string(),
            Diagnostic::error(codes::PLAN_NOT_READY, message)
                .help("resume it (`kubectl rollout resume`), or take its upgrade out of the manifests"),
        );
    }
}

/// Windows in which a step has no room.
pub(super) fn windows(cx: &Cx<'_>, plan: &Plan, graph: &Graph) {
    let Ok(forecast) = forecast(plan, graph, plan.inputs.as_of, &BTreeMap::new()) else { return };
    let Some(stuck) = &forecast.stuck else { return };
    let windows: Vec<String> = plan
        .windows
        .iter()
        .filter(|window| window.used_for == WindowUse::Forward)
        .map(|window| format!("{} ({})", window.name, window.length))
        .collect();
    let message =
        format!("no window within a year has room for {stuck} and its rollback: {}", windows.join(", "));
    cx.findings.say(
        Diagnostic::error(codes::PLAN_WINDOW, message)
            .at(cx.label(cx.manifests.platform.doc, "/spec/windows", "too short"))
            .help("widen a window, or let less move at once"),
    );
}
