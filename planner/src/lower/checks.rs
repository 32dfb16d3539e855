//! Checks of a fleet before anything on it is touched.

use std::collections::{BTreeMap, BTreeSet};

use switchback_schemas::{
    Diagnostic, Label, codes,
    inventory::Pod,
    name::ObjectRef,
    plan::{OnDrain, PodSelector, Pool, Strategy, Then, WorkloadClass},
};

use crate::{context::Cx, index::nodes_of};

/// The first class that matches a pod. Everything a selector gives must match.
pub fn class_of<'a>(pod: &Pod, classes: &'a [WorkloadClass]) -> Option<&'a WorkloadClass> {
    classes.iter().find(|class| matches(pod, &class.select))
}

fn matches(pod: &Pod, select: &PodSelector) -> bool {
    let namespace = pod.name.namespace.as_deref().unwrap_or_default();
    let top = pod.owners.last().map_or("Pod", |owner| owner.kind.as_str());
    (select.namespaces.is_empty() || select.namespaces.iter().any(|n| n == namespace))
        && select.labels.iter().all(|(key, value)| pod.labels.get(key) == Some(value))
        && (select.owner_kinds.is_empty() || select.owner_kinds.iter().any(|kind| kind == top))
}

/// Whether a drain leaves a pod alone: DaemonSets come back, static pods belong to the kubelet.
fn stays(pod: &Pod) -> bool {
    pod.owners.iter().any(|owner| owner.kind == "DaemonSet" || owner.kind == "Node")
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
    for webhook in
        inventory.webhooks.iter().filter(|webhook| webhook.fail_closed && !webhook.nodes.is_empty())
    {
        if webhook.nodes.iter().all(|node| nodes.contains(node.as_str())) {
            let message = format!(
                "webhook {} ({}) fails closed and all its pods stand on pool {}",
                webhook.name, webhook.object, pool.name
            );
            cx.findings.say_about(
                &webhook.object.to_string(),
                Diagnostic::error(codes::PLAN_WEBHOOK_FAIL_CLOSED, message)
                    .at(moved(cx, pool))
                    .help("let one of its pods stand on another pool while this one moves"),
            );
        }
    }
}

/// Where the manifests say that the nodes of a pool move.
fn moved(cx: &Cx<'_>, pool: &Pool) -> Label {
    cx.pool_label(pool, "its nodes move")
}

fn budgets(cx: &Cx<'_>, pool: &Pool, pod: &Pod) {
    let covers = |budget: &&switchback_schemas::inventory::Budget| {
        budget.name.namespace == pod.name.namespace && budget.pods.contains(&pod.name.name)
    };
    let covering: Vec<_> = cx.inventory.budgets.iter().filter(covers).collect();
    if let [one, two, ..] = covering.as_slice() {
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
        cx.findings.say_about(
            &budget.name.to_string(),
            Diagnostic::error(codes::PLAN_BUDGET_STUCK, message)
                .at(moved(cx, pool))
                .help("add a replica or lower the budget; a drain would wait for ever"),
        );
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
fn is_evicted(pool: &Pool, pod: &Pod, classes: &[WorkloadClass]) -> bool {
    if by_eks(pool) {
        return true;
    }
    match class_of(pod, classes).map(|class| &class.on_drain) {
        Some(OnDrain::Evict {} | OnDrain::Requeue {} | OnDrain::Wait { then: Then::Evict, .. }) => true,
        Some(OnDrain::Wait { then: Then::Park, .. } | OnDrain::Never {}) => false,
        None => !pool.gpu,
    }
}

fn by_eks(pool: &Pool) -> bool {
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
