//! What stands still while the controller moves: CronWorkflows, and, where asked, Workflows.

use serde_json::{Value, json};
use switchback_schemas::{
    inventory::argo_workflows::{CronWorkflow, UnfinishedWorkflow},
    name::{ObjectName, ObjectRef},
};

use crate::lower::suspension::{Parts, Suspended, Titles};

/// Where both say that they are suspended.
pub(super) const POINTER: &str = "/spec/suspend";

/// The API version of everything that is Argo's.
pub(super) const API: &str = "argoproj.io/v1alpha1";

/// Suspending a CronWorkflow: it starts no Workflow. What it has started goes on.
pub(super) fn cron(cron: &CronWorkflow) -> Suspended {
    let cannot_stop =
        vec!["Workflows that it has started, and those that people or sensors submit".to_owned()];
    of("CronWorkflow", "cron", &cron.name, &cron.suspend, cannot_stop)
}

/// Suspending a Workflow: it starts no pod. Pods that it has started go on.
pub(super) fn workflow(workflow: &UnfinishedWorkflow) -> Suspended {
    let cannot_stop = vec!["pods that it has started".to_owned()];
    of("Workflow", "workflow", &workflow.name, &workflow.suspend, cannot_stop)
}

fn of(kind: &str, part: &str, name: &ObjectName, observed: &Value, cannot_stop: Vec<String>) -> Suspended {
    Suspended {
        name: format!("{part}/{}.{}", name.namespace.as_deref().unwrap_or_default(), name.name),
        parts: Parts::SUSPEND,
        object: ObjectRef::new(API, kind, name),
        pointer: POINTER,
        path: "spec.suspend",
        capture: "suspend",
        value: json!(true),
        observed: observed.clone(),
        titles: Titles::of(&format!("{kind} {name}")),
        cannot_stop,
        owner: format!("the owner of the {kind}"),
    }
}
