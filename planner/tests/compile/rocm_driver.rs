//! Drivers of AMD, from manifests to a plan: how they move, what is refused, and what keeps others from meddling.

use serde_json::{Value, json};
use switchback_face::plan::{dry_run::DryRun, rollback};
use switchback_model::{Graph, lint::lint, summary::summary};
use switchback_schemas::{
    ComponentName, Diagnostic, Digest, Severity,
    codes::{self, Code},
    inventory::{
        Inventory, OwnerEvidence, Ownership,
        rocm_driver::{DeviceConfig, RocmDriver, RocmNode, RocmPolicy},
    },
    manifest::OwnerKind,
    name::{ObjectName, ObjectRef},
    plan::{Action, Effect, KubeEffect, NodeJobEnd, NodeUndo, Plan, Roll, Stale, Step},
};

use crate::world::{PLATFORM, compiled_with, inventory, release};

const DRIVER: &str = r"
apiVersion: switchback.dev/v1alpha1
kind: RocmDriverUpgrade
metadata: {name: rocm-driver}
spec:
  target: cluster
  to: '30.20.1'
  deviceConfig: {namespace: kube-amd-gpu, name: gpus}
";

fn config() -> DeviceConfig {
    let node = |number: usize| RocmNode {
        name: format!("gpu-{number}"),
        version: Some("30.20".to_owned()),
        ready: true,
        state: Some("Install-Complete".to_owned()),
        image: Some("registry.example/amdgpu_kmod:ubuntu-22.04-5.15.0-94-generic-30.20".to_owned()),
        tainted: false,
        retry: None,
        allocatable: [("amd.com/gpu".to_owned(), "8".to_owned())].into(),
    };
    DeviceConfig {
        name: ObjectName::namespaced("kube-amd-gpu", "gpus"),
        enabled: true,
        version: Some("30.20".to_owned()),
        driver_type: "container".to_owned(),
        policy: Some(RocmPolicy { enable: Some(true), reboots: false }),
        tolerations: Value::Null,
        remediation: Some(true),
        dra_image: None,
        module: Some("30.20".to_owned()),
        nodes: (0..4).map(node).collect(),
        holders: Vec::new(),
    }
}

/// The platform, with a DeviceConfig that a case has changed.
fn platform(change: impl FnOnce(&mut DeviceConfig)) -> Inventory {
    let mut inventory = inventory("1.5.8");
    let mut config = config();
    change(&mut config);
    let object = ObjectRef::new("amd.com/v1alpha1", "DeviceConfig", &config.name);
    let because = "field manager kubectl-client-side-apply".to_owned();
    let evidence = vec![OwnerEvidence { owner: OwnerKind::Kubectl, because }];
    inventory.owners.push(Ownership { object, evidence });
    inventory.owners.sort_by(|a, b| a.object.cmp(&b.object));
    let section = serde_json::to_value(RocmDriver { configs: vec![config] }).expect("JSON");
    inventory.components.insert(ComponentName::new("rocm-driver").expect("a name"), section);
    inventory
}

fn planned(manifest: &str, inventory: &Inventory) -> (Option<Plan>, Vec<Diagnostic>) {
    let files = [("platform.yaml", PLATFORM), ("driver.yaml", manifest)];
    compiled_with(&files, inventory, &[], |_| ())
}

fn plan(manifest: &str, inventory: &Inventory) -> Plan {
    let (plan, diagnostics) = planned(manifest, inventory);
    let plan = plan.unwrap_or_else(|| panic!("a plan, not {diagnostics:#?}"));
    assert_eq!(lint(&plan), []);
    plan
}

/// What is said under a code where no plan comes out.
#[track_caller]
fn refused(manifest: &str, inventory: &Inventory, code: Code) -> String {
    let (plan, diagnostics) = planned(manifest, inventory);
    assert!(plan.is_none(), "no plan comes out of an error");
    let found: Vec<&Diagnostic> =
        diagnostics.iter().filter(|found| found.code == code && found.is_error()).collect();
    let [found] = found.as_slice() else { panic!("one of {code}, not {diagnostics:#?}") };
    format!("{} ({})", found.message, found.help.as_deref().expect("a way out"))
}

