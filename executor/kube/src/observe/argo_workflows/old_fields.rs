//! Fields that newer releases of Argo Workflows no longer have: `schedule` of a CronWorkflow, single locks, priorities as numbers.

use serde_json::Value;
use switchback_schemas::{inventory::argo_workflows::OldField, name::ObjectRef};

use super::API;
use crate::fields::{name, text};

/// The fields of an object that newer releases may no longer have.
pub(super) fn of(object: &Value) -> Vec<OldField> {
    let kind = text(object, "/kind");
    let mut pointers = Vec::new();
    if kind == "CronWorkflow" {
        there(object, "/spec", &["schedule"], &mut pointers);
        workflow(object, "/spec/workflowSpec", &mut pointers);
    } else {
        workflow(object, "/spec", &mut pointers);
    }
    let object = ObjectRef::new(API, kind, &name(object));
    pointers.into_iter().map(|pointer| OldField { object: object.clone(), pointer }).collect()
}

/// What a workflow says of itself, and what each of its templates does. The priority of a workflow itself stays.
fn workflow(object: &Value, at: &str, found: &mut Vec<String>) {
    there(object, at, &["podPriority"], found);
    locks(object, at, found);
    let templates = object.pointer(&format!("{at}/templates")).and_then(Value::as_array).map_or(0, Vec::len);
    let each = (0..templates).map(|index| format!("{at}/templates/{index}"));
    let defaults = [format!("{at}/templateDefaults")];
    for template in each.chain(defaults) {
        there(object, &template, &["priority"], found);
        locks(object, &template, found);
    }
}

fn locks(object: &Value, at: &str, found: &mut Vec<String>) {
    there(object, &format!("{at}/synchronization"), &["mutex", "semaphore"], found);
}

fn there(object: &Value, at: &str, names: &[&str], found: &mut Vec<String>) {
    let pointers = names.iter().map(|name| format!("{at}/{name}"));
    found.extend(pointers.filter(|pointer| object.pointer(pointer).is_some_and(|field| !field.is_null())));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pointers(object: &Value) -> Vec<String> {
        of(object).into_iter().map(|found| found.pointer).collect()
    }

    #[test]
    fn fields_are_found_inside_of_templates() {
        let cron = json!({"kind": "CronWorkflow", "metadata": {"namespace": "ml", "name": "nightly"}, "spec": {
            "schedule": "0 2 * * *", "schedules": ["0 2 * * *"],
            "workflowSpec": {"podPriority": 5, "priority": 3, "synchronization": {"mutex": {"name": "a"}},
                "templates": [{"name": "a"}, {"name": "b", "priority": 1,
                    "synchronization": {"semaphore": {}, "mutexes": []}}]}}});
        assert_eq!(
            pointers(&cron),
            [
                "/spec/schedule",
                "/spec/workflowSpec/podPriority",
                "/spec/workflowSpec/synchronization/mutex",
                "/spec/workflowSpec/templates/1/priority",
                "/spec/workflowSpec/templates/1/synchronization/semaphore",
            ]
        );
        assert_eq!(of(&cron)[0].object.to_string(), "CronWorkflow ml/nightly");
    }

    #[test]
    fn what_is_converted_is_not_found() {
        let template = json!({"kind": "ClusterWorkflowTemplate", "metadata": {"name": "train"}, "spec": {
            "priority": 3, "podPriorityClassName": "high", "synchronization": {"mutexes": [{"name": "a"}]},
            "templates": [{"name": "a", "priorityClassName": "high"}]}});
        assert_eq!(pointers(&template), Vec::<String>::new());
    }
}
