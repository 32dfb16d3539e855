//! KServe, from manifests to a plan.

use serde_json::json;
use switchback_face::plan::{dry_run::DryRun, rollback};
use switchback_model::{Graph, lint::lint, summary::summary};
use switchback_schemas::{
    Diagnostic, Digest, Seconds, StepId,
    codes::{self, Code},
    inventory::{Crd, CustomObject, Inventory},
    manifest::OwnerKind,
    name::{ObjectName, ObjectRef},
    plan::{Effect, KubeEffect, Plan},
};

use crate::{
    world::{release, render},
    world_kserve::{KSERVE, change, name, planned, planned_with, platform, put, service},
};

pub(crate) fn plan(inventory: &Inventory, version: &str) -> Plan {
    let manifest = KSERVE.replace("0.16.0", version);
    let (plan, diagnostics) = planned(&manifest, inventory, version);
    let plan = plan.unwrap_or_else(|| panic!("a plan, not {diagnostics:#?}"));
    assert_eq!(lint(&plan), []);
    plan
}

fn refused(manifest: &str, inventory: &Inventory, version: &str, code: Code) -> Diagnostic {
    let (plan, diagnostics) = planned(manifest, inventory, version);
    assert!(plan.is_none(), "a plan came out");
    let found = diagnostics.iter().find(|found| found.code == code);
    found.unwrap_or_else(|| panic!("{code} is said, not {diagnostics:#?}")).clone()
}

fn notice(plan: &Plan, code: Code) -> &Diagnostic {
    plan.notices.iter().find(|notice| notice.code == code).expect("it is said")
}

fn shown(plan: &Plan) -> String {
    let graph = Graph::of(plan).expect("a DAG");
    let summary = summary(plan, &graph);
    let dry_run = DryRun { plan, graph: &graph, summary: &summary, digest: Digest::of("plan"), steps: true };
    format!("{dry_run}\n{}", rollback::every_rollback(plan, &graph))
}

pub(crate) fn id(plan: &Plan, part: &str) -> StepId {
    let step = plan.steps.iter().find(|step| step.hop.part(&step.id) == Some(part));
    step.unwrap_or_else(|| panic!("no step {part}")).id.clone()
}

/// Whether one step waits for another.
pub(crate) fn waits(plan: &Plan, one: &str, other: &str) -> bool {
    let graph = Graph::of(plan).expect("a DAG");
    let number = |part| graph.number(&id(plan, part)).expect("a step");
    graph.descendants(number(other)).contains(&number(one))
}

#[test]
fn a_hop_with_new_words_reads_like_this() {
    insta::assert_snapshot!(shown(&plan(&platform("0.15.2", Some("RawDeployment")), "0.16.0")));
}

#[test]
fn a_hop_without_reads_like_this() {
    insta::assert_snapshot!(shown(&plan(&platform("0.17.1", Some("Standard")), "0.18.1")));
}

