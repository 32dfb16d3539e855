//! KServe over the split of its charts at 0.17, from manifests to a plan.

use serde_json::{Value, json};
use switchback_face::plan::{dry_run::DryRun, rollback};
use switchback_model::{Graph, lint::lint, summary::summary};
use switchback_schemas::{
    Diagnostic, Digest,
    codes::{self, Code},
    inventory::{Conversion, Crd, Inventory, Release},
    lock::Lock,
    plan::{Effect, HelmEffect, Plan},
};

use crate::{
    world::{PLATFORM, compiled_with, registry, release, render},
    world_kserve::{change, crd_objects, name, objects, platform},
};

const KSERVE: &str = r"
apiVersion: switchback.dev/v1alpha1
kind: KserveUpgrade
metadata: {name: kserve}
spec:
  target: cluster
  to: '0.17.1'
  release: {namespace: kserve, name: kserve}
  crdRelease: {namespace: kserve, name: kserve-crd}
  newReleases:
    - {release: {namespace: kserve, name: kserve-localmodel-crd}, chart: kserve-localmodel-crd}
    - {release: {namespace: kserve, name: kserve-runtime-configs}, chart: kserve-runtime-configs}
  charts: {oci: 'oci://registry.example/charts'}
";

const TAG: &str = "v0.17.1";

fn crd(plural: &str, kind: &str) -> Value {
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
           "metadata": {"name": format!("{plural}.serving.kserve.io")},
           "spec": {"group": "serving.kserve.io", "names": {"kind": kind},
                    "versions": [{"name": "v1alpha1", "served": true, "storage": true}]}})
}

fn local_models() -> Value {
    crd("localmodelcaches", "LocalModelCache")
}

fn observed(inventory: &mut Inventory, plural: &str, kind: &str, release: &str) {
    inventory.crds.push(Crd {
        name: format!("{plural}.serving.kserve.io"),
        kind: kind.to_owned(),
        namespaced: false,
        uid: format!("uid-{plural}"),
        served: vec!["v1alpha1".to_owned()],
        storage: "v1alpha1".to_owned(),
        stored: vec!["v1alpha1".to_owned()],
        conversion: Conversion::None {},
        objects: Some(2),
        release: Some(name(release)),
        keep: false,
    });
}

fn of<'a>(inventory: &'a mut Inventory, own: &str) -> &'a mut Release {
    inventory.releases.iter_mut().find(|release| release.name == name(own)).expect("a release")
}

/// KServe 0.16.0, whose chart of CRDs holds those of LocalModels, too.
fn before() -> Inventory {
    let mut inventory = platform("0.16.0", Some("Standard"));
    of(&mut inventory, "kserve-crd").objects.push(local_models());
    observed(&mut inventory, "localmodelcaches", "LocalModelCache", "kserve-crd");
    inventory
}

fn is_runtime(object: &Value) -> bool {
    object["kind"] == "ClusterServingRuntime"
}

fn resolved(lock: &mut Lock) {
    let (runtimes, rest) = objects("0.17.1").into_iter().partition(is_runtime);
    lock.renders.push(render(name("kserve-crd"), "kserve-crd", TAG, crd_objects()));
    lock.renders.push(render(name("kserve"), "kserve-resources", TAG, rest));
    lock.renders.push(render(
        name("kserve-localmodel-crd"),
        "kserve-localmodel-crd",
        TAG,
        vec![local_models()],
    ));
    lock.renders.push(render(name("kserve-runtime-configs"), "kserve-runtime-configs", TAG, runtimes));
}

fn planned(
    manifest: &str,
    inventory: &Inventory,
    change: impl FnOnce(&mut Lock),
) -> (Option<Plan>, Vec<Diagnostic>) {
    let files = [("platform.yaml", PLATFORM), ("kserve.yaml", manifest)];
    compiled_with(&files, inventory, &[], |lock| {
        resolved(lock);
        change(lock);
    })
}

fn plan(inventory: &Inventory) -> Plan {
    let (plan, diagnostics) = planned(KSERVE, inventory, |_| ());
    let plan = plan.unwrap_or_else(|| panic!("a plan, not {diagnostics:#?}"));
    assert_eq!(lint(&plan), []);
    plan
}

fn refused(manifest: &str, inventory: &Inventory, code: Code) -> Diagnostic {
    let (plan, diagnostics) = planned(manifest, inventory, |_| ());
    assert!(plan.is_none(), "a plan came out");
    let found = diagnostics.iter().find(|found| found.code == code);
    found.unwrap_or_else(|| panic!("{code} is said, not {diagnostics:#?}")).clone()
}

fn without(manifest: &str, chart: &str) -> String {
    manifest
        .lines()
        .filter(|line| !line.contains(&format!("chart: {chart}}}")))
        .fold(String::new(), |all, line| all + line + "\n")
}

#[test]
fn a_hop_over_the_split_reads_like_this() {
    let plan = plan(&before());
    let graph = Graph::of(&plan).expect("a DAG");
    let summary = summary(&plan, &graph);
    let dry_run =
        DryRun { plan: &plan, graph: &graph, summary: &summary, digest: Digest::of("plan"), steps: true };
    insta::assert_snapshot!(format!("{dry_run}\n{}", rollback::every_rollback(&plan, &graph)));
}

