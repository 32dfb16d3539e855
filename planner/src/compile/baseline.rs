//! What verifications of a hop compare with: captured by a step of its own, before any other of the hop.

use std::collections::{BTreeMap, BTreeSet};

use switchback_schemas::{
    Seconds, StepId,
    plan::{CaptureKind, Condition, Estimate, PromQuery, Step},
};

use crate::{
    findings::listed,
    hop::HopSpec,
    lower::{HopScope, Lowering, need},
    verification,
};

/// Adds the step to a hop whose verifications compare with something; `before` steps were lowered before it.
pub(super) fn before(hop: &HopSpec, before: usize, out: &mut Lowering) {
    let scope = HopScope::of(hop);
    let id = verification::baseline_of(&scope.hop);
    let steps = out.steps.iter().skip(before);
    let conditions = steps.flat_map(|step| step.work.conditions());
    let compared = conditions.flat_map(verification::compared).filter(|(step, ..)| **step == id);
    let queries: BTreeMap<String, PromQuery> =
        compared.map(|(_, name, query)| (name.to_owned(), now(query))).collect();
    if queries.is_empty() {
        return;
    }
    let title = format!("capture what is compared afterwards: {}", listed(queries.keys().cloned()));
    let until = Condition::All(queries.values().map(verification::has_value).collect());
    let mut look = scope.look(verification::BASELINE, title, until, Vec::new());
    for (name, query) in queries {
        look = look.captures(&name, CaptureKind::Prometheus(query));
    }
    let of_hop: BTreeSet<StepId> = out.steps.iter().skip(before).map(|step| step.id.clone()).collect();
    let begins = |step: &Step| !step.needs.iter().any(|need| of_hop.contains(&need.step));
    for step in out.steps.iter_mut().skip(before).filter(|step| begins(step)) {
        step.needs.push(need(&id, "what it was before is captured before anything changes", None));
    }
    out.add(look.time(Seconds::minutes(10), Estimate::seconds(2, 30)));
}

/// A query without its window: a baseline is one value.
fn now(query: &PromQuery) -> PromQuery {
    PromQuery { over: Seconds(0), ..query.clone() }
}
