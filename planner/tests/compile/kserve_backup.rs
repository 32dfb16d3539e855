//! The backup of KServe, the objects that go through its new webhooks, and the canary, from manifests to a plan.

use switchback_schemas::plan::{
    Capture, CaptureKind, Effect, Find, KubeCapture, KubeEffect, KubeRestore, KubeTryCreate, Operand, Plan,
    Step,
};

use crate::{
    kserve::{id, plan, waits},
    world::{release, render},
    world_kserve::{KSERVE, name, planned, planned_with, platform},
};

fn step<'p>(plan: &'p Plan, part: &str) -> &'p Step {
    let id = id(plan, part);
    plan.steps.iter().find(|step| step.id == id).expect("it")
}

fn kinds(finds: &[Find]) -> Vec<&str> {
    finds.iter().map(|find| find.kind.as_str()).collect()
}

const KINDS: [&str; 4] =
    ["ClusterStorageContainer", "ClusterServingRuntime", "InferenceService", "InferenceGraph"];

/// What nobody tried to create again is no backup. It is tried while the schema and the webhooks are those that a rollback goes back to.
#[test]
fn every_object_is_captured_and_proven_to_be_creatable_before_anything_moves() {
    let plan = plan(&platform("0.15.2", None), "0.16.0");
    let baseline = step(&plan, "baseline");
    let [Capture { what: CaptureKind::Kube(KubeCapture::Kinds(finds)), name }] =
        baseline.work.captures.as_slice()
    else {
        panic!("one capture, not {:?}", baseline.work.captures)
    };
    assert_eq!(kinds(finds), KINDS, "what others name comes first");
    let captured = Operand::Captured { step: baseline.id.clone(), name: name.clone() };
    let tried = Effect::Kube(KubeEffect::TryCreate(KubeTryCreate { objects: captured.clone() }));
    assert_eq!(step(&plan, "backup").work.effects(), [&tried]);
    assert!(waits(&plan, "crds", "backup") && waits(&plan, "backup", "baseline"));
    let undo = plan.rollback.iter().find(|undo| undo.undoes == [baseline.id.clone()]).expect("its rollback");
    let restored = Effect::Kube(KubeEffect::Restore(KubeRestore { objects: captured, only_gone: true }));
    assert_eq!(undo.work.effects(), [&restored], "what is there stays as it is");
}

/// The manifest and both charts, with the runtimes in a release of their own, as from 0.17 on.
fn with_runtimes() -> Plan {
    let runtimes = |version: &str| {
        vec![serde_json::json!({"apiVersion": "serving.kserve.io/v1alpha1", "kind": "ClusterServingRuntime",
            "metadata": {"name": "own"}, "spec": {"containers": [{"name": "kserve-container", "image": format!("own:{version}")}]}})]
    };
    let chart = "kserve-runtime-configs";
    let mut inventory = platform("0.17.1", Some("Standard"));
    inventory.releases.push(release(name(chart), chart, "v0.17.1", runtimes("0.17.1")));
    let manifest = KSERVE.replace("0.16.0", "0.18.1").replace(
        "  charts:",
        "  moreReleases: [{namespace: kserve, name: kserve-runtime-configs}]\n  charts:",
    );
    let (plan, said) = planned_with(&manifest, &inventory, "0.18.1", |lock| {
        lock.renders.push(render(name(chart), chart, "v0.18.1", runtimes("0.18.1")));
    });
    plan.unwrap_or_else(|| panic!("a plan, not {said:#?}"))
}

/// An object that the new webhooks refuse could be neither changed nor deleted: it is named before runtimes move (P-26, P-27).
#[test]
fn p27_every_live_object_goes_through_the_new_webhooks_before_runtimes_move() {
    let plan = with_runtimes();
    let [Effect::Kube(KubeEffect::TryUpdate(tried))] = step(&plan, "objects").work.effects()[..] else {
        panic!("an update that is tried")
    };
    assert_eq!(kinds(&tried.find), KINDS);
    for (one, other) in [
        ("webhooks/pods", "controller"),
        ("objects", "webhooks/runtimes"),
        ("runtimes", "objects"),
        ("health", "runtimes"),
    ] {
        assert!(waits(&plan, one, other), "{one} does not wait for {other}");
    }
    assert!(!plan.rollback.iter().any(|undo| undo.undoes.contains(&id(&plan, "objects"))));
}

/// While statuses have the new word and annotations the old one, the webhook refuses every such service.
#[test]
fn p26_services_are_tried_when_both_of_their_words_are_new() {
    let plan = plan(&platform("0.15.2", Some("RawDeployment")), "0.16.0");
    for word in ["words/ml/chat/annotation", "words/ml/iris/annotation"] {
        assert!(waits(&plan, "objects", word), "{word}");
    }
}

/// What the new version does to one model it does to all: the first is asked before the others are waited for.
#[test]
fn the_first_model_is_asked_as_soon_as_the_new_version_acts() {
    let models = "  models:\n    - {url: 'http://chat-predictor.ml.svc', name: chat, protocol: openai, input: [{role: user, content: hello}]}\n    \
                  - {url: 'http://iris-predictor.ml.svc', name: iris, protocol: v1}\n  charts:";
    let manifest = KSERVE.replace("  charts:", models);
    let (plan, said) = planned(&manifest, &platform("0.15.2", None), "0.16.0");
    let plan = plan.unwrap_or_else(|| panic!("a plan, not {said:#?}"));
    let canary = step(&plan, "canary");
    assert_eq!(
        canary.work.title,
        "check model chat of InferenceService ml/chat as the canary under KServe 0.16.0"
    );
    let titles = |part: &str| -> Vec<String> {
        step(&plan, part).work.verify.iter().map(|verify| verify.title.clone()).collect()
    };
    assert_eq!(titles("canary"), ["http://chat-predictor.ml.svc serves model chat"]);
    let all = titles("health");
    for model in ["chat", "iris"] {
        assert!(all.iter().any(|title| title.ends_with(&format!("serves model {model}"))), "{all:?}");
    }
    let until = serde_json::to_string(&canary.work).expect("JSON");
    assert!(
        until.contains("chat-predictor") && until.contains("rollout"),
        "its new pods are waited for: {until}"
    );
    assert!(waits(&plan, "canary", "controller") && waits(&plan, "health", "canary"));
    assert!(
        !crate::kserve::plan(&platform("0.15.2", None), "0.16.0")
            .steps
            .iter()
            .any(|step| step.id.as_str().ends_with("/canary"))
    );
}
