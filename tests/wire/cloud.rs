//! The AWS road on the twin, through the real clients: two minors of EKS with Karpenter and MLflow between, seen, planned, applied,
//! killed. It is rolled back from in tests/rehearsal.

use std::collections::BTreeSet;

use switchback_model::permissions::{Permission, of_forward};
use switchback_schemas::{journal::End, plan::Plan, report::RunState};

use crate::support::{
    journal::{Events, record},
    mlops::{all, approve, carried_through, only, parked_for, scene},
    projection::same,
    scene::Scene,
};

fn version(scene: &Scene) -> String {
    let cloud = scene.cloud();
    cloud["eks"]["clusters"]["mlops-platform-dev"]["version"].as_str().expect("a version").to_owned()
}

#[test]
fn the_platform_of_the_written_procedures_goes_up_two_minors() {
    let scene = scene(&all());
    let plan = scene.plan();
    let hops: Vec<String> = plan.hops.iter().map(|hop| hop.id.to_string()).collect();
    let eks = |minor: &str| hops.iter().position(|hop| *hop == format!("eks/mlops-platform-dev@{minor}"));
    let karpenter = hops.iter().position(|hop| hop.starts_with("karpenter/"));
    assert!(eks("1.33") < eks("1.34"), "{hops:?}");
    assert!(karpenter < eks("1.34"), "{hops:?}");

    scene.forget_calls();
    let out = carried_through(&scene).exits(0);
    assert!(out.stdout.contains("END      complete"), "{}", out.stdout);
    the_plan_asks_for_what_was_called(&plan, &scene.called());
    let cloud = scene.cloud();
    let cluster = &cloud["eks"]["clusters"]["mlops-platform-dev"];
    assert_eq!(cluster["version"], "1.34");
    assert_eq!(cluster["addons"]["kube-proxy"]["version"], "v1.34.4-eksbuild.5");
    let nodes = scene.objects("Node");
    let kubelet = |node: &serde_json::Value| node["status"]["nodeInfo"]["kubeletVersion"].to_string();
    assert!(nodes.iter().all(|node| kubelet(node).contains("v1.34.")), "every node is at the new minor");
    assert!(nodes.iter().all(|node| node["spec"].get("unschedulable").is_none()), "no node is left cordoned");
    let database = &cloud["rds"]["instances"]["mlops-platform-dev-mlflow"]["databases"]["mlflow"];
    assert_eq!(database["revision"], "f4a9b2c7d1e6", "{database}");
    let server = scene.objects("Deployment").into_iter().find(|d| d["metadata"]["name"] == "mlflow");
    let server = server.expect("the server");
    assert_eq!(server["spec"]["template"]["spec"]["containers"][0]["image"], "ghcr.io/mlflow/mlflow:v3.18.0");
    assert_eq!((&server["spec"]["replicas"], &server["status"]["readyReplicas"]), (&2.into(), &2.into()));

    let report = scene.report();
    assert_eq!(report.state, RunState::Ended { end: End::Complete });
    assert!(report.left_suspended.is_empty(), "{:?}", report.residue);
    assert!(report.residue.is_empty(), "{:?}", report.residue);
    let kept: Vec<&str> = report.retained.iter().map(|kept| kept.what.as_str()).collect();
    assert_eq!(kept.len(), 2, "the old node group and the snapshot, and nothing of a rollback: {kept:?}");
}

/// What a run needs and an undisturbed one does not call, with the reason.
const NOT_CALLED: [(&str, &str); 6] = [
    ("ec2:DescribeLaunchTemplateVersions", "checked by EKS for a group with a launch template"),
    ("ec2:RunInstances", "checked by EKS for a group with a launch template"),
    ("eks:ListUpdates", "to find an update whose answer was lost"),
    ("eks:TagResource", "checked by EKS for a copy that has the tags of its group"),
    ("iam:PassRole", "checked by EKS where a role is handed on"),
    ("rds:ModifyDBInstance", "to end a trial that was protected meanwhile"),
];

