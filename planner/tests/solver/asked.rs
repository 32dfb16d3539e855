//! What is asked: pins, observations, and requests that mean nothing.

use switchback_planner::{
    compile, manifest,
    solver::{self, BUDGET},
};
use switchback_schemas::{Diagnostic, codes};

use crate::{
    platform::{asked, day, path},
    world::{self, registry},
};

fn codes_of(found: &[Diagnostic]) -> Vec<&str> {
    found.iter().map(|diagnostic| diagnostic.code.as_str()).collect()
}

fn pinned(component: &str, from: &str, to: &str, as_of: &str) -> String {
    let (ask, found) = asked(&[(component, from, to)], None, as_of);
    ask.unwrap_or_else(|| panic!("{found:#?}")).components[0].to.to_string()
}

#[test]
fn floating_targets_are_pinned_on_the_day() {
    assert_eq!(pinned("eks", "1.31", "latest-supported", "2026-11-20"), "1.36");
    assert_eq!(pinned("eks", "1.31", "latest-supported", "2026-01-15"), "1.34", "1.35 was not out");
    assert_eq!(pinned("karpenter", "1.5.8", ">=1.8 <1.12", "2026-11-20"), "1.11.3");
    assert_eq!(pinned("karpenter", "1.5.8", "1.8", "2026-11-20"), "1.8.8", "a line is its newest patch");
    assert_eq!(pinned("argo-workflows", "3.6.0", "4.1", "2026-11-20"), "4.1.2");
    let shown = path(&[("karpenter", "1.5.8", ">=1.8 <1.12")], "2026-11-20").expect("a path");
    assert_eq!(shown.targets[0].asked.as_deref(), Some(">=1.8 <1.12"));
}

#[test]
fn what_means_nothing_is_said() {
    for (upgrade, code) in [
        (("keda", "2.14", "2.18"), codes::PATH_UNKNOWN_VERSION),
        (("karpenter", "1.5.8", "1.99"), codes::PATH_UNKNOWN_VERSION),
        (("karpenter", "1.5.8", ">=1.20"), codes::PATH_UNKNOWN_VERSION),
        (("karpenter", "1.8.8", "1.5.8"), codes::PATH_BACKWARDS),
        (("karpenter", "", "1.5.8"), codes::PLAN_INVENTORY_MISSING),
    ] {
        let (ask, found) = asked(&[upgrade], None, "2026-11-20");
        assert!(ask.is_none(), "{upgrade:?}");
        assert_eq!(codes_of(&found), [code.as_str()], "{upgrade:?}");
        assert!(found[0].help.is_some(), "{found:#?}");
        assert!(!found[0].labels.is_empty(), "{found:#?}");
    }
}

#[test]
fn what_the_inventory_shows_stays_and_counts() {
    let inventory = world::inventory("1.0.8");
    let catalog = registry().catalog();
    let minor = inventory.cluster.version.minor_line();
    let (ask, _) = asked(&[("karpenter", "", "1.14.1")], Some(&inventory), "2026-11-20");
    let ask = ask.expect("it can be asked");
    let eks = ask.components.iter().find(|asked| asked.component == "eks").expect("the cluster is there");
    assert_eq!((&eks.from, &eks.to), (&minor, &minor));
    let path = solver::path(catalog, &ask, BUDGET).expect("a path");
    assert!(path.hops.iter().all(|hop| hop.component == "karpenter"));

    // The cluster alone cannot leave what Karpenter 1.0 supports.
    let (ask, _) = asked(&[("eks", "", "1.34")], Some(&inventory), "2026-11-20");
    let refused = solver::path(catalog, &ask.expect("it can be asked"), BUDGET).expect_err("no path");
    assert!(refused.help.as_ref().is_some_and(|help| help.contains("no manifest moves")), "{refused:#?}");
}

#[test]
fn one_component_is_asked_for_once() {
    let twice = [("p.yaml", world::PLATFORM), ("k.yaml", world::KARPENTER), ("c.yaml", COMPONENT)];
    let (manifests, found) = manifest::read(registry().kinds(), twice);
    let manifests = manifests.unwrap_or_else(|| panic!("{found:#?}"));
    let catalog = registry().catalog();
    let inventory = world::inventory("1.0.8");
    let (ask, found) = solver::ask(
        catalog,
        &manifests,
        registry().requests(&manifests, Some(&inventory), None),
        Some(&inventory),
        day("2026-11-20"),
    );
    assert!(ask.is_none());
    assert_eq!(codes_of(&found), [codes::MANIFEST_CONFLICT.as_str()]);
}

const COMPONENT: &str = "apiVersion: switchback.dev/v1alpha1\nkind: ComponentUpgrade\nmetadata: {name: again}\n\
                         spec: {component: karpenter, to: '1.14.1'}\n";

#[test]
fn a_plan_refuses_by_name_what_it_cannot_lower() {
    let text = COMPONENT.replace("karpenter", "openpai");
    let (manifests, found) =
        manifest::read(registry().kinds(), [("p.yaml", world::PLATFORM), ("c.yaml", text.as_str())]);
    let manifests = manifests.unwrap_or_else(|| panic!("{found:#?}"));
    let (asks, found) = compile::asks(registry(), &manifests, &world::inventory("1.0.8"));
    assert!(asks.is_none());
    let refused = found.iter().find(|d| d.code == codes::MANIFEST_NOT_BUILT).expect("it is refused");
    assert!(refused.message.contains("openpai has no lowering yet"), "{}", refused.message);
    let (plan, found) =
        world::compiled(&[("p.yaml", world::PLATFORM), ("c.yaml", &text)], &world::inventory("1.0.8"), &[]);
    assert!(plan.is_none());
    assert!(codes_of(&found).contains(&codes::MANIFEST_NOT_BUILT.as_str()), "{found:#?}");
}

/// EKS had no lowering for long, and the refusal went on saying so when it had one.
#[test]
fn a_component_with_a_kind_of_its_own_is_refused_by_that_kind() {
    for (component, kind) in [
        ("argo-workflows", "ArgoWorkflowsUpgrade"),
        ("eks", "EksUpgrade"),
        ("karpenter", "KarpenterUpgrade"),
        ("kserve", "KserveUpgrade"),
        ("mlflow", "MlflowUpgrade"),
    ] {
        let text = COMPONENT.replace("component: karpenter", &format!("component: {component}"));
        let (manifests, found) =
            manifest::read(registry().kinds(), [("p.yaml", world::PLATFORM), ("c.yaml", text.as_str())]);
        let manifests = manifests.unwrap_or_else(|| panic!("{found:#?}"));
        let (_, found) = compile::asks(registry(), &manifests, &world::inventory("1.0.8"));
        let refused = found.iter().find(|d| d.code == codes::MANIFEST_NOT_BUILT).expect("it is refused");
        let help = refused.help.as_deref().unwrap_or_default();
        assert!(help.contains(&format!("`kind: {kind}`")), "{component}: {help}");
        assert!(!refused.message.contains("no lowering"), "{}", refused.message);
    }
}
