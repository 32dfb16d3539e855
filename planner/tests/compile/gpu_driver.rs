//! Drivers of GPU nodes, from manifests to a plan: how they move, what is refused, and what keeps others from meddling.

use std::collections::BTreeMap;

use switchback_face::plan::{dry_run::DryRun, rollback};
use switchback_model::{Graph, lint::lint, summary::summary};
use switchback_schemas::{
    Diagnostic, Digest, Severity,
    codes::{self, Code},
    inventory::{
        Inventory,
        gpu_operator::{GpuDriver, GpuOperator},
        nvsentinel::Nvsentinel,
    },
    name::ObjectName,
    plan::{Action, Count, NodeUndo, Plan, Roll, Stale, Step},
};

use crate::world_gpu::{DRIVER, driver_planned, platform, watched};

pub(crate) fn plan(manifest: &str, inventory: &Inventory) -> Plan {
    let (plan, diagnostics) = driver_planned(manifest, inventory, |_| ());
    let plan = plan.unwrap_or_else(|| panic!("a plan, not {diagnostics:#?}"));
    assert_eq!(lint(&plan), []);
    plan
}

/// What is said under a code where no plan comes out.
#[track_caller]
pub(crate) fn refused(manifest: &str, inventory: &Inventory, code: Code) -> String {
    let (plan, diagnostics) = driver_planned(manifest, inventory, |_| ());
    assert!(plan.is_none(), "no plan comes out of an error");
    let found: Vec<&Diagnostic> =
        diagnostics.iter().filter(|found| found.code == code && found.is_error()).collect();
    let [found] = found.as_slice() else { panic!("one of {code}, not {diagnostics:#?}") };
    format!("{} ({})", found.message, found.help.as_deref().expect("a way out"))
}

#[track_caller]
fn of_section(change: impl Fn(&mut GpuOperator), code: Code) -> String {
    refused(DRIVER, &platform("25.3.4", change), code)
}

#[track_caller]
pub(crate) fn of_policy(change: impl Fn(&mut GpuDriver), code: Code) -> String {
    of_section(|section| change(section.driver.as_mut().expect("a driver")), code)
}

fn found(manifest: &str, inventory: &Inventory, severity: Severity) -> String {
    let (plan, diagnostics) = driver_planned(manifest, inventory, |_| ());
    assert!(plan.is_some(), "{diagnostics:#?}");
    let found = diagnostics.into_iter().filter(|found| found.severity == severity);
    found.map(|found| found.message).collect::<Vec<_>>().join("\n")
}

fn advice(manifest: &str, inventory: &Inventory) -> String {
    found(manifest, inventory, Severity::Advice)
}

pub(crate) fn step<'p>(plan: &'p Plan, part: &str) -> &'p Step {
    let found = plan.steps.iter().find(|step| step.id.as_str().ends_with(part));
    found.unwrap_or_else(|| panic!("no step {part}"))
}

pub(crate) fn roll(plan: &Plan) -> &Roll {
    step(plan, "nodes/gpu/roll").work.roll().expect("a roll")
}

pub(crate) fn back<'p>(plan: &'p Plan, part: &str) -> &'p Roll {
    let found = plan.rollback.iter().find(|step| step.id.as_str().ends_with(part));
    match &found.unwrap_or_else(|| panic!("no rollback step {part}")).work.action {
        Action::Roll(roll) => roll,
        Action::Effect(effect) => panic!("{effect:?}"),
    }
}

pub(crate) fn names(roll: &Roll) -> Vec<&str> {
    roll.recipe.iter().map(|part| part.name.as_str()).collect()
}

