//! The section `argo-workflows`: controllers, CronWorkflows, Workflows that have not finished, and fields that newer releases drop.

mod accounts;
mod old_fields;
mod settings;

use std::collections::BTreeMap;

use serde_json::Value;
use switchback_schemas::inventory::argo_workflows::{
    ArgoWorkflows, CronWorkflow, UnfinishedWorkflow, WorkflowController, WorkflowCount,
};

use super::{found::Found, lists::Lists};
use crate::{
    api::{Kinds, Query, Reader},
    fields::{name, text},
    pods::{given_labels, owners::controller},
};

const API: &str = "argoproj.io/v1alpha1";
/// Set by the controller on what has ended.
const COMPLETED: &str = "workflows.argoproj.io/completed";
/// Which controller looks after an object.
const INSTANCE: &str = "workflows.argoproj.io/controller-instanceid";

pub(super) async fn read(lists: &mut Lists, reader: &Reader, kinds: &Kinds<'_>) -> Option<Found> {
    let deployments: Vec<Value> =
        lists.workloads.iter().filter(|object| settings::container(object).is_some()).cloned().collect();
    if deployments.is_empty() {
        return None;
    }
    let mut controllers: Vec<WorkflowController> = Vec::new();
    for deployment in &deployments {
        controllers.extend(settings::controller(lists, reader, deployment).await);
    }
    controllers.sort_by(|a, b| a.deployment.cmp(&b.deployment));
    let all = Query::all();
    let crons = objects(lists, reader, kinds, "CronWorkflow", &all).await;
    // Those that have ended may be thousands, and nothing becomes of them.
    let open = Query { labels: Some(format!("{COMPLETED}!=true")), ..Query::all() };
    let workflows = objects(lists, reader, kinds, "Workflow", &open).await;
    let mut templates = objects(lists, reader, kinds, "WorkflowTemplate", &all).await;
    templates.extend(objects(lists, reader, kinds, "ClusterWorkflowTemplate", &all).await);
    let mut cron_workflows: Vec<CronWorkflow> = crons.iter().map(cron).collect();
    cron_workflows.sort_by(|a, b| a.name.cmp(&b.name));
    let mut unfinished: Vec<UnfinishedWorkflow> = workflows.iter().map(workflow).collect();
    unfinished.sort_by(|a, b| a.name.cmp(&b.name));
    let mut found: Vec<_> =
        crons.iter().chain(&workflows).chain(&templates).flat_map(old_fields::of).collect();
    found.sort();
    let accounts = accounts::of(crons.iter().chain(&workflows).chain(&templates));
    let section = ArgoWorkflows {
        controllers,
        cron_workflows,
        phases: phases(&unfinished),
        unfinished,
        accounts,
        old_fields: found,
    };
    Found::new("argo-workflows", serde_json::to_value(section), crons)
}

/// Objects of a kind; none where it is not served.
async fn objects(
    lists: &mut Lists,
    reader: &Reader,
    kinds: &Kinds<'_>,
    kind: &str,
    query: &Query,
) -> Vec<Value> {
    match kinds.find(API, kind).await {
        Ok(None) => Vec::new(),
        Ok(Some(_)) | Err(_) => lists.list(reader, kinds, (API, kind), query).await,
    }
}

fn label(object: &Value, key: &str) -> Option<String> {
    let labels = object.pointer("/metadata/labels")?;
    labels.get(key)?.as_str().map(str::to_owned)
}

fn suspend(object: &Value) -> Value {
    object.pointer("/spec/suspend").cloned().unwrap_or(Value::Null)
}

fn cron(object: &Value) -> CronWorkflow {
    let listed = object.pointer("/spec/schedules").and_then(Value::as_array).into_iter().flatten();
    let single = object.pointer("/spec/schedule");
    let schedules = listed.chain(single).filter_map(Value::as_str).map(str::to_owned).collect();
    let zone = text(object, "/spec/timezone");
    CronWorkflow {
        name: name(object),
        schedules,
        timezone: (!zone.is_empty()).then(|| zone.to_owned()),
        suspend: suspend(object),
        starting_deadline_seconds: object.pointer("/spec/startingDeadlineSeconds").and_then(Value::as_u64),
        instance_id: label(object, INSTANCE),
    }
}

fn workflow(object: &Value) -> UnfinishedWorkflow {
    let phase = text(object, "/status/phase");
    UnfinishedWorkflow {
        name: name(object),
        phase: (!phase.is_empty()).then(|| phase.to_owned()),
        suspend: suspend(object),
        instance_id: label(object, INSTANCE),
        labels: given_labels::of(object).unwrap_or_default(),
        owner: controller(object).map(|owner| text(owner, "/kind").to_owned()),
    }
}

fn phases(workflows: &[UnfinishedWorkflow]) -> Vec<WorkflowCount> {
    let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
    for workflow in workflows {
        let namespace = workflow.name.namespace.clone().unwrap_or_default();
        *counts.entry((namespace, workflow.phase.clone().unwrap_or_default())).or_default() += 1;
    }
    counts.into_iter().map(|((namespace, phase), count)| WorkflowCount { namespace, phase, count }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn schedules_are_read_in_both_shapes() {
        let of = |spec: Value| cron(&json!({"metadata": {"namespace": "ml", "name": "a"}, "spec": spec}));
        assert_eq!(of(json!({"schedule": "0 2 * * *"})).schedules, ["0 2 * * *"]);
        let both = of(json!({"schedules": ["0 2 * * *", "0 3 * * *"], "suspend": false, "timezone": "UTC"}));
        assert_eq!(both.schedules.len(), 2);
        assert_eq!((both.suspend, both.timezone.as_deref()), (json!(false), Some("UTC")));
        assert_eq!(of(json!({})).suspend, Value::Null);
    }

    #[test]
    fn workflows_are_counted_by_namespace_and_phase() {
        let of = |namespace: &str, phase: &str| {
            workflow(&json!({"metadata": {"namespace": namespace, "name": "w"}, "status": {"phase": phase}}))
        };
        let counted = phases(&[of("a", "Running"), of("b", "Running"), of("a", "Running"), of("a", "")]);
        let counted: Vec<_> =
            counted.iter().map(|c| (c.namespace.as_str(), c.phase.as_str(), c.count)).collect();
        assert_eq!(counted, [("a", "", 1), ("a", "Running", 2), ("b", "Running", 1)]);
    }
}
