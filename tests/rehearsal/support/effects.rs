//! What a platform accepted from somebody, as text that people compare: which object, and what became of its fields.
//!
//! Left out: calls that changed nothing, and what the platform made of a change by itself. Mapped away: names that are made up,
//! UIDs, instants, the name of the run. So it is the same however plans and journals are written, and steps are named.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value;
use switchback_schemas::RunId;
use switchback_twin::{Change, ChangeKind, LogEntry, World};

/// Characters of a value that are shown.
const SHOWN: usize = 160;

/// What the server keeps about an object, and what follows from the rest.
const KEPT: [&str; 9] = [
    "/metadata/uid",
    "/metadata/deletionTimestamp",
    "/metadata/deletionGracePeriodSeconds",
    "/metadata/resourceVersion",
    "/metadata/generation",
    "/metadata/creationTimestamp",
    "/metadata/managedFields",
    "/metadata/labels/modifiedAt",
    // A release as Helm packs it: what it came to is in the objects.
    "/data/release",
];

/// What a world accepted after its log had so many entries, one text for each call.
pub(crate) fn accepted(world: &World, from: usize, run: &RunId) -> Vec<String> {
    world.log().iter().skip(from).filter_map(|entry| effect(world, entry, run)).collect()
}

fn effect(world: &World, entry: &LogEntry, run: &RunId) -> Option<String> {
    let mut lines = Vec::new();
    if entry.verb == "AWS" {
        lines.push(plain(&entry.path, run));
        if let Some(request) = &entry.request {
            differences("", None, Some(request), run, &mut lines);
        }
        return Some(lines.join("\n    "));
    }
    let changes = world.since(entry.before).expect("the history reaches back to it");
    let changes = changes.take_while(|change| change.rv <= entry.resource_version);
    let program = entry.verb == "PROGRAM";
    let evicts = entry.path.ends_with("/eviction");
    for change in changes.filter(|change| !program || of_helm(change)) {
        let mut fields = Vec::new();
        let before = change.before.as_deref();
        let after = Some(&*change.object).filter(|_| change.kind != ChangeKind::Deleted);
        if after.is_some() {
            differences("", before, after, run, &mut fields);
            owners(before, after, &mut fields);
        }
        let did = match change.kind {
            // An eviction is accounted for in its budget and in the pod's conditions before the pod goes.
            ChangeKind::Modified if evicts => {
                if change.object["metadata"].get("deletionTimestamp").is_some() {
                    lines.push(format!("evict {}", named(change, run)));
                }
                continue;
            }
            ChangeKind::Added => "create",
            ChangeKind::Deleted => "delete",
            ChangeKind::Modified if entry.verb == "DELETE" => "delete",
            ChangeKind::Modified => "change",
        };
        if program && did == "change" && fields.is_empty() {
            continue;
        }
        lines.push(format!("{did} {}", named(change, run)));
        lines.extend(fields.into_iter().map(|field| format!("    {field}")));
    }
    if lines.is_empty() {
        return None;
    }
    if program {
        lines.insert(0, plain(&entry.path, run));
    }
    Some(lines.join("\n    ").replace("\n        ", "\n    "))
}

/// Whether helm made this change: what else happens while it waits is the platform's.
fn of_helm(change: &Change) -> bool {
    let metadata = &change.object["metadata"];
    metadata.get("ownerReferences").is_none()
        && (metadata["labels"]["app.kubernetes.io/managed-by"] == "Helm"
            || metadata["labels"]["owner"] == "helm")
}

/// An object by what a person would call it: a pod is one of its owner, a node one of its pool.
fn named(change: &Change, run: &RunId) -> String {
    let metadata = &change.object["metadata"];
    let key = &change.key;
    let labels = &metadata["labels"];
    let pool = ["karpenter.sh/nodepool", "eks.amazonaws.com/nodegroup", "pool"];
    let pool = pool.iter().find_map(|label| labels[label].as_str());
    let made = match &*key.resource {
        "nodes" | "nodeclaims" => pool.map(str::to_owned),
        "pods" => metadata["ownerReferences"][0]["name"].as_str().map(|owner| {
            let hash = labels["pod-template-hash"].as_str().unwrap_or_default();
            owner.trim_end_matches(hash).trim_end_matches('-').to_owned()
        }),
        _ => None,
    };
    let Some(made) = made else { return plain(&key.to_string(), run) };
    let namespace = if key.namespace.is_empty() { String::new() } else { format!("{}/", key.namespace) };
    format!("one of the {} of {namespace}{made}", key.resource)
}

