//! What a plan that continues a run owes it: what it suspended is closed, and what it began is gone on with.

use std::collections::BTreeMap;

use serde_json::json;
use switchback_schemas::{
    Diagnostic, HopId, RunId, codes,
    name::ObjectRef,
    plan::{Condition, KubeCondition, Operand, Target, Test},
    report::{CarriedHop, LeftSuspended},
};

use crate::{component::Held, context::Cx, hop::HopSpec, registry::Registry};

/// Suspensions of the run that no hop resumes, and hops of it that none goes on with.
pub(super) fn check(cx: &Cx<'_>, asked: &[HopSpec], open: &[&LeftSuspended]) {
    let Some(carried) = &cx.inventory.carry_over else { return };
    for suspension in open {
        cx.findings.say(left_open(&carried.run, suspension));
    }
    let goes_on = |hop: &CarriedHop| asked.iter().any(|spec| spec.id().moves_same(&hop.id));
    // Each run of the operation that did something for a hop tells of it; the last one is the one to ask.
    let last: BTreeMap<&HopId, &CarriedHop> = carried.hops.iter().map(|hop| (&hop.id, hop)).collect();
    for hop in last.into_values().filter(|hop| !hop.whole && !goes_on(hop)) {
        cx.findings.say_about(&hop.id.to_string(), unfinished(&carried.run, hop));
    }
}

/// Suspensions that a run left, as far as they hold: its process may have died with the last answer, or a person resumed them by
/// hand. What was not observed is taken to hold.
pub(super) fn still_held<'a>(cx: &Cx<'a>, registry: &Registry<'_>) -> Vec<&'a LeftSuspended> {
    let open = cx.inventory.carry_over.iter().flat_map(|carried| &carried.left_suspended);
    open.filter(|suspension| holds(cx, registry, &suspension.held).unwrap_or(true)).collect()
}

/// Whether a field has the value that its suspension holds it at; `None` for another condition, or what was not observed.
fn holds(cx: &Cx<'_>, registry: &Registry<'_>, held: &Condition) -> Option<bool> {
    let Some(Condition::Kube(KubeCondition::Field {
        object: Target::Object(object),
        pointer,
        is: Test::Equals(Operand::Value(value)),
    })) = held.leaves().first().copied()
    else {
        return None;
    };
    match replicas(cx, object, pointer).or_else(|| observed(cx, registry, object, pointer))? {
        Held::Is(observed) => Some(observed == *value),
        // What is not there may be what could not be read.
        Held::Absent => {
            let all_read = !cx.inventory.unread.iter().any(|unread| unread.what.covers(object));
            all_read.then_some(false)
        }
    }
}

/// The replicas of a controller of pods.
fn replicas(cx: &Cx<'_>, object: &ObjectRef, pointer: &str) -> Option<Held> {
    if pointer != "/spec/replicas" {
        return None;
    }
    Some(cx.index.workload(object).map_or(Held::Absent, |workload| Held::Is(json!(workload.replicas))))
}

/// A field that only a component knows.
fn observed(cx: &Cx<'_>, registry: &Registry<'_>, object: &ObjectRef, pointer: &str) -> Option<Held> {
    registry.components().find_map(|(_, component)| component.observed(&cx.sections, object, pointer))
}

fn left_open(run: &RunId, suspension: &LeftSuspended) -> Diagnostic {
    let LeftSuspended { id, title, resume_command, .. } = suspension;
    let message = format!("run {run} suspended {title} ({id}), and nothing in this plan resumes it");
    let ways = crate::carried::ways(run, run);
    Diagnostic::error(codes::PLAN_LEFT_OPEN, message).help(format!(
        "{ways}, and observe again; or let these manifests ask for the component again; to resume it by hand: \
         {resume_command}"
    ))
}

fn unfinished(last: &RunId, hop: &CarriedHop) -> Diagnostic {
    let CarriedHop { id, run, .. } = hop;
    let message = format!("run {run} began {id} and did not finish it, and this plan does not continue it");
    let ways = crate::carried::ways(last, run);
    Diagnostic::warning(codes::PLAN_UNFINISHED, message)
        .help(format!("what was done of it stays as it is; to undo it, {ways}, before this plan is applied"))
}
