//! Inventory and lock by what they are looked up by: ten thousand upgrades must not each walk ten thousand releases.

use std::collections::{BTreeMap, BTreeSet};

use switchback_schemas::{
    Version,
    inventory::{Budget, Inventory, Node, Ownership, Release, Workload},
    lock::{Lock, Render},
    name::{ObjectName, ObjectRef},
    plan::Pool,
};

/// Inventory and lock by key.
pub struct Index<'a> {
    releases: BTreeMap<&'a ObjectName, &'a Release>,
    workloads: BTreeMap<&'a ObjectRef, &'a Workload>,
    owners: BTreeMap<Identity<'a>, &'a Ownership>,
    renders: BTreeMap<(&'a ObjectName, &'a Version), &'a Render>,
    /// By namespace and name of a pod that they cover.
    budgets: BTreeMap<(Option<&'a str>, &'a str), Vec<&'a Budget>>,
}

/// What makes two references the same object, in whatever version of its group it is written.
type Identity<'a> = (&'a str, &'a str, Option<&'a str>, &'a str);

/// Whether two references are the same object, in whatever version of its group each is written.
pub fn same(one: &ObjectRef, other: &ObjectRef) -> bool {
    one.identity() == other.identity()
}

impl<'a> Index<'a> {
    /// Indexes both.
    pub fn new(inventory: &'a Inventory, lock: &'a Lock) -> Self {
        let mut budgets: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for budget in &inventory.budgets {
            let names: BTreeSet<&str> = budget.pods.iter().map(String::as_str).collect();
            for name in names {
                budgets.entry((budget.name.namespace.as_deref(), name)).or_default().push(budget);
            }
        }
        Self {
            budgets,
            releases: inventory.releases.iter().map(|release| (&release.name, release)).collect(),
            workloads: inventory.workloads.iter().map(|workload| (&workload.object, workload)).collect(),
            owners: inventory
                .owners
                .iter()
                .map(|ownership| (ownership.object.identity(), ownership))
                .collect(),
            renders: lock
                .renders
                .iter()
                .map(|render| ((&render.release, &render.chart.version), render))
                .collect(),
        }
    }

    /// A release.
    pub fn release(&self, name: &ObjectName) -> Option<&'a Release> {
        self.releases.get(name).copied()
    }

    /// A controller of pods.
    pub fn workload(&self, object: &ObjectRef) -> Option<&'a Workload> {
        self.workloads.get(object).copied()
    }

    /// The evidence for an object's owner.
    pub fn ownership(&self, object: &ObjectRef) -> Option<&'a Ownership> {
        self.owners.get(&object.identity()).copied()
    }

    /// The PodDisruptionBudgets that cover a pod.
    pub fn budgets<'i>(&'i self, pod: &'i ObjectName) -> &'i [&'a Budget] {
        let key = (pod.namespace.as_deref(), pod.name.as_str());
        self.budgets.get(&key).map(Vec::as_slice).unwrap_or_default()
    }

    /// A release, rendered in a version.
    pub fn render(&self, release: &ObjectName, version: &Version) -> Option<&'a Render> {
        self.renders.get(&(release, version)).copied()
    }
}

/// Nodes of a pool.
pub fn nodes_of<'a>(inventory: &'a Inventory, pool: &Pool) -> Vec<&'a Node> {
    let inside = |node: &&Node| pool.labels.iter().all(|(key, value)| node.labels.get(key) == Some(value));
    inventory.nodes.iter().filter(inside).collect()
}
