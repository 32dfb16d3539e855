//! What the compiler refuses, and what it says.

use std::{collections::BTreeMap, fmt::Write as _};

use switchback_schemas::{
    Diagnostic, Digest, Severity, codes,
    inventory::{Budget, Inventory, OwnerEvidence, Workload},
    lock::Lock,
    manifest::OwnerKind,
    name::{ObjectName, ObjectRef},
};

use crate::world::{KARPENTER, PLATFORM, compiled, compiled_with, inventory, label, pod};

fn refused(files: &[(&str, &str)], inventory: &Inventory) -> Vec<Diagnostic> {
    let (plan, diagnostics) = compiled(files, inventory, &["1.8.8"]);
    assert!(plan.is_none(), "no plan comes out of an error");
    diagnostics
}

fn of_karpenter(change: impl FnOnce(&mut Inventory)) -> Vec<Diagnostic> {
    let mut inventory = inventory("1.5.8");
    change(&mut inventory);
    refused(&[("platform.yaml", PLATFORM), ("karpenter.yaml", KARPENTER)], &inventory)
}

fn told(diagnostics: &[Diagnostic]) -> String {
    let mut text = String::new();
    for diagnostic in diagnostics {
        let _ = writeln!(text, "{} {:?}: {}", diagnostic.code, diagnostic.severity, diagnostic.message);
        let _ = writeln!(text, "  help: {}", diagnostic.help.as_deref().unwrap_or("none"));
    }
    text
}

#[test]
fn p34_a_pending_release() {
    let diagnostics = of_karpenter(|inventory| {
        let mut revision = inventory.releases[0].revisions[0].clone();
        (revision.number, revision.status) = (4, "pending-upgrade".to_owned());
        inventory.releases[0].revisions.push(revision);
    });
    insta::assert_snapshot!(told(&diagnostics));
}

#[test]
fn p04_a_budget_that_never_allows_an_eviction() {
    let diagnostics = of_karpenter(|inventory| inventory.budgets[0].desired_healthy = 3);
    insta::assert_snapshot!(told(&diagnostics));
}

#[test]
fn p04_two_budgets_on_one_pod() {
    let diagnostics = of_karpenter(|inventory| {
        let again = Budget { name: ObjectName::namespaced("shop", "all"), ..inventory.budgets[0].clone() };
        inventory.budgets.push(again);
    });
    assert!(diagnostics.iter().any(|d| d.code == codes::PLAN_BUDGETS_OVERLAP), "{diagnostics:#?}");
}

#[test]
fn p38_an_object_that_a_gitops_controller_owns() {
    let diagnostics = of_karpenter(|inventory| {
        let argo =
            OwnerEvidence { owner: OwnerKind::Gitops, because: "argocd.argoproj.io/tracking-id".to_owned() };
        inventory.owners[0].evidence.push(argo);
    });
    insta::assert_snapshot!(told(&diagnostics));
}

#[test]
fn an_object_that_nobody_is_known_to_own() {
    let diagnostics = of_karpenter(|inventory| inventory.owners.clear());
    assert!(diagnostics.iter().any(|d| d.code == codes::PLAN_OWNER_UNKNOWN), "{diagnostics:#?}");
}

#[test]
fn a_target_below_what_is_there() {
    let older = KARPENTER.replace("1.8.8", "1.3.8");
    let diagnostics = refused(&[("p.yaml", PLATFORM), ("k.yaml", &older)], &inventory("1.5.8"));
    insta::assert_snapshot!(told(&diagnostics));
}

#[test]
fn a_version_that_the_cluster_is_too_new_or_too_old_for() {
    let mut old = inventory("1.5.8");
    old.cluster.version = "1.37.0".parse().expect("a version");
    let diagnostics = refused(&[("p.yaml", PLATFORM), ("k.yaml", KARPENTER)], &old);
    insta::assert_snapshot!(told(&diagnostics));
}

