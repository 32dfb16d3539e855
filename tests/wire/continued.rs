//! A plan that continues a run which stopped in the middle of a hop: what that run opened is closed with what was there first, and
//! the rollback leads through both runs to where the first began.

use serde_json::{Value, json};
use switchback_schemas::{
    RunId,
    journal::End,
    plan::Plan,
    report::{Report, RunState},
};

use crate::support::{
    journal::{Events, record},
    manifests::{all, borrowed, changed, holding, web_only, without_nodes},
    projection::{Projection, same},
    scene::Scene,
};

/// A run to Karpenter 1.5.8, killed at the first event that fits, while the NodePools are frozen; and the world before it.
fn killed(
    manifests: Vec<(&'static str, String)>,
    fits: impl Fn(&Value) -> bool,
) -> (Scene, Projection, RunId) {
    killed_while(manifests, None, fits)
}

/// The same, with something else that goes wrong until it is killed.
fn killed_while(
    manifests: Vec<(&'static str, String)>,
    fault: Option<&Value>,
    fits: impl Fn(&Value) -> bool,
) -> (Scene, Projection, RunId) {
    let manifests = changed(manifests, "karpenter.yaml", |text| text.replace("1.8.8", "1.5.8"));
    let scene =
        Scene::on_twin(&borrowed(&manifests), |world| world.replace("version: 1.5.8", "version: 1.0.8"));
    scene.plan();
    let before = scene.settled();
    if let Some(fault) = fault {
        scene.fault(fault);
    }
    die(&scene, "1.5.8", fits);
    assert!(
        budgets(&scene).iter().all(|budgets| *budgets == json!([{"nodes": "0"}])),
        "{:?}",
        budgets(&scene)
    );
    let run = scene.report().run;
    (scene, before, run)
}

/// Applies the plan, and kills the process at the first event that fits. Nothing is thawed meanwhile, however late it is killed.
fn die(scene: &Scene, version: &str, fits: impl Fn(&Value) -> bool) {
    let mut child = scene.applying();
    let mut events = Events::of(&mut child);
    let crds = format!("karpenter/karpenter@{version}/crds");
    let frozen =
        |event: &Value| record(event, "intent").is_some_and(|record| record["at"]["step"] == crds.as_str());
    assert!(events.until(frozen), "it freezes");
    let kind = json!({"before": {"status": 503}});
    scene.fault(&json!({"verb": "PATCH", "path": "*/nodepools/*", "nth": 0, "kind": kind}));
    assert!(events.until(fits), "it comes so far");
    child.kill().expect("killed");
    child.wait().expect("ended");
    scene.heal();
}

/// Killed when the controller has moved.
fn stopped() -> (Scene, Projection, RunId) {
    killed(without_nodes(), |event| is_verified(event, "karpenter/karpenter@1.5.8/controller"))
}

fn is_verified(event: &Value, step: &str) -> bool {
    record(event, "verified").is_some_and(|record| record["at"]["step"] == step)
}

fn budgets(scene: &Scene) -> Vec<Value> {
    scene.objects("NodePool").iter().map(|pool| pool["spec"]["disruption"]["budgets"].clone()).collect()
}

/// Plans anew what is left to do after a run.
fn continued(scene: &Scene, run: &RunId) -> Plan {
    scene.on_store(&format!("observe --continue {run}")).exits(0);
    scene.switchback("resolve manifests -- --kubeconfig kubeconfig").exits(0);
    let plan = scene.planned();
    assert_eq!(plan.parent.as_ref().map(|parent| &parent.run), Some(run));
    plan
}

fn to_the_newest(scene: &Scene, run: &RunId) -> Plan {
    let mended = scene.read("manifests/karpenter.yaml").replace("1.5.8", "1.8.8");
    scene.write("manifests/karpenter.yaml", &mended);
    continued(scene, run)
}

fn report(scene: &Scene, run: &RunId) -> Report {
    let out = scene.switchback(&format!("report --run {run} --store store --format json"));
    serde_json::from_str(&out.stdout).unwrap_or_else(|error| panic!("{error}: {out:?}"))
}

fn run_of(scene: &Scene) -> RunId {
    let digest = switchback_schemas::Digest::of(scene.read("plan.json"));
    RunId::new(format!("r-{}", digest.short(12))).expect("a name")
}

#[test]
fn p14_a_freeze_of_the_run_before_is_thawed_to_what_was_there_first() {
    let (scene, _, old) = stopped();
    to_the_newest(&scene, &old);
    scene.apply().exits(0);
    let all = budgets(&scene);
    assert!(all.iter().all(|budgets| *budgets == json!([{"nodes": "1"}])), "{all:?}");
    let new = report(&scene, &run_of(&scene));
    assert_eq!(new.state, RunState::Ended { end: End::Complete });
    assert!(new.left_suspended.is_empty(), "{new:?}");
    assert!(new.residue.is_empty(), "{new:?}");
}

#[test]
fn the_way_back_leads_through_both_runs_to_where_the_first_began() {
    let (scene, before, old) = stopped();
    let between = scene.settled();
    to_the_newest(&scene, &old);
    let new = run_of(&scene);
    scene.apply().exits(0);

    let out = scene.on_store(&format!("rollback --run {new}")).exits(0);
    assert!(out.stdout.contains(&format!("rollback --run {old}")), "{}", out.stdout);
    let out = scene.on_store(&format!("rollback --run {new} --to start --reason tired")).exits(0);
    assert!(out.stdout.contains(&format!("run {old}")), "{}", out.stdout);
    same(&between, &scene.settled(), "the world after rolling back to where the second run began");
    // The platform is the first run's again, with what it opened.
    let claimed = scene.switchback("lock list --store store").exits(0);
    assert!(claimed.stdout.contains(old.as_str()), "{}", claimed.stdout);
    let found = report(&scene, &old);
    assert!(
        !matches!(found.state, RunState::Superseded { .. } | RunState::Ended { .. }),
        "{:?}",
        found.state
    );
    assert_eq!(found.left_suspended.len(), 2, "{:?}", found.left_suspended);
    assert!(report(&scene, &new).left_suspended.is_empty());

    scene.on_store(&format!("rollback --run {old} --to start --reason tired")).exits(0);
    same(&before, &scene.settled(), "the world after rolling back to where the first run began");
    assert_eq!(report(&scene, &old).state, RunState::Ended { end: End::RolledBack });
    let claimed = scene.switchback("lock list --store store").exits(0);
    assert!(claimed.stdout.contains("no platform is claimed"), "{}", claimed.stdout);
}

#[test]
fn p40_what_two_runs_left_open_is_named_by_the_later_one_and_cleared_by_name() {
    let (scene, _, old) = stopped();
    to_the_newest(&scene, &old);
    let new = run_of(&scene);
    die(&scene, "1.8.8", |event| is_verified(event, "karpenter/karpenter@1.8.8/controller"));
    scene.on_store(&format!("abandon --run {new} --reason enough")).exits(0);
    scene.apply().exits(1);
    let left = scene.switchback("janitor --store store").exits(1);
    for pool in ["general", "gpu"] {
        let suspension = format!("karpenter-1.8.8-freeze-{pool}");
        assert_eq!(
            left.stdout.matches(&format!("suspension {suspension} is still active")).count(),
            1,
            "{}",
            left.stdout
        );
        scene.on_store(&format!("janitor --fix {suspension} --reason tidy")).exits(0);
    }
    let all = budgets(&scene);
    assert!(all.iter().all(|budgets| *budgets == json!([{"nodes": "1"}])), "{all:?}");
    assert_eq!(report(&scene, &old).left_suspended.len(), 0, "the later run accounts for them");
}

#[test]
fn a_plan_that_would_leave_a_suspension_open_is_refused() {
    let (scene, _, old) = stopped();
    // Nothing of what is asked for now would thaw what is frozen.
    std::fs::remove_file(scene.path("manifests/karpenter.yaml")).expect("removed");
    scene.on_store(&format!("observe --continue {old}")).exits(0);
    scene.switchback("resolve manifests -- --kubeconfig kubeconfig").exits(0);
    let out = scene.switchback("plan manifests").exits(1);
    assert!(out.stderr.contains("SB0434"), "{}", out.stderr);
    assert!(out.stderr.contains(&format!("rollback --run {old}")), "{}", out.stderr);
}

#[test]
fn what_is_left_of_a_hop_is_finished_by_a_plan_with_mended_manifests() {
    // One node of the pool is replaced.
    let (scene, before, old) = killed(all(), |event| {
        record(event, "batch-done")
            .is_some_and(|record| record["at"]["step"] == "karpenter/karpenter@1.5.8/nodes/general/roll")
    });
    let between = scene.settled();
    let names = || -> Vec<Value> {
        let mut nodes = scene.objects("Node");
        nodes.sort_by_key(|node| node["metadata"]["creationTimestamp"].to_string());
        nodes.iter().map(|node| node["metadata"]["name"].clone()).collect()
    };
    let found = names();
    let mended = scene.read("manifests/verifications.yaml").replace("settle: 30s", "settle: 40s");
    scene.write("manifests/verifications.yaml", &mended);
    let plan = continued(&scene, &old);
    assert!(plan.hops.iter().any(|hop| hop.from.is_none()), "{:?}", plan.hops);
    let new = run_of(&scene);
    scene.apply().exits(0);
    scene.settled();
    let kept: Vec<Value> = names().into_iter().filter(|name| found.contains(name)).collect();
    assert_eq!(kept.last(), found.last(), "the node that the first run made stays");
    assert_eq!(
        kept.iter().filter(|name| name.as_str().is_some_and(|name| name.starts_with("gpu"))).count(),
        0,
        "{kept:?}"
    );
    let ended = report(&scene, &new);
    assert_eq!(ended.state, RunState::Ended { end: End::Complete });
    assert!(ended.left_suspended.is_empty(), "{ended:?}");
    assert!(ended.residue.is_empty(), "{ended:?}");

    scene.on_store(&format!("rollback --run {new} --to start --reason tired")).exits(0);
    same(&between, &scene.settled(), "the world after rolling back to where the second run began");
    scene.on_store(&format!("rollback --run {old} --to start --reason tired")).exits(0);
    same(&before, &scene.settled(), "the world after rolling back to where the first run began");
}

#[test]
fn a_verification_that_asked_for_too_much_is_mended_without_a_way_back() {
    let wrong =
        changed(holding(web_only()), "verifications.yaml", |text| text.replace("ready: 5}", "ready: 50}"));
    let scene = Scene::on_twin(&borrowed(&wrong), |world| world);
    scene.plan();
    let before = scene.settled();
    scene.apply().exits(4);
    let old = scene.report().run;
    let held = scene.settled();

    let mended = scene.read("manifests/verifications.yaml").replace("ready: 50}", "ready: 5}");
    scene.write("manifests/verifications.yaml", &mended);
    let plan = continued(&scene, &old);
    let steps: Vec<&str> = plan.steps.iter().map(|step| step.id.as_str()).collect();
    assert_eq!(steps, ["deployment/web@2/health"]);
    let new = run_of(&scene);
    scene.apply().exits(0);
    assert_eq!(report(&scene, &new).state, RunState::Ended { end: End::Complete });
    same(&held, &scene.settled(), "nothing was changed again");

    scene.on_store(&format!("rollback --run {new} --to start --reason regret")).exits(0);
    scene.on_store(&format!("rollback --run {old} --to start --reason regret")).exits(0);
    same(&before, &scene.settled(), "the world after rolling back to where the first run began");
}

/// The later run does not know which nodes the earlier one cordoned; that one lets go of them by name, when the later is over.
#[test]
fn p40_a_node_that_nobody_moves_any_more_is_let_go_by_name() {
    let drains = |event: &Value| {
        record(event, "intent").is_some_and(|record| record["at"]["item"]["recipe"] == "drain")
    };
    let stays =
        json!({"verb": "POST", "path": "*/eviction", "nth": 0, "kind": {"delay": {"seconds": 86_400}}});
    let (scene, _, old) = killed_while(all(), Some(&stays), drains);
    let cordoned = || {
        let nodes = scene.objects("Node").into_iter();
        let named = |node: Value| node["metadata"]["name"].as_str().map(str::to_owned);
        nodes.filter(|node| node["spec"]["unschedulable"] == true).filter_map(named).collect::<Vec<_>>()
    };
    let node = cordoned().first().cloned().expect("it was killed in the middle of a node");
    let (_, still) =
        without_nodes().into_iter().find(|(name, _)| *name == "karpenter.yaml").expect("it is there");
    scene.write("manifests/karpenter.yaml", &still.replace("1.8.8", "1.5.8"));
    continued(&scene, &old);
    let fix = format!("janitor --run {old} --fix {node} --reason unused");
    let refused = scene.on_store(&fix).exits(1).stderr;
    assert!(refused.contains("has not ended"), "{refused}");
    scene.apply().exits(0);
    assert_eq!(cordoned(), std::slice::from_ref(&node));
    scene.on_store(&fix).exits(0);
    assert_eq!(cordoned(), Vec::<String>::new());
}

#[test]
fn nodes_that_an_earlier_run_was_moving_are_moved_and_moved_back() {
    // One node is cordoned and drained.
    let (scene, before, old) = killed(all(), |event| {
        record(event, "intent").is_some_and(|record| {
            record["at"]["step"] == "karpenter/karpenter@1.5.8/nodes/general/roll"
                && record["at"]["item"]["recipe"] == "drain"
        })
    });
    to_the_newest(&scene, &old);
    let new = run_of(&scene);
    scene.apply().exits(0);
    scene.settled();
    let nodes = scene.objects("Node");
    assert!(nodes.iter().all(|node| node["spec"]["unschedulable"] != true), "{nodes:#?}");
    let report = report(&scene, &new);
    assert!(report.left_suspended.is_empty(), "{report:?}");
    assert!(report.residue.is_empty(), "{report:?}");

    scene.on_store(&format!("rollback --run {new} --to start --reason tired")).exits(0);
    scene.on_store(&format!("rollback --run {old} --to start --reason tired")).exits(0);
    same(&before, &scene.settled(), "the world after rolling back to where the first run began");
    let nodes = scene.objects("Node");
    assert!(nodes.iter().all(|node| node["spec"]["unschedulable"] != true), "{nodes:#?}");
}
