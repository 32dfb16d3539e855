//! Workflows that have not finished when the controller moves. None is ever terminated.

use std::collections::BTreeMap;

use serde_json::json;
use switchback_schemas::{
    Diagnostic, Seconds, StepId, codes,
    inventory::argo_workflows::UnfinishedWorkflow,
    name::{Label, ObjectRef},
    plan::{Condition, Estimate, FieldTest, Find, KubeCondition, OfClasses, Operand, Test},
    seconds::Length,
};

use super::{
    ArgoWorkflows, InFlight,
    hops::Site,
    suspended::{self, API, POINTER},
};
use crate::{
    component::HopCx,
    lower::{Lowering, need, suspension::SuspensionDraft},
    objects::token,
    predicted::Predicted,
};

/// How long Workflows, or their pods, are waited for when the manifest does not say so.
const MAX: Seconds = Seconds::hours(4);

/// Workflows that are suspended one by one. More are no list that a person reads.
const MOST: usize = 100;

/// Set by the controller on what has ended.
const COMPLETED: &str = "workflows.argoproj.io/completed";
/// Which controller looks after an object.
pub(super) const INSTANCE: &str = "workflows.argoproj.io/controller-instanceid";

/// That a Workflow has not finished. One that no controller has seen has no such label.
pub(super) fn unfinished() -> FieldTest {
    let pointer = format!("/metadata/labels/{}", token(COMPLETED));
    FieldTest { pointer, is: Test::Differs(Operand::Value(json!("true"))) }
}

/// Objects of a kind that the controller looks after.
fn own(site: &Site, (api_version, kind): (&str, &str), labels: &[(&str, &str)]) -> Find {
    let mut labels: BTreeMap<String, String> =
        labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    if let Some(instance) = site.controller.instance_id.as_ref().filter(|_| kind != "Pod") {
        labels.insert(INSTANCE.to_owned(), instance.clone());
    }
    let namespace = site.controller.managed_namespace.clone();
    Find { api_version: api_version.to_owned(), kind: kind.to_owned(), namespace, labels }
}

fn none(find: Find, each: Vec<FieldTest>) -> Condition {
    Condition::Kube(KubeCondition::Count { find, each, at_least: None, at_most: Some(0) })
}

/// Workflows that are treated alike: those of a class that has a policy of its own, or all others.
struct Group<'a> {
    /// The class; `None` for all others.
    class: Option<&'a Label>,
    policy: &'a InFlight,
    /// Those that had not finished when the platform was observed.
    workflows: Vec<&'a UnfinishedWorkflow>,
}

/// Every group, that of all others last.
fn groups<'a>(at: &'a HopCx<'_, ArgoWorkflows>) -> Vec<Group<'a>> {
    let spec = &at.doc.spec;
    let of_class = |class: Option<&Label>| {
        let mine = |workflow: &&UnfinishedWorkflow| {
            let own = class_of(at, workflow).filter(|own| spec.in_flight_by_class.contains_key(*own));
            own == class
        };
        at.own.unfinished().filter(mine).collect()
    };
    let classes = spec.in_flight_by_class.iter().map(|(class, policy)| (Some(class), policy));
    let all = classes.chain([(None, &spec.in_flight)]);
    all.map(|(class, policy)| Group { class, policy, workflows: of_class(class) }).collect()
}

/// The class of a Workflow: that of its pods, whose owners are the Workflow and whoever made it.
fn class_of<'a>(at: &'a HopCx<'_, ArgoWorkflows>, workflow: &UnfinishedWorkflow) -> Option<&'a Label> {
    let namespace = workflow.name.namespace.as_deref().unwrap_or_default();
    let label = |key: &str| workflow.labels.get(key).map(String::as_str);
    let kinds: Vec<&str> = std::iter::once("Workflow").chain(workflow.owner.as_deref()).collect();
    let found = at.cx.classes.iter().find(|class| class.select.matches(namespace, label, &kinds));
    found.map(|class| &class.name)
}

impl Group<'_> {
    /// That no object of the group passes all tests.
    fn none(&self, at: &HopCx<'_, ArgoWorkflows>, find: Find, each: Vec<FieldTest>) -> Condition {
        let others = &at.doc.spec.in_flight_by_class;
        let classes = match self.class {
            Some(class) => OfClasses::Only(class.clone()),
            None if others.is_empty() => return none(find, each),
            None => OfClasses::Except(others.keys().cloned().collect()),
        };
        Condition::Kube(KubeCondition::CountOfClass { find, classes, each, at_most: 0 })
    }

    /// Whose they are, for people.
    fn whose(&self, at: &HopCx<'_, ArgoWorkflows>) -> String {
        match self.class {
            Some(class) => format!(" of class {class}"),
            None if at.doc.spec.in_flight_by_class.is_empty() => String::new(),
            None => " of any other class".to_owned(),
        }
    }

    fn part(&self) -> String {
        self.class.map_or("in-flight".to_owned(), |class| format!("in-flight/{class}"))
    }

    /// What becomes of them, for people.
    fn fate(&self) -> String {
        let long = |max: &Option<Length>| max.map_or(MAX, |Length(max)| max);
        match self.policy {
            InFlight::Wait { max } => format!("are waited for, up to {}", long(max)),
            InFlight::Suspend { max } => {
                format!("are suspended, and their pods waited for, up to {}", long(max))
            }
            InFlight::Accept { because } => format!(
                "go on while the controller moves, with pods that keep the executor that they were made with (accepted: {because})"
            ),
        }
    }
}

