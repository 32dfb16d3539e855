//! An upgrade of a release whose new chart drops a CRD, with its objects, judged by what stands on the platform afterwards: on the
//! twin, and with real helms on a real API server.

use serde_json::json;
use switchback_schemas::plan::Mark;

use crate::support::{
    bins::root,
    kubectl::{Cluster, Own},
    mlops,
    scene::Scene,
};

const CRD: &str = "things.demo.switchback.test";
const PLATFORM: &str = "apiVersion: switchback.dev/v1alpha1\nkind: Platform\nmetadata: {name: things}\nspec:\n  targets: {main: {cluster: {}}}\n";

fn upgrade(release: &str, more: &str) -> String {
    format!(
        "apiVersion: switchback.dev/v1alpha1\nkind: HelmReleaseUpgrade\nmetadata: {{name: {release}}}\nspec:\n  target: \
         main\n  release: {{namespace: default, name: {release}}}\n  charts: {{directory: ../charts}}\n  to: '2.0.0'\n{more}"
    )
}

/// A platform with releases of `things` and `gadgets` at 1.0.0.
trait Place {
    fn scene(&self) -> &Scene;
    /// Makes an object of a kind.
    fn make(&self, kind: &str, name: &str);
    /// How many Things there are; `None` without their CRD.
    fn things(&self) -> Option<usize>;
    /// Tells Helm to keep the CRD, or no longer.
    fn keep(&self, keep: bool);
    /// Lets the API server end what it is deleting.
    fn let_go(&self);
}

fn object(kind: &str, name: &str) -> serde_json::Value {
    json!({"apiVersion": "demo.switchback.test/v1alpha1", "kind": kind,
        "metadata": {"name": name, "namespace": "default"}, "spec": {"made": "by a person"}})
}

struct OnTwin(Scene);

impl OnTwin {
    fn start() -> Self {
        let manifests = [("platform.yaml", PLATFORM)];
        let scene = Scene::on_twin(&manifests, |world| {
            let ours = ["things", "gadgets"].map(|name| {
                format!("  - {{name: {name}, namespace: default, chart: {name}, version: 1.0.0}}\n")
            });
            world.replacen("releases:\n", &format!("releases:\n{}", ours.concat()), 1)
        });
        Self(scene)
    }
}

impl Place for OnTwin {
    fn scene(&self) -> &Scene {
        &self.0
    }

    fn make(&self, kind: &str, name: &str) {
        let path = format!("/apis/demo.switchback.test/v1alpha1/namespaces/default/{}s", kind.to_lowercase());
        self.0.send("POST", &path, ("application/json", &object(kind, name).to_string()));
    }

    fn things(&self) -> Option<usize> {
        let crds = self.0.objects("CustomResourceDefinition");
        let there = crds.iter().any(|crd| crd["metadata"]["name"] == CRD);
        there.then(|| self.0.objects("Thing").len())
    }

    fn keep(&self, keep: bool) {
        let word = if keep { json!("keep") } else { json!(null) };
        let keep = json!({"metadata": {"annotations": {"helm.sh/resource-policy": word}}}).to_string();
        let path = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{CRD}");
        self.0.send("PATCH", &path, ("application/merge-patch+json", &keep));
    }

    fn let_go(&self) {
        self.0.wait(60);
    }
}

struct OnCluster<'c>(Scene, &'c Cluster);

impl Place for OnCluster<'_> {
    fn scene(&self) -> &Scene {
        &self.0
    }

    fn make(&self, kind: &str, name: &str) {
        self.1.create(&object(kind, name));
    }

    fn things(&self) -> Option<usize> {
        let crds = self.1.items(&["get", "crd"]);
        let there = crds.iter().any(|crd| crd["metadata"]["name"] == CRD);
        there.then(|| self.1.items(&["get", "-n", "default", CRD]).len())
    }

    fn keep(&self, keep: bool) {
        let word = if keep { "helm.sh/resource-policy=keep" } else { "helm.sh/resource-policy-" };
        self.1.kubectl(&["annotate", "crd", CRD, word]);
    }

    fn let_go(&self) {
        self.1.kubectl(&["wait", "crd", CRD, "--for=delete", "--timeout=120s"]);
    }
}

