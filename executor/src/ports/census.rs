//! A look at what stands on a cluster.

use std::collections::BTreeMap;

use switchback_schemas::journal::Counted;

/// What stands on a cluster at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Look {
    /// Workloads, pods without a controller, Services, budgets and owners that say whether they are ready, each once.
    pub counted: Vec<Counted>,
    /// Why pods of something are not Ready, by what it is counted under: the platform's own words.
    pub causes: BTreeMap<String, String>,
    /// NodePools of Karpenter, by name.
    pub pools: BTreeMap<String, PoolHealth>,
}

/// Whether a NodePool can make nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolHealth {
    /// Why it, or its node class, is not Ready.
    pub not_ready: Option<String>,
    /// Why NodeClaims of it do not become nodes.
    pub claims: Vec<String>,
}

impl PoolHealth {
    /// All that keeps it from making nodes, the cause before what follows from it.
    pub fn trouble(&self) -> Vec<String> {
        self.not_ready.iter().chain(&self.claims).cloned().collect()
    }
}
