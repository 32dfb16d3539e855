//! Charts that are split, renamed and merged, judged by what stands on the platform afterwards: on the twin, and with real helms on a real
//! API server.

use serde_json::{Value, json};

use crate::support::{
    bins::root,
    kubectl::{Cluster, Own},
    scene::Scene,
};

const CRD: &str = "things.demo.switchback.test";
const PLATFORM: &str = "apiVersion: switchback.dev/v1alpha1\nkind: Platform\nmetadata: {name: things}\nspec:\n  targets: {main: {cluster: {}}}\n";

fn upgrade(release: &str, to: &str, more: &str) -> String {
    format!(
        "apiVersion: switchback.dev/v1alpha1\nkind: HelmReleaseUpgrade\nmetadata: {{name: {release}}}\nspec:\n  target: \
         main\n  release: {{namespace: default, name: {release}}}\n  charts: {{directory: ../charts}}\n  to: '{to}'\n{more}"
    )
}

/// A platform with a release of `things` at 1.0.0: a ConfigMap and a CRD, which the next version of the chart leaves to `things-crd`.
trait Place {
    fn scene(&self) -> &Scene;
    /// Objects of a kind, as they are.
    fn objects(&self, kind: &str) -> Vec<Value>;
    /// Makes a Thing.
    fn make(&self, name: &str);
    /// What helm lists, as `NAME CHART`.
    fn releases(&self) -> Vec<String>;
}

fn thing(name: &str) -> Value {
    json!({"apiVersion": "demo.switchback.test/v1alpha1", "kind": "Thing",
        "metadata": {"name": name, "namespace": "default"}, "spec": {"made": "by a person"}})
}

struct OnTwin(Scene);

impl Place for OnTwin {
    fn scene(&self) -> &Scene {
        &self.0
    }

    fn objects(&self, kind: &str) -> Vec<Value> {
        self.0.objects(kind)
    }

    fn make(&self, name: &str) {
        let path = "/apis/demo.switchback.test/v1alpha1/namespaces/default/things";
        self.0.send("POST", path, ("application/json", &thing(name).to_string()));
    }

    fn releases(&self) -> Vec<String> {
        listed(&self.0)
    }
}

struct OnCluster<'c>(Scene, &'c Cluster);

impl Place for OnCluster<'_> {
    fn scene(&self) -> &Scene {
        &self.0
    }

    fn objects(&self, kind: &str) -> Vec<Value> {
        self.1.items(&["get", kind, "--all-namespaces"])
    }

    fn make(&self, name: &str) {
        self.1.create(&thing(name));
    }

    fn releases(&self) -> Vec<String> {
        listed(&self.0)
    }
}

