//! The rows, grouped by what they are about.

use crate::row::Row;

mod access;
mod apply;
mod argo_workflows;
mod crd;
mod discovery;
mod eviction;
mod gpu_operator;
mod helm;
mod helm_rollbacks;
mod karpenter;
mod lease;
mod list;
mod nodes;
mod objects;
mod statefulsets;
mod workloads;

/// All rows with the title of their group.
pub(crate) fn all() -> Vec<(&'static str, &'static [Row])> {
    vec![
        ("Apply, patches, preconditions", apply::ROWS),
        ("Nodes", nodes::ROWS),
        ("Eviction and budgets", eviction::ROWS),
        ("Lists and watches", list::ROWS),
        ("Definitions of custom kinds", crd::ROWS),
        ("Leases", lease::ROWS),
        ("Workloads over time", workloads::ROWS),
        ("StatefulSets", statefulsets::ROWS),
        ("Namespaces, Secrets, finalizers", objects::ROWS),
        ("Admission and access", access::ROWS),
        ("Discovery", discovery::ROWS),
        ("helm", helm::ROWS),
        ("helm: failures and rollbacks", helm_rollbacks::ROWS),
        ("Argo Workflows", argo_workflows::ROWS),
        ("NVIDIA GPU Operator", gpu_operator::ROWS),
        ("Karpenter", karpenter::ROWS),
    ]
}
