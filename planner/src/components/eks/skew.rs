//! How far nodes and kube-proxy may be from the control plane: three minors by the policy of Kubernetes, none for managed groups by
//! the API of EKS.

use std::collections::BTreeMap;

use switchback_schemas::{
    Diagnostic, Version, codes,
    inventory::Node,
    plan::{BlindSpot, Condition, Strategy, Test},
};

use super::{
    Parity,
    context::Road,
    kubelets::no_kubelet,
    node_groups::{self, Group},
    nodes::karpenter,
    refs::{NODEGROUP, says},
};
use crate::{context::Cx, image::Image, lower::Lowering};

/// The oldest minor that nodes may have under a control plane.
fn oldest(road: &Road<'_>, minor: &Version) -> Version {
    let number = minor.minor().saturating_sub(road.facts.skew.behind);
    format!("{}.{number}", minor.major()).parse().unwrap_or_else(|_| minor.clone())
}

/// Refuses a hop that leaves a node too far behind, or that EKS refuses because of a managed group.
pub(super) fn observed(road: &Road<'_>, groups: &[Group<'_>], out: &mut Lowering) {
    let Some(from) = &road.hop.from else { return };
    for group in groups {
        parity(road, group, from);
    }
    kubelets(road, groups, out);
    kube_proxy(road, out);
}

fn parity(road: &Road<'_>, group: &Group<'_>, from: &Version) {
    if group.version >= *from || road.doc.spec.parity == Parity::Skew {
        return;
    }
    let message = format!(
        "node group {} is at {}, and EKS wants managed groups at the cluster's {from} before it goes to {}",
        group.name, group.version, road.hop.to
    );
    let help = match group.strategy() {
        Strategy::Keep | Strategy::Nodeclaim => format!(
            "give it a pool that moves by group-update or replace-group, or write `parity: skew` if it may be up to {} \
             minors behind",
            road.facts.skew.behind
        ),
        Strategy::GroupUpdate | Strategy::ReplaceGroup => format!(
            "bring its nodes to {from} first: an EksUpgrade with `to: '{from}'` moves nodes alone; or write `parity: skew`"
        ),
    };
    road.findings.say(
        Diagnostic::error(codes::PATH_REQUIREMENT, message)
            .at(road.label(road.doc.doc, "/spec/to", "not from here"))
            .help(help),
    );
}

/// The minor that a node has when the hop begins.
fn minor_of(
    road: &Road<'_>,
    groups: &BTreeMap<&str, &Group<'_>>,
    rolled: &[&Node],
    node: &Node,
) -> Option<Version> {
    let kubelet = node.kubelet.as_ref()?.minor_line();
    if let Some(group) = node.labels.get(NODEGROUP).and_then(|name| groups.get(name.as_str())) {
        return Some(if group.by.is_some() { group.version.clone() } else { kubelet });
    }
    let moved = !road.own.first && rolled.iter().any(|other| other.uid == node.uid);
    Some(if moved { road.hop.from.clone()? } else { kubelet })
}

fn kubelets(road: &Road<'_>, groups: &[Group<'_>], out: &mut Lowering) {
    let by_name: BTreeMap<&str, &Group<'_>> =
        groups.iter().map(|group| (group.observed.name.as_str(), group)).collect();
    let rolled = karpenter::claimed(road);
    let oldest = oldest(road, &road.hop.to);
    let (mut old, mut new, mut mute) = (Vec::new(), Vec::new(), 0_usize);
    for node in &road.inventory.nodes {
        match minor_of(road, &by_name, &rolled, node) {
            Some(minor) if minor < oldest => old.push((node.name.as_str(), minor)),
            Some(minor) if road.hop.from.as_ref().is_some_and(|from| minor > *from) => {
                new.push((node.name.as_str(), minor));
            }
            Some(_) => {}
            None => mute += 1,
        }
    }
    if let Some((name, minor)) = old.first() {
        let message = format!(
            "{} would be more than {} minors behind {}: {name} is at {minor}",
            count(old.len()),
            road.facts.skew.behind,
            road.hop.to
        );
        say(road, message, "move them first: give them a pool, or replace them by hand");
    }
    if let Some((name, minor)) = new.first() {
        let from = road.hop.from.as_ref().unwrap_or(&road.hop.to);
        let message = format!(
            "the kubelets of {} are newer than the control plane at {from}: {name} is at {minor}",
            count(new.len())
        );
        say(road, message, "no version supports that; replace them by nodes of the cluster's minor");
    }
    if mute > 0 {
        out.blind_spots.push(BlindSpot {
            what: format!("how old the kubelets of {mute} nodes are"),
            why: "they report no version number".to_owned(),
        });
    }
}

