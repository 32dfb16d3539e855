//! Checks of a fleet before anything on it is touched.

use std::collections::{BTreeMap, BTreeSet};

use switchback_schemas::{
    Diagnostic, Label, codes,
    inventory::{Pod, Webhook},
    name::ObjectRef,
    plan::{Objection, OnDrain, Pool, Strategy, Then, WorkloadClass},
};

use crate::{context::Cx, index::nodes_of};

/// The first class that matches a pod. Everything a selector gives must match.
pub fn class_of<'a>(pod: &Pod, classes: &'a [WorkloadClass]) -> Option<&'a WorkloadClass> {
    let namespace = pod.name.namespace.as_deref().unwrap_or_default();
    let kinds: Vec<&str> = pod.owners.iter().map(|owner| owner.kind.as_str()).collect();
    let label = |key: &str| pod.labels.get(key).map(String::as_str);
    classes.iter().find(|class| class.select.matches(namespace, label, &kinds))
}

/// Whether a drain leaves a pod alone: DaemonSets come back, static pods belong to the kubelet.
pub fn stays(pod: &Pod) -> bool {
    pod.owners.first().is_some_and(|owner| owner.kind == "DaemonSet" || owner.kind == "Node")
}

/// What would stop a drain of a pool's nodes: budgets that never allow it, pods of no class on GPU nodes, pods that are
/// never touched, Jobs that would end, webhooks that would lose their endpoints (user-pain P-04, P-42).
pub fn drainable(cx: &Cx<'_>, pool: &Pool) {
    let (inventory, classes) = (cx.inventory, cx.classes.as_slice());
    let nodes: BTreeSet<&str> =
        nodes_of(inventory, pool).into_iter().map(|node| node.name.as_str()).collect();
    let on_pool = |pod: &&Pod| nodes.contains(pod.node.as_str()) && !stays(pod);
    for pod in inventory.pods.iter().filter(on_pool) {
        budgets(cx, pool, pod);
        class(cx, pool, pod);
    }
    let leaving: Vec<&Pod> =
        inventory.pods.iter().filter(on_pool).filter(|pod| is_evicted(pool, pod, classes)).collect();
    jobs(cx, pool, &leaving);
    let closed = inventory.webhooks.iter().filter(|webhook| webhook.fail_closed && !webhook.nodes.is_empty());
    for webhook in closed.filter(|webhook| !is_kept(cx, webhook)) {
        if webhook.nodes.iter().all(|node| nodes.contains(node.as_str())) {
            let message = format!(
                "webhook {} ({}) fails closed and all its pods stand on pool {}",
                webhook.name, webhook.object, pool.name
            );
            cx.findings.say_about(
                &webhook.object.to_string(),
                Diagnostic::error(codes::PLAN_WEBHOOK_FAIL_CLOSED, message)
                    .at(moved(cx, pool))
                    .help("let one of its pods stand on another pool while this one moves, or run two and keep one by a PodDisruptionBudget"),
            );
        }
    }
}

/// Whether a budget keeps one pod of a webhook at any time: pods of it leave by eviction only, and another one comes up elsewhere first.
fn is_kept(cx: &Cx<'_>, webhook: &Webhook) -> bool {
    let namespace = webhook.service.as_ref().and_then(|service| service.namespace.as_ref());
    webhook.pods.len() > 1
        && cx.inventory.budgets.iter().any(|budget| {
            budget.desired_healthy > 0
                && budget.name.namespace.as_ref() == namespace
                && webhook.pods.iter().all(|pod| budget.pods.contains(pod))
        })
}

/// Where the manifests say that the nodes of a pool move.
fn moved(cx: &Cx<'_>, pool: &Pool) -> Label {
    cx.pool_label(pool, "its nodes move")
}