/// A controller obeys the status before the annotation, and takes a word of the other side for the Knative road.
#[test]
fn p26_statuses_change_while_no_controller_acts_and_annotations_after() {
    let plan = plan(&platform("0.15.2", Some("RawDeployment")), "0.16.0");
    for (one, other) in [
        ("lease/hold", "crds"),
        ("words/ml/iris/status", "lease/hold"),
        ("words/none-left", "words/ml/chat/status"),
        ("controller", "words/none-left"),
        ("webhooks/pods", "controller"),
        ("words/ml/chat/annotation", "webhooks/runtimes"),
        ("lease/release", "words/ml/chat/annotation"),
        ("health", "lease/release"),
    ] {
        assert!(waits(&plan, one, other), "{one} does not wait for {other}");
    }
    let hold = plan.steps.iter().find(|step| step.id == id(&plan, "lease/hold")).expect("it");
    let reads = serde_json::to_string(&hold.work.reads).expect("JSON");
    assert!(reads.contains(r#""is":{"differs""#) && reads.contains(r#""is":{"atLeast":1}"#), "{reads}");
    let status = plan.steps.iter().find(|step| step.id == id(&plan, "words/ml/iris/status")).expect("it");
    let Some(Effect::Kube(KubeEffect::Patch(patch))) = status.work.effects().first().copied() else {
        panic!("no patch")
    };
    assert_eq!(patch.subresource.as_deref(), Some("status"), "no webhook is asked about it");
    assert!(!plan.steps.iter().any(|step| step.id.as_str().contains("/echo/")), "it has no word");
}

/// Annotations are copied to pods: what the controller does not roll anyway rolls one after the other.
#[test]
fn p26_an_annotation_that_rolls_pods_by_itself_waits_for_the_one_before() {
    let mut inventory = platform("0.15.2", Some("RawDeployment"));
    change(&mut inventory, |section| {
        for service in section["services"].as_array_mut().expect("services") {
            service["fetches"] = json!(false);
            service["runtime"] = json!("sklearn");
        }
    });
    let plan = plan(&inventory, "0.16.0");
    assert!(waits(&plan, "words/ml/chat/annotation", "lease/release"));
    assert!(waits(&plan, "words/ml/iris/annotation", "words/ml/chat/annotation"));
    let said = notice(&plan, codes::PLAN_HOOK);
    assert!(said.message.contains("2 InferenceServices, one after the other"), "{}", said.message);
}

/// The webhook refuses an annotation that differs from the status, so it comes back when all else has, and before the controller acts.
#[test]
fn p26_annotations_are_undone_under_the_old_webhook() {
    let plan = plan(&platform("0.15.2", Some("Serverless")), "0.16.0");
    let hold = id(&plan, "lease/hold");
    let annotation = id(&plan, "words/ml/iris/annotation");
    let undo = plan.rollback.iter().find(|undo| undo.undoes.contains(&annotation)).expect("its rollback");
    assert_eq!(undo.place(), Some(&hold));
    let act = plan.rollback.iter().find(|undo| undo.id == hold).expect("its rollback");
    assert!(act.after.contains(&undo.id), "{:?}", act.after);
}

#[test]
fn without_old_words_the_controller_goes_on() {
    let plan = plan(&platform("0.15.2", None), "0.16.0");
    assert!(!plan.steps.iter().any(|step| step.id.as_str().contains("/words/")));
    assert!(plan.suspensions.is_empty());
}

/// Scaled to 0 it takes its fail-closed webhooks along, and helm cannot write the runtimes of its own chart.
#[test]
fn the_webhooks_of_the_controller_are_never_away() {
    let plan = plan(&platform("0.15.2", Some("RawDeployment")), "0.16.0");
    let scales = |effect: &&Effect| match effect {
        Effect::Kube(KubeEffect::Patch(patch)) => patch.set.iter().any(|set| set.pointer == "/spec/replicas"),
        _ => false,
    };
    assert!(!plan.works().any(|(_, work)| work.effects().iter().any(scales)));
}

/// Two versions without a lease write every Deployment back and forth.
#[test]
fn p28_a_controller_without_a_lease_is_refused_unless_it_is_recreated() {
    let mut inventory = platform("0.15.2", None);
    change(&mut inventory, |section| section["controller"]["leaderElect"] = json!(false));
    let said = refused(KSERVE, &inventory, "0.16.0", codes::PLAN_NOT_READY);
    assert!(said.message.contains("elects no leader: an old and a new one"), "{}", said.message);
    change(&mut inventory, |section| section["controller"]["recreate"] = json!(true));
    assert!(plan(&inventory, "0.16.0").suspensions.is_empty(), "Recreate never has two of them");
    let mut inventory = platform("0.15.2", Some("RawDeployment"));
    change(&mut inventory, |section| {
        section["controller"]["leaderElect"] = json!(false);
        section["controller"]["recreate"] = json!(true);
    });
    let said = refused(KSERVE, &inventory, "0.16.0", codes::PLAN_NOT_READY);
    assert!(said.message.contains("while the names of deployment modes change"), "{}", said.message);
}

#[test]
fn restarts_are_named_with_the_gpus_that_they_take() {
    let mut inventory = platform("0.15.2", None);
    let plan = plan(&inventory, "0.16.0");
    let said = notice(&plan, codes::PLAN_HOOK);
    assert_eq!(
        said.message,
        "the controller of KServe 0.16.0 restarts 2 of 3 InferenceServices when it starts (ml/chat, ml/iris), which takes 2 \
         more GPUs meanwhile: ClusterServingRuntime vllm changes; the image that fetches models changes from \
         kserve/storage-initializer:v0.15.2 to kserve/storage-initializer:v0.16.0"
    );
    assert!(!plan.notices.iter().any(|notice| notice.code == codes::PLAN_CAPACITY), "32 GPUs are free");
    for node in &mut inventory.nodes {
        node.gpus.clear();
    }
    let plan = self::plan(&inventory, "0.16.0");
    let said = notice(&plan, codes::PLAN_CAPACITY);
    assert!(
        said.message.contains("takes 2 more GPUs while its pods roll, and 0 are free"),
        "{}",
        said.message
    );
}

/// Their CRD charts leave a CRD out on any upgrade, and Helm deletes it with its objects.
#[test]
fn known_bad_charts_are_refused_with_the_next_good_one() {
    for (from, bad, good) in [("0.16.0", "0.17.0", "0.17.1"), ("0.17.1", "0.18.0", "0.18.1")] {
        let manifest = KSERVE.replace("0.16.0", bad);
        let said = refused(&manifest, &platform(from, None), bad, codes::PATH_BAD_VERSION);
        let text = format!("{said:?}");
        assert!(text.contains("ClusterStorageContainer") && text.contains(good), "{text}");
    }
}

#[test]
fn a_release_that_would_stay_behind_is_named() {
    let mut inventory = platform("0.17.1", None);
    inventory.releases.push(release(name("kserve-llmisvc-crd"), "kserve-llmisvc-crd", "v0.17.1", Vec::new()));
    let manifest = KSERVE.replace("0.16.0", "0.18.1");
    let said = refused(&manifest, &inventory, "0.18.1", codes::PATH_REQUIREMENT);
    assert!(
        said.message.contains("kserve-llmisvc-crd is part of KServe")
            || said.message.contains("is part of KServe")
    );
    let all = format!("{manifest}  moreReleases: [{{namespace: kserve, name: kserve-llmisvc-crd}}]\n");
    let (plan, diagnostics) = planned_with(&all, &inventory, "0.18.1", |lock| {
        lock.renders.push(render(name("kserve-llmisvc-crd"), "kserve-llmisvc-crd", "v0.18.1", Vec::new()));
    });
    let plan = plan.unwrap_or_else(|| panic!("a plan, not {diagnostics:#?}"));
    assert!(waits(&plan, "controller", "llmisvc-crds"));
}

#[test]
fn a_release_is_named_for_the_chart_that_it_is() {
    let manifest = KSERVE.replace(
        "crdRelease: {namespace: kserve, name: kserve-crd}",
        "crdRelease: {namespace: kube-system, name: karpenter}",
    );
    let said = refused(&manifest, &platform("0.15.2", None), "0.16.0", codes::MANIFEST_CONFLICT);
    assert!(said.help.expect("a help").contains("kserve-crd, kserve-crd-minimal"));
}

/// Somebody moved the charts without the words: the services can be neither changed nor deleted.
#[test]
fn old_words_under_a_new_controller_are_refused_with_what_to_type() {
    let manifest = KSERVE.replace("0.16.0", "0.18.1");
    let said =
        refused(&manifest, &platform("0.17.1", Some("RawDeployment")), "0.18.1", codes::PLAN_NOT_READY);
    assert!(said.help.expect("a help").contains("--subresource=status"));
}

#[test]
fn a_controller_that_is_away_is_refused() {
    let mut inventory = platform("0.15.2", None);
    change(&mut inventory, |section| section["controller"]["replicas"] = json!(0));
    let said = refused(KSERVE, &inventory, "0.16.0", codes::PLAN_NOT_READY);
    assert!(said.message.contains("scaled to 0"), "{}", said.message);
}

/// Git would write the old word again, which the webhook then refuses for ever.
#[test]
fn an_annotation_that_git_writes_is_refused_towards_it() {
    let mut inventory = platform("0.15.2", Some("RawDeployment"));
    let own = inventory.owners.iter_mut().find(|owner| owner.object.name == "iris").expect("it");
    own.evidence[0].owner = OwnerKind::Gitops;
    let said = refused(KSERVE, &inventory, "0.16.0", codes::PLAN_OWNER_NOT_BUILT);
    assert!(
        said.message.contains("InferenceService ml/iris belongs to a GitOps controller"),
        "{}",
        said.message
    );
}

/// A chart that drops a CRD takes its objects with it: CRDs are templates, and none says that it is kept.
#[test]
fn a_crd_that_a_chart_drops_has_to_be_accepted() {
    let inventory = platform("0.17.1", None);
    let manifest = KSERVE.replace("0.16.0", "0.18.1");
    let drop = |lock: &mut switchback_schemas::lock::Lock| {
        let crds = lock.renders.iter_mut().find(|render| render.release == name("kserve-crd")).expect("it");
        crds.objects.retain(|object| object["spec"]["names"]["kind"] != "ClusterStorageContainer");
    };
    let (plan, diagnostics) = planned_with(&manifest, &inventory, "0.18.1", drop);
    assert!(plan.is_none());
    assert!(diagnostics.iter().any(|found| found.code == codes::PLAN_DELETES && found.is_error()));
    let accepts = format!(
        "{manifest}  deletes: [{{crd: clusterstoragecontainers.serving.kserve.io, objects: 1, because: nobody uses it}}]\n"
    );
    let (plan, diagnostics) = planned_with(&accepts, &inventory, "0.18.1", drop);
    let plan = plan.unwrap_or_else(|| panic!("a plan, not {diagnostics:#?}"));
    assert_eq!(plan.points.len(), 1, "its objects are lost");
    assert!(!diagnostics.iter().any(|found| found.code == codes::MANIFEST_WAIVER), "{diagnostics:#?}");
}

#[test]
fn a_minimal_chart_that_loses_fields_of_llm_objects_is_refused() {
    let mut inventory = platform("0.17.1", None);
    let crd = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                     "metadata": {"name": "llminferenceservices.serving.kserve.io"}});
    let minimal = "kserve-llmisvc-crd-minimal";
    inventory.releases.push(release(name(minimal), minimal, "v0.17.1", vec![crd.clone()]));
    let llm = json!([{"object": {"apiVersion": "serving.kserve.io/v1alpha2", "kind": "LLMInferenceService",
                                 "namespace": "ml", "name": "big"}, "ready": true}]);
    change(&mut inventory, |section| section["others"] = llm);
    let manifest = KSERVE.replace("0.16.0", "0.18.1");
    let manifest = format!("{manifest}  moreReleases: [{{namespace: kserve, name: {minimal}}}]\n");
    let (plan, diagnostics) = planned_with(&manifest, &inventory, "0.18.1", |lock| {
        lock.renders.push(render(name(minimal), minimal, "v0.18.1", vec![crd]));
    });
    assert!(plan.is_none());
    let said = diagnostics.iter().find(|found| found.code == codes::PATH_REQUIREMENT).expect("it is said");
    assert!(said.message.contains("would lose fields of 1 LLM objects"), "{}", said.message);
}

