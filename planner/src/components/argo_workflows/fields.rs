//! Fields that the target no longer has, in live objects. Full CRDs drop what they do not know at the next write, and nobody is told.

use switchback_schemas::{
    Diagnostic, StepId, codes,
    inventory::argo_workflows::OldField,
    plan::{Condition, Estimate, FieldTest, Find, KubeCondition, Test},
};

use super::{ArgoWorkflows, facts::Removed, suspended::API, versions::Versions};
use crate::{
    component::HopCx,
    lower::{Lowering, need},
};

/// The places that a pointer reaches in every object of a kind; inside of lists only an observation finds a field.
const PLACES: [(&str, &[&str]); 4] = [
    ("CronWorkflow", &["/spec", "/spec/workflowSpec", "/spec/workflowSpec/synchronization"]),
    ("Workflow", &["/spec", "/spec/synchronization"]),
    ("WorkflowTemplate", &["/spec", "/spec/synchronization"]),
    ("ClusterWorkflowTemplate", &["/spec", "/spec/synchronization"]),
];

/// What a field that was found no longer is, if the target is past it.
fn gone<'f>(at: &'f HopCx<'_, ArgoWorkflows>, versions: &Versions, field: &OldField) -> Option<&'f Removed> {
    let name = field.pointer.rsplit('/').next()?;
    let row = at.facts.removed.iter().find(|row| row.field == name)?;
    is_gone(at, versions, row).then_some(row)
}

/// Whether a field is lost by the hop. With full CRDs one that is ignored already is dropped.
fn is_gone(at: &HopCx<'_, ArgoWorkflows>, versions: &Versions, row: &Removed) -> bool {
    versions.crosses(&row.at) || Versions::drops_unknown(at) && versions.reaches(&row.at)
}

/// Says each field that would be lost.
pub(super) fn check(at: &HopCx<'_, ArgoWorkflows>, versions: &Versions) {
    for found in &at.own.section().old_fields {
        let Some(row) = gone(at, versions, found) else { continue };
        let message = format!(
            "{} has {}, which Argo Workflows {} no longer has: the API server drops it at the next write, and nobody is told",
            found.object, found.pointer, row.at
        );
        let converted = match row.converts {
            true => format!("write `{}`, as `argo convert` does, before the upgrade", row.instead),
            false => format!("write `{}` before the upgrade: `argo convert` cannot", row.instead),
        };
        let label = at.cx.label(at.doc.doc, "/spec/to", "no longer has the field");
        let removed = Diagnostic::error(codes::PLAN_REMOVED_FIELD, message).at(label).help(converted);
        at.findings.say_about(&found.object.to_string(), removed);
    }
}

/// Looks again before the CRDs change: no more objects have such a field than somebody accepted.
pub(super) fn look(
    at: &HopCx<'_, ArgoWorkflows>,
    versions: &Versions,
    after: &[StepId],
    out: &mut Lowering,
) -> Option<StepId> {
    let mut all = Vec::new();
    for row in at.facts.removed.iter().filter(|row| is_gone(at, versions, row)) {
        for (kind, places) in PLACES {
            for place in places.iter().filter(|place| may_stand(&row.field, kind, place)) {
                let pointer = format!("{place}/{}", row.field);
                let accepted = at
                    .own
                    .section()
                    .old_fields
                    .iter()
                    .filter(|found| found.object.kind == kind && found.pointer == pointer)
                    .count();
                all.push(none_more(kind, pointer, accepted));
            }
        }
    }
    if all.is_empty() {
        return None;
    }
    let title = "check that no object has a field that the new version drops";
    let needs = after.iter().map(|step| need(step, "what is found now is what the CRDs meet", None));
    let look = at.scope.look("removed-fields", title, Condition::All(all), Vec::new());
    let time = (switchback_schemas::Seconds::minutes(2), Estimate::seconds(2, 30));
    Some(out.add(look.after(needs).time(time.0, time.1)))
}

/// `schedule` is a field of CronWorkflows themselves; locks stand below `synchronization`. The priority of a Workflow is another
/// field, which stays.
fn may_stand(field: &str, kind: &str, place: &str) -> bool {
    match field {
        "schedule" => kind == "CronWorkflow" && place == "/spec",
        "mutex" | "semaphore" => place.ends_with("/synchronization"),
        "podPriority" => !place.ends_with("/synchronization") && (kind != "CronWorkflow" || place != "/spec"),
        _ => false,
    }
}

/// Finished Workflows are written no more.
fn none_more(kind: &str, pointer: String, accepted: usize) -> Condition {
    let mut each = vec![FieldTest { pointer, is: Test::Present {} }];
    if kind == "Workflow" {
        each.push(super::in_flight::unfinished());
    }
    let find =
        Find { api_version: API.to_owned(), kind: kind.to_owned(), namespace: None, labels: [].into() };
    let most = u64::try_from(accepted).unwrap_or(u64::MAX);
    Condition::Kube(KubeCondition::Count { find, each, at_least: None, at_most: Some(most) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_priority_of_a_workflow_is_not_that_of_its_pods() {
        assert!(may_stand("schedule", "CronWorkflow", "/spec"));
        assert!(!may_stand("schedule", "CronWorkflow", "/spec/workflowSpec"));
        assert!(may_stand("mutex", "CronWorkflow", "/spec/workflowSpec/synchronization"));
        assert!(may_stand("podPriority", "CronWorkflow", "/spec/workflowSpec"));
        assert!(!may_stand("podPriority", "CronWorkflow", "/spec"));
        assert!(!may_stand("priority", "Workflow", "/spec"));
    }
}