#[test]
fn a_version_that_is_known_to_be_bad_or_not_known_at_all() {
    let bad = KARPENTER.replace("1.8.8", "1.8.4");
    let diagnostics = refused(&[("p.yaml", PLATFORM), ("k.yaml", &bad)], &inventory("1.5.8"));
    assert!(diagnostics.iter().any(|d| d.code == codes::PATH_BAD_VERSION), "{diagnostics:#?}");
    let unknown = KARPENTER.replace("1.8.8", "1.99.0");
    let diagnostics = refused(&[("p.yaml", PLATFORM), ("k.yaml", &unknown)], &inventory("1.5.8"));
    assert!(diagnostics.iter().any(|d| d.code == codes::PATH_UNKNOWN_VERSION), "{diagnostics:#?}");
}

#[test]
fn a_lock_without_the_version() {
    let inventory = inventory("1.5.8");
    let (plan, diagnostics) =
        compiled(&[("p.yaml", PLATFORM), ("k.yaml", KARPENTER)], &inventory, &["1.7.6"]);
    assert!(plan.is_none());
    assert!(diagnostics.iter().any(|d| d.code == codes::PLAN_LOCK_MISSING), "{diagnostics:#?}");
}

/// A lock that was made for something else is refused, and says for what.
#[test]
fn a_lock_of_other_manifests_or_of_another_observation_is_stale() {
    let files = [("p.yaml", PLATFORM), ("k.yaml", KARPENTER)];
    let inventory = inventory("1.5.8");
    let stale = |change: fn(&mut Lock)| {
        let (plan, diagnostics) = compiled_with(&files, &inventory, &["1.8.8"], change);
        assert!(plan.is_none(), "a plan from a stale lock");
        let errors = diagnostics.into_iter().filter(Diagnostic::is_error);
        errors.map(|found| (found.code, found.message)).collect::<Vec<_>>()
    };
    assert_eq!(
        stale(|lock| lock.manifests = Digest::of("others")),
        [(codes::PLAN_LOCK_STALE, "the lock was resolved for other manifests".to_owned())]
    );
    let of = &inventory.observation;
    assert_eq!(
        stale(|lock| lock.observation = label("another")),
        [(
            codes::PLAN_LOCK_STALE,
            format!("the lock was resolved against observation another, and the inventory is {of}")
        )]
    );
}

#[test]
fn a_pod_of_no_class_on_a_gpu_node_is_a_warning() {
    let mut inventory = inventory("1.5.8");
    inventory.pods.push(pod("ml-dev", "nb-7", "gpu-1", "Notebook"));
    let (plan, diagnostics) =
        compiled(&[("p.yaml", PLATFORM), ("k.yaml", KARPENTER)], &inventory, &["1.8.8"]);
    let found =
        diagnostics.iter().find(|d| d.code == codes::PLAN_UNCLASSIFIED_POD).expect("the pod is named");
    assert_eq!(found.severity, Severity::Warning);
    assert!(found.message.contains("ml-dev/nb-7"), "{}", found.message);
    assert!(plan.expect("a plan").notices.iter().any(|notice| notice.code == codes::PLAN_UNCLASSIFIED_POD));
}

#[test]
fn a_job_that_a_drain_would_end_is_named() {
    let ended = |on_drain: &str, survives: Option<u64>| {
        let mut inventory = inventory("1.5.8");
        let job = ObjectRef::new("batch/v1", "Job", &ObjectName::namespaced("ml", "owner"));
        inventory.workloads.push(Workload {
            object: job,
            replicas: 4,
            ready: 4,
            paused: false,
            survives,
            labels: BTreeMap::new(),
            containers: Vec::new(),
        });
        let platform = PLATFORM.replace("wait: {max: 4h, then: park}", on_drain);
        let (plan, diagnostics) =
            compiled(&[("p.yaml", &platform), ("k.yaml", KARPENTER)], &inventory, &["1.8.8"]);
        assert!(plan.is_some(), "{diagnostics:#?}");
        diagnostics.into_iter().find(|d| d.code == codes::PLAN_JOB_ENDS)
    };
    let found = ended("requeue: {}", Some(3)).expect("it is named");
    assert_eq!(found.severity, Severity::Warning);
    assert_eq!(
        found.message,
        "moving pool gpu would end Job ml/owner as failed: it evicts 4 of its pods, and its backoffLimit leaves 3"
    );
    assert!(ended("wait: {max: 4h, then: evict}", Some(3)).is_some(), "in the end it is evicted");
    assert!(ended("requeue: {}", Some(4)).is_none(), "it survives the whole gang");
    assert!(ended("requeue: {}", None).is_none(), "it does not count evictions");
    assert!(ended("wait: {max: 4h, then: park}", Some(0)).is_none(), "it is never evicted");
}