/// Trap `crds_are_templates`: what leaves a manifest is deleted with every object, unless somebody took it before.
#[test]
fn crds_are_templates_so_each_is_taken_before_it_is_dropped() {
    let plan = plan(&before());
    let graph = Graph::of(&plan).expect("a DAG");
    let number = |part: &str| {
        let step = plan.steps.iter().find(|step| step.hop.part(&step.id) == Some(part)).expect(part);
        graph.number(&step.id).expect("a step")
    };
    for (taken, dropped) in [("localmodel-crds", "crds"), ("runtimes", "controller")] {
        assert!(graph.descendants(number(taken)).contains(&number(dropped)), "{taken} before {dropped}");
    }
    let effects = plan.steps.iter().flat_map(|step| step.work.effects());
    let mut handed: Vec<[usize; 2]> = effects
        .filter_map(|effect| match effect {
            Effect::Helm(HelmEffect::Install(it)) => {
                Some([it.takes.iter().map(|it| it.objects.len()).sum(), 0])
            }
            Effect::Helm(HelmEffect::Upgrade(it)) => {
                Some([0, it.leaves.iter().map(|it| it.objects.len()).sum()])
            }
            _ => None,
        })
        .collect();
    handed.sort_unstable();
    assert_eq!(handed, [[0, 1], [0, 2], [1, 0], [2, 0]]);
    assert!(plan.points.is_empty(), "nothing is deleted: {:?}", plan.points);
}

/// Trap `crd_home_before_split`: what has no chart to go to is named, with the line to add.
#[test]
fn crd_home_before_split_what_has_nowhere_to_go_is_named() {
    for (chart, held) in [
        ("kserve-localmodel-crd", "localmodelcaches.serving.kserve.io of release kserve/kserve-crd"),
        ("kserve-runtime-configs", "sklearn, vllm of release kserve/kserve"),
    ] {
        let said = refused(&without(KSERVE, chart), &before(), codes::PLAN_HANDOVER);
        assert!(said.message.contains(held), "{}", said.message);
        let help = said.help.expect("a help");
        assert!(help.contains(&format!("chart: {chart}}}` to `newReleases`")), "{help}");
    }
}

/// Trap `runtime_configs_defaults`: both flags are false by default, and the chart renders nothing then.
#[test]
fn runtime_configs_defaults_are_asked_for_without_being_named() {
    let files = [("platform.yaml", PLATFORM), ("kserve.yaml", KSERVE)];
    let (manifests, said) = switchback_planner::manifest::read(registry().kinds(), files);
    let manifests = manifests.unwrap_or_else(|| panic!("{said:#?}"));
    let (asks, said) = switchback_planner::compile::asks(registry(), &manifests, &before());
    let asks = asks.unwrap_or_else(|| panic!("{said:#?}"));
    let ask = asks.charts.iter().find(|ask| ask.chart == "kserve-runtime-configs").expect("it is asked for");
    assert_eq!(ask.set, json!({"kserve": {"servingruntime": {"enabled": true}}}));
    let renamed = asks.charts.iter().find(|ask| ask.release == name("kserve")).expect("it is asked for");
    assert_eq!(renamed.chart, "kserve-resources");
}

#[test]
fn a_chart_that_is_none_of_kserves_is_refused() {
    let manifest = KSERVE.replace("chart: kserve-runtime-configs", "chart: kserve-runtimes");
    let said = refused(&manifest, &before(), codes::MANIFEST_CONFLICT);
    assert!(
        said.message.contains("kserve-runtimes is no chart of KServe from 0.17.0 on"),
        "{}",
        said.message
    );
}

/// Trap `rollback_0_17_to_0_16`: what the new controller stored anew is read by no older one.
#[test]
fn rollback_0_17_to_0_16_ends_where_llm_objects_are_stored_anew() {
    let mut inventory = before();
    let llm = crd("llminferenceservices", "LLMInferenceService");
    inventory.releases.push(release(name("llmisvc-crd"), "llmisvc-crd", "v0.16.0", vec![llm.clone()]));
    inventory.releases.push(release(name("llmisvc"), "llmisvc-resources", "v0.16.0", Vec::new()));
    observed(&mut inventory, "llminferenceservices", "LLMInferenceService", "llmisvc-crd");
    change(&mut inventory, |section| {
        let others = section["others"].as_array_mut().expect("others");
        others.push(
            json!({"object": {"apiVersion": "serving.kserve.io/v1alpha1", "kind": "LLMInferenceService",
            "namespace": "ml", "name": "chat"}, "ready": true}),
        );
    });
    let more = "  moreReleases: [{namespace: kserve, name: llmisvc-crd}, {namespace: kserve, name: llmisvc}]\n  charts:";
    let manifest = KSERVE.replace("  charts:", more);
    let (plan, diagnostics) = planned(&manifest, &inventory, |lock| {
        lock.renders.push(render(name("llmisvc-crd"), "kserve-llmisvc-crd", TAG, vec![llm]));
        lock.renders.push(render(name("llmisvc"), "kserve-llmisvc-resources", TAG, Vec::new()));
    });
    let plan = plan.unwrap_or_else(|| panic!("a plan, not {diagnostics:#?}"));
    let point = plan.points.first().expect("a point of no return");
    assert!(point.step.as_str().ends_with("@0.17.1/llmisvc"), "{}", point.step);
    assert_eq!(point.ends, "rollback with 1 LLM objects");
}
