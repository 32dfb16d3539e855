//! The GPU Operator, from manifests to a plan: what moves, what stays, and what is refused.

use switchback_face::plan::{dry_run::DryRun, rollback};
use switchback_model::{Graph, lint::lint, summary::summary};
use switchback_schemas::{
    Diagnostic, Digest, Severity,
    codes::{self, Code},
    inventory::{Inventory, gpu_operator::GpuOperator},
    plan::{Plan, Step},
};

use crate::world_gpu::{GPU, planned, platform, postponed, watched};

/// The chart of 25.10.1 with the label of the one before: nothing of it reaches a driver.
const QUIET: &[(&str, &str)] = &[("25.10.1", "gpu-operator-25.3.4")];
/// The same as it is published.
const PUBLISHED: &[(&str, &str)] = &[("25.10.1", "gpu-operator-25.10.1")];

fn plan(manifest: &str, inventory: &Inventory, versions: &[(&str, &str)]) -> Plan {
    let (plan, diagnostics) = planned(manifest, inventory, versions);
    let plan = plan.unwrap_or_else(|| panic!("a plan, not {diagnostics:#?}"));
    assert_eq!(lint(&plan), []);
    plan
}

fn shown(plan: &Plan) -> String {
    let graph = Graph::of(plan).expect("a DAG");
    let summary = summary(plan, &graph);
    let dry_run = DryRun { plan, graph: &graph, summary: &summary, digest: Digest::of("plan"), steps: true };
    format!("{dry_run}\n{}", rollback::every_rollback(plan, &graph))
}

/// What is said under a code where no plan comes out.
#[track_caller]
fn refused(manifest: &str, inventory: &Inventory, versions: &[(&str, &str)], code: Code) -> String {
    let (plan, diagnostics) = planned(manifest, inventory, versions);
    assert!(plan.is_none(), "no plan comes out of an error");
    let found: Vec<&Diagnostic> =
        diagnostics.iter().filter(|found| found.code == code && found.is_error()).collect();
    let [found] = found.as_slice() else { panic!("one of {code}, not {diagnostics:#?}") };
    format!("{} ({})", found.message, found.help.as_deref().expect("a way out"))
}

fn of_nodes(change: impl Fn(&mut GpuOperator)) -> String {
    refused(&postponed(), &platform("25.3.4", change), PUBLISHED, codes::PLAN_NOT_READY)
}

fn step<'p>(plan: &'p Plan, part: &str) -> &'p Step {
    let found = plan.steps.iter().find(|step| step.id.as_str().ends_with(part));
    found.unwrap_or_else(|| panic!("no step {part}"))
}

fn advice(manifest: &str, inventory: &Inventory, versions: &[(&str, &str)]) -> Vec<String> {
    let (plan, diagnostics) = planned(manifest, inventory, versions);
    assert!(plan.is_some(), "{diagnostics:#?}");
    let advice = diagnostics.into_iter().filter(|found| found.severity == Severity::Advice);
    advice.map(|found| found.message).collect()
}

#[test]
fn operands_move_under_drivers_that_stay() {
    let plan = plan(GPU, &platform("25.3.4", |_| ()), QUIET);
    insta::assert_snapshot!(shown(&plan));
    assert_eq!(plan.suspensions.len(), 4, "each driver is held, and let go of");
}

#[test]
fn the_driver_that_runs_is_asked_of_the_chart() {
    let inventory = platform("25.3.4", |_| ());
    let files = [("p.yaml", crate::world::PLATFORM), ("g.yaml", GPU)];
    let (manifests, found) = switchback_planner::manifest::read(crate::world::registry().kinds(), files);
    let manifests = manifests.unwrap_or_else(|| panic!("{found:#?}"));
    let (asks, found) = switchback_planner::compile::asks(crate::world::registry(), &manifests, &inventory);
    let asks = asks.unwrap_or_else(|| panic!("{found:#?}"));
    let [ask] = asks.charts.as_slice() else { panic!("{asks:#?}") };
    let pinned = serde_json::json!({"driver": {"version": "580.82.07", "manager": {"version": "v0.8.1"}}});
    assert_eq!((ask.chart.as_str(), &ask.set), ("gpu-operator", &pinned));
}

/// A driver that stays keeps its version, and not its pod template: that is all the operator needs to cordon a node.
#[test]
fn gotcha_a_chart_patch_is_an_eviction_of_the_whole_fleet() {
    let said = refused(GPU, &platform("25.3.4", |_| ()), PUBLISHED, codes::PLAN_ON_DELETE);
    assert!(said.contains("would cordon 4 GPU nodes and delete their GPU pods"), "{said}");
    assert!(said.contains("the label helm.sh/chart of every operand"), "{said}");
    assert!(said.contains("driverRestarts: postpone"), "{said}");
}

