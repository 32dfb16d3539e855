//! Canaries: secrets of many kinds on the platform, in charts, in what helm complains, and where each of them turns up after the
//! whole flow. The inventory, the lock and the plan are committed, the rest is read by many.

use std::{
    fmt::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use serde_json::json;

use crate::support::scene::Scene;

const PLATFORM: &str = "apiVersion: switchback.dev/v1alpha1\nkind: Platform\nmetadata: {name: leaky}\nspec:\n  targets: {main: {cluster: {}}}\n";

const UPGRADE: &str = "apiVersion: switchback.dev/v1alpha1\nkind: HelmReleaseUpgrade\nmetadata: {name: leaky}\nspec:\n  target: main\n  \
                       release: {namespace: default, name: leaky}\n  charts: {directory: ../charts}\n  to: '2.0.0'\n  within: 5m\n";

/// How many canaries there are at least.
const KINDS: usize = 30;

/// Plants canaries, each with letters of its own.
#[derive(Default)]
struct Canaries(Vec<(String, String)>);

impl Canaries {
    /// A canary of this kind. Two halves, so that one can be split over lines.
    fn plant(&mut self, kind: &str) -> String {
        let number = self.0.len();
        let letters = ["Qx", "Zt", "Wj", "Kv", "Hy", "Gb", "Pn"];
        let canary = format!("c{}nry{number:02}{}", letters[number % 7], letters[(number / 7) % 7]);
        self.0.push((kind.to_owned(), canary.clone()));
        canary
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let at = |index: usize| u32::from(chunk.get(index).copied().unwrap_or_default());
        let group = (at(0) << 16) | (at(1) << 8) | at(2);
        for place in 0..=chunk.len() {
            let index = usize::try_from((group >> (18 - 6 * place)) & 63).expect("six bits");
            text.push(char::from(ALPHABET[index]));
        }
    }
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

fn percent(text: &str) -> String {
    text.bytes().fold(String::new(), |mut all, byte| {
        let _ = write!(all, "%{byte:02X}");
        all
    })
}

/// Spellings in which a canary could stand: as it is, backwards through a query, and in base64 at each of its three places.
fn spellings(canary: &str) -> Vec<String> {
    let inner = |skip: usize| {
        let text = base64(&[&vec![b'x'; skip][..], canary.as_bytes()].concat());
        // Without the characters that neighbours share.
        let from = (skip * 8).div_ceil(6);
        text.trim_end_matches('=')
            .get(from..text.trim_end_matches('=').len() - 2)
            .unwrap_or_default()
            .to_owned()
    };
    let mut all = vec![canary.to_owned(), percent(canary)];
    all.extend((0..3).map(inner));
    all
}

/// Where a canary stands in a text, line ends and quotes aside.
fn found(text: &str, canary: &str) -> bool {
    let text = text.replace("\\n", "");
    let bare: String = text.chars().filter(|c| !c.is_whitespace() && !"\"'\\+".contains(*c)).collect();
    spellings(canary).iter().any(|spelled| text.contains(spelled.as_str()) || bare.contains(spelled.as_str()))
}

fn indented(value: &serde_json::Value) -> String {
    serde_json::to_string(value).expect("JSON")
}

/// Objects of the chart, both versions alike but for the image.
fn objects(of: &mut Canaries, version: &str) -> String {
    let mut c = |kind: &str| of.plant(&format!("{kind} of {version}"));
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "{{release}}", "namespace": "{{ns}}", "annotations": {
            "example.com/note": c("an annotation"),
            "example.com/db": format!("postgres://u:{}@h/d", c("an address in an annotation"))}},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "leaky"}}, "template": {
            "metadata": {"labels": {"app": "leaky"}, "annotations": {"example.com/seed": c("an annotation of pods"),
                "kubectl.kubernetes.io/last-applied-configuration": c("what kubectl applied last")}},
            "spec": {"containers": [{
                "name": "leaky", "image": format!("example.invalid/leaky:{version}"),
                "args": [
                    format!("--token={}", c("an argument")), "--password", c("an argument of its own"),
                    format!("--db=mysql://root:{}@db:3306/x", c("an address")),
                    format!("--header=Authorization: Bearer {}", c("a header")),
                    format!("--db={}", percent(&format!("postgres://u:{}@h/d", c("an address, encoded")))),
                    format!("--conf={}", base64(format!("password={}", c("an argument in base64")).as_bytes()))],
                "command": ["sh", "-c", format!("export API_TOKEN={}; exec x", c("a shell's variable"))],
                "env": [
                    {"name": "DB_PASSWORD", "value": c("a variable")},
                    {"name": "HARMLESS", "value": c("a variable with a harmless name")},
                    {"name": "BLOB", "value": base64(c("a variable in base64").as_bytes())}]}]}}}});
    let split = c("split over lines");
    let config = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{release}}", "namespace": "{{ns}}"},
        "data": {"app.yaml": format!("db:\n  pass: {}\n", c("a ConfigMap")), "plain": c("a plain entry"),
            "folded": format!("{}\n{}", &split[..5], &split[5..])}});
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "{{release}}", "namespace": "{{ns}}"},
        "data": {"a": base64(c("data of a Secret").as_bytes())}});
    [deployment, config, secret].iter().fold(String::new(), |mut all, object| {
        let _ = writeln!(all, "          - {}", indented(object));
        all
    })
}

