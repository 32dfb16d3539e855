//! Argo Workflows, from manifests to a plan.

use serde_json::json;
use switchback_face::plan::{dry_run::DryRun, rollback};
use switchback_model::{Graph, lint::lint, summary::summary};
use switchback_schemas::{
    Digest, codes,
    inventory::Inventory,
    lock::Render,
    plan::{
        AccessReview, Condition, Effect, FailureAction, HelmEffect, KubeCondition, KubeEffect, Plan, Step,
        Undo, Work,
    },
};

use crate::{
    world::compiled_with,
    world_argo::{ARGO, BY_CLASS, CRDS, PLATFORM, classed, lock, platform, rendered, running},
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

fn reviews(condition: &Condition) -> Vec<String> {
    let of = |condition: &Condition| match condition {
        Condition::Kube(KubeCondition::Allowed { reviews }) => reviews.clone(),
        other => panic!("{other:?}"),
    };
    let one = |review: &AccessReview| {
        let who = review.account.as_ref().map_or("self".to_owned(), ToString::to_string);
        let place = review.namespace.as_deref().unwrap_or("everywhere");
        format!("{who}: {} {} in {place}", review.verbs.join(" "), review.resource)
    };
    condition.leaves().into_iter().flat_map(of).map(|review| one(&review)).collect()
}

fn waited(step: &Step) -> &Condition {
    let [Effect::Wait(wait)] = step.work.effects()[..] else { panic!("{step:?}") };
    &wait.until
}

/// Pods of 3.6 write their results as their own service account: it has to be allowed to before anything moves.
#[test]
fn p32_accounts_of_workflows_are_asked_about_before_anything_stands_still() {
    let mut inventory = platform("0.42.6", "v3.5.12");
    let accounts = json!([{"namespace": "ci"}, {"namespace": "ml"}, {"namespace": "ml", "name": "runner"}]);
    change(&mut inventory, "argo-workflows", "/accounts", accounts);
    change(&mut inventory, "argo-workflows", "/controllers/0/defaultAccount", json!("flows"));
    let to = ARGO.replace("1.0.18", "0.45.0");
    let mut found = rendered("0.45.0", "v3.6.0", "RollingUpdate");
    found.set = json!({});
    found.crds = Vec::new();
    let plan = planned(&to, &inventory, found);
    let step = |part: &str| {
        let id = format!("argo-workflows/flows@0.45.0/{part}");
        plan.steps.iter().find(|step| step.id.as_str() == id).unwrap_or_else(|| panic!("no {id}"))
    };
    let rights = step("rights");
    assert_eq!(
        reviews(waited(rights)),
        ["ci/flows", "ml/flows", "ml/runner"].map(|account| {
            let namespace = account.split_once('/').expect("a namespace").0;
            format!("{account}: create patch workflowtaskresults in {namespace}")
        })
    );
    assert_eq!(
        rights.work.title,
        "check that the 3 service accounts of Workflows may create and patch workflowtaskresults"
    );
    assert!(step("suspend/cron/ml.nightly").needs.iter().any(|need| need.step == rights.id));
    assert!(blind(&plan, "whether other service accounts may create and patch workflowtaskresults"));
    // From 3.7 on everybody has them.
    assert!(
        !to_four(ARGO, &platform("0.47.5", "v3.7.11"))
            .steps
            .iter()
            .any(|step| step.id.as_str().ends_with("/rights"))
    );
}

/// What is new in the roles of a chart: whoever runs the plan has to be able to grant it, and the controller has it afterwards.
#[test]
fn p32_what_roles_gain_is_asked_of_whoever_grants_it_and_of_the_controller() {
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": {"name": "argo-workflows-workflow-controller"},
        "roleRef": {"kind": "ClusterRole", "name": "argo-workflows-workflow-controller"},
        "subjects": [{"kind": "ServiceAccount", "name": "controller", "namespace": "argo"}]});
    let mut found = rendered("1.0.18", "v4.0.6", "Recreate");
    found.objects.insert(0, binding);
    let plan = planned(ARGO, &platform("0.47.5", "v3.7.11"), found);
    let rights = step(&plan, "rights");
    assert!(
        matches!(waited(rights), Condition::All(of) if matches!(of.as_slice(), [Condition::Any(_)])),
        "{rights:?}"
    );
    assert_eq!(
        reviews(waited(rights)),
        ["self: patch workflowtaskresults in everywhere", "self: escalate clusterroles in everywhere"]
    );
    assert!(before(&plan, "rights", "suspend/cron/ml.nightly"));
    let verified = &step(&plan, "release").work.verify;
    let held =
        verified.iter().find(|verify| verify.title.contains("what is new in their roles")).expect("it");
    assert_eq!(reviews(&held.condition), ["argo/controller: patch workflowtaskresults in everywhere"]);
    assert!(!blind(&plan, "may grant"), "it is asked");
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

