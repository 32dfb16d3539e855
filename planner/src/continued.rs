//! What a plan that continues a run owes it: what it suspended is closed, and what it began is gone on with.

use std::collections::BTreeMap;

use switchback_schemas::{
    Diagnostic, RunId, StepId, codes,
    inventory::{Inventory, karpenter::Karpenter},
    plan::{Condition, Hop, Operand, Target, Test},
    report::{CarriedHop, OpenBracket},
};

use crate::{components::HopSpec, context::Cx, lower::freeze, outlook::section};

/// Brackets of the run that no hop closes, and hops of it that none goes on with.
pub(crate) fn check(cx: &Cx<'_>, asked: &[HopSpec], open: &[&OpenBracket]) {
    let Some(carried) = &cx.inventory.carry_over else { return };
    for bracket in open {
        cx.findings.say(left_open(&carried.run, bracket));
    }
    let goes_on = |hop: &CarriedHop| asked.iter().any(|spec| Hop::moved(&spec.id()) == Hop::moved(&hop.id));
    // Each run of the operation that did something for a hop tells of it; the last one is the one to ask.
    let last: BTreeMap<&StepId, &CarriedHop> = carried.hops.iter().map(|hop| (&hop.id, hop)).collect();
    for hop in last.into_values().filter(|hop| !hop.whole && !goes_on(hop)) {
        cx.findings.say_about(hop.id.as_str(), unfinished(&carried.run, hop));
    }
}

/// Brackets that a run left open, as far as they hold: its process may have died with the last answer, or a person closed them by
/// hand. What was not observed is taken to hold.
pub(crate) fn still_held(inventory: &Inventory) -> Vec<&OpenBracket> {
    let open = inventory.carry_over.iter().flat_map(|carried| &carried.open_brackets);
    open.filter(|bracket| holds(inventory, &bracket.held).unwrap_or(true)).collect()
}

/// Whether the fields that brackets of components hold, hold; `None` for another condition, or what was not observed.
fn holds(inventory: &Inventory, held: &Condition) -> Option<bool> {
    let Condition::Field { object: Target::Object(object), pointer, is: Test::Equals(Operand::Value(value)) } =
        held
    else {
        return None;
    };
    // What is not there may be what could not be read.
    let all_read = !inventory.unread.iter().any(|unread| unread.what.contains(&object.kind));
    match (object.kind.as_str(), pointer.as_str()) {
        ("NodePool", freeze::POINTER) => {
            let karpenter: Karpenter = section(inventory, "karpenter").ok().flatten()?;
            let pool = karpenter.node_pools.into_iter().find(|pool| pool.name == object.name);
            let read = pool.is_some() || all_read;
            read.then(|| pool.is_some_and(|pool| pool.budgets == *value))
        }
        (_, "/spec/replicas") => {
            let workload = inventory.workloads.iter().find(|workload| workload.object == *object);
            let read = workload.is_some() || all_read;
            read.then(|| workload.is_some_and(|workload| *value == workload.replicas))
        }
        _ => None,
    }
}

fn left_open(run: &RunId, bracket: &OpenBracket) -> Diagnostic {
    let OpenBracket { id, title, closing_command, .. } = bracket;
    let message = format!(
        "run {run} opened bracket {id} ({title}), and nothing in this plan puts back what was there before"
    );
    let ways = ways(run, run);
    Diagnostic::error(codes::PLAN_LEFT_OPEN, message).help(format!(
        "{ways}, and observe again; or let these manifests ask for the component again; by hand it is closed by: \
         {closing_command}"
    ))
}

fn unfinished(last: &RunId, hop: &CarriedHop) -> Diagnostic {
    let CarriedHop { id, run, .. } = hop;
    let message =
        format!("run {run} began {id} and did not finish it, and this plan does nothing more for it");
    let ways = ways(last, run);
    Diagnostic::warning(codes::PLAN_UNFINISHED, message)
        .help(format!("what was done of it stays as it is; else {ways}, before this plan is applied"))
}

/// How a hop that a run began comes to an end there; `last` is the run that has the platform.
pub(crate) fn ways(last: &RunId, run: &RunId) -> String {
    let there = format!(
        "finish it in that run (`switchback apply` of its plan, `switchback retry --run {run} --step STEP` where it failed) or \
         take it back (`switchback rollback --run {run}`)"
    );
    if last == run {
        return there;
    }
    format!(
        "take run {last} back to where it began (`switchback rollback --run {last} --to start`), then {there}"
    )
}
