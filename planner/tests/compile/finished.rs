//! Hops whose version an earlier run reached and that it did not finish: what is left of them is done, as the manifests now say.

use serde_json::json;
use switchback_model::lint::lint;
use switchback_schemas::{
    ComponentName, Diagnostic, Digest, codes,
    inventory::{Inventory, OwnerEvidence, Ownership, Subject, Unread},
    lock::Lock,
    manifest::OwnerKind,
    name::ObjectRef,
    plan::{Action, Condition, Effect, FailureAction, HelmEffect, Stale, Undo},
};

use crate::{
    continued::{found, hop, id, left, planned},
    world::{self, KARPENTER, PLATFORM, compiled, compiled_with, inventory},
    world_mlflow,
};

/// Where the run failed at what it looked for after the controller had moved, and the manifests were mended.
fn controller_moved() -> Inventory {
    let mut inventory = left("1.8.8", "karpenter.sh/v1");
    let carried = inventory.carry_over.as_mut().expect("a run");
    carried.hops = vec![hop("karpenter/karpenter@1.8.8", "1.5.8", false)];
    inventory
}

#[test]
fn what_is_left_of_a_hop_is_done_when_its_version_runs_already() {
    let (plan, diagnostics) = planned(KARPENTER, &controller_moved(), &["1.8.8"]);
    assert_eq!(diagnostics, []);
    let hop = &plan.hops[0];
    assert_eq!((hop.id.to_string().as_str(), &hop.from), ("karpenter/karpenter@1.8.8", &None));
    let mut steps: Vec<&str> = plan
        .steps
        .iter()
        .filter_map(|step| step.id.as_str().strip_prefix("karpenter/karpenter@1.8.8/"))
        .collect();
    steps.sort_unstable();
    assert_eq!(
        steps,
        [
            "frozen/general",
            "frozen/gpu",
            "health",
            "nodes/general/min-ready",
            "nodes/general/roll",
            "nodes/gpu/min-ready",
            "nodes/gpu/roll",
            "thaw/general",
            "thaw/gpu"
        ]
    );
    // The rollback to the older version is that of the run which moved it.
    let undone: Vec<&str> = plan
        .steps
        .iter()
        .filter(|step| !matches!(step.undo, Undo::Unneeded { .. }))
        .map(|step| step.id.as_str())
        .collect();
    assert_eq!(undone, ["karpenter/karpenter@1.8.8/thaw/general", "karpenter/karpenter@1.8.8/thaw/gpu"]);
    let health = plan.step(&id("karpenter/karpenter@1.8.8/health")).expect("it looks");
    assert!(
        health.work.verify.iter().any(|verify| verify.title.contains("reports 1.8.8")),
        "{:?}",
        health.work.verify
    );
}

#[test]
fn what_is_not_ready_after_an_earlier_run_is_waited_for_and_named() {
    let mut inventory = controller_moved();
    let name = ComponentName::new("karpenter").expect("a name");
    let section = inventory.components.get_mut(&name).expect("Karpenter");
    section["nodePools"][1]["ready"] = json!(false);
    let (plan, diagnostics) = planned(KARPENTER, &inventory, &["1.8.8"]);
    let said = found(&diagnostics, codes::PLAN_NOT_READY);
    assert!(said.len() == 1, "{diagnostics:#?}");
    assert!(said[0].message.contains("NodePool gpu is not Ready"), "{diagnostics:#?}");
    let health = plan.step(&id("karpenter/karpenter@1.8.8/health")).expect("it looks");
    assert!(health.work.title.starts_with("verify that 2 NodePools"), "{}", health.work.title);
}

/// A failure of what changes nothing, or moves nodes that stay, is for a person; nothing is given back by itself.
#[test]
fn a_failure_of_what_is_left_of_a_hop_holds() {
    let (plan, _) = planned(KARPENTER, &controller_moved(), &["1.8.8"]);
    let roll = plan.step(&id("karpenter/karpenter@1.8.8/nodes/gpu/roll")).expect("nodes move");
    assert_eq!(roll.on_failure.action, FailureAction::Hold, "{}", roll.on_failure.why);
}

/// What a person thawed may be thawed again whatever has drifted; what the run had frozen may not.
#[test]
fn a_pool_that_was_found_thawed_can_be_left_so() {
    let mut inventory = controller_moved();
    let name = ComponentName::new("karpenter").expect("a name");
    let section = inventory.components.get_mut(&name).expect("Karpenter");
    section["nodePools"][0]["budgets"] = json!([{"nodes": "20%"}]);
    let (plan, _) = planned(KARPENTER, &inventory, &["1.8.8"]);
    let parts = |suspension: usize| match &plan.suspensions[suspension].safe_to_resume {
        Condition::All(of) => of.len(),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        (plan.suspensions[0].suspend.as_str(), parts(0)),
        ("karpenter/karpenter@1.8.8/freeze/general", 1)
    );
    assert_eq!((plan.suspensions[1].suspend.as_str(), parts(1)), ("karpenter/karpenter@1.8.8/frozen/gpu", 2));
}