fn budgets(cx: &Cx<'_>, pool: &Pool, pod: &Pod) {
    let covering = cx.index.budgets(&pod.name);
    if let [one, two, ..] = covering {
        let message =
            format!("pod {} is covered by two PodDisruptionBudgets, {} and {}", pod.name, one.name, two.name);
        cx.findings.say_about(
            &pod.name.to_string(),
            Diagnostic::error(codes::PLAN_BUDGETS_OVERLAP, message)
                .at(moved(cx, pool))
                .help("the eviction API answers 500 for it; narrow one of the two selectors"),
        );
    }
    for budget in
        covering.iter().filter(|budget| budget.expected > 0 && budget.desired_healthy >= budget.expected)
    {
        let message = format!(
            "PodDisruptionBudget {} wants {} healthy pods of {}, so no eviction is ever allowed",
            budget.name, budget.desired_healthy, budget.expected
        );
        let overridden =
            class_of(pod, &cx.classes).is_some_and(|class| class.overrides.contains(&Objection::Budget));
        let found = match overridden {
            true => Diagnostic::warning(codes::PLAN_BUDGET_STUCK, message)
                .help("a class overrides it: the run waits at its nodes until somebody changes the budget"),
            false => Diagnostic::error(codes::PLAN_BUDGET_STUCK, message)
                .help("add a replica or lower the budget; a drain would wait for ever"),
        };
        cx.findings.say_about(&budget.name.to_string(), found.at(moved(cx, pool)));
    }
}

fn class(cx: &Cx<'_>, pool: &Pool, pod: &Pod) {
    match class_of(pod, &cx.classes) {
        None if pool.gpu => {
            let message = format!(
                "pod {} on GPU node {} is of no workload class, so it is never moved",
                pod.name, pod.node
            );
            cx.findings.say_about(
                &pod.name.to_string(),
                Diagnostic::warning(codes::PLAN_UNCLASSIFIED_POD, message)
                    .at(moved(cx, pool))
                    .help("add a class for it under `workloads:` of the Platform; until then the run parks at this node"),
            );
        }
        Some(class) if class.on_drain == OnDrain::Never {} => {
            let message = format!(
                "pod {} on node {} is of class {}, which is never moved",
                pod.name, pod.node, class.name
            );
            cx.findings.say_about(
                &pod.name.to_string(),
                Diagnostic::warning(codes::PLAN_STRATEGY, message)
                    .at(moved(cx, pool))
                    .help("the run parks at this node while the pod is there"),
            );
        }
        None | Some(_) => {}
    }
}

/// Whether a pod is evicted at some time. EKS asks no class.
pub fn is_evicted(pool: &Pool, pod: &Pod, classes: &[WorkloadClass]) -> bool {
    if by_eks(pool) {
        return true;
    }
    match class_of(pod, classes).map(|class| &class.on_drain) {
        Some(OnDrain::Evict {} | OnDrain::Requeue {} | OnDrain::Wait { then: Then::Evict, .. }) => true,
        Some(OnDrain::Wait { then: Then::Park, .. } | OnDrain::Never {}) => false,
        None => !pool.gpu,
    }
}

/// Whether EKS drains the nodes of a pool.
pub fn by_eks(pool: &Pool) -> bool {
    pool.strategy == Strategy::GroupUpdate
}

/// Jobs that do not survive as many evictions as it takes. Of a gang all pods count: one that is moved in part begins again.
/// Our own drains spare such a Job; EKS does not.
fn jobs(cx: &Cx<'_>, pool: &Pool, leaving: &[&Pod]) {
    let mut here: BTreeMap<&ObjectRef, Vec<&Pod>> = BTreeMap::new();
    for pod in leaving {
        if let Some(owner) = pod.owners.first() {
            here.entry(owner).or_default().push(pod);
        }
    }
    for job in &cx.inventory.workloads {
        let (Some(survives), Some(pods)) = (job.survives, here.get(&job.object)) else { continue };
        let gang = pods.iter().any(|pod| class_of(pod, &cx.classes).is_some_and(|class| class.gang));
        let count = u64::try_from(pods.len()).unwrap_or(u64::MAX);
        let needs = if gang { count.max(job.ready) } else { count };
        if needs <= survives {
            continue;
        }
        let message = format!(
            "moving pool {} would end {} as failed: it evicts {needs} of its pods, and its backoffLimit leaves {survives}",
            pool.name, job.object
        );
        let help = "give the Job a podFailurePolicy that ignores DisruptionTarget, or a higher backoffLimit";
        let found = if by_eks(pool) {
            Diagnostic::error(codes::PLAN_JOB_ENDS, message)
                .help(format!("{help}, or let the pool move by replace-group, which waits until it is over"))
        } else {
            Diagnostic::warning(codes::PLAN_JOB_ENDS, message)
                .help(format!("{help}; until then the run parks at its nodes while it runs"))
        };
        cx.findings.say_about(&job.object.to_string(), found.at(moved(cx, pool)));
    }
}
