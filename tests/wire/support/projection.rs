//! Worlds compared: what a person would call the same is the same.
//!
//! Mapped away: names that are made up, UIDs, resource versions, managed fields, instants, statuses that follow from the rest,
//! numbers of revisions. What is counted and not named (pods, nodes, claims, ReplicaSets) becomes a multiset of what it is.
//!
//! Residue that a rollback declares, subtracted by rule: the history of a release is longer by its rollback; CRDs keep the
//! annotation that protects them from it; ReplicaSets of no pods stay; nodes that Karpenter added while pods of two versions
//! stood side by side stay until it consolidates, so its nodes, their claims and what a DaemonSet puts on them are looked at
//! and not counted.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// What a world holds, by what it is, with how many of it.
pub(crate) type Projection = BTreeMap<String, usize>;

/// Kinds that follow from others, or are nothing but history.
const IGNORED: [&str; 6] = ["Event", "Lease", "Endpoints", "EndpointSlice", "ControllerRevision", "Secret"];

/// Annotations that say when and how often, and the one that protects a CRD.
const ANNOTATIONS: [&str; 4] = [
    "deployment.kubernetes.io/revision",
    "helm.sh/resource-policy",
    "switchback.dev/cordoned-by",
    "karpenter.sh/stored-version-migrated",
];

/// The objects of a kind.
pub(crate) fn objects(world: &Value, kind: &str) -> Vec<Value> {
    let all = world["objects"].as_array().expect("objects").iter().map(|stored| &stored["object"]);
    all.filter(|object| object["kind"] == kind).cloned().collect()
}

pub(crate) fn of(world: &Value) -> Projection {
    let mut projection = Projection::new();
    for stored in world["objects"].as_array().expect("objects") {
        let object = &stored["object"];
        if let Some(line) = line(object) {
            let count = projection.entry(line).or_default();
            *count = if follows_capacity(object) { 1 } else { *count + 1 };
        }
    }
    for line in cloud(&world["cloud"]) {
        *projection.entry(line).or_default() += 1;
    }
    for (release, status) in releases(world) {
        *projection.entry(format!("release {release}: {status}")).or_default() += 1;
    }
    projection
}

/// What is at AWS. Snapshots and instances that a rollback puts aside are declared residue: their names say so.
fn cloud(cloud: &Value) -> Vec<String> {
    let each = |of: &Value| of.as_object().cloned().unwrap_or_default();
    let mut lines = Vec::new();
    for (name, cluster) in each(&cloud["eks"]["clusters"]) {
        lines.push(format!("cluster {name} {}", cluster["version"]));
        for (addon, found) in each(&cluster["addons"]) {
            lines.push(format!("add-on {addon} {} {}", found["version"], found["status"]));
        }
        // An empty group is the rollback of an earlier minor; the next minor deletes it, which is declared.
        let groups = each(&cluster["nodegroups"]).into_iter();
        for (group, found) in groups.filter(|(_, found)| found["scaling"]["desired"] != 0) {
            let what = json!({"version": found["version"], "release": found["release"], "scaling": found["scaling"], "ami": found["amiType"]});
            lines.push(format!("node group {group} {what}"));
        }
    }
    for (name, instance) in each(&cloud["rds"]["instances"]) {
        if name.contains("-before-restore-") {
            continue;
        }
        let mut settings = each(&instance["settings"]);
        // A restored instance may stand in another zone, and carries the tags of who restored it.
        settings.retain(|name, _| name != "zone" && name != "tags");
        lines.push(format!("instance {name} {} {}", json!(settings), instance["databases"]));
    }
    lines
}

/// The last revision of each release; how many there were is history.
fn releases(world: &Value) -> BTreeMap<String, String> {
    let mut last: BTreeMap<String, (u64, String)> = BTreeMap::new();
    for secret in objects(world, "Secret") {
        let label = |name: &str| secret["metadata"]["labels"][name].as_str().unwrap_or_default().to_owned();
        let Ok(revision) = label("version").parse::<u64>() else { continue };
        let name =
            format!("{}/{}", secret["metadata"]["namespace"].as_str().unwrap_or_default(), label("name"));
        let entry = last.entry(name).or_default();
        if revision > entry.0 {
            *entry = (revision, label("status"));
        }
    }
    last.into_iter().map(|(name, (_, status))| (name, status)).collect()
}

