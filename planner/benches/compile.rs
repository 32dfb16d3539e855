//! How long compiling takes: the example platform, and a plan as large as plans may be.
//!
//! `cargo bench -p switchback-planner`. Figures are ratios against each other, not times to hold: machines differ.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark fails by panicking"
)]

#[path = "../tests/compile/world.rs"]
#[allow(dead_code, reason = "the cases use more of it")]
mod world;

use std::{collections::BTreeMap, fmt::Write as _};

use switchback_model::{Graph, digests::digests, lint::lint, rollback_order, summary::summary};
use switchback_schemas::{
    inventory::{Container, Inventory, OwnerEvidence, Ownership, Workload},
    manifest::OwnerKind,
    name::{ObjectName, ObjectRef},
    plan::Plan,
};

fn main() {
    divan::main();
}

#[divan::bench]
fn example_platform(bencher: divan::Bencher<'_, '_>) {
    let inventory = world::inventory("1.0.8");
    bencher.bench(|| {
        world::compiled(&[("p.yaml", world::PLATFORM), ("k.yaml", world::KARPENTER)], &inventory, &["1.8.8"])
    });
}

/// Upgrades in one file: more documents than it may hold are refused.
const IN_A_FILE: usize = 1_000;

/// So many Deployments, one upgrade each.
fn many(count: usize) -> (Vec<(String, String)>, Inventory) {
    let mut inventory = world::inventory("1.5.8");
    let mut manifests = vec![("platform.yaml".to_owned(), world::PLATFORM.to_owned())];
    for number in 0..count {
        if number % IN_A_FILE == 0 {
            manifests.push((format!("upgrades-{}.yaml", number / IN_A_FILE), String::new()));
        }
        let name = ObjectName::namespaced("apps", format!("app-{number}"));
        let object = ObjectRef::new("apps/v1", "Deployment", &name);
        inventory.workloads.push(Workload {
            object: object.clone(),
            replicas: 2,
            ready: 2,
            paused: false,
            survives: None,
            labels: BTreeMap::new(),
            containers: vec![Container {
                name: "app".to_owned(),
                image: "registry.example/app:1.0".to_owned(),
            }],
        });
        let evidence = vec![OwnerEvidence { owner: OwnerKind::Kubectl, because: "field manager".to_owned() }];
        inventory.owners.push(Ownership { object, evidence });
        let Some((_, text)) = manifests.last_mut() else { continue };
        let _ = write!(
            text,
            "---\napiVersion: switchback.dev/v1alpha1\nkind: DeploymentUpgrade\nmetadata: {{name: app-{number}}}\nspec:\n  \
             {{target: cluster, deployment: {{namespace: apps, name: app-{number}}}, container: app, \
             image: 'registry.example/app:1.1', to: '1.1'}}\n"
        );
    }
    (manifests, inventory)
}

fn large(count: usize) -> Plan {
    let (manifests, inventory) = many(count);
    compiled(&manifests, &inventory)
}

/// A refusal is no measurement.
fn compiled(manifests: &[(String, String)], inventory: &Inventory) -> Plan {
    let files: Vec<(&str, &str)> =
        manifests.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let (plan, diagnostics) = world::compiled(&files, inventory, &[]);
    plan.unwrap_or_else(|| panic!("a plan, not {:#?}", diagnostics.first()))
}

#[divan::bench(args = [100, 1_000, 10_000], sample_count = 5)]
fn steps_compiled(bencher: divan::Bencher<'_, '_>, count: usize) {
    let (manifests, inventory) = many(count);
    bencher.bench(|| compiled(&manifests, &inventory));
}

#[divan::bench(args = [1_000, 10_000], sample_count = 5)]
fn steps_linted(bencher: divan::Bencher<'_, '_>, count: usize) {
    let plan = large(count);
    bencher.bench(|| lint(&plan));
}

#[divan::bench(args = [1_000, 10_000], sample_count = 5)]
fn steps_read_back(bencher: divan::Bencher<'_, '_>, count: usize) {
    let bytes = large(count).to_json().expect("JSON");
    bencher.bench(|| Plan::from_json(&bytes).expect("a plan"));
}

#[divan::bench(args = [1_000, 10_000], sample_count = 5)]
fn steps_summarised(bencher: divan::Bencher<'_, '_>, count: usize) {
    let plan = large(count);
    let graph = Graph::of(&plan).expect("a DAG");
    bencher.bench(|| summary(&plan, &graph).steps);
}

#[divan::bench(args = [1_000, 10_000], sample_count = 5)]
fn steps_undone(bencher: divan::Bencher<'_, '_>, count: usize) {
    let plan = large(count);
    let graph = Graph::of(&plan).expect("a DAG");
    let all = plan.steps.iter().map(|step| step.id.clone()).collect();
    bencher.bench(|| rollback_order(&plan, &graph, &all, &plan.savepoints[0]).steps.len());
}

#[divan::bench(args = [1_000, 10_000], sample_count = 5)]
fn steps_digested(bencher: divan::Bencher<'_, '_>, count: usize) {
    let plan = large(count);
    bencher.bench(|| digests(&plan).expect("digests"));
}
