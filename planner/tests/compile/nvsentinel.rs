//! NVSentinel, from manifests to a plan, and beside what others move.

use serde_json::{Value, json};
use switchback_model::lint::lint;
use switchback_schemas::{Diagnostic, codes, inventory::Inventory, name::ObjectName, plan::Plan};

use crate::{
    world::{KARPENTER, PLATFORM, compiled, compiled_with, release, render},
    world_gpu::watched,
};

const SENTINEL: &str = r"
apiVersion: switchback.dev/v1alpha1
kind: NvsentinelUpgrade
metadata: {name: nvsentinel}
spec:
  target: cluster
  to: '1.28.0'
  release: {namespace: nvsentinel, name: nvsentinel}
  charts: {oci: 'oci://registry.example/charts'}
";

fn named(kind: &str, name: &str) -> Value {
    let group = if kind == "PerconaServerMongoDB" { "psmdb.percona.com/v1" } else { "apps/v1" };
    json!({"apiVersion": group, "kind": kind, "metadata": {"name": name, "namespace": "nvsentinel"}})
}

fn planned(inventory: &Inventory, after: Vec<Value>) -> (Option<Plan>, Vec<Diagnostic>) {
    let files = [("platform.yaml", PLATFORM), ("nvsentinel.yaml", SENTINEL)];
    compiled_with(&files, inventory, &[], |lock| {
        let name = ObjectName::namespaced("nvsentinel", "nvsentinel");
        lock.renders.push(render(name, "nvsentinel", "1.28.0", after));
    })
}

fn installed(mut inventory: Inventory, before: Vec<Value>) -> Inventory {
    let name = ObjectName::namespaced("nvsentinel", "nvsentinel");
    inventory.releases.push(release(name, "nvsentinel", "1.25.0", before));
    inventory
}

#[test]
fn its_chart_moves_between_two_looks_at_its_breaker() {
    let store = || vec![named("StatefulSet", "nvsentinel-mongodb")];
    let inventory = installed(watched("25.3.4", |_| ()), store());
    let (plan, diagnostics) = planned(&inventory, store());
    let plan = plan.unwrap_or_else(|| panic!("{diagnostics:#?}"));
    assert_eq!(lint(&plan), []);
    let parts: Vec<&str> = plan.steps.iter().filter_map(|step| step.hop.part(&step.id)).collect();
    assert_eq!(parts, ["ready", "release"]);
    let release = serde_json::to_string(&plan.steps[1].work.verify).expect("JSON");
    assert!(release.contains("circuit-breaker"), "{release}");
}

#[test]
fn gotcha_another_database_is_no_upgrade() {
    let inventory = installed(watched("25.3.4", |_| ()), vec![named("StatefulSet", "nvsentinel-mongodb")]);
    let (plan, diagnostics) = planned(&inventory, vec![named("PerconaServerMongoDB", "mongodb")]);
    assert!(plan.is_none());
    let found = diagnostics.iter().find(|found| found.code == codes::MANIFEST_NOT_BUILT).expect("it is said");
    assert!(
        found.message.contains("from MongoDB by the chart of Bitnami to MongoDB by the operator of Percona"),
        "{}",
        found.message
    );
    let help = found.help.as_deref().expect("a way out");
    assert!(help.contains("mongodb-bitnami-to-percona-migration"), "{help}");
}

#[test]
fn gotcha_a_database_of_percona_moves_one_release_later() {
    let store = || vec![named("PerconaServerMongoDB", "mongodb")];
    let inventory = installed(watched("25.3.4", |_| ()), store());
    let (plan, diagnostics) = planned(&inventory, store());
    let plan = plan.unwrap_or_else(|| panic!("{diagnostics:#?}"));
    assert!(plan.blind_spots.iter().any(|spot| spot.why.contains("crVersion")), "{:?}", plan.blind_spots);
}

#[test]
fn a_breaker_that_has_tripped_holds_its_own_upgrade() {
    let tripped = watched("25.3.4", |section| {
        "TRIPPED".clone_into(&mut section.breaker.as_mut().expect("a breaker").status);
    });
    let (plan, diagnostics) = planned(&installed(tripped, Vec::new()), Vec::new());
    assert!(plan.is_none());
    let found = diagnostics.iter().find(|found| found.code == codes::PLAN_NOT_READY).expect("it is said");
    assert!(found.message.contains("no node is cordoned, and none uncordoned"), "{}", found.message);
}

/// A suspension stands around a whole hop, and a node is to be opted out for its batch only: so the plan says what moves unguarded.
#[test]
fn a_roll_of_gpu_nodes_says_that_nvsentinel_watches_them() {
    let files = [("platform.yaml", PLATFORM), ("karpenter.yaml", KARPENTER)];
    let said = |inventory: &Inventory| {
        let (plan, diagnostics) = compiled(&files, inventory, &["1.8.8"]);
        assert!(plan.is_some(), "{diagnostics:#?}");
        diagnostics
            .into_iter()
            .any(|found| found.message.contains("no step of this plan keeps it from nodes of pool gpu"))
    };
    assert!(said(&watched("25.3.4", |_| ())));
    assert!(!said(&watched("25.3.4", |section| section.quarantines = false)));
    assert!(!said(&crate::world::inventory("1.5.8")));
}
