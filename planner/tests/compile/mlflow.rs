//! MLflow, from manifests to a plan.

use serde_json::{Value, json};
use switchback_face::plan::{dry_run::DryRun, rollback};
use switchback_model::{
    Graph,
    lint::lint,
    permissions::{Iam, Permission, of_forward},
    rollback_order::rollback_order,
    summary::summary,
};
use switchback_schemas::{
    Digest, Severity, StepId, codes,
    inventory::Inventory,
    plan::{Action, Effect, FailureAction, KubeEffect, Plan, RdsEffect, Step, UndoKind},
};

use crate::{
    world::compiled,
    world_mlflow::{MLFLOW, OLD, PLATFORM, change, platform},
};

fn plan_of(mlflow: &str, inventory: &Inventory) -> Plan {
    let (plan, diagnostics) =
        compiled(&[("platform.yaml", PLATFORM), ("mlflow.yaml", mlflow)], inventory, &[]);
    let plan = plan.unwrap_or_else(|| panic!("a plan, not {diagnostics:#?}"));
    assert_eq!(lint(&plan), []);
    plan
}

fn step<'a>(plan: &'a Plan, part: &str) -> &'a Step {
    let id = format!("mlflow/mlflow@3.18.0/{part}");
    plan.steps.iter().find(|step| step.id.as_str() == id).unwrap_or_else(|| panic!("no {id}"))
}

fn before(plan: &Plan, first: &str, then: &str) -> bool {
    let graph = Graph::of(plan).expect("a DAG");
    let number = |part| graph.number(&step(plan, part).id).expect("a step");
    graph.descendants(number(first)).contains(&number(then))
}

fn job(step: &Step) -> &Value {
    match &step.work.action {
        Action::Effect(Effect::Kube(KubeEffect::Apply(apply))) => &apply.object,
        other => panic!("an apply, not {other:?}"),
    }
}

#[test]
fn a_migration_reads_like_this() {
    let plan = plan_of(MLFLOW, &platform(OLD));
    let graph = Graph::of(&plan).expect("a DAG");
    let summary = summary(&plan, &graph);
    let dry_run =
        DryRun { plan: &plan, graph: &graph, summary: &summary, digest: Digest::of("plan"), steps: true };
    insta::assert_snapshot!(format!("{dry_run}\n{}", rollback::every_rollback(&plan, &graph)));
}

#[test]
fn p29_the_database_is_migrated_while_no_server_runs_and_the_image_comes_last() {
    let plan = plan_of(MLFLOW, &platform(OLD));
    let order = [
        "baseline",
        "address",
        "address/done",
        "stop",
        "snapshot",
        "verify-restore",
        "migrate/no-job",
        "migrate",
        "migrate/done",
        "schema",
        "schema/done",
        "image",
        "start",
        "api",
        "tidy/migrate",
    ];
    for pair in order.windows(2) {
        assert!(before(&plan, pair[0], pair[1]), "{} before {}", pair[0], pair[1]);
    }
    let words = |field: &str| {
        let at = format!("/spec/template/spec/containers/0/{field}");
        job(step(&plan, "migrate")).pointer(&at).cloned().unwrap_or_default()
    };
    assert_eq!(words("command"), json!(["mlflow"]), "whatever the image's entry point is");
    assert_eq!(words("args"), json!(["db", "upgrade", "$(MLFLOW_BACKEND_STORE_URI)"]));
    let schema = job(step(&plan, "schema")).pointer("/spec/template/spec/containers/0/args/1");
    assert!(schema.and_then(Value::as_str).is_some_and(|script| script.contains("_verify_schema")));
}

