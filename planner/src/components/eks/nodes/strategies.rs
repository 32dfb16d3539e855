//! What a strategy cannot keep: refused before anything is touched.

use switchback_schemas::{
    Diagnostic, Seconds, codes,
    manifest::Rollout,
    plan::{OnDrain, Pool, Strategy, WindowUse},
};

use super::{
    super::{
        context::{Road, because},
        node_groups::{self, Group},
        refs::{NODEGROUP, successor},
    },
    capacity, group_update, karpenter,
};
use crate::{context::Cx, index::nodes_of, lower::checks};

fn word(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::Nodeclaim => "nodeclaim",
        Strategy::GroupUpdate => "group-update",
        Strategy::ReplaceGroup => "replace-group",
        Strategy::Keep => "keep",
    }
}

fn refuse(cx: &Cx<'_>, pool: &Pool, message: String, help: impl Into<String>) {
    cx.findings.say(
        Diagnostic::error(codes::PLAN_STRATEGY, message).at(cx.pool_label(pool, "this pool")).help(help),
    );
}

/// What pools and groups say of each other, once for a manifest.
pub(in crate::components::eks) fn platform(road: &Road<'_>, groups: &[Group<'_>]) {
    for group in groups {
        if let [one, other, ..] = group.pools.as_slice() {
            let message =
                format!("node group {} is in two pools, {} and {}", group.name, one.name, other.name);
            refuse(road.cx, other, message, "narrow `matchLabels` of one of them: a group moves as a whole");
        }
        if let Some(pool) = group.pool().filter(|pool| pool.strategy == Strategy::Nodeclaim) {
            let message = format!(
                "pool {} moves by nodeclaim, and its node group {} is none of Karpenter's",
                pool.name, group.name
            );
            refuse(
                road.cx,
                pool,
                message,
                "give the group a pool of its own that moves by group-update or replace-group",
            );
        }
    }
    for pool in road.pools.iter().filter(|pool| moved(pool)) {
        if !groups.iter().any(|group| group.pool() == Some(pool)) {
            let message = format!(
                "pool {} moves by {}, and no managed node group has its labels",
                pool.name,
                word(pool.strategy)
            );
            let help = "match labels which the group itself gives its nodes, or choose another strategy";
            refuse(road.cx, pool, message, help);
        }
    }
    let plain = Rollout::default();
    if road.doc.spec.rollout != plain {
        for pool in road.pools.iter().filter(|pool| pool.strategy == Strategy::GroupUpdate) {
            let message = format!(
                "`rollout` says nothing about pool {}: by group-update EKS chooses the nodes, and the whole group is one batch",
                pool.name
            );
            road.findings.say_about(
                pool.name.as_str(),
                Diagnostic::warning(codes::PLAN_STRATEGY, message)
                    .at(road.label(road.doc.doc, "/spec/rollout", "not for this pool"))
                    .help("replace-group has canaries and batches"),
            );
        }
    }
}

fn moved(pool: &Pool) -> bool {
    matches!(pool.strategy, Strategy::GroupUpdate | Strategy::ReplaceGroup)
}