fn world(world: &str, of: &mut Canaries) -> String {
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        of.plant("a key among the values")
    );
    let values = json!({
        "db": {"password": of.plant("a value"), "url": format!("postgres://u:{}@h/d", of.plant("an address among the values"))},
        "tls": pem,
        "harmless": of.plant("a value with a harmless name"),
        "blob": base64(of.plant("a value in base64").as_bytes()),
        "query": percent(&of.plant("a value, encoded")),
        "headers": [format!("Authorization: Basic {}", of.plant("a header among the values"))],
        "slack": format!("https://hooks.slack.com/services/T0/B0/{}", of.plant("a hook among the values"))});
    let mut charts = "settings:\n  charts:\n    leaky:\n".to_owned();
    for version in ["1.0.0", "2.0.0"] {
        let objects = objects(of, version);
        let _ = write!(
            charts,
            "      {version}:\n        appVersion: '{version}'\n        values: {{}}\n        objects:\n{objects}"
        );
    }
    let release = format!(
        "releases:\n  - {{name: leaky, namespace: default, chart: oci://x/leaky, version: 1.0.0, values: {}}}\n",
        indented(&values)
    );
    let pod = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "beside", "namespace": "default",
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": of.plant("what kubectl applied, live")}},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "beside"}}, "template": {"metadata": {"labels": {"app": "beside"}},
            "spec": {"containers": [{"name": "beside", "image": "example.invalid/beside:1",
                "args": [format!("--token={}", of.plant("an argument, live"))],
                "env": [{"name": "X", "value": of.plant("a variable, live")}]}]}}}});
    world.replacen("settings:\n", &charts, 1).replacen("releases:\n", &release, 1).replacen(
        "\nobjects:\n",
        &format!("\nobjects:\n  - {}\n", indented(&pod)),
        1,
    )
}

/// A helm that writes down how it was called, and complains of all that it knows. Asked to, it fails.
fn helm(scene: &Scene, of: &mut Canaries) {
    let complaint = [
        format!("Error: cannot reach postgres://u:{}@db/x", of.plant("an address that helm complains of")),
        format!("Authorization: Bearer {}", of.plant("a header that helm complains of")),
        format!("curl --token={} failed", of.plant("an argument that helm complains of")),
        format!("password: {}", of.plant("a value that helm complains of")),
        format!("{{\"clientSecret\":\"{}\"}}", of.plant("JSON that helm complains of")),
        format!(
            "payload {}",
            base64(format!("password={}", of.plant("base64 that helm complains of")).as_bytes())
        ),
        format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----",
            of.plant("a key that helm complains of")
        ),
    ];
    scene.write("complaint.hidden", &complaint.join("\n"));
    let script = "#!/bin/sh\nhere=$(dirname \"$0\")\necho \"$@\" >> \"$here/argv.log\"\ncat \"$here/complaint.hidden\" >&2\n\
                  if [ -e \"$here/fails\" ] && [ \"$1\" = upgrade ]; then exit 1; fi\nexec \"$here/bin/helm\" \"$@\"\n";
    scene.write("helm.hidden", script);
    std::fs::set_permissions(scene.path("helm.hidden"), std::fs::Permissions::from_mode(0o755))
        .expect("a mode");
}

/// Files below a directory that commands wrote, without what the platform itself is made of here.
fn written(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let own = ["world.yaml", "charts.yaml", "eks.yaml", "charts", "kubeconfig", "bin"];
        if own.contains(&name.as_str()) || name.ends_with(".hidden") {
            continue;
        }
        if path.is_dir() {
            written(&path, files);
        } else {
            files.push(path);
        }
    }
}

