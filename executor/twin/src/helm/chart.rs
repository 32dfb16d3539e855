//! Charts as data: what a version installs, with a few values that go somewhere.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Stop;
use crate::world::key::text;
use crate::world::{Assign, Chart, World};

/// How a template writes two braces that are text.
const LITERAL: &str = r#"{{ "{{" }}"#;

/// A chart as it would be rendered.
#[derive(Debug, Clone)]
pub(super) struct Rendered {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) app_version: String,
    /// Default values of the chart.
    pub(super) defaults: Value,
    pub(super) objects: Vec<Value>,
    pub(super) hooks: Vec<Value>,
    pub(super) crds: Vec<Value>,
}

/// Deep merge; null removes.
pub(super) fn merge_values(target: &mut Value, more: &Value) {
    let Value::Object(fields) = more else {
        if !more.is_null() {
            *target = more.clone();
        }
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(map) = target else { return };
    for (name, value) in fields {
        if value.is_null() {
            map.remove(name);
        } else {
            merge_values(map.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

/// Finds a chart by its reference: a name, a repository's or a registry's, or a folder `name/version`.
fn find<'a>(
    world: &'a World,
    reference: &str,
    version: Option<&str>,
) -> Result<(String, String, &'a Chart), Stop> {
    let last = reference.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let charts = &world.settings().charts;
    let above = reference.trim_end_matches('/').rsplit('/').nth(1).unwrap_or_default();
    let of_folder = charts.get(above).is_some_and(|versions| versions.contains_key(last));
    let (name, version) =
        if of_folder && !charts.contains_key(last) { (above, Some(last)) } else { (last, version) };
    let missing =
        || Stop::error(format!("chart {reference:?} version {:?} not found", version.unwrap_or_default()));
    let versions = charts.get(name).ok_or_else(missing)?;
    let plain = |version: &str| version.trim_start_matches('v').to_owned();
    let wanted = version.map(plain).ok_or_else(missing)?;
    // A chart has its version as it writes it itself, with a `v` or without one.
    let (version, chart) =
        versions.iter().find(|(version, _)| plain(version) == wanted).ok_or_else(missing)?;
    Ok((name.to_owned(), version.clone(), chart))
}

/// A chart that the call brings along, where its templates are plain text; one that has to be rendered is looked for by its
/// name.
pub(super) fn brought(files: &BTreeMap<String, String>, folder: &str) -> Result<Option<Rendered>, Stop> {
    let file = |name: &str| files.get(&format!("{folder}/{name}"));
    let Some(about) = file("Chart.yaml") else { return Ok(None) };
    let yaml = |name: &str, text: &str| {
        serde_yaml::from_str::<Value>(text).map_err(|error| Stop::error(format!("{name}: {error}")))
    };
    let about = yaml("Chart.yaml", about)?;
    let defaults = file("values.yaml").map_or(Ok(Value::Null), |text| yaml("values.yaml", text))?;
    let (mut objects, mut hooks) = (Vec::new(), Vec::new());
    let inside = format!("{folder}/templates/");
    for (_, template) in files.range(inside.clone()..).take_while(|(name, _)| name.starts_with(&inside)) {
        if template.replace(LITERAL, "").contains("{{") {
            return Ok(None);
        }
        for object in self::objects(&template.replace(LITERAL, "{{")) {
            let hook = object.pointer("/metadata/annotations").and_then(|a| a.get("helm.sh/hook"));
            if hook.is_some() { hooks.push(object) } else { objects.push(object) }
        }
    }
    let (name, version) = (text(&about, "/name").to_owned(), text(&about, "/version").to_owned());
    let app_version = text(&about, "/appVersion").to_owned();
    Ok(Some(Rendered { name, version, app_version, defaults, objects, hooks, crds: Vec::new() }))
}

/// Renders a chart; `defaults` stand in for its own values.
pub(super) fn render(
    world: &World,
    reference: &str,
    version: Option<&str>,
    release: &str,
    namespace: &str,
    values: &Value,
    defaults: Option<&Value>,
) -> Result<Rendered, Stop> {
    let (name, version, chart) = find(world, reference, version)?;
    let defaults = defaults.unwrap_or(&chart.values).clone();
    let mut all = defaults.clone();
    merge_values(&mut all, values);
    let given = |assign: &Assign| all.pointer(&format!("/{}", assign.value.replace('.', "/")));
    let fill = |objects: &[Value]| -> Vec<Value> {
        objects
            .iter()
            .filter_map(|object| {
                let mut object = object.clone();
                replace(&mut object, release, namespace);
                for assign in &chart.assign {
                    let id = format!("{}/{}", text(&object, "/kind"), text(&object, "/metadata/name"));
                    let wanted = assign.object.replace("{{release}}", release);
                    let Some(value) = given(assign).filter(|_| id == wanted) else { continue };
                    if assign.whole {
                        if value == &Value::Bool(false) {
                            return None;
                        }
                        continue;
                    }
                    let value = match &assign.format {
                        Some(format) => {
                            let plain = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                            format.replace('$', &plain).into()
                        }
                        None => value.clone(),
                    };
                    let parts: Vec<String> =
                        assign.pointer.split('/').skip(1).map(|p| p.replace("~1", "/")).collect();
                    put(&mut object, &parts, value);
                }
                Some(object)
            })
            .collect()
    };
    let (objects, hooks, crds) = (fill(&chart.objects), fill(&chart.hooks), fill(&chart.crds));
    Ok(Rendered { name, version, app_version: chart.app_version.clone(), defaults, objects, hooks, crds })
}

/// Sets a value at a pointer; makes objects on the way, lists must be there.
fn put(target: &mut Value, parts: &[String], value: Value) {
    let Some((first, rest)) = parts.split_first() else {
        *target = value;
        return;
    };
    match target {
        Value::Array(items) => {
            if let Some(item) = first.parse::<usize>().ok().and_then(|i| items.get_mut(i)) {
                put(item, rest, value);
            }
        }
        Value::Object(map) => {
            put(map.entry(first.clone()).or_insert_with(|| Value::Object(Map::new())), rest, value);
        }
        _ => {}
    }
}

fn replace(value: &mut Value, release: &str, namespace: &str) {
    match value {
        Value::String(s) if s.contains("{{") => {
            *s = s.replace("{{release}}", release).replace("{{ns}}", namespace);
        }
        Value::Array(items) => items.iter_mut().for_each(|i| replace(i, release, namespace)),
        Value::Object(map) => {
            let keys: Vec<String> = map.keys().filter(|k| k.contains("{{")).cloned().collect();
            for key in keys {
                if let Some(inner) = map.remove(&key) {
                    map.insert(key.replace("{{release}}", release).replace("{{ns}}", namespace), inner);
                }
            }
            map.values_mut().for_each(|i| replace(i, release, namespace));
        }
        _ => {}
    }
}

/// The order in which kinds are installed.
fn rank(kind: &str) -> usize {
    const ORDER: [&str; 22] = [
        "Namespace",
        "PodDisruptionBudget",
        "ServiceAccount",
        "Secret",
        "ConfigMap",
        "CustomResourceDefinition",
        "ClusterRole",
        "ClusterRoleBinding",
        "Role",
        "RoleBinding",
        "Service",
        "DaemonSet",
        "Pod",
        "ReplicaSet",
        "Deployment",
        "StatefulSet",
        "Job",
        "CronJob",
        "MutatingWebhookConfiguration",
        "ValidatingWebhookConfiguration",
        "Ingress",
        "APIService",
    ];
    ORDER.iter().position(|k| *k == kind).unwrap_or(ORDER.len())
}

/// Objects as a manifest.
pub(super) fn manifest(chart: &str, objects: &[Value]) -> String {
    let mut sorted: Vec<&Value> = objects.iter().collect();
    sorted.sort_by_key(|o| rank(text(o, "/kind")));
    sorted
        .iter()
        .map(|object| {
            let file = format!("{}-{}", text(object, "/kind").to_lowercase(), text(object, "/metadata/name"));
            let yaml = serde_yaml::to_string(object).unwrap_or_default();
            ["---\n# Source: ", chart, "/templates/", &file, ".yaml\n", &yaml].concat()
        })
        .collect()
}

/// The objects of a manifest.
pub(super) fn objects(manifest: &str) -> Vec<Value> {
    manifest
        .split("---\n")
        .filter_map(|document| serde_yaml::from_str::<Value>(document).ok())
        .filter(Value::is_object)
        .collect()
}
