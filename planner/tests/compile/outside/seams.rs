//! Owners and suspensions that are defined outside of the crate are ones like any other.

use switchback_model::lint::lint;
use switchback_planner::{component::AnyComponent, components::COMPONENTS, manifest, registry::Registry};
use switchback_schemas::{
    Diagnostic, codes,
    inventory::{Inventory, OwnerEvidence, Ownership, Workload},
    lock::Lock,
    manifest::OwnerKind,
    name::{ObjectName, ObjectRef},
    plan::{Effect, HelmEffect, KubeEffect, Plan, Step, SuspendedBy, Suspension, Undo},
};

use super::{
    pipeline::Pipeline,
    sentry::{self, Sentry},
};
use crate::world::{self, KARPENTER, PLATFORM};

fn registry() -> Registry<'static> {
    Registry::new(&COMPONENTS).expect("a registry")
}

fn compiled_with(
    registry: &Registry<'_>,
    inventory: &Inventory,
    more: &str,
    change: impl FnOnce(&mut Lock),
) -> (Option<Plan>, Vec<Diagnostic>) {
    let files = [("p.yaml", PLATFORM), ("k.yaml", KARPENTER), ("more.yaml", more)];
    let files = files.into_iter().filter(|(_, text)| !text.is_empty());
    let (manifests, found) = manifest::read(registry.kinds(), files);
    let manifests = manifests.unwrap_or_else(|| panic!("{found:#?}"));
    let mut lock = world::lock(inventory, manifests.digest, &["1.8.8"]);
    change(&mut lock);
    world::compiled_of(registry, &manifests, inventory, &lock)
}

fn compiled(registry: &Registry<'_>, inventory: &Inventory) -> (Option<Plan>, Vec<Diagnostic>) {
    compiled_with(registry, inventory, "", |_| ())
}

fn plan_of(registry: &Registry<'_>, inventory: &Inventory) -> Plan {
    let (plan, found) = compiled(registry, inventory);
    let plan = plan.unwrap_or_else(|| panic!("{found:#?}"));
    assert_eq!(lint(&plan), [], "the plan keeps its own rules");
    plan
}

fn step<'plan>(plan: &'plan Plan, part: &str) -> &'plan Step {
    let found =
        plan.steps.iter().find(|step| step.id.as_str() == format!("karpenter/karpenter@1.8.8/{part}"));
    found.unwrap_or_else(|| {
        panic!("no {part} in {:#?}", plan.steps.iter().map(|step| &step.id).collect::<Vec<_>>())
    })
}

/// Karpenter, whose controller and its owner are observed.
fn owned_by(owner: OwnerKind) -> Inventory {
    let mut inventory = world::inventory("1.5.8");
    let controller = ObjectRef::new("apps/v1", "Deployment", &world::karpenter());
    let evidence = vec![OwnerEvidence { owner, because: "a label of it".to_owned() }];
    inventory.owners.push(Ownership { object: controller, evidence });
    inventory
}

fn is_helms(plan: &Plan) -> bool {
    let mut effects = plan.works().flat_map(|(_, work)| work.effects());
    effects.any(|effect| matches!(effect, Effect::Helm(HelmEffect::Upgrade(_) | HelmEffect::Rollback(_))))
}

#[test]
fn a_release_that_nobody_else_owns_is_moved_by_helm() {
    let plan = plan_of(&registry(), &owned_by(OwnerKind::Helm));
    assert!(is_helms(&plan));
    assert!(matches!(step(&plan, "controller").work.effects()[..], [Effect::Helm(HelmEffect::Upgrade(_))]));
}

#[test]
fn a_release_whose_owner_is_not_built_is_refused_by_name() {
    let (plan, found) = compiled(&registry(), &owned_by(OwnerKind::Gitops));
    assert!(plan.is_none(), "a change past its owner would be undone by it");
    let refused =
        found.iter().find(|found| found.code == codes::PLAN_OWNER_NOT_BUILT).expect("it is refused");
    assert!(
        refused.message.contains("Deployment kube-system/karpenter belongs to a GitOps controller"),
        "{refused:#?}"
    );
}

#[test]
fn an_owner_from_outside_writes_the_steps_forward_back_and_their_proof() {
    let registry = registry().with_owner(&Pipeline);
    let plan = plan_of(&registry, &owned_by(OwnerKind::Gitops));
    let moved = step(&plan, "controller");
    assert_eq!(moved.work.title, "name 1.8.8 in the pipeline of kube-system/karpenter");
    assert!(matches!(moved.work.effects()[..], [Effect::Kube(KubeEffect::Patch(_))]), "{:#?}", moved.work);
    assert!(moved.work.done_when.is_some(), "its proof");
    assert!(!moved.work.verify.is_empty(), "what Karpenter asks of it stays");
    let crds = step(&plan, "crds");
    assert!(moved.needs.iter().any(|need| need.step == crds.id), "and its order");
    let first = step(&plan, "controller-rendered");
    assert!(moved.needs.iter().any(|need| need.step == first.id), "what the owner does first");
    assert!(
        first.needs.iter().any(|need| need.step == crds.id),
        "which comes no earlier than the change may"
    );
    assert_eq!(moved.undo, Undo::Rollback {});
    let back = plan.rollback_step(&moved.id).expect("a rollback step");
    assert_eq!(back.work.title, "name 1.5.8 in the pipeline again");
    let health = step(&plan, "health");
    assert!(health.needs.iter().any(|need| need.step == moved.id), "what comes after waits for it");
}

