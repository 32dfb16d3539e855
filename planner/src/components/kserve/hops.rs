//! The hops of KServe: through the versions that the joint path says, never over the split of its charts.

use switchback_schemas::{Diagnostic, Version, codes};

use super::{
    Kserve,
    releases::{self, Moved},
};
use crate::{
    component::DocCx,
    hop::{HopSpec, rising},
};

/// The hops of one document, with the releases that move in each.
pub(super) fn of(at: &DocCx<'_, Kserve>) -> Vec<(HopSpec, Vec<Moved>)> {
    let (cx, doc, spec) = (at.cx, at.doc, &at.doc.spec);
    let Some(found) = releases::find(at) else { return Vec::new() };
    let asked = at.asked();
    if *found.from == spec.to
        && let Some(finishing) = asked.finishing(cx)
    {
        return vec![(finishing, found.moved)];
    }
    if rising(cx, doc.doc, "KServe", found.from, &spec.to).is_none() {
        return Vec::new();
    }
    // Where there is no path, that was said already.
    let hops = asked.through(found.from, cx.versions(at.component.as_str()));
    let over = hops.iter().find_map(|hop| {
        let from = hop.from.as_ref()?;
        at.facts.splits(from, &hop.to).then_some((from, &hop.to))
    });
    if let Some((from, to)) = over {
        splits(at, from, to);
        return Vec::new();
    }
    hops.into_iter().map(|hop| (hop, found.moved.clone())).collect()
}

/// A hop over the split gives objects to releases that are not there yet, which no owner does so far.
fn splits(at: &DocCx<'_, Kserve>, from: &Version, to: &Version) {
    let split = &at.facts.split;
    let message = format!(
        "the hop from KServe {from} to {to} goes over the split of its charts at {}: {}",
        split.at, split.why
    );
    at.findings.say(
        Diagnostic::error(codes::MANIFEST_NOT_BUILT, message)
            .at(at.label(at.doc.doc, "/spec/to", "beyond the split"))
            .help(format!(
                "plan up to the last version below {}; go over the split by the guide of KServe, then observe again and plan from there",
                split.at
            )),
    );
}