#[test]
fn drivers_of_another_template_stay_held_where_the_manifest_says_so() {
    let inventory = platform("25.3.4", |_| ());
    let plan = plan(&postponed(), &inventory, PUBLISHED);
    assert!(plan.suspensions.is_empty(), "nobody lets go of them in this plan");
    assert!(plan.steps.iter().all(|step| !step.id.as_str().contains("/release/")));
    let said = advice(&postponed(), &inventory, PUBLISHED).join("\n");
    assert!(
        said.contains("4 GPU nodes keep the label nvidia.com/gpu-driver-upgrade.skip afterwards"),
        "{said}"
    );
    // A rollback lets go of them, in the state that they had: else they would be taken up as soon as they are free.
    let back =
        plan.rollback.iter().find(|back| back.id.as_str().ends_with("/hold/gpu-0")).expect("a rollback step");
    let patch = serde_json::to_string(&back.work.action).expect("JSON");
    assert!(patch.contains("gpu-driver-upgrade-state"), "{patch}");
    let release =
        plan.rollback.iter().find(|back| back.id.as_str().ends_with("/operator")).expect("a rollback step");
    assert!(release.work.verify.iter().any(|verify| verify.title.contains("has its old template")));
}

#[test]
fn every_driver_is_held_before_the_operator_moves_and_until_its_operands_are_verified() {
    let plan = plan(GPU, &platform("25.3.4", |_| ()), QUIET);
    let graph = Graph::of(&plan).expect("a DAG");
    let number = |part: &str| graph.number(&step(&plan, part).id).expect("a step");
    for node in ["gpu-0", "gpu-3"] {
        let inside = graph.descendants(number(&format!("/hold/{node}")));
        assert!(inside.contains(&number("/operator")), "{node}");
        assert!(
            graph.descendants(number("/operands")).contains(&number(&format!("/release/{node}"))),
            "{node}"
        );
    }
    assert!(graph.descendants(number("/all-held")).contains(&number("/operator")));
}

#[test]
fn gotcha_25_10_crash_loops_on_nodes_in_the_middle() {
    let said = of_nodes(|section| section.nodes[1].state = Some("pod-restart-required".to_owned()));
    assert!(said.starts_with("GPU nodes are in the middle of an upgrade of their driver: gpu-1 ("), "{said}");
    let said = of_nodes(|section| section.nodes[2].state = Some("upgrade-failed".to_owned()));
    assert!(said.starts_with("GPU nodes say that the upgrade of their driver has failed: gpu-2 ("), "{said}");
    let said = of_nodes(|section| section.nodes[0].state = Some("upgrade-required".to_owned()));
    assert!(said.starts_with("GPU nodes wait for an upgrade of their driver: gpu-0 ("), "{said}");
    let told = advice(&postponed(), &platform("25.3.4", |_| ()), PUBLISHED).join("\n");
    assert!(
        told.contains("over GPU Operator 25.10.0: nodes that say upgrade-done were not taken up again"),
        "{told}"
    );
    // It is known of that one hop only.
    let other = advice(&postponed(), &platform("25.3.0", |_| ()), PUBLISHED).join("\n");
    assert!(!other.contains("crash-looped"), "{other}");
}

/// Nodes that an earlier upgrade left held are of another template already, and stay so.
#[test]
fn a_node_that_is_held_already_stays_held() {
    let inventory = platform("25.3.4", |section| {
        section.nodes[0].state = Some("upgrade-required".to_owned());
        section.nodes[0].skip = Some("true".to_owned());
    });
    let plan = plan(&postponed(), &inventory, PUBLISHED);
    assert!(plan.steps.iter().any(|step| step.id.as_str().ends_with("/held/gpu-0")));
    assert!(
        plan.rollback.iter().all(|back| !back.id.as_str().ends_with("/hold/gpu-0")),
        "it is not ours to let go of"
    );
}

#[test]
fn gotcha_paused_labels_stay_for_ever_before_26_3_2() {
    let paused = |section: &mut GpuOperator| {
        section.nodes[3].paused.push("nvidia.com/gpu.deploy.dcgm".to_owned());
    };
    let said = of_nodes(paused);
    assert!(
        said.starts_with("GPU nodes have operands that are paused for an upgrade of the driver: gpu-3 ("),
        "{said}"
    );
    assert!(said.contains("operators before 26.3.2"), "{said}");
}

