//! Who acts in the twin's worlds, what they keep beside objects, and what stands around their clusters: one list of each.

use jiff::Timestamp;

use crate::apps::{App, argo_workflows, gpu_operator, gpus, karpenter, kserve, mlflow, rocm_driver};
use crate::cloud::{self, Cloud};
use crate::kube::controllers::{
    budgets, daemonset, definitions, deployment, garbage, job, kubelet, namespaces, nodes, replicaset,
    scheduler, statefulset,
};
use crate::kube::neighbours::Neighbours;
use crate::world::{Actor, Cast, Part, Settings, World};

/// At one instant they act in this order.
const ACTORS: &[Actor] = &[
    definitions::ACTOR,
    namespaces::ACTOR,
    garbage::ACTOR,
    deployment::ACTOR,
    replicaset::ACTOR,
    daemonset::ACTOR,
    statefulset::ACTOR,
    job::ACTOR,
    scheduler::ACTOR,
    kubelet::ACTOR,
    nodes::ACTOR,
    budgets::ACTOR,
    karpenter::ACTOR,
    kserve::ACTOR,
    gpu_operator::ACTOR,
    rocm_driver::ACTOR,
    cloud::ACTOR,
    argo_workflows::ACTOR,
];

const PARTS: &[Part] = &[Part::of::<Cloud>("cloud"), Part::of::<Vec<App>>("apps")];

const NEIGHBOURS: Neighbours = Neighbours {
    provider: Some(&cloud::Aws),
    applications: &[&mlflow::Mlflow, &kserve::Kserve, &gpus::Gpus],
};

/// What is given to every world.
pub(crate) const CAST: Cast = Cast { actors: ACTORS, parts: PARTS };

/// Puts what stands around a cluster in place.
pub(crate) fn surround(mut world: World) -> World {
    *world.part_mut::<Neighbours>() = NEIGHBOURS;
    world
}

impl World {
    /// An empty cluster: the namespaces that every cluster has, nothing else.
    pub fn new(start: Timestamp) -> Self {
        Self::with_settings(start, Settings::default())
    }

    /// An empty cluster with these settings.
    pub fn with_settings(start: Timestamp, settings: Settings) -> Self {
        surround(Self::empty(start, settings, CAST))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_name_is_given_once() {
        let actors: BTreeSet<&str> = ACTORS.iter().map(|actor| actor.name).collect();
        let parts: BTreeSet<&str> = PARTS.iter().map(|part| part.name).collect();
        assert_eq!((actors.len(), parts.len()), (ACTORS.len(), PARTS.len()));
    }
}