/// Releases of our charts as an observation finds them.
fn listed(scene: &Scene) -> Vec<String> {
    scene.observed();
    let text = std::fs::read_to_string(scene.path("inventory.json")).expect("an inventory");
    let inventory: Value = serde_json::from_str(&text).expect("JSON");
    let releases = inventory["releases"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let ours = releases.iter().filter(|release| release["name"]["namespace"] == "default");
    ours.map(|release| {
        [text(&release["name"]["name"]), text(&release["chart"]), text(&release["chartVersion"])].join(" ")
    })
    .collect()
}

/// Who holds an object, by its UID, and whether anything is left of what was written to keep it.
fn held(place: &dyn Place, kind: &str, name: &str) -> (String, String, usize) {
    let all = place.objects(kind);
    let object = all.iter().find(|object| object["metadata"]["name"] == name);
    let metadata = &object.unwrap_or_else(|| panic!("{kind} {name} is gone"))["metadata"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let marks = ["helm.sh/resource-policy", "switchback.dev/left-by"];
    let left = marks.iter().filter(|mark| metadata["annotations"].get(**mark).is_some()).count();
    (text(&metadata["annotations"]["meta.helm.sh/release-name"]), text(&metadata["uid"]), left)
}

/// The same object as before, held by a release and without marks.
fn is_held(place: &dyn Place, kind: &str, name: &str, release: &str, uid: &str) {
    assert_eq!(held(place, kind, name), (release.to_owned(), uid.to_owned(), 0), "{kind} {name}");
}

fn unplanned(scene: &Scene) -> String {
    scene.observed();
    scene.on_platform("resolve manifests").exits(0);
    scene.switchback("plan manifests -o plan.json").exits(1).stderr.replace("\n  │ ", " ")
}

/// With a store of its own.
fn another_day(scene: &Scene) {
    std::fs::remove_dir_all(scene.path("store")).expect("the store");
}

/// A chart is split, and put together again. What is there of it, for what comes after.
fn splits(place: &dyn Place) -> [String; 2] {
    let scene = place.scene();
    for name in ["a", "b"] {
        place.make(name);
    }
    let (_, uid, _) = held(place, "CustomResourceDefinition", CRD);
    let (_, config, _) = held(place, "ConfigMap", "things");
    let things = |owner: &str| {
        is_held(place, "CustomResourceDefinition", CRD, owner, &uid);
        assert_eq!(place.objects("Thing").len(), 2);
    };
    let start = place.releases();
    assert_eq!(start, ["things things 1.0.0"]);

    // Split: helm alone would refuse to import the CRD, and the old release would delete it with every Thing.
    let install = "  install: true\n  chart: things-crd\n";
    scene.write("manifests/crds.yaml", &upgrade("things-crd", "1.0.0", install));
    let after = "  requires: [{upgrade: things-crd, atLeast: '1.0.0', because: it takes the CRD over}]\n";
    scene.write("manifests/things.yaml", &upgrade("things", "2.0.0", after));
    let refused = unplanned(scene);
    for said in ["SB0447", "release default/things holds it", "under `adopts`"] {
        assert!(refused.contains(said), "{said} is not in {refused}");
    }
    let adopts = format!("{install}  adopts: [{{namespace: default, name: things}}]\n");
    scene.write("manifests/crds.yaml", &upgrade("things-crd", "1.0.0", &adopts));
    scene.plan();
    let shown = scene.switchback("show plan.json").exits(0).stdout;
    assert!(shown.contains("goes from default/things to default/things-crd, as it is"), "{shown}");
    let preflight = scene.on_store("preflight plan.json").exits(0);
    assert!(preflight.stdout.contains("0 wrong"), "{}", preflight.stdout);
    scene.apply().exits(0);
    things("things-crd");
    assert_eq!(place.releases(), ["things things 2.0.0", "things-crd things-crd 1.0.0"]);
    scene.on_store("rollback --to start --reason test").exits(0);
    things("things");
    is_held(place, "ConfigMap", "things", "things", &config);
    assert_eq!(place.releases(), start);
    another_day(scene);
    [uid, config]
}

fn splits_renames_and_merges(place: &dyn Place) {
    let [uid, config] = splits(place);
    let scene = place.scene();
    let things = |owner: &str| {
        is_held(place, "CustomResourceDefinition", CRD, owner, &uid);
        assert_eq!(place.objects("Thing").len(), 2);
    };
    scene.plan();
    scene.apply().exits(0);
    things("things-crd");

    // Renamed, to a chart that numbers its versions anew.
    std::fs::remove_file(scene.path("manifests/crds.yaml")).expect("a file");
    scene.write("manifests/things.yaml", &upgrade("things", "0.1.0", "  chart: stuff\n"));
    let refused = unplanned(scene);
    assert!(refused.contains("formerChart: things"), "{refused}");
    let renamed = "  chart: stuff\n  formerChart: things\n";
    scene.write("manifests/things.yaml", &upgrade("things", "0.1.0", renamed));
    another_day(scene);
    scene.plan();
    scene.apply().exits(0);
    assert_eq!(place.releases(), ["things stuff 0.1.0", "things-crd things-crd 1.0.0"]);
    scene.on_store("rollback --to start --reason test").exits(0);
    assert_eq!(place.releases(), ["things things 2.0.0", "things-crd things-crd 1.0.0"]);
    is_held(place, "ConfigMap", "things", "things", &config);

    // Merged: both releases go, and nothing of them does.
    std::fs::remove_file(scene.path("manifests/things.yaml")).expect("a file");
    let merged = "  install: true\n  chart: bundle\n  replaces: [{release: {namespace: default, name: things}}, {release: {namespace: default, name: things-crd}}]\n";
    scene.write("manifests/bundle.yaml", &upgrade("bundle", "1.0.0", merged));
    another_day(scene);
    scene.plan();
    scene.apply().exits(0);
    things("bundle");
    is_held(place, "ConfigMap", "things", "bundle", &config);
    assert_eq!(place.releases(), ["bundle bundle 1.0.0"]);
    scene.on_store("rollback --to start --reason test").exits(0);
    things("things-crd");
    is_held(place, "ConfigMap", "things", "things", &config);
    assert_eq!(place.releases(), ["things things 2.0.0", "things-crd things-crd 1.0.0"]);
    let maps = place.objects("ConfigMap");
    let map = maps.iter().find(|map| map["metadata"]["name"] == "things").expect("it is there");
    assert_eq!(map["data"]["version"], "2.0.0", "what it holds is what its release recorded");
}

/// A twin on which a plan was made that splits the chart.
fn about_to_be_split() -> OnTwin {
    let scene = Scene::on_twin(&[("platform.yaml", PLATFORM)], |world| {
        let ours = "  - {name: things, namespace: default, chart: things, version: 1.0.0}\n";
        world.replacen("releases:\n", &format!("releases:\n{ours}"), 1)
    });
    let install = "  install: true\n  chart: things-crd\n  adopts: [{namespace: default, name: things}]\n";
    scene.write("manifests/crds.yaml", &upgrade("things-crd", "1.0.0", install));
    let after = "  requires: [{upgrade: things-crd, atLeast: '1.0.0', because: it takes the CRD over}]\n";
    scene.write("manifests/things.yaml", &upgrade("things", "2.0.0", after));
    scene.plan();
    OnTwin(scene)
}

/// What somebody else installs under the name meanwhile is another release, though its version and values are those of the plan.
#[test]
fn another_release_of_the_name_is_not_taken_for_the_one_of_the_plan() {
    let place = about_to_be_split();
    let scene = place.scene();
    let (_, uid, _) = held(&place, "CustomResourceDefinition", CRD);
    let line = "install things-crd charts/stuff/0.1.0 -n default --kubeconfig kubeconfig";
    let line = line.replace("stuff/0.1.0", "gadgets/1.0.0");
    let mut command = scene.command(&scene.path("bin/helm"));
    let out = command.args(line.split(' ')).output().expect("helm runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let said = scene.apply().exits(4).stdout;
    assert!(said.contains("the platform changed since the plan was made"), "{said}");
    is_held(&place, "CustomResourceDefinition", CRD, "things", &uid);
}

/// P-34: a helm that is killed while it drops what another release took leaves nothing that helm could roll back: it begins anew.
#[test]
fn p34_a_helm_killed_while_it_drops_what_was_taken_begins_anew() {
    let place = about_to_be_split();
    let scene = place.scene();
    let (_, uid, _) = held(&place, "CustomResourceDefinition", CRD);
    scene.fault(&json!({"verb": "program", "path": "*upgrade*", "nth": 1, "kind": "killed"}));
    scene.apply().exits(0);
    assert_eq!(scene.faults_met(), 1);
    is_held(&place, "CustomResourceDefinition", CRD, "things-crd", &uid);
    assert_eq!(place.releases(), ["things things 2.0.0", "things-crd things-crd 1.0.0"]);
}

/// Refused where it takes its marks off: the rollback of the hop does.
#[test]
fn marks_that_an_upgrade_could_not_take_off_are_taken_off_by_its_rollback() {
    let place = about_to_be_split();
    let scene = place.scene();
    let (_, uid, _) = held(&place, "CustomResourceDefinition", CRD);
    let refused = json!({"before": {"status": 422}});
    // The first PATCH takes the CRD over, the second marks it, the third takes the marks off.
    let path = "*/customresourcedefinitions/things*";
    scene.fault(&json!({"verb": "PATCH", "path": path, "nth": 3, "kind": refused}));
    scene.apply().exits(5);
    assert_eq!(scene.faults_met(), 1);
    is_held(&place, "CustomResourceDefinition", CRD, "things", &uid);
}

/// Refused between two records of a release: those that had been detached are helm's again.
#[test]
fn a_release_that_is_detached_by_half_is_attached_whole() {
    let place = about_to_be_split();
    let scene = place.scene();
    scene.apply().exits(0);
    for name in ["crds", "things"] {
        std::fs::remove_file(scene.path(&format!("manifests/{name}.yaml"))).expect("a file");
    }
    let merged = "  install: true\n  chart: bundle\n  replaces: [{release: {namespace: default, name: things}}, {release: {namespace: default, name: things-crd}}]\n";
    scene.write("manifests/bundle.yaml", &upgrade("bundle", "1.0.0", merged));
    another_day(scene);
    scene.plan();
    let records = || {
        let all = place.objects("Secret").into_iter();
        let mut labels: Vec<String> = all
            .filter(|secret| {
                secret["type"] == "helm.sh/release.v1" && secret["metadata"]["labels"]["name"] == "things"
            })
            .filter_map(|secret| secret["metadata"]["labels"]["owner"].as_str().map(str::to_owned))
            .collect();
        labels.dedup();
        labels
    };
    assert_eq!(records(), ["helm"]);
    let refused = json!({"before": {"status": 422}});
    scene.fault(&json!({"verb": "PATCH", "path": "*/secrets/sh.helm.release.v1.things.v2", "nth": 1, "kind": refused}));
    scene.apply().exits(5);
    assert_eq!(scene.faults_met(), 1);
    assert_eq!(records(), ["helm"]);
    assert_eq!(place.releases(), ["things things 2.0.0", "things-crd things-crd 1.0.0"]);
}

/// Of two releases that would take one object over, the second finds it with the first.
#[test]
fn two_releases_do_not_take_one_object_over() {
    let place = about_to_be_split();
    let scene = place.scene();
    let bundle = "  install: true\n  chart: bundle\n  adopts: [{namespace: default, name: things}]\n  requires: [{upgrade: things-crd, atLeast: '1.0.0', because: test}]\n";
    scene.write("manifests/bundle.yaml", &upgrade("bundle", "1.0.0", bundle));
    let refused = unplanned(scene);
    assert!(
        refused.contains("SB0447") && refused.contains("but release default/things-crd holds it"),
        "{refused}"
    );
}

#[test]
fn on_the_twin_a_chart_is_split_renamed_and_merged() {
    let scene = Scene::on_twin(&[("platform.yaml", PLATFORM)], |world| {
        let ours = "  - {name: things, namespace: default, chart: things, version: 1.0.0}\n";
        world.replacen("releases:\n", &format!("releases:\n{ours}"), 1)
    });
    splits_renames_and_merges(&OnTwin(scene));
}

/// Half of it, for time: each run waits for real minutes. `with_helm_3` and `with_helm_4` are all of it, by hand.
#[test]
#[ignore = "starts a control plane: `tests/cluster/suite`"]
fn on_a_cluster_a_plan_splits_a_chart_with_helm_3() {
    let own = Own::start();
    splits(&on_a_cluster(&own.cluster, &own.cluster.helm3));
}

#[test]
#[ignore = "starts a control plane: `tests/cluster/suite`"]
fn on_a_cluster_a_plan_splits_a_chart_with_helm_4() {
    let own = Own::start();
    splits(&on_a_cluster(&own.cluster, &own.cluster.helm4));
}

#[test]
#[ignore = "starts a control plane, and takes a quarter of an hour"]
fn with_helm_3_a_chart_is_split_renamed_and_merged() {
    let own = Own::start();
    splits_renames_and_merges(&on_a_cluster(&own.cluster, &own.cluster.helm3));
}

#[test]
#[ignore = "starts a control plane, and takes a quarter of an hour"]
fn with_helm_4_a_chart_is_split_renamed_and_merged() {
    let own = Own::start();
    splits_renames_and_merges(&on_a_cluster(&own.cluster, &own.cluster.helm4));
}

fn on_a_cluster<'c>(cluster: &'c Cluster, helm: &str) -> OnCluster<'c> {
    let chart = root().join("fixtures/charts/things/1.0.0");
    cluster.helm(helm, &["install", "things", &chart.to_string_lossy(), "--namespace", "default"]);
    cluster.kubectl(&["wait", "crd", "--all", "--for=condition=Established", "--timeout=60s"]);
    OnCluster(Scene::on_cluster(&[("platform.yaml", PLATFORM)], cluster, helm), cluster)
}