/// The flags are on in all three, and 26.3.0 was all that there was for a while.
#[test]
fn gotcha_26_3_0_to_26_3_2_have_the_mofed_and_gds_flags_on() {
    let refused = |to: &str| {
        let manifest = GPU.replace("25.10.1", to);
        let (plan, found) = planned(&manifest, &platform("25.10.1", |_| ()), &[(to, "gpu-operator-25.10.1")]);
        assert!(plan.is_none(), "{to}");
        let found = found.into_iter().find(|found| found.code == codes::PATH_BAD_VERSION);
        found.unwrap_or_else(|| panic!("{to}")).message
    };
    for to in ["26.3.1", "26.3.2"] {
        assert!(refused(to).contains("MOFED and GDS flags"), "{to}");
    }
    let manifest = GPU.replace("25.10.1", "26.3.0");
    let versions = &[("26.3.0", "gpu-operator-25.10.1")];
    let (plan, found) = planned(&manifest, &platform("25.10.1", |_| ()), versions);
    assert!(plan.is_some(), "{found:#?}");
    let told =
        found.iter().find(|found| found.message.starts_with("over GPU Operator 26.3.0")).expect("it is said");
    assert_eq!(told.severity, Severity::Warning);
    assert!(told.message.contains("the MOFED and GDS flags on by default"), "{}", told.message);
}

#[test]
fn gotcha_26_3_1_waits_for_nvidia_peermem() {
    let manifest = GPU.replace("25.10.1", "26.3.1");
    let (plan, diagnostics) = planned(&manifest, &platform("25.10.1", |_| ()), &[("26.3.1", "a")]);
    assert!(plan.is_none());
    let said = diagnostics.iter().find(|found| found.code == codes::PATH_BAD_VERSION).expect("it is said");
    assert!(said.message.contains("nvidia-peermem"), "{}", said.message);
}

/// The default driver manager of 26.3.2 and later is another one, and the plan keeps the one that runs.
#[test]
fn gotcha_26_3_2_bumps_the_driver_manager() {
    let manifest = GPU.replace("25.10.1", "26.3.3");
    let inventory = platform("25.10.1", |_| ());
    let told = advice(&manifest, &inventory, &[("26.3.3", "gpu-operator-25.10.1")]).join("\n");
    assert!(told.contains("over GPU Operator 26.3.2: k8s-driver-manager v0.11.0 is its default"), "{told}");
}

#[test]
fn gotcha_26_7_restarts_every_driver_once_in_full() {
    let manifest = GPU.replace("25.10.1", "26.7.0");
    let versions = &[("26.7.0", "gpu-operator-26.3.3")];
    let said = refused(&manifest, &platform("26.3.3", |_| ()), versions, codes::PLAN_ON_DELETE);
    assert!(said.contains("DRIVER_CONFIG_DIGEST joins the environment of the driver"), "{said}");
}

#[test]
fn gotcha_a_rollback_of_helm_would_move_the_driver() {
    let inventory = platform("25.3.4", |section| {
        section.driver.as_mut().expect("a driver").version = Some("580.95.05".to_owned());
    });
    let said = refused(&postponed(), &inventory, PUBLISHED, codes::PLAN_WAY_BACK);
    assert!(said.contains("has the driver 580.82.07, and 580.95.05 runs"), "{said}");
}

#[test]
fn another_driver_is_no_upgrade_of_the_operator() {
    let manifest = format!("{}  driver: {{version: '580.95.05'}}\n", postponed());
    let said = refused(&manifest, &platform("25.3.4", |_| ()), PUBLISHED, codes::MANIFEST_NOT_BUILT);
    assert!(said.contains("the driver that runs is 580.82.07, and 580.95.05 is another one"), "{said}");
    // A map would pass by the pins, and `autoUpgrade` would have every driver restarted that nobody holds.
    for set in [
        "driver.version: '580.95.05'",
        "driver: {version: '580.95.05'}",
        "driver: {rdma: {enabled: false}}",
        "driver.upgradePolicy.autoUpgrade: true",
    ] {
        let manifest = format!("{GPU}  set: {{{set}}}\n");
        let said = refused(&manifest, &platform("25.3.4", |_| ()), QUIET, codes::MANIFEST_CONFLICT);
        assert!(said.contains("would change the driver"), "{set}: {said}");
    }
    let written = format!("{GPU}  driver: {{version: '580.82.07', managerVersion: v0.8.1}}\n");
    plan(&written, &platform("25.3.4", |_| ()), QUIET);
}

#[test]
fn modes_that_are_not_built_are_named() {
    let by_objects = platform("25.3.4", |section| {
        section.driver.as_mut().expect("a driver").by_objects = true;
        section.nvidia_drivers = vec!["a100".to_owned()];
    });
    let said = refused(GPU, &by_objects, QUIET, codes::MANIFEST_NOT_BUILT);
    assert!(said.contains("NVIDIADriver objects say which driver a node gets"), "{said}");
    let dra = platform("25.3.4", |section| (section.policies, section.driver) = (Vec::new(), None));
    let said = refused(GPU, &dra, QUIET, codes::MANIFEST_NOT_BUILT);
    assert!(said.contains("there is no ClusterPolicy"), "{said}");
}

