//! Workflows: one template with a container, a wait, or steps of those.

use std::ops::Range;

use jiff::SignedDuration;
use serde_json::{Map, Value, json};

use super::{ACTOR, COMPLETED, Controller, PHASE, Release, pods, since};
use crate::world::key::{list, set, text};
use crate::world::{Key, World, labels};

/// Executors up to this one never report that they are done, as some later controllers expect it. From 3.5.11 on a report
/// without the label is no reason to wait.
const SILENT_UP_TO: Release = Release([3, 5, 1]);
const EXPECTED: Range<Release> = Release([3, 5, 5])..Release([3, 5, 11]);

/// What a Workflow consists of: nodes by name, in groups that follow each other.
type Groups = Vec<Vec<(String, Value)>>;

/// Brings a Workflow as far as it goes.
pub(super) fn reconcile(world: &mut World, key: &Key, controller: &Controller) {
    let Some(workflow) = world.get(key).cloned() else { return };
    if labels(&workflow).get(COMPLETED) == Some(&json!("true")) {
        return;
    }
    let groups = match groups(&workflow) {
        Ok(groups) => groups,
        Err(message) => return finish(world, key, "Error", &message),
    };
    let mut nodes = workflow.pointer("/status/nodes").and_then(Value::as_object).cloned().unwrap_or_default();
    for (name, template) in groups.iter().flatten() {
        if nodes.get(name).is_some_and(|node| text(node, "/phase") == "Running") {
            follow(world, key, (name, template), controller, &mut nodes);
        }
    }
    let phase = |nodes: &Map<String, Value>, name: &str| {
        nodes.get(name).map_or_else(String::new, |node| text(node, "/phase").to_owned())
    };
    let failed = nodes.values().find(|node| matches!(text(node, "/phase"), "Failed" | "Error")).cloned();
    let open = groups.iter().find(|group| group.iter().any(|(name, _)| phase(&nodes, name) != "Succeeded"));
    let suspended = workflow.pointer("/spec/suspend") == Some(&json!(true));
    let begun: Vec<&(String, Value)> = match open {
        // What is suspended starts nothing; what it has started is followed.
        Some(group) if !suspended && failed.is_none() => {
            group.iter().filter(|(name, _)| !nodes.contains_key(name)).collect()
        }
        _ => Vec::new(),
    };
    for (name, template) in begun {
        if template.get("container").is_some() {
            pods::make(world, &pod(key, name), &workflow, template, controller);
        } else {
            world.plan(ACTOR.name, key.clone(), waits(template));
        }
        nodes.insert(name.clone(), json!({"phase": "Running", "startedAt": world.stamp()}));
    }
    let ended = open.is_none();
    world.modify(key, |workflow| {
        if text(workflow, "/status/phase").is_empty() {
            set(workflow, &["metadata", "labels", PHASE], "Running".into());
            set(workflow, &["metadata", "labels", COMPLETED], "false".into());
            set(workflow, &["status", "phase"], "Running".into());
        }
        if !nodes.is_empty() {
            set(workflow, &["status", "nodes"], nodes.into());
        }
    });
    match failed {
        Some(node) => finish(world, key, "Failed", text(&node, "/message")),
        None if ended => finish(world, key, "Succeeded", ""),
        None => {}
    }
}

fn pod(key: &Key, name: &str) -> Key {
    let name = if name == &*key.name { name.to_owned() } else { format!("{}-{name}", key.name) };
    Key::core("pods", &key.namespace, &name)
}

/// Sees how a node that was begun goes on.
fn follow(
    world: &mut World,
    key: &Key,
    (name, template): (&str, &Value),
    controller: &Controller,
    nodes: &mut Map<String, Value>,
) {
    let stamp = world.stamp();
    let Some(node) = nodes.get_mut(name) else { return };
    let mut ends = |phase: &str, message: &str| {
        set(node, &["phase"], phase.into());
        set(node, &["finishedAt"], stamp.clone().into());
        if !message.is_empty() {
            set(node, &["message"], message.into());
        }
    };
    if template.get("container").is_none() {
        let waited = since(world, text(node, "/startedAt"));
        if waited.is_some_and(|waited| waited >= waits(template)) {
            let Some(node) = nodes.get_mut(name) else { return };
            set(node, &["phase"], "Succeeded".into());
            set(node, &["finishedAt"], stamp.into());
        }
        return;
    }
    let of = pod(key, name);
    let Some(pod) = world.get(&of) else { return ends("Error", "pod deleted") };
    // Whoever made it does not report what this controller waits for.
    let silent = EXPECTED.contains(&controller.version) && Release::of(pods::executor(pod)) <= SILENT_UP_TO;
    match text(pod, "/status/phase") {
        "Succeeded" if silent => return,
        "Succeeded" => ends("Succeeded", ""),
        "Failed" => ends("Failed", "its pod failed"),
        _ => return,
    }
    world.modify(&of, |pod| set(pod, &["metadata", "labels", COMPLETED], "true".into()));
}

/// How long a template that only waits does.
fn waits(template: &Value) -> SignedDuration {
    let asked = text(template, "/suspend/duration");
    let seconds = asked.trim_end_matches('s').parse().unwrap_or(i64::MAX / 1_000_000_000);
    SignedDuration::from_secs(seconds)
}

fn finish(world: &mut World, key: &Key, phase: &str, message: &str) {
    let stamp = world.stamp();
    world.modify(key, |workflow| {
        set(workflow, &["metadata", "labels", PHASE], phase.into());
        set(workflow, &["metadata", "labels", COMPLETED], "true".into());
        set(workflow, &["status", "phase"], phase.into());
        set(workflow, &["status", "finishedAt"], stamp.into());
        if !message.is_empty() {
            set(workflow, &["status", "message"], message.into());
        }
    });
}

/// The nodes of a Workflow. An error says what the twin does not play.
fn groups(workflow: &Value) -> Result<Groups, String> {
    let named = |name: &str| {
        let all = list(workflow, "/spec/templates");
        all.iter()
            .find(|template| text(template, "/name") == name)
            .cloned()
            .ok_or_else(|| format!("template {name} not found"))
    };
    let played = |template: Value| {
        let known = ["container", "suspend"].iter().any(|kind| template.get(kind).is_some());
        let unknown = || format!("the twin plays no template like {}", text(&template, "/name"));
        known.then(|| template.clone()).ok_or_else(unknown)
    };
    let entry = named(text(workflow, "/spec/entrypoint"))?;
    let Some(steps) = entry.get("steps") else {
        return Ok(vec![vec![(text(workflow, "/metadata/name").to_owned(), played(entry)?)]]);
    };
    let group = |group: &Value| {
        let steps = group.as_array().into_iter().flatten();
        let step =
            |step: &Value| Ok((text(step, "/name").to_owned(), played(named(text(step, "/template"))?)?));
        steps.map(step).collect::<Result<Vec<_>, String>>()
    };
    steps.as_array().into_iter().flatten().map(group).collect()
}
