//! One sequence out of what comes before what.

use std::collections::{BTreeMap, BTreeSet};

use switchback_schemas::{Diagnostic, codes};

use super::Edge;
use crate::{context::Cx, hop::HopSpec};

/// What decides between hops that are free: the sequence that is preferred, then what an earlier run began, then the joint path's own,
/// then the order of asking.
pub(super) type Key = (usize, bool, bool, usize, usize);

/// Topological order; among hops that are free, the least by key.
pub(super) fn sort(
    cx: &Cx<'_>,
    asked: &[HopSpec],
    after: &BTreeMap<usize, Vec<Edge>>,
    key: impl Fn(usize) -> Key,
) -> Option<Vec<usize>> {
    let mut held: Vec<usize> = vec![0; asked.len()];
    let mut waiting: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (number, reasons) in after {
        for Edge { before, .. } in reasons {
            waiting.entry(*before).or_default().push(*number);
            if let Some(count) = held.get_mut(*number) {
                *count += 1;
            }
        }
    }
    let free = (0..asked.len()).filter(|number| held.get(*number) == Some(&0));
    let mut free: BTreeSet<(Key, usize)> = free.map(|number| (key(number), number)).collect();
    let mut sorted: Vec<usize> = Vec::new();
    while let Some((_, number)) = free.pop_first() {
        sorted.push(number);
        for next in waiting.remove(&number).unwrap_or_default() {
            if let Some(count) = held.get_mut(next) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    free.insert((key(next), next));
                }
            }
        }
    }
    if sorted.len() < asked.len() {
        circle(cx, asked, after, |number| held.get(number).is_some_and(|left| *left > 0));
        return None;
    }
    Some(sorted)
}

/// Hops of a circle that are told from its begin, before the rest are counted.
const TOLD: usize = 20;

fn circle(
    cx: &Cx<'_>,
    asked: &[HopSpec],
    after: &BTreeMap<usize, Vec<Edge>>,
    is_open: impl Fn(usize) -> bool,
) {
    // Follow unmet requirements until a hop comes again.
    let mut walk: Vec<(usize, &Edge)> = Vec::new();
    let mut places: BTreeMap<usize, usize> = BTreeMap::new();
    let mut at = (0..asked.len()).find(|number| is_open(*number)).unwrap_or_default();
    while !places.contains_key(&at) {
        let next = after.get(&at).into_iter().flatten().find(|edge| is_open(edge.before));
        let Some(edge) = next else { break };
        places.insert(at, walk.len());
        walk.push((at, edge));
        at = edge.before;
    }
    let circle = walk.get(places.get(&at).copied().unwrap_or_default()..).unwrap_or_default();
    let (told, rest) = circle.split_at(circle.len().min(TOLD));
    let hops =
        told.iter().filter_map(|(number, edge)| Some(format!("{} ({})", asked.get(*number)?.id(), edge.why)));
    let rest = (!rest.is_empty()).then(|| format!("{} more hops, and the first again", rest.len()));
    let hops: Vec<String> = hops.chain(rest).collect();
    let message = format!("dependency cycle of hops: {}", hops.join(" -> "));
    let labels = told.iter().map(|(_, edge)| edge.place.clone());
    cx.findings.say(
        Diagnostic::error(codes::PATH_CYCLE, message).at_all(labels).help("remove one of the requirements"),
    );
}