#[test]
fn models_are_asked_by_their_protocol() {
    let manifest = format!(
        "{KSERVE}  models:\n    - {{url: 'http://iris-predictor.ml.svc', name: iris, protocol: v1}}\n    - {{url: \
         'http://chat-predictor.ml.svc/', name: chat, protocol: openai}}\n"
    );
    let mut inventory = platform("0.15.2", None);
    put(
        &mut inventory,
        json!({"controller": {"deployment": {"namespace": "kserve", "name": "kserve-controller-manager"},
        "replicas": 1, "leaderElect": true, "recreate": false, "labels": {}}, "services": [service("iris", None, false, 0)]}),
    );
    let (plan, diagnostics) = planned(&manifest, &inventory, "0.16.0");
    let plan = plan.unwrap_or_else(|| panic!("a plan, not {diagnostics:#?}"));
    let health = plan.steps.iter().find(|step| step.id == id(&plan, "health")).expect("it");
    let text = serde_json::to_string(&health.work.verify).expect("JSON");
    for url in
        ["http://iris-predictor.ml.svc/v1/models/iris", "http://chat-predictor.ml.svc/openai/v1/models"]
    {
        assert!(text.contains(url), "{text}");
    }
}

/// The prefix `kserve-` came after 0.16.0: an LLM install of 0.16 has charts without it.
#[test]
fn llm_charts_of_0_16_have_no_prefix() {
    let mut inventory = platform("0.16.0", None);
    let release_of = |own: &str| release(name(own), own, "v0.16.0", Vec::new());
    inventory.releases.extend(["llmisvc-crd", "llmisvc-resources"].map(release_of));
    let more = "  moreReleases: [{namespace: kserve, name: llmisvc-resources}, {namespace: kserve, name: llmisvc-crd}]\n";
    let manifest = format!("{}{more}", KSERVE.replace("0.16.0", "0.16.1"));
    let (plan, diagnostics) = planned_with(&manifest, &inventory, "0.16.1", |lock| {
        let render_of = |own: &str| render(name(own), own, "v0.16.1", Vec::new());
        lock.renders.extend(["llmisvc-crd", "llmisvc-resources"].map(render_of));
    });
    let plan = plan.unwrap_or_else(|| panic!("a plan, not {diagnostics:#?}"));
    for (one, other) in [("llmisvc-crds", "crds"), ("controller", "llmisvc-crds"), ("llmisvc", "controller")]
    {
        assert!(waits(&plan, one, other), "{one} does not wait for {other}");
    }
}