fn line(object: &Value) -> Option<String> {
    let kind = object["kind"].as_str().expect("a kind");
    // A pod that came to its own end is history: it stays for as long as its node does.
    if IGNORED.contains(&kind) || (kind == "Pod" && object["status"]["phase"] == "Succeeded") {
        return None;
    }
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
    let what = match kind {
        "Pod" => pod(object),
        "Node" => node(object),
        "NodeClaim" => {
            json!({"pool": object["metadata"]["labels"]["karpenter.sh/nodepool"], "deleting": deleting(object)})
        }
        "ReplicaSet" if object["spec"]["replicas"] == 0 => return None,
        "ReplicaSet" => {
            json!({"replicas": object["spec"]["replicas"], "images": images(&object["spec"]["template"])})
        }
        _ => named(object),
    };
    Some(format!("{kind} {namespace} {what}"))
}

/// Whether there are as many of it as Karpenter finds it needs.
fn follows_capacity(object: &Value) -> bool {
    let karpenter = object["metadata"]["labels"].get("karpenter.sh/nodepool").is_some();
    let owner = &object["metadata"]["ownerReferences"][0]["kind"];
    (object["kind"] == "Node" && karpenter) || object["kind"] == "NodeClaim" || owner == "DaemonSet"
}

fn deleting(object: &Value) -> bool {
    object["metadata"].get("deletionTimestamp").is_some()
}

fn images(template: &Value) -> Vec<&Value> {
    template["spec"]["containers"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|container| &container["image"])
        .collect()
}

fn pod(object: &Value) -> Value {
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    let ready = conditions.filter(|c| c["type"] == "Ready").map(|c| &c["status"]).next();
    json!({"owner": object["metadata"]["ownerReferences"][0]["kind"], "images": images(object), "ready": ready, "deleting": deleting(object)})
}

fn node(object: &Value) -> Value {
    let labels = &object["metadata"]["labels"];
    // A list that became empty is as good as one that was never there.
    let taints = object["spec"]["taints"].as_array().filter(|taints| !taints.is_empty());
    json!({
        "pool": labels["karpenter.sh/nodepool"], "type": labels["node.kubernetes.io/instance-type"],
        "unschedulable": object["spec"].get("unschedulable"), "taints": taints,
        "deleting": deleting(object),
    })
}

/// An object that has its name from a person: everything that a person would write.
fn named(object: &Value) -> Value {
    let metadata = &object["metadata"];
    let mut annotations = metadata["annotations"].as_object().cloned().unwrap_or_default();
    annotations.retain(|name, _| !ANNOTATIONS.contains(&name.as_str()));
    let mut kept = Map::new();
    kept.insert("name".into(), metadata["name"].clone());
    kept.insert("labels".into(), metadata.get("labels").cloned().unwrap_or_default());
    kept.insert("annotations".into(), annotations.into());
    kept.insert("deleting".into(), deleting(object).into());
    for (name, value) in object.as_object().expect("an object") {
        if !matches!(name.as_str(), "metadata" | "status" | "kind") {
            kept.insert(name.clone(), value.clone());
        }
    }
    // A Job selects its pods by its UID.
    if object["kind"] == "Job"
        && let Some(spec) = kept.get_mut("spec").and_then(Value::as_object_mut)
    {
        spec.remove("selector");
        if let Some(labels) = spec["template"]["metadata"]["labels"].as_object_mut() {
            labels.retain(|name, _| !name.ends_with("controller-uid"));
        }
    }
    kept.into()
}

/// What differs, for people.
pub(crate) fn difference(before: &Projection, after: &Projection) -> String {
    let lines = |from: &Projection, to: &Projection, mark: char| {
        let missing = from.iter().filter(|(line, count)| to.get(*line) != Some(count));
        missing.map(|(line, count)| format!("{mark} {count} × {line}")).collect::<Vec<_>>()
    };
    [lines(before, after, '-'), lines(after, before, '+')].concat().join("\n")
}

/// Both are the same to a person.
#[track_caller]
pub(crate) fn same(before: &Projection, after: &Projection, what: &str) {
    let difference = difference(before, after);
    assert!(difference.is_empty(), "{what}:\n{difference}");
}
