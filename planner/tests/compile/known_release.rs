//! A release whose chart the catalog knows is that component: its facts hold, or it is refused towards the kind that knows it.

use switchback_planner::{
    manifest,
    solver::{self, Ask},
};
use switchback_schemas::{Diagnostic, codes, inventory::Inventory, lock::Lock, name::ObjectName, plan::Plan};

use crate::world::{PLATFORM, compiled_with, inventory, registry, release, render};

fn upgrade(name: &ObjectName, to: &str) -> String {
    format!(
        "apiVersion: switchback.dev/v1alpha1\nkind: HelmReleaseUpgrade\nmetadata: {{name: moved}}\nspec:\n  target: \
         cluster\n  release: {{namespace: {}, name: {}}}\n  charts: {{oci: 'oci://registry.example/charts'}}\n  to: '{to}'\n",
        name.namespace.as_deref().expect("a namespace"),
        name.name
    )
}

/// A platform with a release of a chart, whose application has a version of its own.
fn platform(chart: &str, version: &str, app: &str) -> (Inventory, ObjectName) {
    let mut inventory = inventory("1.5.8");
    let name = ObjectName::namespaced("ml", chart);
    let mut release = release(name.clone(), chart, version, Vec::new());
    app.clone_into(&mut release.app_version);
    inventory.releases.push(release);
    (inventory, name)
}

fn resolved(lock: &mut Lock, name: &ObjectName, to: &str, app: &str) {
    let mut render = render(name.clone(), &name.name, to, Vec::new());
    app.clone_into(&mut render.app_version);
    lock.renders.push(render);
}

fn planned(
    inventory: &Inventory,
    name: &ObjectName,
    (to, app): (&str, &str),
) -> (Option<Plan>, Vec<Diagnostic>) {
    let manifest = upgrade(name, to);
    compiled_with(&[("p.yaml", PLATFORM), ("m.yaml", &manifest)], inventory, &["1.8.8"], |lock| {
        resolved(lock, name, to, app);
    })
}

#[test]
fn a_release_of_a_component_with_a_kind_of_its_own_is_refused_towards_it() {
    for (release, chart) in [("karpenter", "karpenter"), ("karpenter-crd", "karpenter-crd")] {
        let name = ObjectName::namespaced("kube-system", release);
        let manifest = upgrade(&name, "1.8.8");
        let files = [("p.yaml", PLATFORM), ("m.yaml", manifest.as_str())];
        let (plan, diagnostics) = compiled_with(&files, &inventory("1.5.8"), &["1.8.8"], |_| ());
        assert!(plan.is_none(), "{chart} passed by its facts");
        let found =
            diagnostics.iter().find(|found| found.code == codes::PLAN_OTHER_KIND).expect("it is said");
        assert_eq!(found.help.as_deref(), Some("write a KarpenterUpgrade for it"));
    }
}

#[test]
fn a_release_of_argo_workflows_is_refused_towards_its_kind() {
    let (inventory, name) = platform("argo-workflows", "0.45.0", "v3.6.19");
    let (plan, diagnostics) = planned(&inventory, &name, ("0.47.5", "v3.7.18"));
    assert!(plan.is_none(), "it passed by its facts");
    let found = diagnostics.iter().find(|found| found.code == codes::PLAN_OTHER_KIND).expect("it is said");
    assert_eq!(found.help.as_deref(), Some("write an ArgoWorkflowsUpgrade for it"));
}

#[test]
fn what_the_catalog_says_of_a_chart_holds_for_its_release() {
    let moved = |from: &str, to: &str| {
        let (inventory, name) = platform("aws-vpc-cni", from, &format!("v{from}"));
        planned(&inventory, &name, (to, &format!("v{to}")))
    };
    let (plan, diagnostics) = moved("1.6.4", "1.20.1");
    assert!(plan.is_none());
    let found = diagnostics.iter().find(|found| found.code == codes::PATH_NONE).expect("it is said");
    assert!(found.message.contains("one minor at a time"), "{}", found.message);
    let (plan, diagnostics) = moved("1.20.1", "1.21.1");
    assert!(plan.is_some(), "{diagnostics:#?}");
}

/// What a manifest asks of the joint path.
fn asked(inventory: &Inventory, name: &ObjectName, to: &str, lock: Option<&Lock>) -> Ask {
    let manifest = upgrade(name, to);
    let files = [("p.yaml", PLATFORM), ("m.yaml", manifest.as_str())];
    let (manifests, found) = manifest::read(registry().kinds(), files);
    let manifests = manifests.unwrap_or_else(|| panic!("{found:#?}"));
    let requests = registry().requests(&manifests, Some(inventory), lock);
    let day = "2026-11-20".parse().expect("a day");
    let (ask, found) = solver::ask(registry().catalog(), &manifests, requests, Some(inventory), day);
    ask.unwrap_or_else(|| panic!("{found:#?}"))
}

/// `path` said "stays" of what the manifest moves.
#[test]
fn the_path_does_not_say_that_a_release_stays_which_moves() {
    let (inventory, name) = platform("aws-vpc-cni", "1.1.15", "1.20.1");
    let of = |ask: &Ask| {
        let moved = ask.components.iter().find(|asked| asked.component == "vpc-cni");
        moved.map(|asked| (asked.from.to_string(), asked.to.to_string()))
    };
    // Its chart has numbers of its own: before it is resolved, nobody knows which version that is.
    let before = asked(&inventory, &name, "1.2.0", None);
    assert_eq!(of(&before), None);
    let unknown = before.unknown.iter().find(|spot| spot.what.contains("VPC CNI")).expect("it is told");
    assert_eq!(
        (unknown.what.as_str(), unknown.why.as_str()),
        (
            "to which version of VPC CNI upgrade moved moves",
            "which that is, the chart says when it is resolved, so no version rules were checked"
        )
    );
    let mut lock = crate::world::lock(&inventory, switchback_schemas::Digest::of(""), &[]);
    resolved(&mut lock, &name, "1.2.0", "v1.21.1");
    let after = asked(&inventory, &name, "1.2.0", Some(&lock));
    assert_eq!(of(&after), Some(("1.20.1".to_owned(), "1.21.1".to_owned())));
}

#[test]
fn a_version_of_which_nothing_is_known_is_a_blind_spot() {
    let (inventory, name) = platform("aws-vpc-cni", "v1.20.1", "v1.20.1");
    let (plan, diagnostics) = planned(&inventory, &name, ("v99.1.0", "v99.1.0"));
    let plan = plan.unwrap_or_else(|| panic!("{diagnostics:#?}"));
    assert_eq!(plan.hops.len(), 1);
    let ask = asked(&inventory, &name, "v99.1.0", None);
    assert!(
        ask.unknown.iter().any(|spot| spot.why.starts_with("the catalog has no facts about it")),
        "{:?}",
        ask.unknown
    );
}