/// Both flags of `kserve-runtime-configs` are false by default: without them it renders nothing, and Helm deletes what it held.
#[test]
fn runtimes_that_a_chart_renders_no_more_are_counted() {
    let mut inventory = platform("0.17.1", None);
    let configs = "kserve-runtime-configs";
    let runtime = json!({"apiVersion": "serving.kserve.io/v1alpha1", "kind": "ClusterServingRuntime", "metadata": {"name": "mlserver"}});
    let mut held = release(name(configs), configs, "v0.17.1", vec![runtime]);
    held.custom.push(CustomObject {
        object: ObjectRef::new(
            "serving.kserve.io/v1alpha1",
            "ClusterServingRuntime",
            &ObjectName::cluster("mlserver"),
        ),
        keep: false,
        used_by: Vec::new(),
    });
    inventory.releases.push(held);
    let manifest = KSERVE.replace("0.16.0", "0.18.1");
    let manifest = format!("{manifest}  moreReleases: [{{namespace: kserve, name: {configs}}}]\n");
    let (plan, diagnostics) = planned_with(&manifest, &inventory, "0.18.1", |lock| {
        lock.renders.push(render(name(configs), configs, "v0.18.1", Vec::new()));
    });
    assert!(plan.is_none());
    let said = diagnostics.iter().find(|found| found.code == codes::PLAN_DELETES).expect("it is said");
    assert!(said.message.contains("ClusterServingRuntime mlserver"), "{}", said.message);
}

