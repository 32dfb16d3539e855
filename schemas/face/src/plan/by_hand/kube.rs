//! Objects of a Kubernetes API server by hand.

use serde_json::{Map, Value, json};
use switchback_schemas::{
    name::ObjectRef,
    plan::{BoundObject, Find, KubeEffect, KubePatch, NodeJob, NodeJobEnd, Test},
};

use super::word::{self, quoted, words};

/// Captured objects as a list that can be sent.
const BARE: &str = "{apiVersion: \"v1\", kind: \"List\", items: map(del(.metadata.resourceVersion, .metadata.uid, .metadata.managedFields))}";
const KEEP: &str = "helm.sh/resource-policy=keep";

pub(super) fn commands(effect: &KubeEffect<Value, BoundObject>) -> Vec<String> {
    match effect {
        KubeEffect::Apply(apply) => {
            let force = if apply.force { " --force-conflicts" } else { "" };
            let object = word::json(&apply.object);
            vec![format!(
                "kubectl apply --server-side --field-manager switchback{force} --filename - <<<{object}"
            )]
        }
        KubeEffect::Admit(admit) => {
            vec![format!("kubectl create --dry-run=server --filename - <<<{}", word::json(&admit.object))]
        }
        KubeEffect::Patch(patch) => vec![patched(patch)],
        KubeEffect::TryCreate(tried) => {
            let named = BARE.replace("map(del(", "map(.metadata.name = \"switchback-restore\" | del(");
            let objects = word::json(&tried.objects);
            vec![format!("jq {} <<<{objects} | kubectl create --dry-run=server --filename -", quoted(&named))]
        }
        KubeEffect::TryUpdate(tried) => {
            let each = |find| {
                format!("{} --output json | kubectl replace --dry-run=server --filename -", found(find))
            };
            tried.find.iter().map(each).collect()
        }
        KubeEffect::Restore(restore) => {
            // One that is there is left alone by `create`, which says so.
            let verb = if restore.only_gone { "create" } else { "apply --server-side --force-conflicts" };
            let objects = word::json(&restore.objects);
            vec![format!("jq {} <<<{objects} | kubectl {verb} --filename -", quoted(BARE))]
        }
        KubeEffect::Delete(delete) => vec![on("delete", &delete.object.object)],
        KubeEffect::MigrateStorage(migrate) => {
            let crd = quoted(&migrate.crd);
            let stored = word::json(&json!({"status": {"storedVersions": [migrate.to]}}));
            vec![
                format!("kubectl get {crd} --all-namespaces --output json | kubectl replace --filename -"),
                format!("kubectl patch crd {crd} --subresource status --type merge --patch {stored}"),
            ]
        }
        KubeEffect::Cordon(cordon) => {
            let verb = if cordon.unschedulable { "cordon" } else { "uncordon" };
            vec![words(["kubectl", verb, &cordon.node.object.name])]
        }
        // It stops at pods without a controller and at local data, and a person decides.
        KubeEffect::Drain(drain) => {
            vec![words(["kubectl", "drain", &drain.node.object.name, "--ignore-daemonsets"])]
        }
        KubeEffect::NodeJob(job) => node_job(job),
        KubeEffect::RestartPods(restart) => {
            let node = format!("spec.nodeName={}", restart.node.object.name);
            let labels: Vec<String> =
                restart.pods.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
            let namespace = &restart.pods.namespace;
            vec![words([
                "kubectl",
                "delete",
                "pods",
                "--namespace",
                namespace,
                "--selector",
                &labels.join(","),
                "--field-selector",
                &node,
            ])]
        }
    }
}

/// A Job on a node, and what is waited for.
fn node_job(job: &NodeJob<BoundObject>) -> Vec<String> {
    let name = format!("{}-by-hand", job.name);
    let timeout = format!("--timeout={}s", job.within.0);
    let wait = match job.until {
        NodeJobEnd::Succeeded => words([
            "kubectl",
            "wait",
            "--for=condition=complete",
            "job",
            &name,
            "--namespace",
            &job.namespace,
            &timeout,
        ]),
        NodeJobEnd::Rebooted => {
            words(["kubectl", "wait", "--for=condition=Ready=false", "node", &job.node.object.name, &timeout])
        }
    };
    vec![
        format!("kubectl create --filename - <<<{}", word::json(&job.object(&name))),
        wait,
        words(["kubectl", "delete", "job", &name, "--namespace", &job.namespace, "--ignore-not-found"]),
    ]
}

/// Helm's word to keep a CRD, and every object of it.
pub(super) fn keep_crd(crd: &str) -> String {
    words(["kubectl", "annotate", "--overwrite", "crd", crd, KEEP])
}

/// An object with annotations.
pub(super) fn annotated(object: &ObjectRef, annotations: &[&str]) -> String {
    format!("{} --overwrite {}", on("annotate", object), words(annotations.iter().copied()))
}

