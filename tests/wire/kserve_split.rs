//! KServe over the split of its charts, by what a person types: every object stays the one that it was, in the hands of the release that the
//! new charts give it to, and a rollback gives it back.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{
    journal::{Events, record},
    scene::Scene,
};

const PLATFORM: &str = "apiVersion: switchback.dev/v1alpha1\nkind: Platform\nmetadata: {name: kserve-small}\nspec:\n  targets: {cluster: {cluster: {}}}\n";

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
  charts: {directory: ../charts}
";

fn scene() -> Scene {
    Scene::on_world("kserve-small.yaml", &[("platform.yaml", PLATFORM), ("kserve.yaml", KSERVE)], |world| {
        world
    })
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// CRDs and runtimes of KServe: who holds each, and its UID.
fn held(scene: &Scene) -> BTreeMap<String, (String, String)> {
    let all = ["CustomResourceDefinition", "ClusterServingRuntime"].map(|kind| scene.objects(kind));
    let own = all.iter().flatten().filter(|object| {
        object["kind"] == "ClusterServingRuntime" || object["spec"]["group"] == "serving.kserve.io"
    });
    own.map(|object| {
        let metadata = &object["metadata"];
        for mark in ["helm.sh/resource-policy", "switchback.dev/left-by"] {
            assert!(metadata["annotations"].get(mark).is_none(), "{} is left with {mark}", metadata["name"]);
        }
        let owner = text(&metadata["annotations"]["meta.helm.sh/release-name"]);
        (text(&metadata["name"]), (owner, text(&metadata["uid"])))
    })
    .collect()
}

/// What runtimes run.
fn runtimes(scene: &Scene) -> Vec<Value> {
    scene.objects("ClusterServingRuntime").iter().map(|runtime| runtime["spec"].clone()).collect()
}

fn uids(held: &BTreeMap<String, (String, String)>) -> BTreeMap<&str, &str> {
    held.iter().map(|(name, (_, uid))| (name.as_str(), uid.as_str())).collect()
}

/// Services: who they are, what they ask for, and whether they are Ready.
fn services(scene: &Scene) -> Vec<(String, Value, bool)> {
    let all = scene.objects("InferenceService");
    let ready = |service: &Value| {
        let conditions = service["status"]["conditions"].as_array();
        conditions.is_some_and(|all| all.iter().any(|it| it["type"] == "Ready" && it["status"] == "True"))
    };
    all.iter()
        .map(|service| (text(&service["metadata"]["uid"]), service["spec"].clone(), ready(service)))
        .collect()
}

/// The charts of KServe's releases, and the version of each.
fn releases(scene: &Scene) -> BTreeMap<String, String> {
    scene.observed();
    let inventory: Value = serde_json::from_str(&scene.read("inventory.json")).expect("JSON");
    let releases = inventory["releases"].as_array().cloned().unwrap_or_default();
    let own = releases.iter().filter(|release| release["name"]["namespace"] == "kserve");
    own.map(|release| {
        (
            text(&release["name"]["name"]),
            format!("{} {}", text(&release["chart"]), text(&release["chartVersion"])),
        )
    })
    .collect()
}

fn named(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, chart)| ((*name).to_owned(), (*chart).to_owned())).collect()
}

fn is_over(scene: &Scene, before: &BTreeMap<String, (String, String)>, what: &str) {
    let after = held(scene);
    assert_eq!(uids(before), uids(&after), "{what}: an object was made anew");
    for (name, (owner, _)) in &after {
        let expected = match name.as_str() {
            name if name.starts_with("localmodel") => "kserve-localmodel-crd",
            name if name.ends_with(".serving.kserve.io") => "kserve-crd",
            _ => "kserve-runtime-configs",
        };
        assert_eq!(owner, expected, "{what}: {name}");
    }
    assert_eq!(
        releases(scene),
        named(&[
            ("kserve", "kserve-resources v0.17.1"),
            ("kserve-crd", "kserve-crd v0.17.1"),
            ("kserve-localmodel-crd", "kserve-localmodel-crd v0.17.1"),
            ("kserve-runtime-configs", "kserve-runtime-configs v0.17.1"),
        ]),
        "{what}"
    );
}

#[test]
fn over_the_split_and_back_every_object_stays_the_one_that_it_was() {
    let scene = scene();
    let (before, served, start) = (held(&scene), services(&scene), releases(&scene));
    let run = runtimes(&scene);
    assert_eq!(before.len(), 11, "{before:#?}");
    scene.plan();
    scene.apply().exits(0);
    is_over(&scene, &before, "after the upgrade");
    assert_eq!(services(&scene), served, "the same services, and all Ready");
    assert_ne!(runtimes(&scene), run, "they are those of the new chart");
    scene.on_store("rollback --to start --reason tired").exits(0);
    assert_eq!(held(&scene), before);
    assert_eq!(runtimes(&scene), run);
    assert_eq!(releases(&scene), start);
    assert_eq!(services(&scene), served);
}

