//! The twin's charts are the real ones, rendered once: `fixtures/worlds/charts.yaml`.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::server::env;
use crate::server::programs::charts;

const RELEASE: &str = "switchback-release-name";
const NAMESPACE: &str = "switchback-namespace-name";

fn rendered(helm: &Path, folder: &Path) -> (String, String, Value) {
    let chart: Value = read(&folder.join("Chart.yaml"));
    let (name, version) =
        (chart["name"].as_str().expect("name"), chart["version"].as_str().expect("version"));
    let assign: Value = read(&charts().join("assign.yaml"));
    // What is there only where it is asked for is rendered, so that the twin has it.
    let whole = assign[name].as_array().into_iter().flatten().filter(|row| row["whole"] == true);
    let asked = whole
        .flat_map(|row| ["--set".to_owned(), format!("{}=true", row["value"].as_str().expect("a value"))]);
    #[expect(clippy::disallowed_methods, reason = "the real helm renders the charts")]
    let mut command = Command::new(helm);
    let out = command
        .args(["template", RELEASE])
        .arg(folder)
        .args(["--namespace", NAMESPACE, "--include-crds"])
        .args(asked)
        .output()
        .expect("helm runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text =
        String::from_utf8_lossy(&out.stdout).replace(RELEASE, "{{release}}").replace(NAMESPACE, "{{ns}}");
    // A placeholder is no YAML mapping: every scalar that starts with one is quoted.
    let text: String = text.lines().map(|l| quoted(l) + "\n").collect();
    let (mut objects, mut hooks, mut crds) = (Vec::new(), Vec::new(), Vec::new());
    for document in text.split("---\n").filter(|d| !d.trim().is_empty()) {
        let object: Value = serde_yaml::from_str(document).unwrap_or_else(|e| panic!("{e}: {document}"));
        // `templates/crds/` is a folder of templates like any other.
        if document.contains(&format!("# Source: {name}/crds/")) {
            crds.push(object);
        } else if document.contains("helm.sh/hook:") {
            hooks.push(object);
        } else if object.is_object() {
            objects.push(object);
        }
    }
    let mut data = json!({"appVersion": chart["appVersion"], "values": read(&folder.join("values.yaml")), "objects": objects});
    for (field, list) in [("hooks", hooks), ("crds", crds)] {
        if !list.is_empty() {
            data[field] = list.into();
        }
    }
    let files = files(folder, &folder.join("files"));
    if !files.is_empty() {
        data["files"] = files.into();
    }
    if !assign[name].is_null() {
        data["assign"] = assign[name].clone();
    }
    (name.to_owned(), version.to_owned(), data)
}

/// Texts below a folder of a chart, by their paths in the chart.
fn files(chart: &Path, folder: &Path) -> serde_json::Map<String, Value> {
    let mut found = serde_json::Map::new();
    if !folder.is_dir() {
        return found;
    }
    for path in below(folder) {
        if path.is_dir() {
            found.extend(files(chart, &path));
        } else {
            let name = path.strip_prefix(chart).expect("below the chart").to_string_lossy().into_owned();
            found.insert(name, std::fs::read_to_string(&path).expect("text").into());
        }
    }
    found
}

fn quoted(line: &str) -> String {
    match line.split_once(": ") {
        Some((key, value)) if value.contains("{{") && !value.starts_with('"') => {
            format!("{key}: \"{value}\"")
        }
        _ => line.to_owned(),
    }
}

/// What lies directly in a folder, sorted.
fn below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut all: Vec<PathBuf> = entries.map(|e| e.expect("an entry").path()).collect();
    all.sort();
    all
}

fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_yaml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
#[ignore = "needs helm: `cluster test -- tests/cluster/suite`"]
fn the_twin_has_the_charts_as_helm_renders_them() {
    let helm = env("SWITCHBACK_HELM4").expect("SWITCHBACK_HELM4 names a helm (see tests/cluster)");
    let mut all = json!({});
    let folders = below(&charts()).into_iter().filter(|f| f.is_dir()).flat_map(|name| below(&name));
    for folder in folders {
        let (name, version, data) = rendered(&helm, &folder);
        assert!(
            folder.ends_with(Path::new(&name).join(&version)),
            "{} is {name} {version}",
            folder.display()
        );
        all[name][version] = data;
    }
    let text = format!(
        "# Rendered by helm from fixtures/charts; rewritten by `UPDATE=1 cargo test -p switchback-tests-contract charts -- --include-ignored`.\n{}",
        serde_yaml::to_string(&json!({"charts": all})).expect("YAML")
    );
    let path = charts().join("../worlds/charts.yaml");
    if env("UPDATE").is_some() {
        std::fs::write(&path, text).expect("charts.yaml can be written");
        return;
    }
    assert!(
        std::fs::read_to_string(&path).unwrap_or_default() == text,
        "charts.yaml is not what helm renders: run with UPDATE=1"
    );
}