#[track_caller]
fn of_config(change: impl FnOnce(&mut DeviceConfig), code: Code) -> String {
    refused(DRIVER, &platform(change), code)
}

#[track_caller]
fn to(version: &str, from: &str, code: Code) -> String {
    let inventory = platform(|config| named(config, from));
    refused(&DRIVER.replace("30.20.1", version), &inventory, code)
}

/// Every node has this driver.
fn named(config: &mut DeviceConfig, driver: &str) {
    config.version = Some(driver.to_owned());
    config.module = Some(driver.to_owned());
    for node in &mut config.nodes {
        node.version = Some(driver.to_owned());
        node.image = Some(format!("kmod:ubuntu-{driver}"));
    }
}

fn said(manifest: &str, inventory: &Inventory, severity: Severity) -> String {
    let (plan, diagnostics) = planned(manifest, inventory);
    assert!(plan.is_some(), "{diagnostics:#?}");
    let found = diagnostics.into_iter().filter(|found| found.severity == severity);
    found.map(|found| found.message).collect::<Vec<_>>().join("\n")
}

fn step<'p>(plan: &'p Plan, part: &str) -> &'p Step {
    let found = plan.steps.iter().find(|step| step.id.as_str().ends_with(part));
    found.unwrap_or_else(|| panic!("no step {part}"))
}

fn roll(plan: &Plan) -> &Roll {
    step(plan, "nodes/gpu/roll").work.roll().expect("a roll")
}

fn names(roll: &Roll) -> Vec<&str> {
    roll.recipe.iter().map(|part| part.name.as_str()).collect()
}

#[test]
fn drivers_move_node_by_node_like_this() {
    let manifest = format!("{DRIVER}  smokeTest: {{image: 'rocm/rocm-test:7.1', command: [rocminfo]}}\n");
    let plan = plan(&manifest, &platform(|_| ()));
    let graph = Graph::of(&plan).expect("a DAG");
    let summary = summary(&plan, &graph);
    let dry_run =
        DryRun { plan: &plan, graph: &graph, summary: &summary, digest: Digest::of("plan"), steps: true };
    insta::assert_snapshot!(format!("{dry_run}\n{}", rollback::every_rollback(&plan, &graph)));
}

/// The operator takes a node up that is neither cordoned nor drained by us, taints it and deletes its pods.
#[test]
fn gotcha_the_operators_own_upgrade_takes_up_only_nodes_that_are_not_cordoned() {
    let plan = plan(DRIVER, &platform(|_| ()));
    let graph = Graph::of(&plan).expect("a DAG");
    let number = |part: &str| graph.number(&step(&plan, part).id).expect("a step");
    for part in ["/suspend/automatic-upgrades", "/suspend/remediation", "/allow/cordoned-nodes"] {
        assert!(graph.descendants(number(part)).contains(&number("/version")), "{part}");
    }
    let resume = number("/resume/automatic-upgrades");
    assert!(graph.descendants(number("/done")).contains(&resume), "not before every node has the driver");
    assert_eq!(names(roll(&plan)), ["cordon", "drain", "unused", "move", "uncordon"]);
}

/// Without `enable` the operator upgrades as well: it asks whether the policy is switched off.
#[test]
fn gotcha_a_policy_that_does_not_say_whether_it_is_on_is_on() {
    let without = |policy: Option<RocmPolicy>| plan(DRIVER, &platform(|config| config.policy = policy));
    let suspends =
        |plan: &Plan| plan.steps.iter().any(|step| step.id.as_str().ends_with("automatic-upgrades"));
    assert!(suspends(&without(Some(RocmPolicy { enable: None, reboots: false }))));
    assert!(!suspends(&without(Some(RocmPolicy { enable: Some(false), reboots: false }))));
    assert!(!suspends(&without(None)));
}

