//! Whether the cluster is in a state to begin from: what was observed refuses a plan, and the same is asked again before each
//! control plane.

use switchback_schemas::{
    Diagnostic, StepId, Version, codes,
    name::Label,
    plan::{Condition, Estimate, Gate, GateKind, InsightCategory},
    seconds::Seconds,
};

use super::{
    context::{self, Road},
    insights,
    node_groups::Group,
    refs::says,
    skew,
};
use crate::lower::Lowering;

/// Refuses to begin on a cluster that something else is changing, or that is not whole.
pub(super) fn observed(road: &Road<'_>) {
    let cluster = &road.own.cluster;
    let place = || road.label(road.doc.doc, "/spec/target", "this cluster");
    for update in &cluster.in_progress {
        let message = format!(
            "an update of {} is under way: {} {}, begun {}",
            update.of, update.kind, update.id, update.began
        );
        let found = Diagnostic::error(codes::PLAN_NOT_READY, message).at(place());
        road.findings
            .say(found.help("EKS makes one update at a time: let it end, then observe and resolve again"));
    }
    if cluster.status != "ACTIVE" && cluster.in_progress.is_empty() {
        let message = format!("the EKS cluster {} is {}", cluster.arn.name(), cluster.status);
        let found = Diagnostic::error(codes::PLAN_NOT_READY, message).at(place());
        road.findings.say(found.help("wait until it is ACTIVE, then observe and resolve again"));
    }
    for addon in cluster.addons.iter().filter(|addon| addon.status != "ACTIVE" || !addon.issues.is_empty()) {
        let why = context::because(&addon.status, &addon.issues);
        let message = format!("the add-on {} is not healthy: {why}", addon.name);
        let found = Diagnostic::error(codes::PLAN_NOT_READY, message).at(place());
        road.findings.say_about(
            &addon.name,
            found.help("repair it first: its update would fail, or hide what is wrong"),
        );
    }
    addresses(road);
}

fn addresses(road: &Road<'_>) {
    let cluster = &road.own.cluster;
    if cluster.subnets.is_empty() {
        return;
    }
    let wanted = road.facts.free_addresses.at_least;
    let free: u64 = cluster.subnets.iter().map(|subnet| subnet.free).sum();
    let full: Vec<&str> =
        cluster.subnets.iter().filter(|subnet| subnet.free == 0).map(|subnet| subnet.id.as_str()).collect();
    if free >= wanted && full.is_empty() {
        return;
    }
    let list: Vec<String> =
        cluster.subnets.iter().map(|subnet| format!("{} has {}", subnet.id, subnet.free)).collect();
    let short = match full.as_slice() {
        [] => format!("the subnets of {} have {free} free addresses", cluster.arn.name()),
        full => format!("no address is free in {} of {}", full.join(", "), cluster.arn.name()),
    };
    let message = format!("{short}, and an update takes up to {wanted} ({})", list.join(", "));
    road.findings.say(
        Diagnostic::error(codes::PLAN_CAPACITY, message)
            .at(road.label(road.doc.doc, "/spec/target", "this cluster"))
            .help("free addresses in each of them, or give the cluster other subnets; else the update fails half way"),
    );
}

/// The gates before a control plane. They are asked of the look before it, of what is removed for it, and of itself.
pub(super) fn gates(road: &Road<'_>, groups: &[Group<'_>], out: &mut Lowering) -> Vec<Label> {
    let target = road.own.names.target.clone();
    let minor = &road.hop.to;
    let wanted = road.facts.free_addresses.at_least;
    let accepted_until = insights::accepted(road);
    let mut title = format!("EKS finds nothing that stands against {minor}");
    if !accepted_until.is_empty() {
        let but: Vec<String> =
            accepted_until.iter().map(|(name, until)| format!("{name} until {until}")).collect();
        title = format!("{title}, but for what is accepted: {}", but.join(", "));
    }
    let gate = |part: &str, title: String, condition: Condition, may_override: bool| Gate {
        id: road.unique(part),
        title,
        kind: GateKind::Check(condition),
        may_override,
    };
    let upgrade = Condition::Insights {
        target: target.clone(),
        category: InsightCategory::UpgradeReadiness,
        kubernetes: minor.clone(),
        accepted_until,
    };
    let addresses = Condition::FreeAddresses { target, at_least: wanted };
    let mut gates = vec![
        gate("insights", title, upgrade, true),
        gate("addresses", format!("{wanted} addresses are free in the subnets"), addresses, true),
    ];
    let (title, nodes) = skew::gate(road, groups);
    gates.push(gate("nodes", title, nodes, false));
    let ids = gates.iter().map(|gate| gate.id.clone()).collect();
    out.gates.extend(gates);
    ids
}

/// A look at the cluster behind all gates, before anything of the hop is changed.
pub(super) fn step(road: &Road<'_>, from: &Version, gates: &[Label], out: &mut Lowering) -> StepId {
    let cluster = road.own.names.cluster();
    let until = Condition::All {
        of: vec![says(&cluster, "/status", "ACTIVE"), says(&cluster, "/version", from.as_str())],
    };
    let title =
        format!("check that {} is ACTIVE at {from} and ready for {}", road.own.names.arn.name(), road.hop.to);
    let mut draft = road
        .scope
        .look("readiness", title, until, Vec::new())
        .time(Seconds::minutes(30), Estimate::seconds(5, 30));
    for gate in gates {
        draft = draft.gate(gate);
    }
    out.add(draft)
}
