//! The hops of KServe: through the versions that the joint path says.

use super::{
    Kserve,
    releases::{self, Moved},
    split,
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
    let over = hops.iter().find(|hop| hop.from.as_ref().is_some_and(|from| at.facts.splits(from, &hop.to)));
    let charts: Vec<&str> = found.moved.iter().map(|moved| moved.chart.as_str()).collect();
    if over.is_some_and(|over| !split::is_complete(at, &charts, &over.to)) {
        return Vec::new();
    }
    hops.into_iter().map(|hop| (hop, found.moved.clone())).collect()
}