fn count(nodes: usize) -> String {
    if nodes == 1 { "1 node".to_owned() } else { format!("{nodes} nodes") }
}

fn say(road: &Road<'_>, message: String, help: &str) {
    road.findings.say(
        Diagnostic::error(codes::PATH_REQUIREMENT, message)
            .at(road.label(road.doc.doc, "/spec/to", "not with these nodes"))
            .help(help),
    );
}

/// A kube-proxy that no hop moves: as an add-on that is kept, or as a DaemonSet of somebody else's.
fn kube_proxy(road: &Road<'_>, out: &mut Lowering) {
    let addon = road.own.cluster.addons.iter().find(|addon| addon.name == "kube-proxy");
    let kept = road.doc.spec.addons.iter().any(|rule| rule.name == "kube-proxy" && rule.keep);
    let version: Option<Version> = match addon {
        Some(addon) if kept => addon.version.parse().ok(),
        Some(_) => return,
        None => daemonset(road.cx),
    };
    let Some(version) = version else {
        out.blind_spots.push(BlindSpot {
            what: "which kube-proxy runs".to_owned(),
            why: "it is no add-on of EKS, and no DaemonSet kube-system/kube-proxy tells a version".to_owned(),
        });
        return;
    };
    let minor = version.minor_line();
    if minor < oldest(road, &road.hop.to) {
        let message = format!(
            "kube-proxy stays at {minor}, more than {} minors behind {}",
            road.facts.skew.behind, road.hop.to
        );
        say(road, message, "let EKS manage it as an add-on without `keep`, or update it first");
    } else if addon.is_none() {
        out.blind_spots.push(BlindSpot {
            what: format!("whether kube-proxy {minor} works with {}", road.hop.to),
            why: "it is no add-on of EKS, so this plan does not move it".to_owned(),
        });
    }
}

fn daemonset(cx: &Cx<'_>) -> Option<Version> {
    let named = |object: &switchback_schemas::name::ObjectRef| {
        object.kind == "DaemonSet"
            && object.name == "kube-proxy"
            && object.namespace.as_deref() == Some("kube-system")
    };
    let found = cx.inventory.workloads.iter().find(|workload| named(&workload.object))?;
    let image = &found.containers.first()?.image;
    Image(image).version()
}

/// What is asked of nodes before the control plane: managed groups at its minor, and no kubelet too old for the next.
pub(super) fn gate(road: &Road<'_>, groups: &[Group<'_>]) -> (String, Condition) {
    let oldest = oldest(road, &road.hop.to);
    let mut of = vec![no_kubelet(&BTreeMap::new(), Test::VersionBelow(oldest.clone()))];
    let mut title = format!("no kubelet is older than {oldest}");
    if let Some(from) = road.hop.from.as_ref().filter(|_| road.doc.spec.parity == Parity::Required) {
        title = format!("managed groups are at {from}, and {title}");
        of.extend(
            groups.iter().map(|group| says(&road.own.names.group(&group.name), "/version", from.as_str())),
        );
    }
    (title, Condition::All(of))
}

/// Says which managed groups no pool has: they stay as they are.
pub(super) fn unpooled(road: &Road<'_>) {
    for group in
        node_groups::observed(road.cx, &road.own.cluster).iter().filter(|group| group.pools.is_empty())
    {
        let message =
            format!("node group {} is in no pool, so its nodes stay at {}", group.name, group.version);
        road.findings.say_about(
            &group.name,
            Diagnostic::warning(codes::PLAN_STRATEGY, message)
                .at(road.label(road.manifests.platform.doc, "/spec/pools", "none of these matches it"))
                .help("add a pool that matches labels which the group gives its nodes"),
        );
    }
}