#[test]
fn a_job_runs_the_new_image_with_the_servers_own_settings_and_no_secret() {
    let plan = plan_of(MLFLOW, &platform(OLD));
    let job = job(step(&plan, "migrate"));
    let at = |pointer: &str| job.pointer(pointer).cloned().unwrap_or_default();
    let container = |field: &str| at(&format!("/spec/template/spec/containers/0/{field}"));
    assert_eq!(container("image"), "ghcr.io/mlflow/mlflow:v3.18.0");
    assert_eq!(
        container("env"),
        json!([
            {"name": "MLFLOW_BACKEND_STORE_URI", "valueFrom": {"secretKeyRef": {"name": "mlflow-db", "key": "uri"}}},
            {"name": "PGSSLMODE", "value": "verify-full"},
        ])
    );
    assert_eq!(
        container("volumeMounts"),
        json!([{"name": "rds-ca", "mountPath": "/certs"}]),
        "data is not there"
    );
    let pod = |field: &str| at(&format!("/spec/template/spec/{field}"));
    assert_eq!(pod("serviceAccountName"), "mlflow");
    assert_eq!(pod("imagePullSecrets"), json!([{"name": "registry"}]));
    assert_eq!(pod("tolerations/0/key"), "dedicated");
    assert_eq!(pod("restartPolicy"), "Never");
    assert_eq!(at("/spec/backoffLimit"), 0);
    assert_eq!(at("/spec/activeDeadlineSeconds"), Value::Null, "nothing ends a migration in the middle");
    let labels = at("/spec/template/metadata/labels");
    assert!(labels.get("app").is_none(), "no Service of the server may find it: {labels}");
}

#[test]
fn p30_the_way_back_restores_and_says_what_it_loses() {
    let plan = plan_of(MLFLOW, &platform(OLD));
    let undo = plan.rollback.iter().find(|undo| undo.id.as_str().ends_with("/migrate")).expect("a rollback");
    assert_eq!(undo.kind, UndoKind::RestoreOnly);
    assert!(undo.loses.iter().any(|loss| loss.contains("logged after the snapshot")), "{:?}", undo.loses);
    let Action::Effect(Effect::Rds(RdsEffect::Restore(restore))) = &undo.work.action else {
        panic!("{:?}", undo.work.action)
    };
    assert!(restore.aside.len() <= 63, "{}", restore.aside);
    assert!(restore.aside.starts_with("mlops-platform-dev-mlflow-"), "{}", restore.aside);
    // Back to the start: first the new server stops, then image and database roll back, then the old server comes up.
    let graph = Graph::of(&plan).expect("a DAG");
    let all = plan.steps.iter().map(|step| step.id.clone()).collect();
    let way = rollback_order(&plan, &graph, &all, &plan.savepoints[0]);
    let order: Vec<&str> =
        way.steps.iter().map(|back| back.step.as_str().trim_start_matches("mlflow/mlflow@3.18.0/")).collect();
    assert_eq!(order, ["start", "image", "schema", "migrate", "migrate/delete-job", "stop", "address"]);
}

#[test]
fn a_restore_is_never_automatic_and_what_comes_before_it_is() {
    let plan = plan_of(MLFLOW, &platform(OLD));
    let action = |part: &str| step(&plan, part).on_failure.action;
    for part in ["migrate", "migrate/done", "schema/done", "start", "api"] {
        assert_eq!(action(part), FailureAction::Hold, "{part}");
    }
    for part in ["stop", "snapshot", "verify-restore", "migrate/no-job"] {
        assert_eq!(action(part), FailureAction::RollbackHop, "{part}: only the replicas are restored");
    }
    let wished = format!("{MLFLOW}  onFailure: rollback-hop\n");
    let files = [("platform.yaml", PLATFORM), ("mlflow.yaml", wished.as_str())];
    let (plan, diagnostics) = compiled(&files, &platform(OLD), &[]);
    assert!(plan.is_none());
    assert!(diagnostics.iter().any(|d| d.code == codes::PLAN_WAY_BACK), "{diagnostics:#?}");
}

#[test]
fn the_line_is_approved_before_the_server_is_away() {
    let plan = plan_of(MLFLOW, &platform(OLD));
    let line = plan.points.first().expect("a point of no return");
    assert_eq!(line.step, step(&plan, "start").id);
    for part in ["stop", "start"] {
        assert!(step(&plan, part).gates.contains(&line.id), "{part} waits for it");
    }
    let suspension = plan.suspensions.first().expect("a suspension");
    assert_eq!(
        (&suspension.suspend, &suspension.resume),
        (&step(&plan, "stop").id, &step(&plan, "start").id)
    );
    assert!(suspension.title.contains("HorizontalPodAutoscaler mlflow"), "{}", suspension.title);
}

