//! How long steps take as the catalog says it: before what was learned from runs, and in place of what their component thinks.

use std::collections::BTreeMap;

use switchback_schemas::{
    HopId, StepId,
    plan::{Estimate, Hop, RollbackStep, Step},
};

use crate::{
    catalog::{Catalog, Duration},
    hop::HopSpec,
};

/// Puts the catalog's durations into the steps that they are about, either way.
pub fn put<'a>(
    catalog: &'a Catalog,
    hops: &'a [(HopSpec, Hop)],
    steps: &mut [Step],
    rollback: &mut [RollbackStep],
) {
    let durations = |(spec, hop): &'a (HopSpec, Hop)| {
        let facts = catalog.components.get(spec.component.as_str())?;
        (!facts.durations.is_empty()).then_some((&hop.id, &facts.durations))
    };
    let of_hop: BTreeMap<&HopId, &Vec<Duration>> = hops.iter().filter_map(durations).collect();
    let mut put_back: BTreeMap<&StepId, Estimate> = BTreeMap::new();
    for step in steps {
        let Some(known) = of_hop.get(&step.hop) else { continue };
        let Some(part) = step.hop.part(&step.id) else { continue };
        let Some(known) = known.iter().find(|known| is_about(known, part)) else { continue };
        let estimate =
            Estimate { expected: known.takes.0, p90: known.p90.map_or(known.takes.0, |p90| p90.0) };
        step.work.estimate = estimate;
        put_back.insert(&step.id, estimate);
    }
    // The step's own inverse takes as long; what else comes in its place has its own length.
    for undo in rollback.iter_mut().filter(|undo| undo.work.roll().is_none()) {
        if let Some(estimate) = put_back.get(&undo.id) {
            undo.work.estimate = *estimate;
        }
    }
}

fn is_about(known: &Duration, part: &str) -> bool {
    known.steps.iter().any(|pattern| {
        let (pattern, words): (Vec<&str>, Vec<&str>) =
            (pattern.split('/').collect(), part.split('/').collect());
        pattern.len() == words.len()
            && pattern.iter().zip(&words).all(|(pattern, word)| *pattern == "*" || pattern == word)
    })
}