#[test]
fn drivers_of_images_are_not_held() {
    let inventory = platform("25.3.4", |section| {
        section.driver.as_mut().expect("a driver").enabled = false;
        for node in &mut section.nodes {
            node.state = None;
        }
    });
    let told = advice(GPU, &inventory, PUBLISHED).join("\n");
    assert!(told.contains("drivers are part of the nodes' images"), "{told}");
    let plan = plan(GPU, &inventory, PUBLISHED);
    assert!(plan.steps.iter().all(|step| !step.id.as_str().contains("/hold/")));
}

#[test]
fn drivers_that_people_upgrade_are_left_to_them() {
    let inventory = platform("25.3.4", |section| {
        section.driver.as_mut().expect("a driver").auto_upgrade = false;
    });
    let told = advice(GPU, &inventory, PUBLISHED).join("\n");
    assert!(told.contains("driver pods stay as they are until somebody deletes them"), "{told}");
}

#[test]
fn two_lines_are_two_hops_under_one_hold() {
    let manifest = postponed().replace("25.10.1", "26.3.3");
    let versions = &[("25.10.1", "gpu-operator-25.10.1"), ("26.3.3", "gpu-operator-26.3.3")];
    let plan = plan(&manifest, &platform("25.3.4", |_| ()), versions);
    assert_eq!(plan.hops.len(), 2);
    let holds = plan.steps.iter().filter(|step| step.id.as_str().contains("/hold/gpu-0")).count();
    assert_eq!(holds, 1, "the first hop holds, and both move under it");
}

#[test]
fn nvsentinel_is_kept_from_nodes_whose_dcgm_restarts() {
    let plan = plan(GPU, &watched("25.3.4", |_| ()), QUIET);
    let opted = plan.suspensions.iter().filter(|known| known.suspend.as_str().contains("/opt-out/"));
    assert_eq!(opted.count(), 4);
    let ready = serde_json::to_string(&step(&plan, "/ready").work).expect("JSON");
    assert!(ready.contains("circuit-breaker"), "the breaker is looked at before: {ready}");
    let operands = serde_json::to_string(&step(&plan, "/operands").work).expect("JSON");
    assert!(
        operands.contains("circuit-breaker") && operands.contains("GpuDcgmConnectivityFailure"),
        "{operands}"
    );
}

#[test]
fn gotcha_a_rule_set_of_ones_own_does_not_honour_the_label() {
    let deaf = watched("25.3.4", |section| {
        section.rule_sets.as_mut().expect("rule sets")[1].opt_out.clear();
    });
    let said = refused(GPU, &deaf, QUIET, codes::PLAN_NOT_READY);
    assert!(said.contains("rule sets of NVSentinel do not honour"), "{said}");
    assert!(said.contains(": own ("), "{said}");
    let unread = watched("25.3.4", |section| section.rule_sets = None);
    let said = refused(GPU, &unread, QUIET, codes::PLAN_INVENTORY_MISSING);
    assert!(said.contains("the rule sets of NVSentinel could not be read"), "{said}");
}

#[test]
fn gotcha_a_tripped_breaker_is_never_reset() {
    let tripped = watched("25.3.4", |section| {
        "TRIPPED".clone_into(&mut section.breaker.as_mut().expect("a breaker").status);
    });
    let said = refused(GPU, &tripped, QUIET, codes::PLAN_NOT_READY);
    assert!(said.contains("is TRIPPED") && said.contains("a plan never resets it"), "{said}");
    // A ConfigMap of a breaker that is switched off may be stale.
    let off = watched("25.3.4", |section| {
        let breaker = section.breaker.as_mut().expect("a breaker");
        "TRIPPED".clone_into(&mut breaker.status);
        breaker.enabled = false;
    });
    plan(GPU, &off, QUIET);
}

/// A value that somebody else had set survives.
#[test]
fn gotcha_a_node_that_somebody_opted_out_stays_opted_out() {
    let inventory = watched("25.3.4", |section| {
        let label = "k8saas.nvidia.com/ManagedByNVSentinel".to_owned();
        section.nodes[0].opt_out.insert(label, "false".to_owned());
    });
    let plan = plan(GPU, &inventory, QUIET);
    assert!(plan.steps.iter().any(|step| step.id.as_str().ends_with("/opted-out/gpu-0")));
    assert!(plan.steps.iter().all(|step| !step.id.as_str().ends_with("/opt-in/gpu-0")));
    assert!(plan.steps.iter().any(|step| step.id.as_str().ends_with("/opt-in/gpu-1")));
}