#[test]
fn an_owner_that_makes_no_such_change_is_named_with_what_shows_it() {
    let (plan, found) = compiled(&registry(), &owned_by(OwnerKind::Kubectl));
    assert!(plan.is_none());
    let refused = found.iter().find(|found| found.code == codes::PLAN_OWNER_UNKNOWN).expect("it is refused");
    let message = "Deployment kube-system/karpenter belongs to kubectl (a label of it), and the plan would write it by Helm";
    assert_eq!(refused.message, message);
}

/// Somebody knows better, and answers for it until a day.
#[test]
fn an_owner_that_is_waived_is_written_past() {
    for (owner, code) in
        [(OwnerKind::Gitops, codes::PLAN_OWNER_NOT_BUILT), (OwnerKind::Kubectl, codes::PLAN_OWNER_UNKNOWN)]
    {
        let waiver = format!(
            "apiVersion: switchback.dev/v1alpha1\nkind: Waiver\nmetadata: {{name: w}}\nspec:\n  finding: {code}\n  \
             about: Deployment kube-system/karpenter\n  evidence: its sync is suspended\n  by: ada\n  expires: '2027-01-01T00:00:00Z'\n"
        );
        let (plan, found) = compiled_with(&registry(), &owned_by(owner), &waiver, |_| ());
        let plan = plan.unwrap_or_else(|| panic!("{found:#?}"));
        assert!(
            matches!(step(&plan, "controller").work.effects()[..], [Effect::Helm(HelmEffect::Upgrade(_))]),
            "{owner:?}"
        );
    }
}

/// The chart of the controller brings CRDs of its own, which the CRD release holds.
#[test]
fn crds_that_another_release_holds_are_not_applied_beside_it() {
    let with_crds = |lock: &mut Lock| {
        let crd = lock
            .renders
            .iter()
            .find_map(|render| render.objects.iter().find(|o| o["kind"] == "CustomResourceDefinition"));
        let crd = crd.expect("one of the CRD release").clone();
        for render in lock.renders.iter_mut().filter(|render| render.chart.name == "karpenter") {
            render.crds = vec![crd.clone()];
        }
    };
    let (plan, found) = compiled_with(&registry(), &owned_by(OwnerKind::Helm), "", with_crds);
    let plan = plan.unwrap_or_else(|| panic!("{found:#?}"));
    let applied: Vec<_> =
        plan.steps.iter().filter(|step| step.id.as_str().contains("/crds/")).map(|step| &step.id).collect();
    assert!(applied.is_empty(), "{applied:#?} would come before anything is frozen");
}

fn with_sentry() -> Registry<'static> {
    let components: Vec<&'static dyn AnyComponent> = COMPONENTS.into_iter().chain([&Sentry as _]).collect();
    Registry::new(&components).expect("a registry")
}

fn watched() -> Inventory {
    let mut inventory = world::inventory("1.5.8");
    inventory.workloads.push(Workload {
        object: sentry::deployment(),
        replicas: 1,
        ready: 1,
        paused: false,
        survives: None,
        labels: std::collections::BTreeMap::new(),
        containers: Vec::new(),
    });
    let config = ObjectRef::new("v1", "ConfigMap", &ObjectName::namespaced("ops", "sentry"));
    let evidence = vec![OwnerEvidence { owner: OwnerKind::Kubectl, because: "field manager".to_owned() }];
    inventory.owners.push(Ownership { object: config, evidence });
    inventory
}

#[test]
fn a_component_that_nobody_moves_is_suspended_around_rolls_of_others() {
    let plan = plan_of(&with_sentry(), &watched());
    let (open, close) = (step(&plan, "suspend/sentry"), step(&plan, "resume/sentry"));
    let needs = |step: &Step, other: &Step| step.needs.iter().any(|need| need.step == other.id);
    let rolls: Vec<&Step> = plan.steps.iter().filter(|step| step.work.roll().is_some()).collect();
    assert_eq!(rolls.len(), 2, "two pools move");
    for roll in rolls {
        assert!(needs(roll, open), "{} does not wait until evictions are suspended", roll.id);
        assert!(needs(close, roll), "evictions are resumed before {} is over", roll.id);
    }
    // A rollback moves nodes, too, in the place of the step that was there before anything moved.
    let places = plan.rollback.iter().filter(|back| back.work.roll().is_some());
    for place in places.filter_map(|back| plan.step(back.place()?)) {
        assert!(needs(place, open), "{} is rolled back with evictions on", place.id);
    }
    assert_eq!((&open.undo, &close.undo), (&Undo::Rollback {}, &Undo::Rollback {}));
    let declared = |suspension: &&Suspension| suspension.suspend == open.id && suspension.resume == close.id;
    let suspension = plan.suspensions.iter().find(declared).expect("it is watched while it lasts");
    assert_eq!(suspension.suspended_by, SuspendedBy::ThisRun);
    assert_eq!(
        suspension.resume_command,
        r#"kubectl patch configmap sentry -n ops --type=merge -p '{"data":{"evict":"true"}}'"#
    );
}

#[test]
fn what_is_not_there_is_not_suspended() {
    let plan = plan_of(&with_sentry(), &world::inventory("1.5.8"));
    assert!(plan.steps.iter().all(|step| !step.id.as_str().ends_with("/sentry")));
}