/// Charts of CRDs from 0.17 on ask the cluster whose a CRD is: a render cannot show what comes of it.
#[test]
fn a_chart_that_looks_up_the_cluster_is_named() {
    let manifest = KSERVE.replace("0.16.0", "0.18.1");
    let (plan, diagnostics) = planned_with(&manifest, &platform("0.17.1", None), "0.18.1", |lock| {
        let crds = lock.renders.iter_mut().find(|render| render.release == name("kserve-crd")).expect("it");
        crds.lookups.push("templates/serving.kserve.io_clusterstoragecontainers.yaml".to_owned());
    });
    let plan = plan.unwrap_or_else(|| panic!("a plan, not {diagnostics:#?}"));
    let hooks = plan.notices.iter().filter(|notice| notice.code == codes::PLAN_HOOK);
    let said: Vec<&str> = hooks.map(|notice| notice.message.as_str()).collect();
    assert!(said.iter().any(|message| message.contains("clusterstoragecontainers")), "{said:?}");
}

/// The controller of LLM objects stores them anew by itself, and takes up to an hour.
#[test]
fn llm_objects_are_seen_to_be_stored_anew() {
    let mut inventory = platform("0.17.1", None);
    let like = inventory.crds.iter().find(|crd| crd.kind == "InferenceService").expect("it").clone();
    let stored = ["v1alpha1", "v1alpha2"].map(str::to_owned).to_vec();
    inventory.crds.push(Crd {
        name: "llminferenceservices.serving.kserve.io".to_owned(),
        kind: "LLMInferenceService".to_owned(),
        served: stored.clone(),
        storage: "v1alpha2".to_owned(),
        stored,
        ..like
    });
    let plan = plan(&inventory, "0.18.1");
    let health = plan.steps.iter().find(|step| step.id == id(&plan, "health")).expect("it");
    let verify =
        health.work.verify.iter().find(|verify| verify.title.contains("stored as v1alpha2")).expect("it");
    assert_eq!(verify.within, Seconds::hours(1));
}