pub(crate) fn stale_of(roll: &Roll) -> &str {
    match &roll.stale {
        Stale::PodsNot(pods) => pods.version.as_deref().expect("a version"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn drivers_move_node_by_node_like_this() {
    let plan = plan(DRIVER, &watched("25.3.4", |_| ()));
    let graph = Graph::of(&plan).expect("a DAG");
    let summary = summary(&plan, &graph);
    let dry_run =
        DryRun { plan: &plan, graph: &graph, summary: &summary, digest: Digest::of("plan"), steps: true };
    insta::assert_snapshot!(format!("{dry_run}\n{}", rollback::every_rollback(&plan, &graph)));
}

#[test]
fn the_chart_as_it_is_deployed_is_asked_for_with_the_new_driver() {
    let inventory = platform("25.3.4", |_| ());
    let files = [("p.yaml", crate::world::PLATFORM), ("g.yaml", DRIVER)];
    let (manifests, found) = switchback_planner::manifest::read(crate::world::registry().kinds(), files);
    let manifests = manifests.unwrap_or_else(|| panic!("{found:#?}"));
    let (asks, found) = switchback_planner::compile::asks(crate::world::registry(), &manifests, &inventory);
    let asks = asks.unwrap_or_else(|| panic!("{found:#?}"));
    let [ask] = asks.charts.as_slice() else { panic!("{asks:#?}") };
    let set = serde_json::json!({"driver": {"version": "580.95.05"}});
    assert_eq!((ask.version.as_str(), &ask.set), ("25.3.4", &set));
}

#[test]
fn every_driver_is_held_before_the_policy_names_another_and_until_its_node_is_empty() {
    let plan = plan(DRIVER, &platform("25.3.4", |_| ()));
    let graph = Graph::of(&plan).expect("a DAG");
    let number = |part: &str| graph.number(&step(&plan, part).id).expect("a step");
    for node in ["gpu-0", "gpu-3"] {
        let after = graph.descendants(number(&format!("/hold/{node}")));
        assert!(after.contains(&number("/policy")), "{node}");
        assert!(graph.descendants(number("/nodes/gpu/roll")).contains(&number(&format!("/release/{node}"))));
    }
    assert!(graph.descendants(number("/all-held")).contains(&number("/policy")));
    assert!(graph.descendants(number("/policy")).contains(&number("/nodes/gpu/roll")));
    assert_eq!(names(roll(&plan)), ["cordon", "drain", "unused", "lift-hold", "uncordon"]);
}

/// The operator uncordons what it did not find cordoned (rows 3 and 4 of the recording).
#[test]
fn gotcha_the_operator_uncordons_a_node_that_was_cordoned_after_it_saw_it() {
    let plan = plan(DRIVER, &platform("25.3.4", |_| ()));
    let cordon = &roll(&plan).recipe[0];
    let written = serde_json::to_value(&cordon.work.action).expect("JSON");
    assert_eq!(
        written.pointer("/effect/kube/cordon/annotations"),
        Some(&serde_json::json!({"nvidia.com/gpu-driver-upgrade.node-initial-state.unschedulable": "true"}))
    );
}

/// Row 5: the label goes on saying what it said when the pod of a held node is made anew.
#[test]
fn gotcha_the_label_is_not_the_driver() {
    let inventory = platform("25.3.4", |section| {
        section.nodes[1].driver = Some("580.95.05-ubuntu22.04".to_owned());
    });
    let plan = plan(DRIVER, &inventory);
    assert_eq!(stale_of(roll(&plan)), "580.95.05");
    assert_eq!(roll(&plan).observed, 3, "one has the new driver already");
    let said = advice(DRIVER, &inventory);
    assert!(said.contains("driver 580.95.05 runs already, outside of any batch, on gpu-1"), "{said}");
}

/// Row 7: whoever is not held is taken back at once, past workload classes.
#[test]
fn gotcha_a_rollback_of_the_policy_moves_every_node_that_nothing_holds() {
    let plan = plan(DRIVER, &platform("25.3.4", |_| ()));
    let held = back(&plan, "nodes/gpu/hold-again");
    assert!(
        matches!(&held.stale, Stale::LabelNot { key, value, .. } if key == "nvidia.com/gpu-driver-upgrade.skip" && value == "true")
    );
    assert_eq!((held.batch, held.min_ready), (Count::Percent(100), 0));
    let policy = plan.rollback.iter().find(|step| step.id.as_str().ends_with("/policy")).expect("a rollback");
    assert!(
        policy.after.iter().any(|step| step.as_str().ends_with("nodes/gpu/hold-again")),
        "{:?}",
        policy.after
    );
    let returning = back(&plan, "nodes/gpu/return");
    assert_eq!(stale_of(returning), "580.82.07");
    assert_eq!(names(returning), names(roll(&plan)), "the same way, with the budgets of the way forward");
    // From the end: held, the release, the nodes, and only then is a hold taken off.
    let graph = Graph::of(&plan).expect("a DAG");
    let all = plan.steps.iter().map(|step| step.id.clone()).collect();
    let start = plan.initial_savepoint().expect("a savepoint");
    let way = switchback_model::rollback_order::rollback_order(&plan, &graph, &all, start);
    let at = |part: &str| {
        way.steps
            .iter()
            .position(|step| step.step.as_str().ends_with(part))
            .unwrap_or_else(|| panic!("{part}"))
    };
    assert!(at("nodes/gpu/hold-again") < at("/policy"));
    assert!(at("/policy") < at("nodes/gpu/return"));
    assert!(at("nodes/gpu/return") < at("/hold/gpu-0"));
}

/// A node that says upgrade-required is emptied as soon as it is free, even where its driver is the right one.
#[test]
fn gotcha_a_node_that_is_let_go_of_has_the_state_that_it_had() {
    let plan = plan(DRIVER, &platform("25.3.4", |_| ()));
    let hold =
        plan.rollback.iter().find(|back| back.id.as_str().ends_with("/hold/gpu-0")).expect("a rollback step");
    let patch = serde_json::to_string(&hold.work.action).expect("JSON");
    assert!(patch.contains("gpu-driver-upgrade-state"), "{patch}");
    let release = serde_json::to_string(&step(&plan, "/release/gpu-0").work.action).expect("JSON");
    assert!(release.contains("gpu-driver-upgrade-state"), "{release}");
}

/// A batch that fails gives a node back only where its driver did not change; what is new and broken stays cordoned and opted out.
#[test]
fn gotcha_a_node_whose_driver_is_broken_is_not_given_back() {
    let plan = plan(DRIVER, &watched("25.3.4", |_| ()));
    let part =
        |name: &str| roll(&plan).recipe.iter().find(|part| part.name.as_str() == name).expect("a step");
    let unused = part("unused");
    let needs: Vec<&str> = unused.needs.iter().map(switchback_schemas::name::Label::as_str).collect();
    assert_eq!(needs, ["cordon", "drain", "opt-out"], "their undo waits for that of this step");
    let NodeUndo::Rollback(check) = &unused.undo else { panic!("{:?}", unused.undo) };
    let check = serde_json::to_string(&check.verify).expect("JSON");
    // What comes of the lifted hold is verified, so that a driver that does not come up fails the batch.
    let titles: Vec<&str> =
        part("lift-hold").work.verify.iter().map(|verify| verify.title.as_str()).collect();
    assert_eq!(titles.len(), 2, "{titles:?}");
    assert!(check.contains("daemonPods") && check.contains("580.82.07"), "{check}");
}

#[test]
fn gotcha_the_operators_own_eviction_knows_no_workload_classes() {
    let said = of_policy(
        |driver| driver.moves_pods = vec!["drain.enable".to_owned(), "gpuPodDeletion.force".to_owned()],
        codes::PLAN_NOT_READY,
    );
    assert!(
        said.contains(
            "driver.upgradePolicy.drain.enable: true, driver.upgradePolicy.gpuPodDeletion.force: true"
        ),
        "{said}"
    );
}

#[test]
fn gotcha_daemon_sets_without_a_request_block_the_unloading() {
    let said = of_section(
        |section| section.holders = vec![ObjectName::namespaced("monitoring", "gpu-exporter")],
        codes::PLAN_NOT_READY,
    );
    assert!(
        said.contains("monitoring/gpu-exporter") && said.contains("nvidia.com/gpu.deploy.client"),
        "{said}"
    );
}

#[test]
fn modes_that_are_not_built_are_named_with_what_to_do() {
    let said = of_policy(|driver| driver.by_objects = true, codes::MANIFEST_NOT_BUILT);
    assert!(said.contains("NVIDIADriver objects say which driver a node gets"), "{said}");
    let said = of_section(|section| section.gpu_clusters = vec!["dra".to_owned()], codes::MANIFEST_NOT_BUILT);
    assert!(said.contains("GPUCluster dra takes the place of a ClusterPolicy"), "{said}");
    let said = of_policy(|driver| driver.enabled = false, codes::MANIFEST_NOT_BUILT);
    assert!(said.contains("managed node groups by a GpuNodeImageUpgrade"), "{said}");
    let said = of_policy(|driver| driver.precompiled = true, codes::MANIFEST_NOT_BUILT);
    assert!(said.contains("driver.usePrecompiled"), "{said}");
}

#[test]
fn nodes_in_the_middle_failed_held_or_in_no_pool_are_named() {
    let state = |state: &str, skip: Option<&str>| {
        of_section(
            |section| {
                section.nodes[1].state = Some(state.to_owned());
                section.nodes[1].skip = skip.map(str::to_owned);
            },
            codes::PLAN_NOT_READY,
        )
    };
    let said = state("pod-restart-required", None);
    assert!(said.starts_with("GPU nodes are in the middle of an upgrade of their driver: gpu-1 ("), "{said}");
    let said = state("upgrade-failed", None);
    assert!(said.starts_with("GPU nodes say that the upgrade of their driver has failed: gpu-1 ("), "{said}");
    let said = state("upgrade-required", Some("true"));
    assert!(said.starts_with("GPU nodes are held by somebody: gpu-1 ("), "{said}");
    let said = of_section(|section| section.nodes[3].name = "gpu-x".to_owned(), codes::PLAN_OUTSIDE);
    assert!(said.contains("GPU nodes are in no pool") && said.contains(": gpu-x ("), "{said}");
}

/// Somebody's cordon is an objection; nothing here takes it off.
#[test]
fn a_node_that_somebody_cordoned_needs_a_decision() {
    let mut inventory = platform("25.3.4", |_| ());
    let node = inventory.nodes.iter_mut().find(|node| node.name == "gpu-2").expect("a node");
    node.schedulable = false;
    node.objections = [switchback_schemas::plan::Objection::Cordoned].into();
    let (_, found) = driver_planned(DRIVER, &inventory, |_| ());
    let said =
        found.iter().find(|found| found.code == codes::PLAN_DECISION && found.message.contains("gpu-2"));
    assert!(said.is_some(), "{found:#?}");
}

#[test]
fn a_rollback_that_would_lead_to_another_driver_is_refused() {
    let said = of_policy(|driver| driver.version = Some("580.65.06".to_owned()), codes::PLAN_WAY_BACK);
    assert!(said.contains("has the driver 580.82.07, and the ClusterPolicy names 580.65.06"), "{said}");
    let said =
        of_policy(|driver| driver.version = Some("sha256:00".to_owned()), codes::PLAN_INVENTORY_MISSING);
    assert!(said.contains("sha256:00, which is no version number"), "{said}");
}

#[test]
fn a_chart_that_changes_more_than_the_driver_is_refused() {
    let inventory = platform("25.3.4", |_| ());
    let changed = |policy: &mut serde_json::Value| policy["spec"]["devicePlugin"]["version"] = "v9".into();
    let (plan, found) = driver_planned(DRIVER, &inventory, changed);
    assert!(plan.is_none());
    assert!(
        found.iter().any(|found| found.message.contains("changes more of the ClusterPolicy")),
        "{found:#?}"
    );
}

#[test]
fn the_driver_fits_what_workloads_and_nodes_need() {
    let needs = |to: &str, cuda: &str| format!("{}  cuda: '{cuda}'\n", DRIVER.replace("580.95.05", to));
    let old = platform("25.3.4", |_| ());
    let (plan, found) = driver_planned(&needs("580.95.05", "13.0"), &old, |_| ());
    assert!(plan.is_some(), "{found:#?}");
    let from = |driver: &str| {
        let mut inventory = platform("25.3.4", |section| {
            section.driver.as_mut().expect("a driver").version = Some(driver.to_owned());
        });
        let release = inventory.releases.iter_mut().find(|release| release.chart == "gpu-operator");
        let policy = &mut release.expect("a release").objects[1];
        policy["spec"]["driver"]["version"] = driver.into();
        inventory
    };
    let (_, found) = driver_planned(&needs("570.124.06", "13.0"), &from("550.144.03"), |policy| {
        policy["spec"]["driver"]["version"] = "570.124.06".into();
    });
    let said = found.iter().find(|found| found.code == codes::PATH_REQUIREMENT).expect("it is said");
    assert!(said.message.contains("CUDA 13.0 needs a driver of at least 580, and 570.124.06 is older"));
    let mut b200 = from("550.144.03");
    let node = b200.nodes.iter_mut().find(|node| node.name == "gpu-0").expect("a node");
    node.labels.insert("nvidia.com/gpu.product".to_owned(), "NVIDIA-B200".to_owned());
    let (_, found) = driver_planned(&DRIVER.replace("580.95.05", "570.124.06"), &b200, |policy| {
        policy["spec"]["driver"]["version"] = "570.124.06".into();
    });
    assert!(found.iter().any(|found| found.message.starts_with("B200 needs a driver")), "{found:#?}");
    // What nobody said is a blind spot.
    let plan = self::plan(DRIVER, &old);
    assert!(plan.blind_spots.iter().any(|spot| spot.what.contains("which CUDA")), "{:?}", plan.blind_spots);
}

#[test]
fn a_branch_that_has_ended_is_refused_and_one_that_nobody_names_is_said() {
    let to = |driver: &'static str| {
        let manifest = DRIVER.replace("580.95.05", driver);
        let set = move |policy: &mut serde_json::Value| policy["spec"]["driver"]["version"] = driver.into();
        driver_planned(&manifest, &platform("25.3.4", |_| ()), set)
    };
    let (plan, found) = to("610.57.04");
    assert!(plan.is_none());
    let said = found.iter().find(|found| found.code == codes::PATH_SUPPORT).expect("it is said");
    assert!(said.message.contains("branch 610 (new feature), which ended 2026-08-31"), "{}", said.message);
    let (plan, found) = to("590.48.01");
    assert!(plan.is_some(), "{found:#?}");
    assert!(
        found.iter().any(|found| found.message.contains("no source names driver 590.48.01")),
        "{found:#?}"
    );
}

#[test]
fn a_driver_that_is_there_or_newer_is_not_upgraded() {
    let to = |driver: &str| {
        driver_planned(&DRIVER.replace("580.95.05", driver), &platform("25.3.4", |_| ()), |_| ())
    };
    let (_, found) = to("580.82.07");
    assert!(found.iter().any(|found| found.code == codes::PLAN_UNCHANGED), "{found:#?}");
    let (_, found) = to("570.124.06");
    assert!(found.iter().any(|found| found.code == codes::PATH_BACKWARDS), "{found:#?}");
}

/// Row 8: a node that joins gets the template as it is.
#[test]
fn nodes_that_join_meanwhile_are_said() {
    let said = advice(DRIVER, &platform("25.3.4", |_| ()));
    assert!(
        said.contains(
            "GPU nodes that join from the change of the ClusterPolicy on get driver 580.95.05 at once"
        ),
        "{said}"
    );
}

#[test]
fn a_node_is_opted_out_while_it_is_in_a_batch_and_no_longer() {
    let plan = plan(DRIVER, &watched("25.3.4", |_| ()));
    assert!(
        plan.steps.iter().all(|step| !step.id.as_str().contains("opt-out")),
        "no node but that of the batch"
    );
    let names = names(roll(&plan));
    assert_eq!((names.first(), names.last()), (Some(&"opt-out"), Some(&"opt-in")));
    assert_eq!(self::names(back(&plan, "nodes/gpu/return")), names);
    let said = advice(DRIVER, &watched("25.3.4", |_| ()));
    assert!(!said.contains("no step of this plan keeps it from nodes of pool gpu"), "{said}");
}

/// What a batch takes away and the breaker's share are one budget.
#[test]
fn the_breaker_of_nvsentinel_is_one_more_budget() {
    let manifest = format!("{DRIVER}  rollout: {{batch: {{nodes: 3}}}}\n");
    let of = |percent: Option<u64>| {
        let plan = plan(
            &manifest,
            &watched("25.3.4", |section| {
                section.breaker.as_mut().expect("a breaker").percent = percent;
            }),
        );
        (roll(&plan).batch, roll(&plan).max_unavailable)
    };
    assert_eq!(of(Some(25)), (Count::Nodes(1), Count::Nodes(1)));
    assert_eq!(of(None), (Count::Nodes(2), Count::Nodes(2)), "half of four where nothing else is set");
    assert_eq!(of(Some(90)), (Count::Nodes(3), Count::Nodes(3)));
}

#[test]
fn nodes_that_nvsentinel_has_quarantined_are_left_to_it() {
    let quarantined = watched("25.3.4", |section: &mut Nvsentinel| section.nodes[2].quarantined = true);
    let said = refused(DRIVER, &quarantined, codes::PLAN_NOT_READY);
    assert!(said.starts_with("NVSentinel has quarantined GPU nodes: gpu-2 ("), "{said}");
}

#[test]
fn karpenter_stands_still_while_its_gpu_nodes_are_empty() {
    let plan = plan(DRIVER, &platform("25.3.4", |_| ()));
    let parts = plan.steps.iter().filter_map(|step| step.id.as_str().split_once("/freeze/"));
    let frozen: Vec<&str> = parts.map(|(_, pool)| pool).collect();
    assert_eq!(frozen, ["gpu"], "the other NodePool has no GPU nodes");
}

#[test]
fn operator_and_driver_are_not_moved_by_one_set() {
    let files = [("p.yaml", crate::world::PLATFORM), ("g.yaml", crate::world_gpu::GPU), ("d.yaml", DRIVER)];
    let (manifests, found) = switchback_planner::manifest::read(crate::world::registry().kinds(), files);
    assert!(manifests.is_none());
    assert!(found.iter().any(|found| found.code == codes::MANIFEST_CONFLICT), "{found:#?}");
}

#[test]
fn labels_of_what_was_observed_are_what_a_pod_must_have() {
    let plan = plan(DRIVER, &platform("25.3.4", |_| ()));
    let Stale::PodsNot(pods) = &roll(&plan).stale else { panic!("{:?}", roll(&plan).stale) };
    assert_eq!(pods.namespace, "gpu-operator");
    assert_eq!(pods.labels, BTreeMap::from([("app".to_owned(), "nvidia-driver-daemonset".to_owned())]));
    assert_eq!(roll(&plan).labels.get("nvidia.com/gpu.present").map(String::as_str), Some("true"));
}
