//! Managed groups and the pools that they are of, followed through the hops of an upgrade.

use std::collections::{BTreeMap, BTreeSet};

use switchback_schemas::{
    StepId, Version,
    inventory::{
        Node,
        eks::{EksCluster, Nodegroup},
    },
    plan::{CloudRef, Pool, Strategy},
};

use super::{
    Doc, LastNodes,
    context::Road,
    minors::following,
    refs::{NODEGROUP, successor, successor_with},
};
use crate::{
    context::Cx,
    hop::HopSpec,
    lower::{HopScope, groups::pools_of},
    predicted::Predicted,
};

/// A managed group, as it is before some hop.
#[derive(Clone, Debug)]
pub(super) struct Group<'a> {
    /// As it was observed.
    pub(super) observed: &'a Nodegroup,
    /// Its pools; one, unless something is wrong.
    pub(super) pools: Vec<&'a Pool>,
    /// Its name now: a group that is replaced gets another one.
    pub(super) name: String,
    /// The minor of its kubelets now.
    pub(super) version: Version,
    /// The type of its image now.
    pub(super) ami_type: String,
    /// The step that left it so; absent when it was observed.
    pub(super) by: Option<StepId>,
    /// Groups that it replaced, in the hop before or in earlier runs, and that are kept at size 0.
    pub(super) kept: Vec<String>,
}

impl<'a> Group<'a> {
    /// Its pool and how that moves.
    pub(super) fn pool(&self) -> Option<&'a Pool> {
        self.pools.first().copied()
    }

    /// Its strategy; groups of no pool are kept.
    pub(super) fn strategy(&self) -> Strategy {
        self.pool().map_or(Strategy::Keep, |pool| pool.strategy)
    }

    /// Whether one of its pools has it moved, and it is older than a minor.
    pub(super) fn follows(&self, minor: &Version) -> bool {
        let moved = matches!(self.strategy(), Strategy::GroupUpdate | Strategy::ReplaceGroup);
        moved && self.version < *minor
    }
}

/// The managed groups of a cluster as they were observed.
pub(super) fn observed<'a>(cx: &'a Cx<'_>, cluster: &'a EksCluster) -> Vec<Group<'a>> {
    let mut nodes: BTreeMap<&str, Vec<&Node>> = BTreeMap::new();
    for node in &cx.inventory.nodes {
        if let Some(group) = node.labels.get(NODEGROUP) {
            nodes.entry(group).or_default().push(node);
        }
    }
    let group = |group: &'a Nodegroup| Group {
        observed: group,
        pools: pools_of(cx, group, nodes.get(group.name.as_str()).map_or(&[], Vec::as_slice)),
        name: group.name.clone(),
        version: group.version.minor_line(),
        ami_type: group.ami_type.clone(),
        by: None,
        kept: Vec::new(),
    };
    let mut groups: Vec<Group<'_>> = cluster.nodegroups.iter().map(group).collect();
    for emptied in cluster.nodegroups.iter().filter(|group| group.min == 0 && group.desired == 0) {
        // By one of a newer minor, or with a newer image of the same one.
        let replaced_by = |group: &Group<'_>| {
            let later = group.version > emptied.version.minor_line();
            later && successor(&emptied.name, &group.version) == group.name
                || released_after(group.observed, emptied)
                    && successor_with(&emptied.name, &group.observed.release) == group.name
        };
        let Some(next) = groups.iter().find(|group| replaced_by(group)).map(|group| group.name.clone())
        else {
            continue;
        };
        // Nothing of it is left to move, whatever its version says. What it replaced itself goes with it.
        let (gone, left): (Vec<_>, Vec<_>) = groups.into_iter().partition(|group| group.name == emptied.name);
        groups = left;
        let kept = gone.into_iter().flat_map(|group| group.kept).chain([emptied.name.clone()]);
        groups
            .iter_mut()
            .filter(|group| group.name == next)
            .for_each(|group| group.kept.extend(kept.clone()));
    }
    groups
}

/// Whether the image of a group is newer than that of another one.
fn released_after(group: &Nodegroup, other: &Nodegroup) -> bool {
    let of = |group: &Nodegroup| group.release.parse::<Version>().ok();
    of(group).zip(of(other)).is_some_and(|(group, other)| group.precedence(&other).is_gt())
}

/// Notes what the moves of a group are compiled from.
pub(super) fn read(predicted: &Predicted<'_>, object: &CloudRef, group: &Group<'_>) {
    predicted.cloud(object, "/version", serde_json::json!(group.version.as_str()), group.by.as_ref());
    predicted.cloud(object, "/amiType", serde_json::json!(group.ami_type), group.by.as_ref());
}

/// Whether managed groups are behind the control plane that a plan could move.
pub(super) fn lags(cx: &Cx<'_>, cluster: &EksCluster) -> bool {
    observed(cx, cluster).iter().any(|group| group.follows(&cluster.version.minor_line()))
}

/// Whether nodes move in the hop to a minor.
pub(super) fn moves(doc: &Doc, minor: &Version) -> bool {
    *minor < doc.spec.to.minor_line() || doc.spec.nodes == LastNodes::Follow
}

/// The managed groups as they are when the hop begins.
pub(super) fn before<'a>(road: &'a Road<'_>) -> Vec<Group<'a>> {
    let (cx, doc, hop, cluster) = (road.cx, road.doc, road.hop, &*road.own.cluster);
    let mut groups = observed(cx, cluster);
    let mut minor = following(&cluster.version.minor_line());
    while minor < hop.to {
        let scope = HopScope::of(&HopSpec { to: minor.clone(), ..hop.clone() });
        for group in &mut groups {
            group.kept.clear();
            if !moves(doc, &minor) || !group.follows(&minor) {
                continue;
            }
            let Some(pool) = group.pool() else { continue };
            let part = part(pool, &group.name);
            if group.strategy() == Strategy::ReplaceGroup {
                let next = successor(&group.name, &minor);
                group.by = Some(scope.id(&format!("{part}/copy")));
                if let Some(ami) =
                    road.facts.successor(&group.ami_type, &group.observed.instance_types, &minor)
                {
                    group.ami_type = ami.to_owned();
                }
                group.kept.push(std::mem::replace(&mut group.name, next));
            } else {
                group.by = Some(scope.id(&format!("{part}/update")));
            }
            group.version = minor.clone();
        }
        minor = following(&minor);
    }
    groups
}

/// What the steps of a group are called under their hop.
pub(super) fn part(pool: &Pool, group: &str) -> String {
    format!("nodes/{}/{group}", pool.name)
}

/// Names of the managed groups that are there.
pub(super) fn names(cluster: &EksCluster) -> BTreeSet<&str> {
    cluster.nodegroups.iter().map(|group| group.name.as_str()).collect()
}
