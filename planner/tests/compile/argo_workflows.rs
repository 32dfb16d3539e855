//! Argo Workflows, from manifests to a plan.

use serde_json::json;
use switchback_face::plan::{dry_run::DryRun, rollback};
use switchback_model::{Graph, lint::lint, summary::summary};
use switchback_schemas::{
    Digest,
    inventory::Inventory,
    lock::Render,
    plan::{Effect, FailureAction, HelmEffect, KubeEffect, Plan, Step, Undo, Work},
};

use crate::{
    world::compiled_with,
    world_argo::{ARGO, CRDS, PLATFORM, lock, platform, rendered, running},
    world_mlflow::change,
};

fn planned(argo: &str, inventory: &Inventory, found: Render) -> Plan {
    let files = [("platform.yaml", PLATFORM), ("argo.yaml", argo)];
    let (plan, diagnostics) = compiled_with(&files, inventory, &[], lock(found));
    let plan = plan.unwrap_or_else(|| panic!("a plan, not {diagnostics:#?}"));
    assert_eq!(lint(&plan), []);
    plan
}

fn to_four(argo: &str, inventory: &Inventory) -> Plan {
    planned(argo, inventory, rendered("1.0.18", "v4.0.6", "Recreate"))
}

fn step<'a>(plan: &'a Plan, part: &str) -> &'a Step {
    let id = format!("argo-workflows/flows@1.0.18/{part}");
    plan.steps.iter().find(|step| step.id.as_str() == id).unwrap_or_else(|| panic!("no {id}"))
}

fn before(plan: &Plan, first: &str, then: &str) -> bool {
    let graph = Graph::of(plan).expect("a DAG");
    let number = |part| graph.number(&step(plan, part).id).expect("a step");
    graph.descendants(number(first)).contains(&number(then))
}

fn blind(plan: &Plan, what: &str) -> bool {
    plan.blind_spots.iter().any(|spot| format!("{}: {}", spot.what, spot.why).contains(what))
}

#[test]
fn three_to_four_reads_like_this() {
    let mut inventory = platform("0.47.5", "v3.7.11");
    running(&mut inventory);
    let plan = to_four(ARGO, &inventory);
    let graph = Graph::of(&plan).expect("a DAG");
    let summary = summary(&plan, &graph);
    let dry_run =
        DryRun { plan: &plan, graph: &graph, summary: &summary, digest: Digest::of("plan"), steps: true };
    insta::assert_snapshot!(format!("{dry_run}\n{}", rollback::every_rollback(&plan, &graph)));
}

#[test]
fn p31_full_crds_are_applied_by_the_server_before_the_release_and_restored_after_it() {
    let plan = to_four(ARGO, &platform("0.47.5", "v3.7.11"));
    for (crd, _) in CRDS {
        let part = format!("crds/{crd}");
        let applied = step(&plan, &part);
        let effects: Vec<&Effect> = applied.work.effects();
        assert!(
            matches!(effects.as_slice(), [Effect::Kube(KubeEffect::Apply(apply))] if apply.force),
            "{effects:?}"
        );
        assert_eq!(applied.work.captures.len(), 1, "its before-image");
        assert!(before(&plan, &part, "release"), "{part}");
        let undo = plan.rollback_of(&applied.id).next().expect("a rollback");
        assert!(matches!(undo.work.effects().first(), Some(Effect::Kube(KubeEffect::Restore(_)))));
    }
    let upgrade = step(&plan, "release").work.effects().into_iter().next().expect("an effect");
    let Effect::Helm(HelmEffect::Upgrade(upgrade)) = upgrade else { panic!("{upgrade:?}") };
    assert_eq!(upgrade.set, json!({"crds": {"install": false}}), "the chart's hook has nothing to do");
}