#[test]
fn a_node_pool_that_is_gone_is_not_asked_for() {
    let mut inventory = left("1.8.8", "karpenter.sh/v1");
    let name = ComponentName::new("karpenter").expect("a name");
    let section = inventory.components.get_mut(&name).expect("Karpenter");
    section["nodePools"] = json!([]);
    let files = [("platform.yaml", PLATFORM), ("karpenter.yaml", KARPENTER)];
    let (_, diagnostics) = compiled(&files, &inventory, &["1.8.8"]);
    assert_eq!(found(&diagnostics, codes::PLAN_LEFT_OPEN), Vec::<&Diagnostic>::new());
    // Unless they only could not be read, for example since their conversion webhook is away (P-10).
    let what = Subject::Objects { api_version: "karpenter.sh/v1".to_owned(), kind: "NodePool".to_owned() };
    inventory.unread.push(Unread { what, why: "conversion webhook failed".to_owned() });
    let (plan, diagnostics) = compiled(&files, &inventory, &["1.8.8"]);
    assert!(plan.is_none());
    assert_eq!(found(&diagnostics, codes::PLAN_LEFT_OPEN).len(), 2, "{diagnostics:#?}");
}

/// The run ended in a controller that did not start with its values, and the values were mended.
#[test]
fn a_release_that_is_not_as_the_manifests_now_say_moves_once_more() {
    let mut inventory = controller_moved();
    let release =
        inventory.releases.iter_mut().find(|release| release.chart == "karpenter").expect("the controller");
    release.values_digest = Digest::of("bad values");
    let (plan, _) = planned(KARPENTER, &inventory, &["1.8.8"]);
    let controller = plan.step(&id("karpenter/karpenter@1.8.8/controller")).expect("it moves");
    assert!(
        matches!(&controller.work.action, Action::Effect(Effect::Helm(HelmEffect::Upgrade(_)))),
        "{:?}",
        controller.work.action
    );
    assert!(plan.step(&id("karpenter/karpenter@1.8.8/crds")).is_none(), "these are as they are asked for");
    let roll = plan.step(&id("karpenter/karpenter@1.8.8/nodes/gpu/roll")).expect("nodes move");
    assert_eq!(roll.undo, Undo::Rollback {});
}

/// The controller's chart, of which the catalog knows nothing.
fn controller_chart(lock: &mut Lock) {
    let own = lock.renders.iter_mut().filter(|render| render.release == world::karpenter());
    own.for_each(|render| "controller".clone_into(&mut render.chart.name));
}

/// Plain upgrades that a run did, and whose verification was mended.
#[test]
fn what_a_run_did_and_did_not_see_well_is_looked_at_again() {
    const PLAIN: &str = "
apiVersion: switchback.dev/v1alpha1
kind: DeploymentUpgrade
metadata: {name: web}
spec:
  {target: cluster, deployment: {namespace: shop, name: web}, container: web, image: 'registry.example/web:1.4', to: '1.4'}
---
apiVersion: switchback.dev/v1alpha1
kind: HelmReleaseUpgrade
metadata: {name: controller}
spec:
  {target: cluster, release: {namespace: kube-system, name: karpenter}, charts: {oci: 'oci://registry.example/charts'}, to: '1.8.8'}
";
    let mut inventory = inventory("1.8.8");
    // A chart that the catalog does not know.
    "controller".clone_into(&mut inventory.releases[0].chart);
    let controller = ObjectRef::new("apps/v1", "Deployment", &world::karpenter());
    let because = "label managed-by".to_owned();
    let evidence = vec![OwnerEvidence { owner: OwnerKind::Helm, because }];
    inventory.owners.push(Ownership { object: controller, evidence });
    let files = [("platform.yaml", PLATFORM), ("plain.yaml", PLAIN)];
    let (plan, _) = compiled_with(&files, &inventory, &["1.8.8"], controller_chart);
    assert!(plan.is_none(), "everything is there, and no run is continued");

    let mut carried = left("1.8.8", "karpenter.sh/v1").carry_over.expect("a run");
    carried.left_suspended.clear();
    carried.hops =
        vec![hop("deployment/web@1.4", "1.3", false), hop("helm-release/controller@1.8.8", "1.5.8", false)];
    inventory.carry_over = Some(carried);
    let (plan, diagnostics) = compiled_with(&files, &inventory, &["1.8.8"], controller_chart);
    let plan = plan.unwrap_or_else(|| panic!("{diagnostics:#?}"));
    assert_eq!(lint(&plan), []);
    let steps: Vec<&str> = plan.steps.iter().map(|step| step.id.as_str()).collect();
    assert_eq!(steps, ["deployment/web@1.4/health", "helm-release/controller@1.8.8/health"]);
    assert!(plan.steps.iter().all(|step| matches!(step.undo, Undo::Unneeded { .. })));
    assert!(
        plan.steps.iter().all(|step| step.on_failure.action == FailureAction::Hold),
        "nothing to roll back to"
    );

    // A wrong value, and an image that does not exist: both are mended under the version that was asked for.
    inventory.releases[0].values_digest = Digest::of("bad values");
    inventory.workloads[0].containers[0].image = "registry.example/wbe:1.4".to_owned();
    let (plan, diagnostics) = compiled_with(&files, &inventory, &["1.8.8"], controller_chart);
    let plan = plan.unwrap_or_else(|| panic!("{diagnostics:#?}"));
    let steps: Vec<&str> = plan.steps.iter().map(|step| step.id.as_str()).collect();
    assert_eq!(steps, ["deployment/web@1.4/image", "helm-release/controller@1.8.8/release"]);
}