/// An object with a label.
pub(super) fn labelled(object: &ObjectRef, label: &str) -> String {
    format!("{} --overwrite {}", on("label", object), words([label]))
}

/// A verb on one object.
pub(super) fn on(verb: &str, object: &ObjectRef) -> String {
    let kind = kind(&object.api_version, &object.kind);
    let namespace = object.namespace.iter().flat_map(|namespace| ["--namespace", namespace]);
    words(["kubectl", verb, &kind, &object.name].into_iter().chain(namespace))
}

/// All objects of a kind.
pub(super) fn list(api_version: &str, of: &str) -> String {
    words(["kubectl", "get", &kind(api_version, of)])
}

/// Objects that are found.
pub(super) fn found(find: &Find) -> String {
    let namespace = match &find.namespace {
        Some(namespace) => format!(" --namespace {}", quoted(namespace)),
        None => " --all-namespaces".to_owned(),
    };
    let labels: Vec<String> = find.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let labels = match labels.as_slice() {
        [] => String::new(),
        labels => format!(" --selector {}", quoted(&labels.join(","))),
    };
    format!("{}{namespace}{labels}", list(&find.api_version, &find.kind))
}

/// A kind of a group is named whole: two groups may have one of the same name.
fn kind(api_version: &str, kind: &str) -> String {
    let kind = kind.to_lowercase();
    match api_version.split_once('/') {
        Some((group, version)) => format!("{kind}.{version}.{group}"),
        None => kind,
    }
}

/// A merge patch where that can say it: it makes what is missing above a field. Otherwise, and where something has to hold
/// before, a JSON patch with tests.
fn patched(patch: &KubePatch<Value, BoundObject>) -> String {
    let subresource = patch.subresource.as_ref();
    let subresource = subresource.map_or_else(String::new, |name| format!(" --subresource {}", quoted(name)));
    let line = format!("{}{subresource}", on("patch", &patch.object.object));
    let within_a_list = |pointer: &str| pointer.split('/').any(|part| part.parse::<usize>().is_ok());
    let tests: Vec<Value> = patch
        .only_if
        .iter()
        .filter_map(|field| match &field.is {
            Test::Equals(value) => Some(json!({"op": "test", "path": field.pointer, "value": value})),
            _ => None,
        })
        .collect();
    if tests.is_empty() && !patch.set.iter().any(|field| within_a_list(&field.pointer)) {
        let mut merged = Value::Object(Map::new());
        for field in &patch.set {
            put(&mut merged, &field.pointer, field.to.clone());
        }
        return format!("{line} --type merge --patch {}", word::json(&merged));
    }
    let set = patch.set.iter().map(|field| match &field.to {
        Value::Null => json!({"op": "remove", "path": field.pointer}),
        value => json!({"op": "add", "path": field.pointer, "value": value}),
    });
    let operations: Vec<Value> = tests.into_iter().chain(set).collect();
    format!("{line} --type json --patch {}", word::json(&json!(operations)))
}

/// Puts a value at a pointer, and objects above it.
fn put(object: &mut Value, pointer: &str, value: Value) {
    let mut at = object;
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        let Value::Object(fields) = at else { return };
        at = fields.entry(part).or_insert_with(|| Value::Object(Map::new()));
    }
    *at = value;
}

#[cfg(test)]
mod tests {
    use super::*;
    use switchback_schemas::{
        name::ObjectName,
        plan::{FieldTest, SetField},
    };

    fn patch(only_if: &[(&str, Value)], set: &[(&str, Value)]) -> String {
        let object = ObjectRef::new("apps/v1", "Deployment", &ObjectName::namespaced("mlops", "mlflow"));
        patched(&KubePatch {
            object: BoundObject::named(object),
            subresource: None,
            only_if: only_if
                .iter()
                .map(|(at, value)| FieldTest { pointer: (*at).to_owned(), is: Test::Equals(value.clone()) })
                .collect(),
            set: set
                .iter()
                .map(|(at, value)| SetField { pointer: (*at).to_owned(), to: value.clone() })
                .collect(),
        })
    }

    #[test]
    fn a_patch_is_the_least_that_says_it() {
        let object = "kubectl patch deployment.v1.apps mlflow --namespace mlops";
        assert_eq!(
            patch(&[], &[("/spec/replicas", json!(0)), ("/metadata/annotations/a.dev~1b", Value::Null)]),
            format!(
                r#"{object} --type merge --patch '{{"metadata":{{"annotations":{{"a.dev/b":null}}}},"spec":{{"replicas":0}}}}'"#
            )
        );
        assert_eq!(
            patch(
                &[("/spec/replicas", json!(2))],
                &[("/spec/replicas", json!(0)), ("/spec/paused", Value::Null)]
            ),
            format!(
                r#"{object} --type json --patch '[{{"op":"test","path":"/spec/replicas","value":2}},{{"op":"add","path":"/spec/replicas","value":0}},{{"op":"remove","path":"/spec/paused"}}]'"#
            )
        );
    }
}