#[test]
fn p32_schedules_are_suspended_and_running_workflows_waited_for_before_anything_moves() {
    let mut inventory = platform("0.47.5", "v3.7.11");
    running(&mut inventory);
    let plan = to_four(ARGO, &inventory);
    assert!(before(&plan, "suspend/cron/ml.nightly", "in-flight"));
    assert!(before(&plan, "in-flight", "removed-fields"));
    assert!(before(&plan, "removed-fields", "crds/workflows.argoproj.io"));
    assert!(before(&plan, "release", "check"));
    assert!(before(&plan, "check/done", "resume/cron/ml.nightly"));
    // What is suspended has no such field also where it is gone, and nobody finishes a Workflow without a controller.
    let reads = |part: &str| serde_json::to_string(&step(&plan, part).work.reads).expect("JSON");
    let there = r#""pointer":"","is":{"present":{}}"#;
    let runs = r#""pointer":"/spec/replicas","is":{"atLeast":1}"#;
    assert!(reads("suspend/cron/ml.nightly").contains(there), "{}", reads("suspend/cron/ml.nightly"));
    for part in ["suspend/cron/ml.nightly", "in-flight"] {
        assert!(reads(part).contains(runs), "{part}: {}", reads(part));
    }
    // What somebody else has suspended stays so.
    assert_eq!(plan.suspensions.len(), 1);
    assert!(plan.steps.iter().all(|step| !step.id.as_str().ends_with("resume/cron/ml.paused")));
    assert_eq!(step(&plan, "in-flight").work.timeout.0, 4 * 3600);
    let titles = step(&plan, "release").work.verify.iter().map(|verify| verify.title.as_str());
    assert!(
        titles.clone().any(|title| title == "it starts pods with quay.io/argoproj/argoexec:v4.0.6"),
        "{:?}",
        titles.collect::<Vec<_>>()
    );
    assert!(blind(
        &plan,
        "deletecollection workflowtaskresults.argoproj.io: the new chart takes it from its roles"
    ));
    assert!(blind(
        &plan,
        "may grant ClusterRole argo-workflows-workflow-controller: patch workflowtaskresults"
    ));
    // A wait that is over takes nothing down: schedules are resumed, no Workflow is ended.
    assert_eq!(step(&plan, "in-flight").on_failure.action, FailureAction::RollbackHop);
    let takes_away = |work: &&Work| {
        work.effects().iter().any(|effect| matches!(effect, Effect::Kube(KubeEffect::Delete(_))))
    };
    let deleted: Vec<&str> =
        plan.steps.iter().filter(|step| takes_away(&&step.work)).map(|s| s.id.as_str()).collect();
    assert_eq!(deleted, ["argo-workflows/flows@1.0.18/tidy/check"]);
}

#[test]
fn missed_schedules_are_said() {
    let plan = to_four(ARGO, &platform("0.47.5", "v3.7.11"));
    assert!(blind(
        &plan,
        "CronWorkflow ml/nightly are missed while it is suspended: 0 2 * * * (Europe/Berlin)"
    ));
    assert!(blind(&plan, "if that is less than 600 s ago"));
    let mut inventory = platform("0.47.5", "v3.7.11");
    change(&mut inventory, "argo-workflows", "/cronWorkflows/0/startingDeadlineSeconds", json!(0));
    assert!(blind(
        &to_four(ARGO, &inventory),
        "makes up the last schedule that it missed, and no earlier one"
    ));
}

#[test]
fn suspended_workflows_start_no_pod_and_go_on_afterwards() {
    let mut inventory = platform("0.47.5", "v3.7.11");
    running(&mut inventory);
    let suspend = format!("{ARGO}  inFlight: {{suspend: {{max: 30m}}}}\n");
    let plan = to_four(&suspend, &inventory);
    for workflow in ["ml.train-1", "ml.train-2"] {
        assert!(before(&plan, &format!("suspend/workflow/{workflow}"), "in-flight"));
        assert!(before(&plan, "check/done", &format!("resume/workflow/{workflow}")));
    }
    assert!(before(&plan, "suspend/cron/ml.nightly", "suspend/workflow/ml.train-1"));
    assert_eq!(step(&plan, "in-flight").work.timeout.0, 30 * 60);
    assert_eq!(plan.suspensions.len(), 3);
}

#[test]
fn accepted_workflows_are_neither_waited_for_nor_touched() {
    let mut inventory = platform("0.47.5", "v3.7.11");
    running(&mut inventory);
    let accept = format!("{ARGO}  inFlight: {{accept: {{because: 'ada: short ones'}}}}\n");
    let plan = to_four(&accept, &inventory);
    assert!(plan.steps.iter().all(|step| !step.id.as_str().ends_with("/in-flight")));
    let said =
        plan.notices.iter().find(|notice| notice.message.contains("ada: short ones")).expect("it is said");
    assert!(said.message.contains("2 Running in ml"), "{}", said.message);
}