/// Whose a release is matters when it moves.
#[test]
fn a_release_that_has_nothing_to_do_is_not_asked_for_its_owner() {
    const RELEASE: &str = "
apiVersion: switchback.dev/v1alpha1
kind: HelmReleaseUpgrade
metadata: {name: controller}
spec:
  {target: cluster, release: {namespace: kube-system, name: karpenter}, charts: {oci: 'oci://registry.example/charts'}, to: '1.8.8'}
";
    let files = [("platform.yaml", PLATFORM), ("plain.yaml", RELEASE)];
    let mut inventory = inventory("1.8.8");
    "controller".clone_into(&mut inventory.releases[0].chart);
    let (_, diagnostics) = compiled(&files, &inventory, &["1.8.8"]);
    assert!(!diagnostics.iter().any(Diagnostic::is_error), "{diagnostics:#?}");
}

#[test]
fn nodes_that_the_run_had_moved_already_stay() {
    let all = format!("{KARPENTER}  nodes: all\n");
    let controller = id("karpenter/karpenter@1.8.8/controller");
    let mut inventory = controller_moved();
    for known in [false, true] {
        if known {
            let carried = inventory.carry_over.as_mut().expect("a run");
            carried.applied.insert(controller.clone(), inventory.taken_at);
        }
        let (plan, _) = planned(&all, &inventory, &["1.8.8"]);
        let roll = plan.step(&id("karpenter/karpenter@1.8.8/nodes/gpu/roll")).expect("nodes move");
        let Action::Roll(roll) = &roll.work.action else { panic!("{:?}", roll.work.action) };
        // Where the run did not see it done, what is there once Karpenter was seen to work.
        let health = id("karpenter/karpenter@1.8.8/health");
        assert_eq!(roll.stale, Stale::BornBefore(if known { controller.clone() } else { health }));
    }
}

#[test]
fn a_hop_that_was_finished_or_is_not_that_of_the_run_is_not_begun_again() {
    let mut whole = controller_moved();
    let carried = whole.carry_over.as_mut().expect("a run");
    carried.hops[0].whole = true;
    carried.left_suspended.clear();
    let files = [("platform.yaml", PLATFORM), ("karpenter.yaml", KARPENTER)];
    for inventory in [whole, inventory("1.8.8")] {
        let (plan, diagnostics) = compiled(&files, &inventory, &["1.8.8"]);
        assert!(plan.is_none());
        assert!(!diagnostics.iter().any(Diagnostic::is_error), "{diagnostics:#?}");
    }
}

/// Where the server is back with its new image, what is left is that it answers; where it is away, the run that took it is asked.
#[test]
fn a_server_that_is_back_is_looked_at_and_one_that_is_away_is_left_to_its_run() {
    let files = [("platform.yaml", world_mlflow::PLATFORM), ("mlflow.yaml", world_mlflow::MLFLOW)];
    let mut inventory = world_mlflow::platform("ghcr.io/mlflow/mlflow:v3.18.0");
    let mut carried = left("1.5.8", "karpenter.sh/v1").carry_over.expect("a run");
    carried.left_suspended.clear();
    carried.hops = vec![hop("mlflow/mlflow@3.18.0", "3.8.0", false)];
    inventory.carry_over = Some(carried);
    let (plan, diagnostics) = compiled(&files, &inventory, &[]);
    let plan = plan.unwrap_or_else(|| panic!("{diagnostics:#?}"));
    assert_eq!(lint(&plan), []);
    let steps: Vec<&str> = plan.steps.iter().map(|step| step.id.as_str()).collect();
    assert_eq!(steps, ["mlflow/mlflow@3.18.0/api", "mlflow/mlflow@3.18.0/health"]);

    let server = inventory.workloads.iter_mut().find(|workload| workload.object.name.contains("mlflow"));
    server.expect("the server").replicas = 0;
    let (plan, diagnostics) = compiled(&files, &inventory, &[]);
    assert!(plan.is_none());
    assert_eq!(found(&diagnostics, codes::PLAN_UNFINISHED).len(), 1, "{diagnostics:#?}");
}