/// Kernel Module Management loads no module on a node that it would schedule no pod on.
#[test]
fn gotcha_no_driver_is_loaded_on_a_cordoned_node_without_a_toleration() {
    let plan = plan(DRIVER, &platform(|_| ()));
    let written = serde_json::to_string(&step(&plan, "/allow/cordoned-nodes").work.action).expect("JSON");
    assert!(written.contains("node.kubernetes.io/unschedulable"), "{written}");
    let tolerates = platform(|config| config.tolerations = json!([{"operator": "Exists"}]));
    let plan = self::plan(DRIVER, &tolerates);
    assert!(
        !plan.steps.iter().any(|step| step.id.as_str().ends_with("/cordoned-nodes")),
        "it is there already"
    );
}

/// The label says what is asked for, and goes on saying so where the driver could not be unloaded.
#[test]
fn gotcha_the_label_is_not_the_driver() {
    let plan = plan(DRIVER, &platform(|_| ()));
    let roll = roll(&plan);
    let Stale::LabelNot { key, value, or_left } = &roll.stale else { panic!("{:?}", roll.stale) };
    assert_eq!(key, "kmm.node.kubernetes.io/version-module.kube-amd-gpu.gpus");
    assert_eq!(
        (value.as_str(), *or_left),
        ("30.20.1", true),
        "one that was left in the middle is taken up anew"
    );
    let moved = roll.recipe.iter().find(|part| part.name.as_str() == "move").expect("a step");
    let verify = serde_json::to_string(&moved.work.verify).expect("JSON");
    assert!(verify.contains("kernelModule") && verify.contains("\"30.20.1\""), "{verify}");
}

/// Going back, the DeviceConfig names the old driver first: a label that moves before that loads nothing.
#[test]
fn a_rollback_takes_the_same_road() {
    let plan = plan(DRIVER, &platform(|_| ()));
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
    assert!(at("/resume/automatic-upgrades") < at("/version"), "off again, before anything goes back");
    assert!(at("/version") < at("nodes/gpu/return"));
    assert!(at("nodes/gpu/return") < at("/suspend/automatic-upgrades"));
    let back =
        plan.rollback.iter().find(|step| step.id.as_str().ends_with("nodes/gpu/return")).expect("a roll");
    let Action::Roll(back) = &back.work.action else { panic!("{:?}", back.work.action) };
    assert_eq!(names(back), names(roll(&plan)));
    assert!(matches!(&back.stale, Stale::LabelNot { value, .. } if value == "30.20"), "{:?}", back.stale);
}

#[test]
fn gotcha_drivers_up_to_6_3_need_a_reboot() {
    let said = to("6.4", "6.3.2", codes::PATH_REQUIREMENT);
    assert!(
        said.contains("drivers up to ROCm 6.3 are not wholly loaded before their node has booted anew"),
        "{said}"
    );
    let manifest = format!(
        "{}  reboot: {{image: 'rocm/gpu-operator-utils:v1.5.1'}}\n",
        DRIVER.replace("30.20.1", "6.4")
    );
    let plan = plan(&manifest, &platform(|config| named(config, "6.3.2")));
    assert_eq!(names(roll(&plan)), ["cordon", "drain", "unused", "move", "reboot", "uncordon"]);
    let reboot = &roll(&plan).recipe[4].work;
    let Action::Effect(Effect::Kube(KubeEffect::NodeJob(job))) = &reboot.action else { panic!("{reboot:?}") };
    assert_eq!(job.until, NodeJobEnd::Rebooted);
    assert!(
        job.pod.to_string().contains("sync; reboot"),
        "operands could be cut short without it (#606): {}",
        job.pod
    );
    assert_eq!(reboot.verify.len(), 2, "what comes of the driver is looked at after the boot");
    assert!(roll(&plan).recipe[3].work.verify.is_empty());
}

#[test]
fn gotcha_reboot_required_is_the_operators_own_way() {
    let inventory = platform(|config| config.policy = Some(RocmPolicy { enable: Some(true), reboots: true }));
    let warned = said(DRIVER, &inventory, Severity::Warning);
    assert!(
        warned.contains(
            "the DeviceConfig says `rebootRequired`, which is its default, and this plan boots no node"
        ),
        "{warned}"
    );
}