#[test]
fn f1_no_canary_leaves_the_platform() {
    let mut canaries = Canaries::default();
    let manifests = [("platform.yaml", PLATFORM), ("leaky.yaml", UPGRADE)];
    let scene = Scene::on_twin(&manifests, |text| world(&text, &mut canaries));
    helm(&scene, &mut canaries);
    assert!(canaries.0.len() >= KINDS, "{} canaries", canaries.0.len());
    let on = "--kubeconfig kubeconfig --helm ./helm.hidden";
    let run = format!("{on} --store store");
    let mut said = Vec::new();
    let mut type_in = |line: &str, exits: Option<i32>| {
        let out = scene.switchback(line);
        if let Some(code) = exits {
            assert_eq!(out.code, Some(code), "{line}: {}\n{}", out.stdout, out.stderr);
        }
        said.push((line.to_owned(), format!("{}\n{}", out.stdout, out.stderr)));
    };
    type_in("observe manifests --kubeconfig kubeconfig", Some(0));
    type_in(&format!("resolve manifests -- {on}"), Some(0));
    type_in("plan manifests -o plan.json", Some(0));
    std::fs::copy(scene.path("plan.json"), scene.path("before.json")).expect("copied");
    for line in [
        "show plan.json",
        "show plan.json --format json",
        "show plan.json --by-hand",
        "diff before.json plan.json",
        "graph plan.json",
        "permissions plan.json",
        "rollback-plan plan.json",
    ] {
        type_in(line, None);
    }
    type_in(&format!("preflight plan.json {run}"), None);
    scene.write("fails", "");
    type_in(&format!("--log-format json apply plan.json {run}"), None);
    for line in ["status", "report", "report --format json", "rollback --by-hand", "verify", "janitor"] {
        type_in(&format!("{line} --store store"), None);
    }
    std::fs::remove_file(scene.path("fails")).expect("removed");
    type_in(&format!("continue --reason mended {run}"), None);
    type_in(&format!("apply plan.json {run} --format json"), None);
    type_in(&format!("rollback --to start --reason test {run}"), None);
    for line in ["status", "report", "report --format json", "verify", "janitor"] {
        type_in(&format!("{line} --store store"), None);
    }
    let complaint = "cannot reach postgres://***@db/x";
    assert!(
        said.iter().any(|(line, text)| line.starts_with("status") && text.contains(complaint)),
        "{said:#?}"
    );
    let mut files = Vec::new();
    written(&scene.path("."), &mut files);
    assert!(files.iter().any(|path| path.ends_with("argv.log")), "helm was not called: {files:?}");
    for path in &files {
        let text = String::from_utf8_lossy(&std::fs::read(path).expect("it is there")).into_owned();
        said.push((path.display().to_string(), text));
    }
    let mut leaks = Vec::new();
    for (kind, canary) in &canaries.0 {
        leaks.extend(
            said.iter().filter(|(_, text)| found(text, canary)).map(|(place, _)| format!("{kind}: {place}")),
        );
    }
    assert!(leaks.is_empty(), "{} leaks:\n{}", leaks.len(), leaks.join("\n"));
    for name in ["inventory.json", "inventory.json.wanted", "lock.json", "lock.json.asks", "plan.json"] {
        let mode = std::fs::metadata(scene.path(name)).expect(name).permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{name}");
    }
    let readable = files
        .iter()
        .filter(|path| path.to_string_lossy().contains("/store/"))
        .filter(|path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o077 != 0);
    assert_eq!(readable.collect::<Vec<_>>(), Vec::<&PathBuf>::new());
}

#[test]
fn canaries_are_found_in_every_spelling() {
    let canary = "cQxnry00Qx";
    for text in [
        canary.to_owned(),
        format!("a{}\\n{}", &canary[..4], &canary[4..]),
        percent(canary),
        base64(format!("x{canary}y").as_bytes()),
        base64(format!("xy{canary}").as_bytes()),
        base64(canary.as_bytes()),
    ] {
        assert!(found(&text, canary), "{text}");
    }
    assert!(!found("nothing", canary));
    assert_eq!(base64(b"ab"), "YWI=");
}

/// A CRD of real size: a schema of 200 KB.
fn large_crd(number: usize) -> serde_json::Value {
    let about = "What this field is for, in as many words as such schemas have; and what it must not be, and since when.";
    let field = json!({"type": "string", "description": about});
    let fields: serde_json::Map<_, _> = (0..1200).map(|n| (format!("field{n}"), field.clone())).collect();
    let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": fields}}});
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("bigs.b{number}.test")},
        "spec": {"group": format!("b{number}.test"), "scope": "Namespaced",
            "names": {"kind": "Big", "listKind": "BigList", "plural": "bigs", "singular": "big"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}]}})
}

/// The inventory and the lock are read by people and kept in repositories.
#[test]
fn f3_charts_of_real_size_make_small_documents() {
    let upgrade = UPGRADE.replace("leaky", "big0");
    let scene = Scene::on_world(
        "mlops-platform.yaml",
        &[("platform.yaml", PLATFORM), ("big.yaml", &upgrade)],
        |world| {
            let (mut charts, mut releases) = ("settings:\n  charts:\n".to_owned(), "releases:\n".to_owned());
            for number in 0..5 {
                let _ = writeln!(charts, "    big{number}:");
                for version in ["1.0.0", "2.0.0"] {
                    let crd = indented(&large_crd(number));
                    let _ = writeln!(
                        charts,
                        "      {version}: {{appVersion: '1', values: {{}}, objects: [{crd}]}}"
                    );
                }
                let _ = writeln!(
                    releases,
                    "  - {{name: big{number}, namespace: default, chart: oci://x/big{number}, version: 1.0.0}}"
                );
            }
            world.replacen("settings:\n", &charts, 1).replacen("releases:\n", &releases, 1)
        },
    );
    scene.observed();
    scene.on_platform("resolve manifests").exits(0);
    let inventory: serde_json::Value = serde_json::from_str(&scene.read("inventory.json")).expect("JSON");
    let count = |list: &str| inventory[list].as_array().map(Vec::len);
    assert_eq!((count("nodes"), count("releases")), (Some(12), Some(7)));
    for (name, most) in [("inventory.json", 300_000), ("lock.json", 100_000)] {
        let bytes = scene.read(name).len();
        assert!(bytes <= most, "{name} has {bytes} bytes, more than {most}");
    }
}
