//! Karpenter, from manifests to a plan.

use switchback_face::plan::{dry_run::DryRun, rollback};
use switchback_model::{Graph, lint::lint, summary::summary};
use switchback_schemas::{
    Digest, codes,
    inventory::Inventory,
    lock::Lock,
    plan::{Effect, FailureAction, HelmEffect, Plan, Undo},
};

use crate::world::{self, KARPENTER, PLATFORM, compiled, compiled_with, inventory};

fn plan(karpenter: &str, from: &str, versions: &[&str]) -> Plan {
    let (plan, diagnostics) =
        compiled(&[("platform.yaml", PLATFORM), ("karpenter.yaml", karpenter)], &inventory(from), versions);
    plan.unwrap_or_else(|| panic!("a plan, not {diagnostics:#?}"))
}

fn shown(plan: &Plan) -> String {
    let graph = Graph::of(plan).expect("a DAG");
    let summary = summary(plan, &graph);
    let dry_run = DryRun { plan, graph: &graph, summary: &summary, digest: Digest::of("plan"), steps: true };
    format!("{dry_run}\n{}", rollback::every_rollback(plan, &graph))
}

#[test]
fn one_hop_reads_like_this() {
    let plan = plan(KARPENTER, "1.5.8", &["1.8.8"]);
    assert_eq!(lint(&plan), []);
    insta::assert_snapshot!(shown(&plan));
}

#[test]
fn the_same_inputs_give_the_same_bytes_whatever_the_order_of_files() {
    let inventory = inventory("1.5.8");
    let one =
        compiled(&[("a.yaml", PLATFORM), ("b.yaml", KARPENTER)], &inventory, &["1.8.8"]).0.expect("a plan");
    let other =
        compiled(&[("b.yaml", KARPENTER), ("z.yaml", PLATFORM)], &inventory, &["1.8.8"]).0.expect("a plan");
    assert_eq!(one.to_json().expect("JSON"), other.to_json().expect("JSON"));
}

#[test]
fn p12_objects_move_out_of_a_stored_version_before_the_crds_drop_it() {
    let plan = plan(KARPENTER, "1.0.8", &["1.8.8"]);
    assert_eq!(lint(&plan), []);
    let crds = plan.steps.iter().find(|step| step.id.as_str().ends_with("/crds")).expect("the CRD step");
    let needed: Vec<&str> = crds.needs.iter().map(|need| need.step.as_str()).collect();
    for crd in ["nodepools.karpenter.sh", "nodeclaims.karpenter.sh", "ec2nodeclasses.karpenter.k8s.aws"] {
        assert!(needed.contains(&format!("karpenter/karpenter@1.8.8/storage/{crd}").as_str()), "{needed:?}");
    }
    assert!(plan.points.is_empty(), "1.0.8 can still be rolled back to");
}

#[test]
fn p13_from_below_one_there_are_three_hops_and_a_line_of_no_return() {
    let plan = plan(&KARPENTER.replace("1.8.8", "1.1.10"), "0.37.0", &["0.37.7", "1.0.14", "1.1.10"]);
    assert_eq!(lint(&plan), []);
    let hops: Vec<_> = plan.hops.iter().map(|hop| hop.id.to().to_string()).collect();
    assert_eq!(hops, ["0.37.7", "1.0.14", "1.1.10"]);
    let line = plan.points.first().expect("a point of no return");
    assert_eq!(line.id.as_str(), "below-1.0");
    assert!(line.step.as_str().starts_with("karpenter/karpenter@1.1.10/storage/"), "{}", line.step);
}

#[test]
fn p14_drift_is_frozen_before_anything_and_thawed_after_everything() {
    let plan = plan(KARPENTER, "1.5.8", &["1.8.8"]);
    let graph = Graph::of(&plan).expect("a DAG");
    for suspension in &plan.suspensions {
        let (open, close) = (
            graph.number(&suspension.suspend).expect("open"),
            graph.number(&suspension.resume).expect("close"),
        );
        let inside = graph.descendants(open);
        for step in plan
            .steps
            .iter()
            .filter(|step| step.id.as_str().contains("/nodes/") || step.id.as_str().ends_with("/crds"))
        {
            let number = graph.number(&step.id).expect("a step");
            assert!(inside.contains(&number), "{}", step.id);
            assert!(graph.descendants(number).contains(&close), "{}", step.id);
        }
        assert!(suspension.cannot_stop.iter().any(|text| text.contains("720h")), "expiry is not stopped");
    }
    assert_eq!(plan.suspensions.len(), 2);
}

#[test]
fn a_way_back_that_moves_workloads_is_not_automatic() {
    let with_nodes = plan(KARPENTER, "1.5.8", &["1.8.8"]);
    let action = |plan: &Plan, part: &str| {
        plan.steps.iter().find(|step| step.id.as_str().ends_with(part)).map(|step| step.on_failure.action)
    };
    assert_eq!(action(&with_nodes, "/controller"), Some(FailureAction::RollbackStep));
    assert_eq!(action(&with_nodes, "/nodes/gpu/roll"), Some(FailureAction::Hold));
    let without = plan(&format!("{KARPENTER}  nodes: none\n"), "1.5.8", &["1.8.8"]);
    assert_eq!(action(&without, "/controller"), Some(FailureAction::RollbackHop));
    assert!(without.steps.iter().all(|step| !step.id.as_str().contains("/nodes/")));
}