/// Moves the platform to the last version below the split.
fn at_the_split(scene: &Scene) {
    let (head, _) = KSERVE.split_once("  newReleases:").expect("a manifest");
    let below = format!("{head}  charts: {{directory: ../charts}}\n").replace("0.17.1", "0.16.0");
    scene.write("manifests/kserve.yaml", &below);
    scene.plan();
    scene.apply().exits(0);
    scene.write("manifests/kserve.yaml", KSERVE);
    std::fs::remove_dir_all(scene.path("store")).expect("the store");
}

/// The usual procedure on the same platform: helm deletes the CRDs of LocalModels and refuses to import the runtimes.
#[test]
fn the_usual_procedure_deletes_what_it_should_hand_over() {
    let scene = scene();
    at_the_split(&scene);
    let before = held(&scene);
    let helm = |line: &str| {
        let mut command = scene.command(&scene.path("bin/helm"));
        command.args(line.split(' ')).output().expect("helm runs")
    };
    let refused = helm(
        "install kserve-localmodel-crd charts/kserve-localmodel-crd/v0.17.1 -n kserve --kubeconfig kubeconfig",
    );
    assert!(String::from_utf8_lossy(&refused.stderr).contains("cannot be imported into the current release"));
    assert!(
        helm("upgrade kserve-crd charts/kserve-crd/v0.17.1 -n kserve --kubeconfig kubeconfig")
            .status
            .success()
    );
    scene.wait(60);
    let gone: Vec<&String> = {
        let after = held(&scene);
        before.keys().filter(|name| !after.contains_key(*name)).collect()
    };
    assert_eq!(gone.len(), 3, "{gone:?}");
}

/// Applies until a record of a step of the hop over the split is written, and is killed.
fn killed(scene: &Scene, step: &str, at: &str) {
    let step = format!("@0.17.1/{step}");
    let mut child = scene.applying();
    let is = |found: &Value| found["at"]["step"].as_str().is_some_and(|id| id.ends_with(&step));
    let begun = Events::of(&mut child).until(|event| record(event, at).is_some_and(is));
    assert!(begun, "{step} was never begun: {}", scene.switchback("status --store store").stdout);
    child.kill().expect("killed");
    child.wait().expect("ended");
}

/// Killed beside each step that changes hands, the next process ends where an undisturbed one does.
#[test]
fn p34_killed_beside_a_handover_another_process_reaches_the_same_end() {
    let beside =
        [("localmodel-crds", "intent"), ("crds", "ended"), ("runtimes", "intent"), ("controller", "intent")];
    for (step, at) in beside {
        let scene = scene();
        let (before, served) = (held(&scene), services(&scene));
        scene.plan();
        killed(&scene, step, at);
        scene.apply().exits(0);
        is_over(&scene, &before, step);
        assert_eq!(services(&scene), served, "{step}");
    }
}

/// Rolled back from the middle, by whoever finds it there.
#[test]
fn a_rollback_from_the_middle_gives_back_what_was_taken() {
    for step in ["localmodel-crds", "crds", "runtimes"] {
        let scene = scene();
        at_the_split(&scene);
        let (before, served, start) = (held(&scene), services(&scene), releases(&scene));
        let run = runtimes(&scene);
        scene.plan();
        killed(&scene, step, "ended");
        scene.on_store("rollback --to start --reason test").exits(0);
        assert_eq!(held(&scene), before, "{step}");
        assert_eq!(runtimes(&scene), run, "{step}");
        assert_eq!(releases(&scene), start, "{step}");
        assert_eq!(services(&scene), served, "{step}");
    }
}

/// Refused while objects change hands: those that had changed are given back, though no release was made.
#[test]
fn a_refusal_in_the_middle_of_a_handover_gives_back_what_was_taken() {
    for path in
        ["*/customresourcedefinitions/localmodelnodes*", "*/clusterservingruntimes/kserve-sklearnserver"]
    {
        let scene = scene();
        at_the_split(&scene);
        let (before, served, start) = (held(&scene), services(&scene), releases(&scene));
        scene.plan();
        let refused = json!({"before": {"status": 422}});
        scene.fault(&json!({"verb": "PATCH", "path": path, "nth": 1, "kind": refused}));
        scene.apply().exits(5);
        assert_eq!(scene.faults_met(), 1, "{path} was never called");
        assert_eq!(held(&scene), before, "{path}");
        assert_eq!(releases(&scene), start, "{path}");
        assert_eq!(services(&scene), served, "{path}");
    }
}