/// What stands against the moves of one hop.
pub(in crate::components::eks) fn observed(
    road: &Road<'_>,
    groups: &[Group<'_>],
    to: &mut crate::lower::Lowering,
) {
    if !node_groups::moves(road.doc, &road.hop.to) {
        return;
    }
    if road.own.first {
        let claimed = karpenter::moving(road);
        for pool in road.pools.iter().filter(|pool| moved(pool) || claimed.contains(pool)) {
            checks::drainable(road.cx, pool);
        }
    }
    for group in groups.iter().filter(|group| group.follows(&road.hop.to)) {
        let Some(pool) = group.pool() else { continue };
        if group.ami_type == "CUSTOM" {
            custom(road.cx, pool, group);
            continue;
        }
        if road.own.first {
            healthy(road, group);
        }
        image(road, pool, group, to);
        match pool.strategy {
            Strategy::GroupUpdate => by_eks(road, pool, group),
            Strategy::ReplaceGroup => replaced(road, pool, group),
            Strategy::Nodeclaim | Strategy::Keep => {}
        }
        capacity::observed(road, pool, group);
    }
}

/// Which kubelet a custom image holds, nobody but its maker knows.
fn custom(cx: &Cx<'_>, pool: &Pool, group: &Group<'_>) {
    let message = format!(
        "node group {} of pool {} has a custom image, and {} cannot give it another one",
        // Not the name that it has in a later hop: one group is refused once.
        group.observed.name,
        pool.name,
        word(pool.strategy)
    );
    let help = "EKS takes no version for it, only a launch template: build the image of the new minor, put it into the template and \
                replace the group by hand, with `strategy: keep` and `parity: skew` here meanwhile";
    refuse(cx, pool, message, help);
}

fn healthy(road: &Road<'_>, group: &Group<'_>) {
    let seen = group.observed;
    if seen.status == "ACTIVE" && seen.issues.is_empty() {
        return;
    }
    let message = format!("node group {} is not healthy: {}", seen.name, because(&seen.status, &seen.issues));
    road.findings.say_about(
        &seen.name,
        Diagnostic::error(codes::PLAN_NOT_READY, message)
            .at(road.label(road.doc.doc, "/spec/target", "of this cluster"))
            .help("repair it first: its nodes are not replaced while EKS cannot make any"),
    );
}

/// Amazon Linux 2 has no image past its last minor: only another group can take over.
fn image(road: &Road<'_>, pool: &Pool, group: &Group<'_>, to: &mut crate::lower::Lowering) {
    let facts = road.facts;
    let minor = &road.hop.to;
    let Some(next) = facts.successor(&group.ami_type, &group.observed.instance_types, minor) else { return };
    if let Some(source) = facts.source("al2") {
        to.sources.insert("al2".to_owned(), source);
    }
    if pool.strategy == Strategy::GroupUpdate {
        let message = format!(
            "node group {} has {}, which has no image past {}: group-update cannot bring it to {minor}",
            group.name, group.ami_type, facts.al2.last
        );
        let help = format!(
            "let pool {} move by replace-group: a new group with {next} takes over, and the old one is retained for rollback",
            pool.name
        );
        return refuse(road.cx, pool, message, help);
    }
    if group.observed.launch_template {
        let message = format!(
            "node group {} has a launch template, and its user data may be for {}: {next} reads a NodeConfig instead of bootstrap.sh",
            group.name, group.ami_type
        );
        road.findings.say_about(
            &group.name,
            Diagnostic::warning(codes::PLAN_STRATEGY, message)
                .at(road.pool_label(pool, "this pool"))
                .help("give the group a template without user data, or with one that both understand"),
        );
    }
}

/// What EKS does by itself does not wait for anybody.
fn by_eks(road: &Road<'_>, pool: &Pool, group: &Group<'_>) {
    let minutes = road.facts.group_update.drain_minutes;
    let nodes = nodes_of(road.inventory, pool);
    for class in &road.classes {
        let promise = match &class.on_drain {
            OnDrain::Wait { max, .. } if class.gang => format!("wait up to {max}, together"),
            OnDrain::Wait { max, .. } => format!("wait up to {max}"),
            OnDrain::Never {} => "are never touched".to_owned(),
            OnDrain::Requeue {} | OnDrain::Evict {} => continue,
        };
        let here = road.inventory.pods.iter().find(|pod| {
            let of_class =
                || checks::class_of(pod, &road.classes).is_some_and(|found| found.name == class.name);
            nodes.iter().any(|node| node.name == pod.node) && of_class()
        });
        let Some(pod) = here else { continue };
        let message = format!(
            "pods of class {} {promise}, and pool {} moves by group-update: EKS evicts them at once and gives up after \
             {minutes} minutes (pod {})",
            class.name, pool.name, pod.name
        );
        refuse(road.cx, pool, message, "let the pool move by replace-group, which waits for them");
    }
    fits(road, pool, group);
}

/// An update that cannot be paused has to fit a window together with its rollback.
fn fits(road: &Road<'_>, pool: &Pool, group: &Group<'_>) {
    let windows = &road.manifests.platform.spec.windows;
    let longest = windows
        .iter()
        .filter(|window| window.used_for == WindowUse::Forward)
        .map(|window| window.length.0)
        .max();
    let one_way = group_update::estimate(road, group).p90;
    let needed = Seconds(one_way.0.saturating_mul(2));
    let Some(longest) = longest.filter(|longest| *longest < needed) else { return };
    let message = format!(
        "the update of node group {} and its rollback may take {needed}, cannot be paused, and the longest window has {longest}",
        group.name
    );
    let help = format!(
        "let pool {} move by replace-group, which rests between batches, give the group a larger maxUnavailable, or widen a window",
        pool.name
    );
    refuse(road.cx, pool, message, help);
}

fn replaced(road: &Road<'_>, pool: &Pool, group: &Group<'_>) {
    if pool.labels.contains_key(NODEGROUP) {
        let message = format!(
            "pool {} matches the name of node group {}, and by replace-group another group takes over",
            pool.name, group.name
        );
        let help = "match a label that the group gives its nodes (`labels` of the node group); its copy gives them the same";
        return refuse(road.cx, pool, message, help);
    }
    let next = successor(&group.name, &road.hop.to);
    if node_groups::names(&road.own.cluster).contains(next.as_str()) {
        let message =
            format!("node group {} is to be replaced by {next}, and there is one of that name", group.name);
        refuse(road.cx, pool, message, "delete that group if nobody needs it, or rename it");
    }
}