/// Suspensions of Workflows, where the manifest asks for them.
pub(super) fn suspensions(at: &HopCx<'_, ArgoWorkflows>, predicted: &Predicted<'_>) -> Vec<SuspensionDraft> {
    let groups = groups(at);
    let suspended = groups.iter().filter(|group| matches!(group.policy, InFlight::Suspend { .. }));
    let workflows: Vec<&UnfinishedWorkflow> =
        suspended.flat_map(|group| group.workflows.iter().copied()).collect();
    let count = workflows.len();
    if count > MOST {
        let message =
            format!("{count} Workflows have not finished, and at most {MOST} are suspended one by one");
        let label = at.cx.label(at.doc.doc, "/spec/inFlight", "would suspend each");
        let help = "write `inFlight: {wait: {max: 4h}}`, or observe again when fewer run";
        at.findings.say(Diagnostic::error(codes::MANIFEST_CONFLICT, message).at(label).help(help));
        return Vec::new();
    }
    let draft = |workflow| SuspensionDraft::new(&at.scope, suspended::workflow(workflow), predicted);
    workflows.into_iter().map(draft).collect()
}

/// Waits as the manifest says; the steps after which the controller may move.
pub(super) fn wait(
    at: &HopCx<'_, ArgoWorkflows>,
    after: Vec<StepId>,
    controller: &ObjectRef,
    predicted: &Predicted<'_>,
    out: &mut Lowering,
) -> Vec<StepId> {
    let site = at.own;
    let workflows = || own(site, (API, "Workflow"), &[]);
    let groups = groups(at);
    fates(at, &groups);
    let mut waited = Vec::new();
    for group in &groups {
        let whose = group.whose(at);
        let (until, title, max) = match group.policy {
            InFlight::Wait { max } => {
                let until = group.none(at, workflows(), vec![unfinished()]);
                (until, format!("wait until every Workflow{whose} has finished"), max)
            }
            InFlight::Suspend { max } => {
                let goes_on =
                    FieldTest { pointer: POINTER.to_owned(), is: Test::Differs(Operand::Value(json!(true))) };
                // A pod says by the label of its Workflow's kind that it has not completed.
                let pods = group.none(at, own(site, ("v1", "Pod"), &[(COMPLETED, "false")]), Vec::new());
                let until =
                    Condition::All(vec![group.none(at, workflows(), vec![unfinished(), goes_on]), pods]);
                (until, format!("wait until every Workflow{whose} is suspended and no pod of one runs"), max)
            }
            InFlight::Accept { .. } => continue,
        };
        let max = max.map_or(MAX, |Length(max)| max);
        let busy = !group.workflows.is_empty();
        let expected = if busy { Seconds(max.0 / 4) } else { Seconds(2) };
        let p90 = if busy { max } else { Seconds(30) };
        let why = "no Workflow is started by a schedule any more";
        let needs: Vec<_> = after.iter().map(|step| need(step, why, None)).collect();
        // A controller that is not there finishes nothing.
        predicted.note_runs(controller);
        let look = at.scope.look(&group.part(), title, until, predicted.take_reads()).after(needs);
        waited.push(out.add(look.time(max, Estimate { expected, p90 })));
    }
    if waited.is_empty() { after } else { waited }
}

/// Says what becomes of the Workflows of each class, and how many there are in which phase.
fn fates(at: &HopCx<'_, ArgoWorkflows>, groups: &[Group<'_>]) {
    let label = at.cx.label(at.doc.doc, "/spec/inFlight", "decided here");
    for group in groups.iter().filter(|group| !group.workflows.is_empty()) {
        let message = format!("Workflows{} {}: {}", group.whose(at), group.fate(), counted(at, group));
        at.findings.say(Diagnostic {
            severity: switchback_schemas::Severity::Advice,
            ..Diagnostic::warning(codes::PLAN_OUTAGE, message).at(label.clone())
        });
    }
}

/// How many Workflows there are of each class and phase, by namespace.
fn counted(at: &HopCx<'_, ArgoWorkflows>, group: &Group<'_>) -> String {
    let mut counts: BTreeMap<(String, String, String), u64> = BTreeMap::new();
    for workflow in &group.workflows {
        // Of a group of one class it is said once.
        let class = class_of(at, workflow).filter(|_| group.class.is_none());
        let class = class.map_or_else(String::new, |class| format!(" (class {class})"));
        let phase = workflow.phase.clone().unwrap_or_else(|| "without a phase".to_owned());
        let namespace = workflow.name.namespace.clone().unwrap_or_default();
        *counts.entry((namespace, phase, class)).or_default() += 1;
    }
    let one = |((namespace, phase, class), count): ((String, String, String), u64)| {
        format!("{count} {phase} in {namespace}{class}")
    };
    counts.into_iter().map(one).collect::<Vec<_>>().join(", ")
}
