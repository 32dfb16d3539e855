//! What every part of a hop looks at.

use std::rc::Rc;

use switchback_schemas::{
    Version,
    inventory::{eks::EksCluster, karpenter::Karpenter},
    name::Label,
    plan::Pool,
};

use super::{Eks, minors::following, names::Names};
use crate::{component::HopCx, hop::HopSpec, index::nodes_of, lower::HopScope};

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
        let seen = nodes_of(self.inventory, pool);
        seen.iter().filter(|node| node.ready && node.schedulable).count() as u64
    }
}