#[test]
fn a_waiver_turns_a_finding_into_advice_until_it_expires() {
    let waiver = |expires: &str| {
        format!(
            "apiVersion: switchback.dev/v1alpha1\nkind: Waiver\nmetadata: {{name: w}}\nspec:\n  finding: SB0407\n  \
             about: shop/web\n  evidence: the team watches it\n  by: ada\n  expires: '{expires}'\n"
        )
    };
    let mut stuck = inventory("1.5.8");
    stuck.budgets[0].desired_healthy = 3;
    let with = |expires| {
        let waiver = waiver(expires);
        compiled(&[("p.yaml", PLATFORM), ("k.yaml", KARPENTER), ("w.yaml", &waiver)], &stuck, &["1.8.8"])
    };
    let (plan, diagnostics) = with("2026-12-01T00:00:00Z");
    assert!(plan.is_some(), "{diagnostics:#?}");
    let advice = diagnostics.iter().find(|d| d.code == codes::PLAN_BUDGET_STUCK).expect("still said");
    assert_eq!(advice.severity, Severity::Advice);
    let (plan, diagnostics) = with("2026-11-01T00:00:00Z");
    assert!(plan.is_none());
    assert!(diagnostics.iter().any(|d| d.code == codes::MANIFEST_WAIVER), "{diagnostics:#?}");
}

/// Two Deployments of the small platform that each require the other first.
fn circle() -> (Inventory, String) {
    let mut inventory = inventory("1.5.8");
    let mut manifests = PLATFORM.to_owned();
    for (name, other) in [("web", "api"), ("api", "web")] {
        if name == "api" {
            let mut api = inventory.workloads[0].clone();
            api.object.name = String::from("api");
            inventory.workloads.push(api);
            let mut owner = inventory.owners[2].clone();
            owner.object.name = String::from("api");
            inventory.owners.push(owner);
        }
        let _ = write!(
            manifests,
            "---\napiVersion: switchback.dev/v1alpha1\nkind: DeploymentUpgrade\nmetadata: {{name: {name}}}\nspec:\n  \
             {{target: cluster, deployment: {{namespace: shop, name: {name}}}, container: web, \
             image: 'registry.example/web:1.5', to: '1.5', \
             requires: [{{upgrade: {other}, atLeast: '1.5', because: it calls it}}]}}\n"
        );
    }
    (inventory, manifests)
}

#[test]
fn hops_that_wait_for_each_other_are_listed_with_their_reasons() {
    let (inventory, manifests) = circle();
    let diagnostics = refused(&[("all.yaml", &manifests)], &inventory);
    insta::assert_snapshot!(told(&diagnostics));
}

#[test]
fn a_requirement_orders_hops_against_their_names() {
    let (inventory, manifests) = circle();
    let open =
        manifests.replace("requires: [{upgrade: api, atLeast: '1.5', because: it calls it}]", "requires: []");
    let (plan, diagnostics) = compiled(&[("all.yaml", &open)], &inventory, &[]);
    let plan = plan.unwrap_or_else(|| panic!("a plan, not {diagnostics:#?}"));
    let hops: Vec<_> = plan.hops.iter().map(|hop| hop.id.to_string()).collect();
    assert_eq!(hops, ["deployment/web@1.5", "deployment/api@1.5"]);
    assert_eq!(plan.hops[1].after[0].why, "it requires web at 1.5: it calls it");
}