/// Every operation of AWS that a run called is listed by its plan, and nothing else is but what is told above.
fn the_plan_asks_for_what_was_called(plan: &Plan, called: &BTreeSet<String>) {
    // What only a rollback or a cleanup calls is not called here.
    let works = plan.steps.iter().map(|step| of_forward(plan, step));
    let listed: BTreeSet<String> = works
        .flatten()
        .filter_map(|permission| match permission {
            Permission::Iam(iam) => Some(iam.action),
            Permission::Rbac(_) => None,
        })
        .collect();
    let listed: BTreeSet<&str> = listed.iter().map(String::as_str).collect();
    // Everybody may ask who he is.
    let called: BTreeSet<&str> =
        called.iter().map(String::as_str).filter(|what| *what != "sts:GetCallerIdentity").collect();
    let lacking: Vec<&&str> = called.difference(&listed).collect();
    assert!(lacking.is_empty(), "called and not listed: {lacking:?}");
    let more: Vec<&str> = listed.difference(&called).copied().collect();
    assert_eq!(more, NOT_CALLED.map(|(right, _)| right), "listed and not called");
}

#[test]
fn the_line_of_no_return_moves_when_the_second_minor_starts() {
    let manifests = only(all(), &["eks.yaml", "karpenter.yaml"]);
    let scene = scene(&manifests);
    let plan = scene.plan();
    let line = "mlops-platform-dev-1.34-rollback-to-1.32";
    assert!(plan.points.iter().any(|found| found.id.as_str() == line), "{:?}", plan.points);

    let parked = scene.apply().exits(3);
    assert_eq!(parked_for(&parked).as_deref(), Some(line), "{}", parked.stdout);
    let ways = scene.on_store("rollback").exits(0).stdout;
    let to_start = ways.split("to savepoint start").nth(1).expect("a rollback to the start");
    assert!(to_start.contains("run it with"), "before that point one can roll back to the start: {ways}");
    assert_eq!(version(&scene), "1.33");

    // The whole plan is not this line.
    let whole = scene.on_store("approve --plan --reason hurry").exits(1);
    assert!(whole.stderr.contains("nothing of the plan asks for an approval of plan"), "{}", whole.stderr);
    assert_eq!(parked_for(&scene.apply().exits(3)).as_deref(), Some(line));
    approve(&scene, line);
    scene.apply().exits(0);
    assert_eq!(version(&scene), "1.34");
    let ways = scene.on_store("rollback").exits(0).stdout;
    let to_start = ways.split("to savepoint start").nth(1).expect("the rollback to the start");
    assert!(to_start.contains("not possible now"), "the point has moved: {ways}");
    let to_first = ways.split("to savepoint karpenter/karpenter@1.8.8").nth(1).expect("a rollback");
    assert!(to_first.contains("decide by 2026-11-2"), "{to_first}");
}

/// A process that is killed at the end of each step, and another one that goes on: at each of them in one run.
#[test]
fn a_run_killed_at_every_step_boundary_ends_where_an_undisturbed_one_does() {
    let undisturbed = scene(&all());
    undisturbed.plan();
    carried_through(&undisturbed).exits(0);
    let expected = undisturbed.settled();
    drop(undisturbed);

    let scene = scene(&all());
    let plan = scene.plan();
    for line in plan.points.iter().map(|line| line.id.as_str()) {
        // An approval needs a run to be of.
        if !scene.path("store/runs").exists() {
            let mut child = scene.applying();
            Events::of(&mut child).until(|event| record(event, "intent").is_some());
            child.kill().expect("killed");
            child.wait().expect("ended");
        }
        approve(&scene, line);
    }
    let (mut kills, mut at) = (0, std::collections::BTreeSet::new());
    loop {
        let mut child = scene.applying();
        let bounds = |event: &serde_json::Value| {
            let found = record(event, "verified").or_else(|| record(event, "converged"));
            let step = found.filter(|found| found["at"].get("item").is_none());
            at.extend(step.and_then(|found| found["at"]["step"].as_str().map(str::to_owned)));
            step.is_some()
        };
        let bound = Events::of(&mut child).until(bounds);
        child.kill().expect("killed");
        let status = child.wait().expect("ended");
        if !bound {
            assert!(status.success(), "after {kills} kills: {status}");
            break;
        }
        kills += 1;
        assert!(kills < 200, "the run does not get on");
    }
    // How many steps end while a kill is on its way depends on the machine, but no hop passes so.
    assert!(at.len() > 20, "{kills} kills, at the end of {at:?}");
    for hop in plan.hops.iter().map(|hop| hop.id.to_string()) {
        assert!(at.iter().any(|step| step.starts_with(&hop)), "never killed in {hop}: {at:?}");
    }
    let report = scene.report();
    assert_eq!(report.state, RunState::Ended { end: End::Complete });
    assert!(report.left_suspended.is_empty(), "{report:?}");
    assert!(report.residue.is_empty(), "{report:?}");
    same(&expected, &scene.settled(), "killed at every step boundary");
}