/// Each class as it is asked for, in a step and in words: the first that matches, by the pods that a Workflow makes.
#[test]
fn p32_workflows_of_each_class_are_treated_as_it_says() {
    let mut inventory = platform("0.47.5", "v3.7.11");
    let workflow = |name: &str, more: serde_json::Value| {
        let mut all = json!({"name": {"namespace": "ml", "name": name}, "phase": "Running"});
        let fields = more.as_object().cloned().unwrap_or_default();
        all.as_object_mut().expect("an object").extend(fields);
        all
    };
    let all = json!([
        workflow("build", json!({"labels": {"tier": "ci"}, "owner": "CronWorkflow"})),
        workflow("report", json!({"owner": "CronWorkflow"})),
        workflow("train-1", json!({})),
        workflow("train-2", json!({"phase": "Pending"})),
    ]);
    change(&mut inventory, "argo-workflows", "/unfinished", all);
    let files = [("platform.yaml", &classed()), ("argo.yaml", &format!("{ARGO}{BY_CLASS}"))];
    let files = files.map(|(name, text)| (name, text.as_str()));
    let found = lock(rendered("1.0.18", "v4.0.6", "Recreate"));
    let (plan, diagnostics) = compiled_with(&files, &inventory, &[], found);
    let plan = plan.unwrap_or_else(|| panic!("a plan, not {diagnostics:#?}"));
    assert_eq!(lint(&plan), []);
    assert_eq!(plan.classes.len(), 3, "the executor tells them apart by the plan's");
    for part in ["in-flight", "in-flight/ci"] {
        assert!(before(&plan, "suspend/cron/ml.nightly", part) && before(&plan, part, "release"), "{part}");
    }
    assert_eq!(step(&plan, "in-flight").work.timeout.0, 3600);
    assert_eq!(step(&plan, "in-flight/ci").work.timeout.0, 600);
    let until = |part: &str| serde_json::to_string(&step(&plan, part).work.action).expect("JSON");
    assert!(
        until("in-flight").contains(r#""classes":{"except":["ci","nightly"]}"#),
        "{}",
        until("in-flight")
    );
    assert_eq!(
        until("in-flight/ci").matches(r#""classes":{"only":"ci"}"#).count(),
        2,
        "{}",
        until("in-flight/ci")
    );
    let suspended: Vec<&str> =
        plan.steps.iter().filter_map(|step| step.id.as_str().split("/suspend/workflow/").nth(1)).collect();
    assert_eq!(suspended, ["ml.build"]);
    assert!(!plan.steps.iter().any(|step| step.id.as_str().ends_with("in-flight/nightly")));
    let told: Vec<&str> = plan
        .notices
        .iter()
        .filter(|notice| notice.code == codes::PLAN_OUTAGE)
        .map(|notice| notice.message.as_str())
        .collect();
    assert_eq!(
        told,
        [
            "Workflows of any other class are waited for, up to 1 h: 1 Pending in ml (class training), 1 Running in ml (class training)",
            "Workflows of class ci are suspended, and their pods waited for, up to 10 min: 1 Running in ml",
            "Workflows of class nightly go on while the controller moves, with pods that keep the executor that they were made with \
             (accepted: ada: they start anew): 1 Running in ml",
        ]
    );
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
    let accounts = "whether other service accounts may create and patch workflowtaskresults";
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