#[test]
fn gotcha_a_first_release_is_written_with_two_numbers() {
    let said = to("6.4.0", "6.3.2", codes::PATH_REQUIREMENT);
    assert!(said.contains("no driver is found as 6.4.0 (write 6.4"), "{said}");
}

#[test]
fn gotcha_from_rocm_7_1_drivers_have_numbers_of_their_own() {
    let said = to("7.1", "7.0", codes::PATH_REQUIREMENT);
    assert!(
        said.contains("from ROCm 7.1 on drivers have numbers of their own") && said.contains("30.20"),
        "{said}"
    );
    let said = to("v30.20.1", "30.20", codes::PATH_REQUIREMENT);
    assert!(said.contains("no driver is found as v30.20.1") && said.contains("write 30.20.1"), "{said}");
    let inventory = platform(|config| named(config, "7.0"));
    assert!(planned(&DRIVER.replace("30.20.1", "6.19.14"), &inventory).0.is_some(), "6 is newer than 7 here");
    let said = to("7.0", "30.20", codes::PATH_BACKWARDS);
    assert!(said.contains("the driver is at 30.20, which is newer than ROCm 7.0"), "{said}");
    let said = to("6.19.14", "30.20", codes::PATH_REQUIREMENT);
    assert!(said.contains("no source says which of the drivers 30.20 and 6.19.14 is newer"), "{said}");
}

#[test]
fn gotcha_a_dra_driver_that_is_too_old_offers_no_gpu() {
    let with = |image: &str| platform(|config| config.dra_image = Some(image.to_owned()));
    let said = refused(
        &DRIVER.replace("30.20.1", "31.40"),
        &with("rocm/k8s-gpu-dra-driver:v1.0.0"),
        codes::PLAN_NOT_READY,
    );
    assert!(said.contains("driver 31.40 needs a DRA driver of at least 1.0.1"), "{said}");
    let warned = self::said(&DRIVER.replace("30.20.1", "31.40"), &with(""), Severity::Warning);
    assert!(warned.contains("that is the operator's own choice"), "{warned}");
    let (found, _) = planned(DRIVER, &with("rocm/k8s-gpu-dra-driver:v1.0.0"));
    assert!(found.is_some(), "30.20.1 is older than what needs it");
}

#[test]
fn nodes_in_the_middle_failed_tainted_or_with_another_driver_are_named() {
    let of = |change: &dyn Fn(&mut RocmNode)| {
        of_config(|config| change(&mut config.nodes[1]), codes::PLAN_NOT_READY)
    };
    let state = |state: &str| of(&|node| node.state = Some(state.to_owned()));
    let said = state("Upgrade-Started");
    assert!(said.starts_with("GPU nodes are in the middle of an upgrade by the operator: gpu-1 ("), "{said}");
    assert!(said.contains("do not restart the operator"), "it keeps their states in memory: {said}");
    let said = state("Upgrade-Timed-Out");
    assert!(
        said.contains("has failed: gpu-1") && said.contains("operator.amd.com/gpu-driver-upgrade-state"),
        "{said}"
    );
    let said = of(&|node| node.tainted = true);
    assert!(said.contains("have the operator's taint amd-gpu-driver-upgrade: gpu-1"), "{said}");
    let said = of(&|node| node.retry = Some("upgrade-required".to_owned()));
    assert!(said.contains("ask for another attempt"), "{said}");
    let said = of(&|node| node.version = Some("30.10".to_owned()));
    assert!(said.contains("have neither driver 30.20 nor driver 30.20.1: gpu-1"), "{said}");
    let said = of_config(|config| config.nodes[3].name = "gpu-x".to_owned(), codes::PLAN_OUTSIDE);
    assert!(said.contains("GPU nodes are in no pool") && said.contains(": gpu-x ("), "{said}");
}