#[test]
fn steps_on_the_instance_act_on_its_target_and_name_their_iam_actions() {
    let plan = plan_of(MLFLOW, &platform(OLD));
    for part in ["database", "snapshot", "verify-restore"] {
        assert_eq!(step(&plan, part).target.as_str(), "runs", "{part}");
    }
    let iam = Iam {
        action: "rds:CreateDBSnapshot".to_owned(),
        resource: "arn:aws:rds:eu-central-1:111122223333:db:mlops-platform-dev-mlflow".to_owned(),
    };
    assert!(of_forward(&plan, step(&plan, "snapshot")).contains(&Permission::Iam(iam)));
    let kept: Vec<&StepId> = plan.retentions.iter().map(|retention| &retention.step).collect();
    assert_eq!(kept, [&step(&plan, "snapshot").id, &step(&plan, "migrate").id]);
    assert_eq!(plan.retentions[0].keep.0, 14 * 86_400);
}

#[test]
fn a_snapshot_that_is_only_available_is_not_proven() {
    let trusting = format!("{MLFLOW}  snapshot: available\n");
    let plan = plan_of(&trusting, &platform(OLD));
    assert!(plan.steps.iter().all(|step| !step.id.as_str().ends_with("/verify-restore")));
    assert!(before(&plan, "snapshot", "migrate"));
}

#[test]
fn one_head_needs_no_outage_and_a_snapshot_all_the_same() {
    let mut inventory = platform("ghcr.io/mlflow/mlflow:v3.17.0");
    change(&mut inventory, "mlflow", "/servers/0/autoscalers/0/min", json!(0));
    let to = MLFLOW
        .replace("3.18.0", "3.17.2")
        .replace("  outage: {because: 'ada, SRE-12: training is paused'}\n", "");
    let (plan, diagnostics) = compiled(&[("p.yaml", PLATFORM), ("m.yaml", &to)], &inventory, &[]);
    let plan = plan.unwrap_or_else(|| panic!("a plan, not {diagnostics:#?}"));
    assert_eq!(lint(&plan), []);
    let parts: Vec<&str> =
        plan.steps.iter().map(|step| step.id.as_str().trim_start_matches("mlflow/mlflow@3.17.2/")).collect();
    assert_eq!(
        parts,
        [
            "address",
            "address/done",
            "api",
            "baseline",
            "database",
            "image",
            "schema",
            "schema/done",
            "snapshot",
            "tidy/address",
            "tidy/schema"
        ]
    );
    assert!(plan.points.is_empty());
    assert!(plan.suspensions.is_empty());
    assert!(
        plan.steps.iter().all(|step| step.on_failure.action != FailureAction::Hold),
        "the rollback is cheap"
    );
}

#[test]
fn an_image_without_a_version_is_migrated_and_said() {
    let plan = plan_of(MLFLOW, &platform("registry.example/mlflow@sha256:00"));
    assert!(plan.notices.iter().any(|notice| notice.code == codes::PLAN_BLIND_SPOT), "{:#?}", plan.notices);
    assert!(before(&plan, "migrate", "image"));
}

#[test]
fn what_is_accepted_stands_in_the_plan() {
    let mut inventory = platform(OLD);
    let grafana = json!([{"workload": {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "ops", "name": "grafana"},
        "host": "mlops-platform-dev-mlflow.c0ffee.eu-central-1.rds.amazonaws.com", "database": "grafana"}]);
    change(&mut inventory, "mlflow", "/databases", grafana);
    let accepted = format!(
        "{MLFLOW}  otherDatabases: [{{name: grafana, because: 'ada, OPS-7: dashboards are in Git'}}]\n"
    );
    let plan = plan_of(&accepted, &inventory);
    let advice = |code| plan.notices.iter().find(|notice| notice.code == code).expect("said");
    assert_eq!(advice(codes::PLAN_SHARED_DATABASE).severity, Severity::Advice);
    assert!(advice(codes::PLAN_SHARED_DATABASE).message.contains("OPS-7"));
    assert!(
        advice(codes::PLAN_OUTAGE).message.contains("Job ml/train (4 pods)"),
        "{}",
        advice(codes::PLAN_OUTAGE).message
    );
    let args = job(step(&plan, "address")).pointer("/spec/template/spec/containers/0/args/4").cloned();
    assert_eq!(args, Some(json!("grafana")), "the Job is told that it is accepted");
    let undo = plan.rollback.iter().find(|undo| undo.id.as_str().ends_with("/migrate")).expect("a rollback");
    assert!(undo.loses.iter().any(|loss| loss.contains("database grafana")), "{:?}", undo.loses);
}
