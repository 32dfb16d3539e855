//! What every part of a hop looks at.

use std::rc::Rc;

use switchback_schemas::{
    Version,
    inventory::{eks::EksCluster, karpenter::Karpenter},
    name::Label,
    plan::{Condition, Pool},
};

use super::{Eks, minors::following, refs::Names};
use crate::{
    component::HopCx,
    hop::HopSpec,
    lower::{HopScope, groups, nodes},
    owner::cluster_at,
};

/// What a hop carries: its cluster, as it was observed.
pub struct OnCluster {
    /// How things of the cluster are called.
    pub(super) names: Names,
    /// The cluster.
    pub(super) cluster: Rc<EksCluster>,
    /// What Karpenter is, where it is there.
    pub(super) karpenter: Option<Rc<Karpenter>>,
    /// Whether it is the first hop of its manifest: what was observed is what it begins from.
    pub(super) first: bool,
}

/// One hop of EKS.
pub(super) type Road<'a> = HopCx<'a, Eks>;

/// Why a group waits for the one before it.
pub(super) const ONE_BY_ONE: &str = "add-ons come first, then pools of a lower tier, one group at a time";

impl Road<'_> {
    /// The minors that the cluster goes through, the one that it has first.
    pub(super) fn minors(&self) -> Vec<Version> {
        let mut minors = vec![self.own.cluster.version.minor_line()];
        while let Some(last) = minors.last().filter(|last| **last < self.doc.spec.to.minor_line()) {
            minors.push(following(last));
        }
        minors
    }

    /// The hops of the manifest before this one: where they end, and their scopes.
    pub(super) fn earlier(&self) -> Vec<(Version, HopScope)> {
        let before = |minor: &Version| *minor < self.hop.to;
        let scope = |minor: Version| {
            let scope = HopScope::of(&HopSpec { to: minor.clone(), ..self.hop.clone() });
            (minor, scope)
        };
        self.minors().into_iter().skip(1).filter(before).map(scope).collect()
    }

    /// A name that is unique in the plan.
    pub(super) fn unique(&self, part: &str) -> Label {
        Label::sanitized(&format!("{}-{}-{part}", self.hop.upgrade, self.hop.to))
    }

    /// Ready nodes of a pool, as observed.
    pub(super) fn ready(&self, pool: &Pool) -> u64 {
        groups::ready_in(self.cx, pool)
    }

    /// Ready nodes that a pool keeps while its nodes move.
    pub(super) fn min_ready(&self, ready: u64) -> u64 {
        nodes::min_ready(&self.doc.spec.rollout, ready)
    }
}

/// The cluster is at a minor and at rest.
pub(super) fn at(road: &Road<'_>, minor: &Version) -> Condition {
    cluster_at(&road.own.names.target, minor)
}

/// A status and the issues with it.
pub(super) fn because(status: &str, issues: &[String]) -> String {
    if issues.is_empty() { status.to_owned() } else { format!("{status} ({})", issues.join(", ")) }
}
