//! The order of hops.
//!
//! Of components that the catalog knows, the joint path says which versions they move through and which hop comes before
//! which, with the fact that says so. What manifests `require` themselves is added to that; it is all that is known of the
//! others. The hops then run one after the other, so that a failure has one cause, in the sequence that was solved: any
//! other that keeps the order is as good.

mod joint;
mod requires;
mod sort;

use std::collections::BTreeMap;

use switchback_schemas::{
    HopId, Label,
    name::SavepointId,
    plan::{Hop, HopBasis, HopOrder, Source},
};

pub use joint::{blind_spots, not_before, solve, states};

use crate::{context::Cx, hop::HopSpec};

/// A hop that has to come before another one.
struct Edge {
    before: usize,
    why: String,
    source: Option<(String, Source)>,
    /// Where in the manifests it comes from.
    place: Label,
}

/// Positions of hops in the order in which they run, each with the plan's word of it and why it comes after others; empty when there is no order. Of hops that are free
/// those come first that `sequence` names first. Sources are added to the table.
pub fn order(
    cx: &Cx<'_>,
    asked: &[HopSpec],
    sequence: &[HopId],
    sources: &mut BTreeMap<String, Source>,
) -> Vec<(usize, Hop)> {
    let known = joint::known(cx, asked);
    let by_upgrade = requires::by_upgrade(asked);
    let preferred: BTreeMap<&HopId, usize> = sequence.iter().zip(0..).collect();
    let mut after: BTreeMap<usize, Vec<Edge>> = BTreeMap::new();
    for (number, hop) in asked.iter().enumerate() {
        let edges = after.entry(number).or_default();
        let earlier = number.checked_sub(1).filter(|n| asked.get(*n).is_some_and(|e| e.doc == hop.doc));
        if let Some(before) = earlier {
            let place = cx.label(hop.doc, "/spec/to", "moved over it");
            edges.push(Edge {
                before,
                why: "hops of one upgrade follow each other".to_owned(),
                source: None,
                place,
            });
        }
        // Only the first hop of an upgrade can be held back: the others follow it.
        for requires in hop.requires.iter().filter(|_| earlier.is_none()) {
            edges.extend(requires::edge(cx, asked, &by_upgrade, hop, requires));
        }
        edges.extend(known.edges(cx, asked, number));
    }
    let key = |number: usize| {
        let hop = asked.get(number).map(HopSpec::id);
        let preferred = hop.as_ref().and_then(|hop| preferred.get(hop)).copied().unwrap_or(sequence.len());
        let place = known.place(number);
        // What an earlier run began is finished first: it left something suspended.
        let begun = hop.as_ref().is_some_and(|hop| cx.unfinished(hop).is_some());
        (preferred, !begun, place.is_none(), place.unwrap_or_default(), number)
    };
    let Some(sorted) = sort::sort(cx, asked, &after, key) else { return Vec::new() };
    let mut hops = Vec::new();
    for number in sorted {
        let Some(spec) = asked.get(number) else { continue };
        let edges = after.remove(&number).unwrap_or_default();
        let before = edges.into_iter().filter_map(|edge| {
            let hop = asked.get(edge.before)?.id();
            let source = edge.source.map(|(key, source)| {
                sources.insert(key.clone(), source);
                key
            });
            Some(HopOrder { hop, why: edge.why, source })
        });
        let hop = Hop {
            id: spec.id(),
            from: spec.from.clone(),
            basis: if known.predicted(number) { HopBasis::Predicted } else { spec.basis },
            after: before.collect(),
            leave_by: known.leave_by(number),
            savepoint: SavepointId::sanitized(&spec.id().to_string()),
        };
        hops.push((number, hop));
    }
    hops
}