#[test]
fn it_waits_for_what_its_manifest_says_must_come_first() {
    let web = "
apiVersion: switchback.dev/v1alpha1
kind: DeploymentUpgrade
metadata: {name: web}
spec: {target: cluster, deployment: {namespace: shop, name: web}, container: web, image: 'registry.example/web:1.5', to: '1.5'}
";
    let hops = |karpenter: &str| {
        let files = [("platform.yaml", PLATFORM), ("karpenter.yaml", karpenter), ("web.yaml", web)];
        let (plan, diagnostics) = compiled(&files, &inventory("1.5.8"), &["1.8.8"]);
        let plan = plan.unwrap_or_else(|| panic!("a plan, not {diagnostics:#?}"));
        plan.hops.iter().map(|hop| hop.id.to_string()).collect::<Vec<_>>()
    };
    let (karpenter, deployment) = ("karpenter/karpenter@1.8.8", "deployment/web@1.5");
    assert_eq!(hops(KARPENTER), [karpenter, deployment]);
    let waits =
        format!("{KARPENTER}  requires: [{{upgrade: web, atLeast: '1.5', because: it tolerates drift}}]\n");
    assert_eq!(hops(&waits), [deployment, karpenter]);
}

#[test]
fn every_step_says_how_it_is_undone_and_what_it_relied_on() {
    let plan = plan(KARPENTER, "1.0.8", &["1.8.8"]);
    for step in &plan.steps {
        match &step.undo {
            Undo::Rollback {} => {
                let mut undoing = plan.rollback_of(&step.id);
                assert!(undoing.any(|undo| !undo.work.title.is_empty()), "{}", step.id);
            }
            Undo::Unneeded { why } | Undo::Irreversible { why, .. } => {
                assert!(!why.is_empty(), "{}", step.id);
            }
        }
    }
    let controller =
        plan.steps.iter().find(|step| step.id.as_str().ends_with("/controller")).expect("controller");
    assert!(!controller.work.reads.is_empty());
}

/// Karpenter by one release: Helm installed the CRDs of its `crds/` directory, and holds them no more.
fn by_one_release(from: &str) -> Inventory {
    let mut inventory = inventory(from);
    inventory.releases.retain(|release| release.name != world::crds());
    for crd in &mut inventory.crds {
        crd.release = None;
    }
    inventory
}

fn planned(karpenter: &str, inventory: &Inventory, change: impl FnOnce(&mut Lock)) -> Plan {
    let files = [("platform.yaml", PLATFORM), ("karpenter.yaml", karpenter)];
    let (plan, diagnostics) = compiled_with(&files, inventory, &["1.8.8"], change);
    let plan = plan.unwrap_or_else(|| panic!("a plan, not {diagnostics:#?}"));
    assert_eq!(lint(&plan), []);
    plan
}

#[test]
fn a_release_of_the_crds_that_is_not_there_takes_over_those_that_helm_left() {
    let plan = planned(KARPENTER, &by_one_release("1.0.8"), |_| ());
    let step = plan.steps.iter().find(|step| step.id.as_str().ends_with("/crds")).expect("the CRD step");
    let effects = step.work.effects();
    let [Effect::Helm(HelmEffect::Install(install))] = effects.as_slice() else { panic!("{effects:?}") };
    let [taken] = install.takes.as_slice() else { panic!("{:?}", install.takes) };
    assert_eq!((taken.other.clone(), taken.objects.len()), (None, 3));
    let needed: Vec<&str> = step.needs.iter().map(|need| need.step.as_str()).collect();
    assert!(needed.iter().any(|step| step.contains("/storage/")), "P-12 holds all the same: {needed:?}");
    let undo = plan.rollback.iter().find(|undo| undo.undoes.contains(&step.id)).expect("its rollback");
    assert!(
        undo.work.title.starts_with("uninstall release kube-system/karpenter-crd"),
        "{}",
        undo.work.title
    );
}

#[test]
fn without_a_release_of_its_own_the_crds_of_the_controllers_chart_are_applied() {
    let alone = KARPENTER.replace("  crdRelease: {namespace: kube-system, name: karpenter-crd}\n", "");
    assert_ne!(alone, KARPENTER);
    let plan = planned(&alone, &by_one_release("1.0.8"), |lock| {
        let crds = lock.renders.iter().find(|render| render.release == world::crds()).expect("a render");
        let crds = crds.objects.clone();
        lock.renders.retain(|render| render.release == world::karpenter());
        lock.renders.iter_mut().for_each(|render| render.crds.clone_from(&crds));
    });
    let graph = Graph::of(&plan).expect("a DAG");
    let number = |part: &str| {
        let step = plan.steps.iter().find(|step| step.hop.part(&step.id) == Some(part)).expect(part);
        graph.number(&step.id).expect("a step")
    };
    let crd = "crds/nodepools.karpenter.sh";
    assert!(graph.descendants(number("storage/nodepools.karpenter.sh")).contains(&number(crd)));
    assert!(graph.descendants(number(crd)).contains(&number("controller")));
}

#[test]
fn crds_that_another_release_holds_are_not_moved_without_it() {
    let alone = KARPENTER.replace("  crdRelease: {namespace: kube-system, name: karpenter-crd}\n", "");
    let files = [("platform.yaml", PLATFORM), ("karpenter.yaml", alone.as_str())];
    let (plan, diagnostics) = compiled(&files, &inventory("1.0.8"), &["1.8.8"]);
    assert!(plan.is_none());
    let said = diagnostics.iter().find(|said| said.code == codes::MANIFEST_CONFLICT).expect("it is said");
    assert!(
        said.message.contains("release kube-system/karpenter-crd holds CRDs of Karpenter"),
        "{}",
        said.message
    );
    assert_eq!(
        said.help.as_deref(),
        Some("write `crdRelease: {namespace: kube-system, name: karpenter-crd}`")
    );
}