#[test]
fn what_is_not_built_is_named_with_what_to_do() {
    let said = of_config(|config| config.enabled = false, codes::MANIFEST_NOT_BUILT);
    assert!(said.contains("installs no driver") && said.contains("nodes' images"), "{said}");
    let said =
        of_config(|config| config.driver_type = "vf-passthrough".to_owned(), codes::MANIFEST_NOT_BUILT);
    assert!(said.contains("is of driver type vf-passthrough"), "{said}");
    let said = of_config(|config| config.version = None, codes::PLAN_INVENTORY_MISSING);
    assert!(said.contains("names no driver, and the operator chooses one"), "{said}");
    let said = of_config(|config| config.module = Some("30.10".to_owned()), codes::PLAN_NOT_READY);
    assert!(said.contains("its Module is of 30.10, and not of 30.20"), "{said}");
    let holders =
        |config: &mut DeviceConfig| config.holders = vec![ObjectName::namespaced("monitoring", "exporter")];
    let said = of_config(holders, codes::PLAN_NOT_READY);
    assert!(
        said.contains("DaemonSets hold the driver of their nodes") && said.contains("monitoring/exporter"),
        "{said}"
    );
    let other = DRIVER.replace("name: gpus", "name: others");
    let said = refused(&other, &platform(|_| ()), codes::PLAN_INVENTORY_MISSING);
    assert!(said.contains("there is no DeviceConfig kube-amd-gpu/others, only kube-amd-gpu/gpus"), "{said}");
}

/// A batch that fails gives a node back only where its driver did not change.
#[test]
fn gotcha_a_node_whose_driver_is_broken_is_not_given_back() {
    let plan = plan(DRIVER, &platform(|_| ()));
    let unused = roll(&plan).recipe.iter().find(|part| part.name.as_str() == "unused").expect("a step");
    let needs: Vec<&str> = unused.needs.iter().map(switchback_schemas::name::Label::as_str).collect();
    assert_eq!(needs, ["cordon", "drain"], "their undo waits for that of this step");
    let NodeUndo::Rollback(check) = &unused.undo else { panic!("{:?}", unused.undo) };
    let check = serde_json::to_string(&check.verify).expect("JSON");
    assert!(check.contains("kernelModule") && check.contains("\"30.20\""), "{check}");
}

#[test]
fn a_smoke_test_asks_for_what_nodes_offer() {
    let with = |more: &str| format!("{DRIVER}  smokeTest: {{image: 'rocm/rocm-test:7.1'{more}}}\n");
    let plan = plan(&with(""), &platform(|_| ()));
    let recipe = names(roll(&plan));
    assert_eq!(
        recipe,
        ["cordon", "drain", "unused", "move", "smoke-test", "uncordon"],
        "before the node takes pods"
    );
    let said =
        refused(&with(", resources: {amd.com/cpx_nps4: '1'}"), &platform(|_| ()), codes::PLAN_NOT_READY);
    assert!(said.contains("do not offer what the smoke test asks for (amd.com/cpx_nps4): gpu-0"), "{said}");
}

/// The default DeviceConfig of the chart stays when the release goes on without it, and is overwritten where that says so.
#[test]
fn gotcha_a_release_that_holds_the_device_config_writes_its_own_driver() {
    let mut inventory = platform(|_| ());
    let object = json!({"apiVersion": "amd.com/v1alpha1", "kind": "DeviceConfig",
        "metadata": {"name": "gpus", "namespace": "kube-amd-gpu"}});
    let name = ObjectName::namespaced("kube-amd-gpu", "amd-gpu-operator");
    inventory.releases.push(release(name, "gpu-operator-charts", "1.5.1", vec![object]));
    let warned = said(DRIVER, &inventory, Severity::Warning);
    assert!(warned.contains("release kube-amd-gpu/amd-gpu-operator holds DeviceConfig"), "{warned}");
}

#[test]
fn that_no_real_controller_was_beside_it_stands_in_the_plan() {
    let plan = plan(DRIVER, &platform(|_| ()));
    let blind =
        plan.blind_spots.iter().any(|spot| spot.why.contains("no test has run it, for want of its GPUs"));
    assert!(blind, "{:?}", plan.blind_spots);
}
