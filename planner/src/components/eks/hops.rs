//! Which minors a cluster moves through, and what is refused before anything is looked at more closely.

use std::rc::Rc;

use switchback_schemas::{
    Diagnostic, codes,
    inventory::{eks::EksCluster, karpenter::Karpenter},
    plan::HopBasis,
};

use super::{Doc, Eks, LastNodes, context::OnCluster, minors::following, node_groups, refs::Names, support};
use crate::{
    carried,
    component::DocCx,
    context::Cx,
    hop::{HopSpec, rising},
    lower::groups::cluster,
};

/// The section of Karpenter, whose nodes follow the control plane.
fn karpenter(cx: &Cx<'_>) -> Result<Option<Rc<Karpenter>>, Diagnostic> {
    cx.sections.get("karpenter").map_err(|error| {
        Diagnostic::error(codes::PLAN_UNREADABLE, error).help("observe again with this release")
    })
}

/// The hops of one document.
pub(super) fn of(at: &DocCx<'_, Eks>) -> Vec<(HopSpec, OnCluster)> {
    let (cx, doc) = (at.cx, at.doc);
    let Some(cluster) = cluster::observed(cx, doc.doc, &doc.spec.target) else { return Vec::new() };
    let karpenter = match karpenter(cx) {
        Ok(karpenter) => karpenter,
        Err(unreadable) => {
            cx.findings.say(unreadable);
            return Vec::new();
        }
    };
    let cluster = Rc::new(cluster);
    let own = |hop: HopSpec| {
        let names = Names { target: hop.target.clone(), arn: cluster.arn.clone() };
        let first = hop.from.as_ref().is_none_or(|from| *from == cluster.version.minor_line());
        (hop, OnCluster { names, cluster: Rc::clone(&cluster), karpenter: karpenter.clone(), first })
    };
    minors(at, &cluster).into_iter().map(own).collect()
}

/// One hop for each minor, or one for nodes alone.
fn minors(at: &DocCx<'_, Eks>, cluster: &EksCluster) -> Vec<HopSpec> {
    let (cx, doc, spec) = (at.cx, at.doc, &at.doc.spec);
    let (from, to) = (cluster.version.minor_line(), spec.to.minor_line());
    let asked = at.asked();
    if not_built(cx, doc, cluster) {
        return Vec::new();
    }
    if from == to && spec.nodes == LastNodes::Follow && node_groups::lags(cx, cluster) {
        // The control plane is there already; only nodes follow.
        return vec![HopSpec { to, ..asked }];
    }
    let what = format!("EKS cluster {}", cluster.arn.name());
    if rising(cx, doc.doc, &what, &from, &to).is_none() {
        return Vec::new();
    }
    if !support::offered(cx, doc, cluster) {
        return Vec::new();
    }
    unfinished(cx, doc, &HopSpec { to: from.clone(), ..asked.clone() });
    let mut before = from;
    let mut hops = Vec::new();
    while before < to {
        let next = following(&before);
        let basis = if hops.is_empty() { HopBasis::Exact } else { HopBasis::Predicted };
        hops.push(HopSpec { from: Some(before), to: next.clone(), basis, ..asked.clone() });
        before = next;
    }
    hops
}

/// A minor that an earlier run of the operation began is finished there, or taken back: what it set for the time of the hop would be
/// taken for what was there before.
fn unfinished(cx: &Cx<'_>, doc: &Doc, here: &HopSpec) {
    let Some(carried) = &cx.inventory.carry_over else { return };
    let Some(hop) = cx.unfinished(&here.id()) else { return };
    let run = &hop.run;
    let message = format!(
        "run {run} began {} and did not finish it, and the next minor begins only after it is verified",
        here.id()
    );
    let ways = carried::ways(&carried.run, run);
    cx.findings.say(
        Diagnostic::error(codes::PLAN_UNFINISHED, message)
            .at(cx.label(doc.doc, "/spec/to", "would go past it"))
            .help(format!("{ways}, and observe again")),
    );
}

/// Kinds of nodes that a plan would silently leave behind: refused by name.
fn not_built(cx: &Cx<'_>, doc: &Doc, cluster: &EksCluster) -> bool {
    let name = cluster.arn.name();
    let mut found: Vec<(String, &str)> = Vec::new();
    if cluster.auto_mode {
        let message = format!("EKS Auto Mode manages nodes of {name}, and that is not built yet");
        found.push((
            message,
            "it replaces nodes by itself after the control plane; upgrade this cluster without Switchback",
        ));
    }
    if cluster.fargate_profiles > 0 {
        let message = format!(
            "{name} has {} Fargate profiles, and Fargate nodes are not built yet",
            cluster.fargate_profiles
        );
        found.push((
            message,
            "their kubelets move only when their pods are started again, and the control plane is not rolled back under them",
        ));
    }
    for group in cluster.nodegroups.iter().filter(|group| group.ami_type.starts_with("WINDOWS_")) {
        let message = format!(
            "node group {} is of {}, and Windows nodes are not built yet",
            group.name, group.ami_type
        );
        found.push((
            message,
            "upgrade this cluster without Switchback, or move its Windows nodes to another one",
        ));
    }
    for (message, help) in &found {
        cx.findings.say(
            Diagnostic::error(codes::MANIFEST_NOT_BUILT, message.clone())
                .at(cx.label(doc.doc, "/spec/target", "this cluster"))
                .help(*help),
        );
    }
    !found.is_empty()
}