#[test]
fn objects_of_another_controller_are_left_alone() {
    let mut inventory = platform("0.47.5", "v3.7.11");
    running(&mut inventory);
    change(&mut inventory, "argo-workflows", "/controllers/0/instanceId", json!("blue"));
    change(&mut inventory, "argo-workflows", "/cronWorkflows/1/instanceId", json!("blue"));
    let plan = to_four(ARGO, &inventory);
    assert!(plan.suspensions.is_empty(), "{:?}", plan.suspensions);
    assert!(matches!(step(&plan, "suspended/cron/ml.paused").undo, Undo::Unneeded { .. }));
    assert!(plan.steps.iter().all(|step| !step.id.as_str().contains("ml.nightly")));
    let text = serde_json::to_string(step(&plan, "in-flight")).expect("JSON");
    assert!(text.contains("\"workflows.argoproj.io/controller-instanceid\":\"blue\""), "{text}");
}

#[test]
fn a_chart_that_holds_its_crds_is_left_to_helm() {
    let to = ARGO.replace("1.0.18", "0.47.5");
    let mut found = rendered("0.47.5", "v3.7.11", "RollingUpdate");
    found.set = json!({});
    found.crds = Vec::new();
    let held = platform("0.46.2", "v3.7.6");
    let templated = held.releases.last().expect("argo").objects.iter();
    found.objects.extend(templated.filter(|object| object["kind"] == "CustomResourceDefinition").cloned());
    let plan = planned(&to, &held, found);
    assert!(plan.steps.iter().all(|step| !step.id.as_str().contains("/crds/")));
    assert!(plan.points.is_empty());
    assert!(plan.steps.iter().all(|step| !matches!(step.undo, Undo::Irreversible { .. })));
}

/// What the addendum of facts says and no plan can look up is told with each plan that it concerns.
#[test]
fn what_cannot_be_looked_up_is_told() {
    let accounts = "service accounts of Workflows allow create and patch of workflowtaskresults";
    let outcomes = "which Workflows end otherwise under Argo Workflows 4.0.10";
    let old = planned(ARGO, &platform("0.35.0", "v3.5.0"), rendered("1.0.18", "v4.0.10", "Recreate"));
    assert!(blind(&old, accounts) && blind(&old, outcomes), "{:#?}", old.blind_spots);
    let newer = to_four(ARGO, &platform("0.47.5", "v3.7.11"));
    assert!(!blind(&newer, accounts) && !blind(&newer, "end otherwise"), "{:#?}", newer.blind_spots);

    let mut valued = platform("0.47.5", "v3.7.11");
    valued.releases.last_mut().expect("argo").values =
        json!({"controller": {"containerSecurityContext": {"runAsUser": 1}}});
    let named = "value controller.containerSecurityContext of the release";
    assert!(blind(&to_four(ARGO, &valued), named));
    assert!(!blind(&newer, named));

    let mut locks = rendered("1.0.18", "v4.0.6", "Recreate");
    locks.objects[1]["data"]["config"] = json!("synchronization:\n  postgresql: {host: db}\n");
    let locked = planned(ARGO, &platform("0.47.5", "v3.7.11"), locks);
    assert!(blind(&locked, "locks in its postgresql database"), "{:#?}", locked.blind_spots);
    assert!(!blind(&newer, "locks in its"));
}

/// A controller of the same cluster that is not moved reads the new CRDs.
#[test]
fn other_controllers_are_named() {
    let mut inventory = platform("0.47.5", "v3.7.11");
    let mut other =
        inventory.components.values().find_map(|section| section.get("controllers")).cloned().expect("it");
    let mut second = other[0].clone();
    second["deployment"] = json!({"namespace": "team", "name": "workflow-controller"});
    other.as_array_mut().expect("a list").push(second);
    change(&mut inventory, "argo-workflows", "/controllers", other);
    assert!(blind(&to_four(ARGO, &inventory), "whether Deployment team/workflow-controller"));
}
