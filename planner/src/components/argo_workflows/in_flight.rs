//! Workflows that have not finished when the controller moves. None is ever terminated.

use std::collections::BTreeMap;

use serde_json::json;
use switchback_schemas::{
    Diagnostic, Seconds, StepId, codes,
    name::ObjectRef,
    plan::{Condition, Estimate, FieldTest, Find, KubeCondition, Operand, Test},
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

/// Suspensions of Workflows, where the manifest asks for them.
pub(super) fn suspensions(at: &HopCx<'_, ArgoWorkflows>, predicted: &Predicted<'_>) -> Vec<SuspensionDraft> {
    if !matches!(at.doc.spec.in_flight, InFlight::Suspend { .. }) {
        return Vec::new();
    }
    let count = at.own.unfinished().count();
    if count > MOST {
        let message =
            format!("{count} Workflows have not finished, and at most {MOST} are suspended one by one");
        let label = at.cx.label(at.doc.doc, "/spec/inFlight", "would suspend each");
        let help = "write `inFlight: {wait: {max: 4h}}`, or observe again when fewer run";
        at.findings.say(Diagnostic::error(codes::MANIFEST_CONFLICT, message).at(label).help(help));
        return Vec::new();
    }
    let draft = |workflow| SuspensionDraft::new(&at.scope, suspended::workflow(workflow), predicted);
    at.own.unfinished().map(draft).collect()
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
    let (until, title, max) = match &at.doc.spec.in_flight {
        InFlight::Wait { max } => {
            (none(workflows(), vec![unfinished()]), "wait until every Workflow has finished", max)
        }
        InFlight::Suspend { max } => {
            let goes_on =
                FieldTest { pointer: POINTER.to_owned(), is: Test::Differs(Operand::Value(json!(true))) };
            // A pod says by the label of its Workflow's kind that it has not completed.
            let pods = none(own(site, ("v1", "Pod"), &[(COMPLETED, "false")]), Vec::new());
            let until = Condition::All(vec![none(workflows(), vec![unfinished(), goes_on]), pods]);
            (until, "wait until every Workflow is suspended and no pod of one runs", max)
        }
        InFlight::Accept { because } => {
            accepted(at, because);
            return after;
        }
    };
    let max = max.map_or(MAX, |Length(max)| max);
    let busy = site.unfinished().next().is_some();
    let expected = if busy { Seconds(max.0 / 4) } else { Seconds(2) };
    let p90 = if busy { max } else { Seconds(30) };
    let why = "no Workflow is started by a schedule any more";
    let needs: Vec<_> = after.iter().map(|step| need(step, why, None)).collect();
    // A controller that is not there finishes nothing.
    predicted.note_runs(controller);
    let look = at.scope.look("in-flight", title, until, predicted.take_reads()).after(needs);
    vec![out.add(look.time(max, Estimate { expected, p90 }))]
}

/// Says who runs on, and who accepts it.
fn accepted(at: &HopCx<'_, ArgoWorkflows>, because: &str) {
    let counts: Vec<String> = at
        .own
        .section()
        .phases
        .iter()
        .map(|count| {
            let phase = if count.phase.is_empty() { "without a phase" } else { &count.phase };
            format!("{} {phase} in {}", count.count, count.namespace)
        })
        .collect();
    if counts.is_empty() {
        return;
    }
    let message = format!(
        "Workflows go on while the controller moves: {}; their pods keep the executor that they were made with (accepted: {because})",
        counts.join(", ")
    );
    let label = at.cx.label(at.doc.doc, "/spec/inFlight", "accepted here");
    at.findings.say(Diagnostic {
        severity: switchback_schemas::Severity::Advice,
        ..Diagnostic::warning(codes::PLAN_OUTAGE, message).at(label)
    });
}