/// What happened before: "disrupts: none, back: automatic", complete, and every Thing was gone.
fn nothing_is_deleted_that_nobody_accepted(place: &dyn Place) {
    let scene = place.scene();
    for name in ["a", "b"] {
        place.make("Thing", name);
    }
    place.make("Gadget", "a");
    scene.write("manifests/gadgets.yaml", &upgrade("gadgets", ""));
    scene.write("manifests/things.yaml", &upgrade("things", ""));
    let refused = unplanned(scene);
    for said in [
        "SB0436",
        "no longer holds CRD things.demo.switchback.test: Helm deletes it with 2 objects of kind Thing",
        "SB0413",
        "CRD gadgets.demo.switchback.test drops version v1alpha1, in which objects are stored",
    ] {
        assert!(refused.contains(said), "{said} is not in {refused}");
    }
    std::fs::remove_file(scene.path("manifests/gadgets.yaml")).expect("a file");

    // Two are accepted, and another one comes while the run waits for its approval.
    scene.write("manifests/things.yaml", &accepting(2));
    let plan = scene.plan();
    assert_eq!(plan.points.len(), 1);
    // The old chart leaves its namespace to Helm, the new one writes it: that is one object.
    let changes =
        plan.steps.iter().flat_map(|step| &step.changes).filter(|change| change.object.kind == "ConfigMap");
    let marks: Vec<(Mark, String)> = changes.map(|change| (change.mark, change.object.to_string())).collect();
    assert_eq!(marks, [(Mark::Change, "ConfigMap default/things".to_owned())]);
    let preflight = scene.on_store("preflight plan.json").exits(0);
    assert!(preflight.stdout.contains("0 wrong"), "{}", preflight.stdout);
    let line = mlops::parked_for(&scene.apply().exits(3)).expect("it waits for the approval");
    place.make("Thing", "c");
    mlops::approve(scene, &line);
    let held = scene.apply().exits(4);
    assert!(held.stdout.contains("3 of 3 Thing"), "{}", held.stdout);
    assert_eq!(place.things(), Some(3));
    // What follows is another day, with a store of its own.
    scene.on_store("abandon --reason test");
    std::fs::remove_dir_all(scene.path("store")).expect("the store");

    // What carries Helm's word stays, forward and back.
    place.keep(true);
    scene.write("manifests/things.yaml", &upgrade("things", ""));
    scene.plan();
    scene.apply().exits(0);
    assert_eq!(place.things(), Some(3));
    scene.on_store("rollback --to start --reason test").exits(0);
    assert_eq!(place.things(), Some(3));

    place.keep(false);
    scene.write("manifests/things.yaml", &accepting(3));
    scene.plan();
    let line = mlops::parked_for(&scene.apply().exits(3)).expect("it waits for the approval");
    mlops::approve(scene, &line);
    scene.apply().exits(0);
    place.let_go();
    assert_eq!(place.things(), None);
}

fn accepting(objects: u64) -> String {
    upgrade(
        "things",
        &format!("  deletes: [{{crd: {CRD}, objects: {objects}, because: 'ada: they are exported'}}]\n"),
    )
}

/// A runtime that the new chart no longer brings, and that somebody's endpoint names.
#[test]
fn removed_objects_are_listed_with_who_uses_them() {
    let scene = Scene::on_twin(
        &[("platform.yaml", PLATFORM), ("serving.yaml", &upgrade("serving", ""))],
        |world| {
            let release = "  - {name: serving, namespace: default, chart: serving, version: 1.0.0}\n";
            let endpoint = "  - {apiVersion: serving.switchback.test/v1, kind: Endpoint, metadata: {name: iris, namespace: default}, \
                        spec: {model: {runtime: sklearn}}}\n";
            let world = world.replacen("releases:\n", &format!("releases:\n{release}"), 1);
            world.replacen("\nobjects:\n", &format!("\nobjects:\n{endpoint}"), 1)
        },
    );
    let refused = unplanned(&scene);
    let said = "no longer holds 1 object of kind Runtime: Helm deletes Runtime sklearn (used by Endpoint default/iris)";
    assert!(refused.contains(said), "{refused}");
}

/// Observes, resolves, and does not get a plan; what is said.
fn unplanned(scene: &Scene) -> String {
    scene.observed();
    scene.on_platform("resolve manifests").exits(0);
    let said = scene.switchback("plan manifests -o plan.json").exits(1).stderr;
    // As it was said, before it was folded to the width of a terminal.
    said.replace("\n  │ ", " ")
}

#[test]
fn on_the_twin_nothing_is_deleted_that_nobody_accepted() {
    nothing_is_deleted_that_nobody_accepted(&OnTwin::start());
}

#[test]
#[ignore = "starts a control plane: `tests/cluster/suite`"]
fn on_a_cluster_nothing_is_deleted_that_nobody_accepted() {
    let own = Own::start();
    let cluster = &own.cluster;
    for helm in [&cluster.helm3, &cluster.helm4] {
        for name in ["things", "gadgets"] {
            let chart = root().join("fixtures/charts").join(name).join("1.0.0");
            cluster.helm(helm, &["install", name, &chart.to_string_lossy(), "--namespace", "default"]);
        }
        cluster.kubectl(&["wait", "crd", "--all", "--for=condition=Established", "--timeout=60s"]);
        let scene = Scene::on_cluster(&[("platform.yaml", PLATFORM)], cluster, helm);
        nothing_is_deleted_that_nobody_accepted(&OnCluster(scene, cluster));
        for name in ["things", "gadgets"] {
            cluster.helm(helm, &["uninstall", name, "--namespace", "default"]);
        }
    }
}
