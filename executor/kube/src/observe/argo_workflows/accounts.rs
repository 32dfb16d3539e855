//! Service accounts as which pods of Workflows write their results: of the executor where one is named, else of the pod.

use std::collections::BTreeSet;

use serde_json::Value;
use switchback_schemas::inventory::argo_workflows::WorkflowAccount;

use crate::fields::text;

/// The accounts of Workflows, CronWorkflows and templates. What a ClusterWorkflowTemplate says is of no namespace, and what another
/// template says stands there.
pub(super) fn of<'a>(objects: impl Iterator<Item = &'a Value>) -> Vec<WorkflowAccount> {
    let mut found = BTreeSet::new();
    for object in objects {
        let namespace = text(object, "/metadata/namespace");
        let spec = match text(object, "/kind") {
            "CronWorkflow" => object.pointer("/spec/workflowSpec"),
            _ => object.get("spec"),
        };
        let Some(spec) = spec.filter(|_| !namespace.is_empty()) else { continue };
        let mut note = |name: Option<&str>| {
            found.insert(WorkflowAccount { namespace: namespace.to_owned(), name: name.map(str::to_owned) });
        };
        let of_all = named(spec, "/executor/serviceAccountName");
        let of_pods = named(spec, "/serviceAccountName");
        let templates = spec.get("templates").and_then(Value::as_array).into_iter().flatten();
        let mut held = false;
        for template in templates.filter(|template| makes_pods(template)) {
            held = true;
            let own = named(template, "/executor/serviceAccountName").or(of_all);
            note(own.or_else(|| named(template, "/serviceAccountName")).or(of_pods));
        }
        if !held && let Some(said) = of_all.or(of_pods) {
            note(Some(said));
        }
    }
    found.into_iter().collect()
}

/// What only names others, or waits, makes no pod.
fn makes_pods(template: &Value) -> bool {
    ["container", "containerSet", "script", "resource", "data", "http", "plugin"]
        .iter()
        .any(|kind| template.get(kind).is_some())
}

fn named<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    Some(text(value, pointer)).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_account_of_the_executor_goes_before_that_of_the_pod() {
        let object = |kind: &str, spec: Value| json!({"kind": kind, "metadata": {"namespace": "ml", "name": "a"}, "spec": spec});
        let pod = json!({"name": "a", "container": {}});
        let of = |objects: &[Value]| -> Vec<Option<String>> {
            super::of(objects.iter()).into_iter().map(|account| account.name).collect()
        };
        assert_eq!(of(&[object("Workflow", json!({"templates": [pod]}))]), [None]);
        let named = json!({"serviceAccountName": "runner", "templates": [pod, {"name": "b", "steps": []}]});
        assert_eq!(of(&[object("WorkflowTemplate", named.clone())]), [Some("runner".to_owned())]);
        let cron = json!({"workflowSpec": {"executor": {"serviceAccountName": "writer"}, "serviceAccountName": "runner",
            "templates": [{"name": "b", "script": {}, "serviceAccountName": "own"}]}});
        assert_eq!(of(&[object("CronWorkflow", cron)]), [Some("writer".to_owned())]);
        let refers = json!({"workflowTemplateRef": {"name": "shared"}});
        assert_eq!(of(&[object("Workflow", refers)]), []);
        let cluster = json!({"kind": "ClusterWorkflowTemplate", "metadata": {"name": "a"}, "spec": named});
        assert_eq!(of(&[cluster]), []);
    }
}