/// Managers that came or went.
fn owners(before: Option<&Value>, after: Option<&Value>, lines: &mut Vec<String>) {
    let managers = |object: Option<&Value>| -> BTreeSet<String> {
        let entries = object.and_then(|object| object["metadata"]["managedFields"].as_array());
        entries
            .into_iter()
            .flatten()
            .map(|entry| format!("{} ({})", entry["manager"], entry["operation"]))
            .collect()
    };
    let (before, after) = (managers(before), managers(after));
    lines.extend(before.difference(&after).map(|manager| format!("manager - {manager}")));
    lines.extend(after.difference(&before).map(|manager| format!("manager + {manager}")));
}

/// A line for each field that differs.
fn differences(
    path: &str,
    before: Option<&Value>,
    after: Option<&Value>,
    run: &RunId,
    lines: &mut Vec<String>,
) {
    if before == after || KEPT.contains(&path) || path.ends_with("/clientRequestToken") {
        return;
    }
    let line = match (before, after) {
        (Some(Value::Object(_)) | None, Some(Value::Object(_))) | (Some(Value::Object(_)), None) => {
            let empty = serde_json::Map::new();
            let fields = |value: Option<&Value>| value.and_then(Value::as_object).unwrap_or(&empty).clone();
            let (before, after) = (fields(before), fields(after));
            let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
            for name in names {
                differences(&format!("{path}/{name}"), before.get(name), after.get(name), run, lines);
            }
            return;
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) if old.len() == new.len() => {
            for (number, (old, new)) in old.iter().zip(new).enumerate() {
                differences(&format!("{path}/{number}"), Some(old), Some(new), run, lines);
            }
            return;
        }
        (None, Some(new)) => format!("{path}: {}", shown(new, run)),
        (Some(old), None) => format!("{path}: {} ->", shown(old, run)),
        (Some(old), Some(new)) if shown(old, run) == shown(new, run) => return,
        (Some(old), Some(new)) => format!("{path}: {} -> {}", shown(old, run), shown(new, run)),
        (None, None) => return,
    };
    lines.push(line);
}

fn shown(value: &Value, run: &RunId) -> String {
    let text = match value {
        Value::String(text) => format!("{:?}", plain(text, run)),
        other => plain(&other.to_string(), run),
    };
    match text.char_indices().nth(SHOWN) {
        None => text,
        Some((end, _)) => format!("{}… ({} characters)", &text[..end], text.chars().count()),
    }
}

/// Without what is made up anew each time.
fn plain(text: &str, run: &RunId) -> String {
    if text.parse::<Timestamp>().is_ok() {
        return "(an instant)".to_owned();
    }
    if text.len() == 36 && text.contains("-7717-4000-8000-") {
        return "(a uid)".to_owned();
    }
    let text = text.replace(run.as_str(), "(the run)");
    // Digests of eight characters in names, and instances, which are numbered as they come.
    text.split_inclusive([' ', '"', ':', '/', ',']).map(named_after_nothing).collect()
}

/// A word without the digest that its name ends with; an instance by nothing at all.
fn named_after_nothing(word: &str) -> String {
    let bare = word.trim_end_matches([' ', '"', ':', '/', ',']);
    let rest = &word[bare.len()..];
    let hex = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    let day = |part: &str| part.starts_with("202") && part.bytes().all(|byte| byte.is_ascii_digit());
    match bare.rsplit_once('-') {
        Some(("i", number)) if number.len() == 17 && hex(number) => format!("(an instance){rest}"),
        Some((name, digest)) if digest.len() == 8 && hex(digest) && !day(digest) => {
            format!("{name}-(a digest){rest}")
        }
        _ => word.to_owned(),
    }
}
